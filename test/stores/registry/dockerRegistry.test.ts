import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { describe as describeBytes, digestOf, readVerified, verifyInto } from '../../../src/io/verify.ts';
import { type RegistryStore } from '../../../src/stores/registry/repository.ts';
import { startDockerRegistry, whyNoDockerRegistry, type DockerRegistry } from '../../support/dockerRegistry.ts';
import { bare, cleanUp, connectTo, listAll, openBytes, readAll, repository } from './harness.ts';

const why = whyNoDockerRegistry();

describe.skipIf(why !== undefined)(`against Debian's docker-registry${why === undefined ? '' : ` (${why})`}`, () => {
  let registry: DockerRegistry | undefined;
  beforeAll(async () => {
    registry = await startDockerRegistry();
  });
  afterAll(() => registry?.stop());
  afterEach(cleanUp);

  const host = (): string => registry?.host ?? '';
  const store = (name: string): RegistryStore => repository(connectTo(), host(), name);

  async function pushImage(
    to: RegistryStore,
    layer: Uint8Array,
    extra: Record<string, unknown> = {},
  ): Promise<{ image: Descriptor; bytes: Buffer; layers: Descriptor[] }> {
    const configBytes = Buffer.from('{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}');
    const [config, blob] = [describeBytes(configBytes, MEDIA.ociConfig), describeBytes(layer, MEDIA.ociLayer)];
    await to.put(config, openBytes(configBytes));
    await to.put(blob, openBytes(layer));
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [blob], ...extra }),
    );
    const image = describeBytes(bytes, MEDIA.ociManifest);
    await to.put(image, openBytes(bytes));
    return { image, bytes, layers: [blob] };
  }

  it('an image goes there and comes back, byte for byte', async () => {
    const app = store('round/trip');
    const layer = randomBytes(5_000_000);
    const { image, bytes, layers } = await pushImage(app, layer);
    expect(await app.find('v1')).toBeUndefined();
    await app.tag(image, { tag: 'v1' }, openBytes(bytes));
    expect(await app.find('v1')).toEqual(image);
    expect(await app.resolve('v1')).toEqual(image);
    expect(await app.resolve(image.digest)).toEqual(image);
    expect(await app.has(image)).toBe(true);
    const [blob] = layers as [Descriptor];
    expect(await app.has(blob)).toBe(true);
    expect((await readVerified(await app.open(image), image, 1e6)).length).toBe(bytes.length);
    await verifyInto(await app.open(blob), blob);
    expect(
      (await readAll(await app.open(blob, { start: 1_234_567, end: 1_234_577 }))).equals(
        layer.subarray(1_234_567, 1_234_578),
      ),
    ).toBe(true);
    expect((await readAll(await app.open(blob, { start: 4_999_990 }))).equals(layer.subarray(4_999_990))).toBe(true);
  });

  it('a blob moves between repositories without being sent', async () => {
    const from = store('mount/from');
    const to = store('mount/to');
    const bytes = randomBytes(100_000);
    const blob = describeBytes(bytes, MEDIA.ociLayer);
    await from.put(blob, openBytes(bytes));
    expect(await to.has(blob)).toBe(false);
    expect(await to.adopt(blob, from.place())).toBe('mounted');
    expect(await to.has(blob)).toBe(true);
    const absent = randomBytes(1000);
    expect(await to.adopt(describeBytes(absent, MEDIA.ociLayer), from.place())).toBeUndefined();
    await to.put(describeBytes(absent, MEDIA.ociLayer), openBytes(absent));
    expect(await to.has(describeBytes(absent, MEDIA.ociLayer))).toBe(true);
  });

  it('a blob goes there in chunks', async () => {
    const side = connectTo({ hosts: new Map([[host(), { monolithicBytes: 0, chunkBytes: 300_000 }]]) });
    const chunked = repository(side, host(), 'chunked');
    const bytes = randomBytes(1_000_001);
    const blob = describeBytes(bytes, MEDIA.ociLayer);
    await chunked.put(blob, async () =>
      Readable.from([bytes.subarray(0, 7), bytes.subarray(7, 900_000), bytes.subarray(900_000)], { objectMode: false }),
    );
    expect((await readAll(await chunked.open(blob))).equals(bytes)).toBe(true);
  });

  it('an empty blob is possible', async () => {
    const empty = describeBytes(Buffer.alloc(0), MEDIA.ociLayer);
    const app = store('empty');
    await app.put(empty, openBytes(Buffer.alloc(0)));
    expect(await app.has(empty)).toBe(true);
    expect(await readAll(await app.open(empty))).toHaveLength(0);
  });

  it('wrong content does not get in', async () => {
    const app = store('wrong');
    const bytes = randomBytes(3_000_000);
    const blob = describeBytes(bytes, MEDIA.ociLayer);
    const other = Buffer.from(bytes);
    other[2_999_999] = (other[2_999_999] ?? 0) ^ 1;
    await expect(app.put(blob, openBytes(other))).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
    expect(await app.has(blob)).toBe(false);
  });

  it('a manifest whose blobs are missing is refused as such', async () => {
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA.ociManifest,
        config: describeBytes(Buffer.from('a'), MEDIA.ociConfig),
        layers: [describeBytes(Buffer.from('b'), MEDIA.ociLayer)],
      }),
    );
    await expect(store('missing').put(describeBytes(bytes, MEDIA.ociManifest), openBytes(bytes))).rejects.toMatchObject(
      { code: 'OCL_MISSING_BLOBS' },
    );
  });

  it('a manifest with layers that lie elsewhere is refused once, with what to do', async () => {
    const side = connectTo();
    const app = repository(side, host(), 'foreign');
    const config = Buffer.from('{"architecture":"amd64","os":"windows","rootfs":{"type":"layers","diff_ids":[]}}');
    const layer = { ...describeBytes(Buffer.from('far'), MEDIA.dockerForeignLayerGzip), urls: ['https://x.example/l'] };
    const descriptor = describeBytes(config, MEDIA.dockerConfig);
    await app.put(descriptor, openBytes(config));
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: MEDIA.dockerManifest, config: descriptor, layers: [layer] }),
    );
    await expect(app.put(describeBytes(bytes, MEDIA.dockerManifest), openBytes(bytes))).rejects.toMatchObject({
      code: 'OCL_MISSING_BLOBS',
      message: expect.stringContaining('answered 500'),
      hint: expect.stringContaining('validation.manifests.urls.allow'),
    });
    expect(side.clock.sleeps).toEqual([]);
  });

  it('a blob that some repository is known to have is not sent into another, wherever it comes from', async () => {
    const side = connectTo();
    const bytes = randomBytes(50_000);
    const blob = describeBytes(bytes, MEDIA.ociLayer);
    await repository(side, host(), 'known/first').put(blob, openBytes(bytes));
    const second = repository(side, host(), 'known/second');
    expect(await second.adopt(blob, { kind: 'file', path: '/layout/blob' })).toBe('mounted');
    expect((await readAll(await second.open(blob))).equals(bytes)).toBe(true);
  });

  it('tags and repositories are listed', async () => {
    const app = store('listed');
    const { image, bytes } = await pushImage(app, Buffer.from('layer'));
    const tags = Array.from({ length: 25 }, (_, i) => `v${String(i).padStart(2, '0')}`);
    for (const tag of tags) await app.tag(image, { tag }, openBytes(bytes));
    expect((await listAll(app.tags())).toSorted()).toEqual(tags);
    expect(await listAll(connectTo().registries.catalog(host()))).toContain('listed');
    await expect(listAll(store('nowhere').tags())).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
  });

  it('referrers live under the fallback tag', async () => {
    const app = store('signed');
    const { image } = await pushImage(app, Buffer.from('layer'));
    expect(await listAll(app.referrers(image))).toEqual([]);
    const first = await pushImage(app, Buffer.from('signature'), {
      artifactType: 'test/signature',
      subject: bare(image),
      annotations: { by: 'me' },
    });
    const second = await pushImage(app, Buffer.from('bill'), { artifactType: 'test/sbom', subject: bare(image) });
    const entries = [
      { ...bare(first.image), artifactType: 'test/signature', annotations: { by: 'me' } },
      { ...bare(second.image), artifactType: 'test/sbom' },
    ];
    expect(await listAll(app.referrers(image))).toEqual(entries);
    expect(await app.remove(first.image.digest)).toBe(true);
    expect(await listAll(app.referrers(image))).toEqual(entries.slice(1));
    expect(await app.remove(first.image.digest)).toBe(false);
  });

  it('a tag is taken away, although it deletes by digest alone, and its siblings stay', async () => {
    const app = store('untagged');
    const { image, bytes } = await pushImage(app, randomBytes(1000));
    for (const tag of ['v1', 'v2']) await app.tag(image, { tag }, openBytes(bytes));
    expect(await app.untag('v1')).toBe(true);
    expect(await app.find('v1')).toBeUndefined();
    expect(await app.find('v2')).toEqual(image);
    expect(await listAll(app.tags())).toEqual(['v2']);
    expect(await app.untag('v1')).toBe(false);
  });

  it('manifests and blobs are taken back', async () => {
    const app = store('taken/back');
    const { image, bytes, layers } = await pushImage(app, randomBytes(1000));
    await app.tag(image, { tag: 'v1' }, openBytes(bytes));
    expect(await app.remove(image.digest)).toBe(true);
    expect(await app.find('v1')).toBeUndefined();
    const [blob] = layers as [Descriptor];
    expect(await app.removeBlob(blob.digest)).toBe(true);
    expect(await app.has(blob)).toBe(false);
    expect(await app.removeBlob(digestOf(Buffer.from('never')))).toBe(false);
  });
});
