import { createWriteStream } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Readable, Writable } from 'node:stream';
import { once } from 'node:events';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { referrersTag } from '../../../src/core/digest.ts';
import { silent } from '../../../src/core/events.ts';
import { type NamedRoot } from '../../../src/core/store.ts';
import { Tarball, openRegularFile } from '../../../src/io/tarball.ts';
import { digestOf, readBounded, readVerified } from '../../../src/io/verify.ts';
import { openArchive } from '../../../src/stores/archive/reader.ts';
import { createArchive } from '../../../src/stores/archive/writer.ts';
import { Content } from '../../support/content.ts';
import { codeOf, writeArchive } from './support.ts';

let dir: string;
let count = 0;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocl-archive-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function fresh(): string {
  return join(dir, `a-${count++}.tar`);
}

async function listFiles(path: string): Promise<string[]> {
  const tarball = await Tarball.read(await openRegularFile(path));
  try {
    return [...tarball.names()];
  } finally {
    await tarball.close();
  }
}

async function readJson(path: string, name: string): Promise<unknown> {
  const tarball = await Tarball.read(await openRegularFile(path));
  try {
    const entry = tarball.find(name);
    return entry === undefined
      ? undefined
      : JSON.parse(Buffer.from(await tarball.bytes(entry, 1 << 20, name)).toString());
  } finally {
    await tarball.close();
  }
}

const AMD = { os: 'linux', architecture: 'amd64' };
const ARM = { os: 'linux', architecture: 'arm64' };
const word = fc.stringMatching(/^[a-z0-9]{1,6}$/);
const imageSpec = fc.record({
  layers: fc.array(fc.string({ maxLength: 40 }), { maxLength: 3 }),
  compression: fc.constantFrom('gzip' as const, 'none' as const),
  docker: fc.boolean(),
  multi: fc.boolean(),
  repository: word,
  tag: word,
});

function build(
  specs: readonly {
    layers: string[];
    compression: 'gzip' | 'none';
    docker: boolean;
    multi: boolean;
    repository: string;
    tag: string;
  }[],
): { content: Content; names: NamedRoot[] } {
  const content = new Content();
  const names: NamedRoot[] = [];
  for (const spec of specs) {
    const root = spec.multi ? content.platforms([AMD, ARM], spec) : content.image(spec);
    names.push({ root, name: { tag: spec.tag, imageName: `docker.io/library/${spec.repository}:${spec.tag}` } });
  }
  return { content, names };
}

const several = fc.uniqueArray(imageSpec, {
  minLength: 1,
  maxLength: 4,
  selector: (it) => `${it.repository}:${it.tag}`,
});

describe('archives', () => {
  it('give back every blob and every name that was put in', async () => {
    await fc.assert(
      fc.asyncProperty(several, async (specs) => {
        const { content, names } = build(specs);
        const path = fresh();
        await writeArchive({ path }, content, names);
        const source = await openArchive(path, { tmpDir: dir });
        expect(source.kind).toBe('oci');
        for (const { root, name } of names)
          expect((await source.resolve(name.imageName ?? '')).digest).toBe(root.digest);
        for (const descriptor of content.descriptors) {
          expect(Buffer.from(await readVerified(await source.open(descriptor), descriptor, 1 << 20))).toEqual(
            Buffer.from(content.bytes(descriptor)),
          );
        }
        const stored = new Map<string, number>();
        for await (const { digest, size } of source.blobs()) stored.set(digest, size);
        expect(stored).toEqual(new Map(content.descriptors.map(({ digest, size }) => [digest, size])));
        await source.close();
        await rm(path);
      }),
      { numRuns: 40 },
    );
  });

  it('are the same bytes whatever the order of nodes, names and puts, in a file and in a stream', async () => {
    await fc.assert(
      fc.asyncProperty(several, fc.infiniteStream(fc.nat()), async (specs, random) => {
        const shuffle = <T>(list: readonly T[]): T[] =>
          list
            .map((item) => ({ item, key: random.next().value ?? 0 }))
            .toSorted((a, b) => a.key - b.key)
            .map(({ item }) => item);
        const { content, names } = build(specs);
        const [first, second, third] = [fresh(), fresh(), fresh()];
        await writeArchive({ path: first }, content, names);
        await writeArchive({ path: second }, content, shuffle(names), { order: shuffle, shuffleNodes: shuffle });
        const stream = createWriteStream(third);
        await writeArchive({ stream, name: 'stdout' }, content, names, { order: shuffle, shuffleNodes: shuffle });
        stream.end();
        await once(stream, 'close');
        const bytes = await readFile(first);
        expect((await readFile(second)).equals(bytes)).toBe(true);
        expect((await readFile(third)).equals(bytes)).toBe(true);
        await Promise.all([first, second, third].map((path) => rm(path)));
      }),
      { numRuns: 30 },
    );
  });

  it('have their table of contents in front, and nothing of the day or the machine', async () => {
    const content = new Content();
    const root = content.image({ layers: ['one', 'two'] });
    const path = fresh();
    await writeArchive({ path }, content, [{ root, name: { tag: '1', imageName: 'docker.io/library/demo:1' } }]);
    const files = await listFiles(path);
    expect(files.slice(0, 4)).toEqual(['oci-layout', 'index.json', 'manifest.json', 'repositories']);
    expect(files.slice(4)).toEqual(files.slice(4).toSorted());
    expect(digestOf(await readFile(path))).toBe(
      'sha256:3127b13aa274a37bee8d090bc9c103c2cb1f44b1fccd1022b0c24c0c2447cfa8',
    );
    const manifest = (await readJson(path, 'manifest.json')) as {
      RepoTags: string[];
      Layers: string[];
      LayerSources: object;
    }[];
    expect(manifest).toHaveLength(1);
    expect(manifest[0]?.RepoTags).toEqual(['demo:1']);
    expect(Object.keys(manifest[0]?.LayerSources ?? {})).toHaveLength(2);
    expect(await readJson(path, 'index.json')).toEqual({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [
        {
          mediaType: root.mediaType,
          digest: root.digest,
          size: root.size,
          platform: { architecture: 'amd64', os: 'linux' },
          annotations: {
            'io.containerd.image.name': 'docker.io/library/demo:1',
            'org.opencontainers.image.ref.name': '1',
          },
        },
      ],
    });
    expect(Object.keys((await readJson(path, 'repositories')) as object)).toEqual(['demo']);
  });

  it('show docker the image of one platform, and each RepoTag once', async () => {
    const content = new Content();
    const multi = content.platforms([ARM, AMD]);
    const arm = content.image({ platform: ARM, layers: ['alone'] });
    const chart = content.artifact();
    const path = fresh();
    const names = [
      { root: multi, name: { imageName: 'ghcr.io/x/multi:1' } },
      { root: multi, name: { imageName: 'ghcr.io/x/multi:2' } },
      { root: arm, name: { imageName: 'docker.io/library/arm:1' } },
      { root: chart, name: { imageName: 'ghcr.io/x/chart:1' } },
    ];
    await writeArchive({ path }, content, names);
    const entries = (await readJson(path, 'manifest.json')) as { RepoTags: string[]; Config: string }[];
    expect(entries.map(({ RepoTags }) => RepoTags)).toEqual([['arm:1'], ['ghcr.io/x/multi:1', 'ghcr.io/x/multi:2']]);
    const docker = await openArchive(path, { tmpDir: dir, as: 'docker' });
    const shown = await docker.resolve('ghcr.io/x/multi:1');
    expect(shown.platform).toEqual({ architecture: 'amd64', os: 'linux' });
    await docker.close();
    const other = fresh();
    await writeArchive({ path: other }, content, names, { dockerPlatform: ARM });
    const armEntries = (await readJson(other, 'manifest.json')) as { Config: string }[];
    expect(armEntries[1]?.Config).not.toBe(entries[1]?.Config);
  });

  it('keep artifacts, referrers and sha512 digests, and leave manifest.json out when there is no image', async () => {
    const content = new Content();
    const subject = content.image();
    const signature = content.artifact({ type: 'application/vnd.test.signature', subject, annotations: { note: 'x' } });
    const listed = content.artifact({ type: 'application/vnd.test.listed', blobs: ['listed'] });
    const fallback = content.index([{ ...listed, artifactType: 'application/vnd.test.listed' }]);
    const path = fresh();
    await writeArchive({ path }, content, [
      { root: subject, name: { tag: 'v1' } },
      { root: signature, name: {} },
      { root: fallback, name: { tag: referrersTag(subject.digest) } },
    ]);
    const source = await openArchive(path, { tmpDir: dir });
    const found: Descriptor[] = [];
    for await (const referrer of source.referrers(subject)) found.push(referrer);
    expect(found.map(({ digest, artifactType }) => [digest, artifactType])).toEqual([
      [signature.digest, 'application/vnd.test.signature'],
      [listed.digest, 'application/vnd.test.listed'],
    ]);
    expect(found[0]?.annotations).toEqual({ note: 'x' });
    const tags: string[] = [];
    for await (const tag of source.tags()) tags.push(tag);
    expect(tags.toSorted()).toEqual([referrersTag(subject.digest), 'v1'].toSorted());
    expect((await source.resolve(signature.digest)).digest).toBe(signature.digest);
    expect((await source.resolve(listed.digest)).mediaType).toBe(listed.mediaType);
    await source.close();

    const artifacts = new Content();
    const bytes = Buffer.from('long digest');
    const long = { mediaType: 'text/plain', digest: digestOf(bytes, 'sha512'), size: bytes.length };
    artifacts.blobs.set(long.digest, { descriptor: long, bytes });
    const root = artifacts.json(
      { schemaVersion: 2, mediaType: subject.mediaType, artifactType: 'application/x', config: long, layers: [long] },
      subject.mediaType,
    );
    const second = fresh();
    await writeArchive({ path: second }, artifacts, [{ root, name: { imageName: 'ghcr.io/a/b:1' } }]);
    expect(await readJson(second, 'manifest.json')).toBeUndefined();
    const again = await openArchive(second, { tmpDir: dir });
    expect(Buffer.from(await readVerified(await again.open(long), long, 100)).toString()).toBe('long digest');
    await again.close();
  });

  it('can be read by range and in compressed form, and leave no copy behind', async () => {
    const content = new Content();
    const root = content.image({ layers: ['0123456789'.repeat(500_000)], compression: 'none' });
    const path = fresh();
    await writeArchive({ path }, content, [{ root, name: { tag: 'x' } }]);
    const zipped = fresh();
    await writeFile(zipped, gzipSync(await readFile(path)));
    const spool = await mkdtemp(join(dir, 'spool-'));
    const source = await openArchive(zipped, { tmpDir: spool });
    const big = content.descriptors.find(({ size }) => size > 4_000_000) as Descriptor;
    const part = await readBounded(await source.open(big, { start: 1_048_570, end: 3_000_000 }), 1 << 24, 'part');
    expect(Buffer.from(part).equals(Buffer.from(content.bytes(big)).subarray(1_048_570, 3_000_001))).toBe(true);
    expect((await readBounded(await source.open(big, { start: big.size - 3 }), 10, 'end')).length).toBe(3);
    await source.close();
    await source.close();
    expect(await readdir(spool)).toEqual([]);
  });
});

describe('writing goes wrong', () => {
  it('and no file is there', async () => {
    const own = await mkdtemp(join(dir, 'broken-'));
    const content = new Content();
    const root = content.image();
    const names = [{ root, name: { tag: '1' } }];
    const path = join(own, 'out.tar');
    const read = async (descriptor: Descriptor): Promise<Uint8Array> => content.bytes(descriptor);
    const sink = createArchive({ path }, { emit: silent });
    const order = await sink.reserve(content.descriptors, names, read);
    const [first] = order as [Descriptor];
    expect(await codeOf(() => sink.put(first, async () => Readable.from([Buffer.alloc(first.size)])))).toBe(
      'OCL_DIGEST_MISMATCH',
    );
    expect(await codeOf(() => sink.put(first, async () => Readable.from([Buffer.alloc(first.size + 1)])))).toBe(
      'OCL_SIZE_MISMATCH',
    );
    expect(
      await codeOf(() => sink.put(first, async () => Readable.from([Buffer.from(content.bytes(first)).subarray(1)]))),
    ).toBe('OCL_SIZE_MISMATCH');
    expect(await sink.has(first)).toBe(false);
    expect(await codeOf(() => sink.commit())).toBe('OCL_INCOMPLETE');
    expect(await codeOf(() => sink.put({ ...first, digest: `sha256:${'0'.repeat(64)}` }, content.opener(first)))).toBe(
      'OCL_INTERNAL',
    );
    expect(await codeOf(() => sink.tag(root, { tag: 'other' }, content.opener(root)))).toBe('OCL_INTERNAL');
    expect(await readdir(own)).toHaveLength(1);
    await sink.close();
    expect(await readdir(own)).toEqual([]);
    expect(await codeOf(() => sink.put(first, content.opener(first)))).toBe('OCL_INTERNAL');
  });

  it('and a later try makes up for it', async () => {
    const content = new Content();
    const root = content.image();
    const path = fresh();
    const sink = createArchive({ path }, { emit: silent });
    const order = await sink.reserve(content.descriptors, [{ root, name: { tag: '1' } }], async (descriptor) =>
      content.bytes(descriptor),
    );
    for (const descriptor of order) {
      await expect(sink.put(descriptor, async () => Readable.from([Buffer.alloc(descriptor.size, 1)]))).rejects.toThrow(
        'Cannot accept',
      );
      await sink.put(descriptor, content.opener(descriptor));
    }
    await sink.tag(root, { tag: '1' }, content.opener(root));
    await sink.commit();
    await sink.commit();
    await sink.close();
    const again = fresh();
    await writeArchive({ path: again }, content, [{ root, name: { tag: '1' } }]);
    expect((await readFile(path)).equals(await readFile(again))).toBe(true);
  });

  it('and everybody who waits for a broken stream is told', async () => {
    const content = new Content();
    const root = content.image({ layers: ['a', 'b', 'c'] });
    const names = [{ root, name: { tag: '1' } }];
    const sink = createArchive(
      { stream: new Writable({ write: (_chunk, _encoding, done) => done() }), name: 'stdout' },
      { emit: silent },
    );
    const order = await sink.reserve(content.descriptors, names, async (descriptor) => content.bytes(descriptor));
    const results = await Promise.allSettled(
      order.toReversed().map((descriptor) => sink.put(descriptor, async () => Readable.from([Buffer.alloc(1)]))),
    );
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(await codeOf(() => sink.commit())).toBe('OCL_INCOMPLETE');
    await sink.close();

    const closed = new Writable({ write: (_chunk, _encoding, done) => done(new Error('EPIPE')) });
    const second = createArchive({ stream: closed, name: 'stdout' }, { emit: silent });
    await expect(
      second.reserve(content.descriptors, names, async (descriptor) => content.bytes(descriptor)),
    ).rejects.toThrow('EPIPE');
    await second.close();
  });

  it('and those who wait for their turn are let go when the sink is closed', async () => {
    const content = new Content();
    const root = content.image({ layers: ['a', 'b', 'c'] });
    const sink = createArchive(
      { stream: new Writable({ write: (_chunk, _encoding, done) => done() }), name: 'stdout' },
      { emit: silent },
    );
    const order = await sink.reserve(content.descriptors, [{ root, name: { tag: '1' } }], async (descriptor) =>
      content.bytes(descriptor),
    );
    let opened = 0;
    const waiting = order.slice(1).map((descriptor) =>
      codeOf(() =>
        sink.put(descriptor, () => {
          opened++;
          return content.opener(descriptor)();
        }),
      ),
    );
    await sink.close();
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['OCL_INCOMPLETE']));
    expect(opened).toBe(0);
  });

  it('when two contents are to have one name', async () => {
    const content = new Content();
    const a = content.image({ layers: ['a'] });
    const b = content.image({ layers: ['b'] });
    const names = [a, b].map((root) => ({ root, name: { imageName: 'docker.io/library/x:1' } }));
    expect(await codeOf(() => writeArchive({ path: fresh() }, content, names))).toBe('OCL_AMBIGUOUS');
    expect(await codeOf(() => writeArchive({ path: dir }, content, names.slice(1)))).toBe('OCL_EXISTS');
  });
});
