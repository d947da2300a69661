import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { digestOf } from '../../src/io/verify.ts';
import { Content } from '../support/content.ts';
import { answered, answeredYes, digests, layer, LAYER_BYTES, opener, tagged, type Feature } from './registriesBench.ts';
import { all, pull, push } from './registriesClient.ts';

export const FEATURES: readonly Feature[] = [
  {
    name: 'push of a blob in one piece',
    async run({ connect: to }) {
      const client = to();
      const { blob, bytes } = layer();
      const app = client.repository('push/whole');
      await app.put(blob, opener(bytes));
      expect((await pull(app, blob)).equals(bytes)).toBe(true);
      expect(client.count('PUT', '/uploads/', 201)).toBe(1);
      if (client.count('PATCH', '/uploads/') === 0) return 'yes';
      return client.count('PUT', '/uploads/', 413) > 0 ? 'in chunks after 413' : 'in chunks';
    },
  },
  {
    name: 'push of a blob in chunks',
    async run({ connect: to }) {
      const client = to({ settings: { monolithicBytes: 0, chunkBytes: 200_000 } });
      const { blob, bytes } = layer();
      const app = client.repository('push/chunks');
      await app.put(blob, opener(bytes));
      expect((await pull(app, blob)).equals(bytes)).toBe(true);
      return client.count('PATCH', '/uploads/') === Math.ceil(LAYER_BYTES / 200_000) ? 'yes' : 'no';
    },
  },
  {
    name: 'pull of a blob',
    async run({ place, connect: to }) {
      const client = to();
      const { blob, bytes } = layer();
      const app = client.repository('pull');
      await app.put(blob, opener(bytes));
      expect((await pull(app, blob)).equals(bytes)).toBe(true);
      await expect(pull(app, layer().blob)).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
      const elsewhere = client.calls.filter(({ url }) => url.pathname.includes('/blobs/') && url.host !== place.host);
      // A login never goes to another host.
      expect(elsewhere.filter(({ authorized }) => authorized)).toEqual([]);
      return elsewhere.length > 0 ? 'from another host' : 'yes';
    },
  },
  {
    name: 'resume of a broken pull',
    async run({ connect: to }) {
      const { blob, bytes } = layer();
      await to().repository('resume').put(blob, opener(bytes));
      const client = to({ breakAfter: 1_000_000 });
      expect((await pull(client.repository('resume'), blob)).equals(bytes)).toBe(true);
      const statuses = client.calls.filter(({ url }) => url.pathname.includes('/blobs/')).map(({ status }) => status);
      return statuses.at(-1) === 206 ? 'yes' : 'from the start';
    },
  },
  {
    name: 'mount from another repository',
    async run({ connect: to }) {
      const client = to();
      const { blob, bytes } = layer();
      const [from, into] = [client.repository('mount/from'), client.repository('mount/into')];
      await from.put(blob, opener(bytes));
      const mounted = await into.adopt(blob, from.place());
      if (mounted === undefined) await into.put(blob, opener(bytes));
      expect((await pull(into, blob)).equals(bytes)).toBe(true);
      const absent = layer();
      expect(await into.adopt(absent.blob, from.place())).toBeUndefined();
      await into.put(absent.blob, opener(absent.bytes));
      expect(await into.has(absent.blob)).toBe(true);
      return mounted === 'mounted' ? 'yes' : 'no';
    },
  },
  {
    name: 'list of tags, in pages',
    async run({ connect: to }) {
      const client = to({ pageSize: 7 });
      const app = client.repository('tags');
      const [content, root] = tagged();
      const tags = Array.from({ length: 20 }, (_, i) => `v${i}`);
      await push(app, content, root);
      for (const tag of tags) await app.tag(root, { tag }, content.opener(root));
      expect((await all(app.tags())).toSorted()).toEqual(tags.toSorted());
      await expect(all(client.repository('tags/none').tags())).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
      return client.count('GET', '/tags/list', 200) > 1 ? 'yes' : 'all at once';
    },
  },
  {
    name: 'list of repositories, in pages',
    async run({ place, connect: to }) {
      const client = to({ pageSize: 2 });
      const names = ['a', 'b', 'c', 'd', 'e'].map((name) => `catalog/${name}`);
      for (const name of names) await push(client.repository(name), ...tagged(), 'v1');
      return await answered(async () => {
        expect(await all(client.registries.catalog(place.host))).toEqual(expect.arrayContaining(names));
        expect(client.count('GET', '/_catalog', 200)).toBeGreaterThan(2);
      });
    },
  },
  {
    name: 'referrers',
    async run({ connect: to }) {
      const client = to();
      const app = client.repository('signed');
      const content = new Content();
      const subject = content.image();
      const first = content.artifact({ type: 'test/first', subject, annotations: { by: 'me' } });
      const second = content.artifact({ type: 'test/second', subject });
      await push(app, content, subject, 'v1');
      expect(digests(await all(app.referrers(subject)))).toEqual(digests([first, second]));
      const listed = await all(app.referrers(subject));
      expect(listed.find(({ digest }) => digest === first.digest)).toMatchObject({
        artifactType: 'test/first',
        annotations: { by: 'me' },
      });
      if (await answeredYes(() => app.remove(first.digest)))
        expect(digests(await all(app.referrers(subject)))).toEqual(digests([second]));
      return client.count('GET', '/referrers/sha256:', 200) > 0 ? 'by the API' : 'by a tag';
    },
  },
  {
    name: 'referrer before its subject',
    async run({ connect: to }) {
      const app = to().repository('early');
      const content = new Content();
      const subject = new Content().image();
      const referrer = content.artifact({ subject });
      return await answered(async () => {
        await push(app, content, referrer);
        expect(digests(await all(app.referrers(subject)))).toEqual([referrer.digest]);
      });
    },
  },
  {
    name: 'removal of a tag alone',
    async run({ connect: to }) {
      const client = to();
      const app = client.repository('untag');
      const [content, root] = tagged();
      await push(app, content, root, 'one');
      await app.tag(root, { tag: 'two' }, content.opener(root));
      const done = await answered(async () => {
        expect(await app.untag('one')).toBe(true);
        expect(await app.find('one')).toBeUndefined();
        expect(await app.find('two')).toMatchObject({ digest: root.digest });
      });
      return done === 'yes' && client.count('DELETE', '/manifests/one', 202) === 0 ? 'by a stand-in' : done;
    },
  },
  {
    name: 'removal of a manifest',
    async run({ connect: to }) {
      const app = to().repository('remove');
      const [content, root] = tagged();
      await push(app, content, root, 'one');
      return await answered(async () => {
        expect(await app.remove(root.digest)).toBe(true);
        expect(await app.has(root)).toBe(false);
        expect(await app.find('one')).toBeUndefined();
        expect(await app.remove(root.digest)).toBe(false);
      });
    },
  },
  {
    name: 'removal of a blob',
    async run({ connect: to }) {
      const app = to().repository('remove/blob');
      const { blob, bytes } = layer();
      await app.put(blob, opener(bytes));
      return await answered(async () => {
        expect(await app.removeBlob(blob.digest)).toBe(true);
        expect(await app.has(blob)).toBe(false);
        expect(await app.removeBlob(blob.digest)).toBe(false);
      });
    },
  },
  {
    name: 'blob by sha512',
    async run({ connect: to }) {
      const app = to().repository('sha512/blob');
      const { bytes } = layer();
      const blob = { mediaType: MEDIA.ociLayer, digest: digestOf(bytes, 'sha512'), size: bytes.length };
      return await answered(async () => {
        await app.put(blob, opener(bytes));
        expect(await app.has(blob)).toBe(true);
        expect((await pull(app, blob)).equals(bytes)).toBe(true);
      });
    },
  },
  {
    name: 'manifest by sha512',
    async run({ connect: to }) {
      const app = to().repository('sha512/manifest');
      const [content, image] = tagged();
      await push(app, content, image);
      const bytes = content.bytes(image);
      const root = { ...image, digest: digestOf(bytes, 'sha512') };
      return await answered(async () => {
        await app.put(root, content.opener(image));
        expect(await app.has(root)).toBe(true);
        expect((await pull(app, root)).equals(bytes)).toBe(true);
      }, 'OCL_REGISTRY');
    },
  },
  {
    name: 'index in an index',
    async run({ connect: to }) {
      const app = to().repository('nested');
      const content = new Content();
      const inner = content.platforms([{ os: 'linux', architecture: 'amd64' }]);
      const root = content.index([inner, content.image({ layers: ['beside'] })]);
      return await answered(async () => {
        await push(app, content, root, 'v1');
        expect(await app.resolve('v1')).toMatchObject({ digest: root.digest, size: root.size });
        for (const part of content.descriptors) expect((await pull(app, part)).equals(content.bytes(part))).toBe(true);
      });
    },
  },
  {
    name: 'artifact without layers',
    async run({ connect: to }) {
      const app = to().repository('bare');
      const content = new Content();
      const root = content.artifact({ blobs: [] });
      return await answered(async () => {
        await push(app, content, root, 'v1');
        expect((await pull(app, await app.resolve('v1'))).equals(content.bytes(root))).toBe(true);
      });
    },
  },
  {
    name: "image of Docker's types",
    async run({ connect: to }) {
      const app = to().repository('docker');
      const content = new Content();
      const root = content.image({ docker: true });
      return await answered(async () => {
        await push(app, content, root, 'v1');
        expect(await app.resolve('v1')).toMatchObject({ mediaType: MEDIA.dockerManifest, digest: root.digest });
      });
    },
  },
  {
    name: 'refusal of an image whose blobs are missing',
    async run({ connect: to }) {
      const content = new Content();
      const root = content.image({ layers: [randomBytes(8).toString('hex')] });
      const app = to().repository('missing');
      const refused = await app.tag(root, { tag: 'v1' }, content.opener(root)).then(
        () => false,
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'OCL_MISSING_BLOBS' });
          return true;
        },
      );
      return refused ? 'yes' : 'no';
    },
  },
];
