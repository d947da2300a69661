import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { referrersTag } from '../../../src/core/digest.ts';
import { toJsonBytes } from '../../../src/core/json.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { givePiece, lendPiece, retireSlab, takeSlab } from '../../../src/io/slabPool.ts';
import { describe as describeBytes } from '../../../src/io/verify.ts';
import { createMemoryLibrary } from '../../../src/stores/memory/library.ts';
import { createMemory, type MemoryStore } from '../../../src/stores/memory/store.ts';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const opening = (bytes: Uint8Array) => () =>
  Promise.resolve(Readable.from([Buffer.from(bytes)], { objectMode: false }));
const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
};

function putManifest(store: MemoryStore, extra: object = {}): Descriptor {
  const config = store.putBytes(bytesOf('{}'), MEDIA.ociEmpty);
  return store.putBytes(
    toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [], ...extra }),
    MEDIA.ociManifest,
  );
}

async function tag(store: MemoryStore, root: Descriptor, name: string): Promise<void> {
  await store.tag(root, { tag: name }, () => store.open(root));
  await store.commit();
}

describe('a memory store', () => {
  it('gives back what was put, whole and in ranges', async () => {
    const store = createMemory();
    const blob = store.putBytes(bytesOf('0123456789'), 'text/plain');
    expect(await buffer(await store.open(blob))).toEqual(Buffer.from('0123456789'));
    expect((await buffer(await store.open(blob, { start: 2, end: 4 }))).toString()).toBe('234');
    expect((await buffer(await store.open(blob, { start: 8 }))).toString()).toBe('89');
    expect(await store.has(blob)).toBe(true);
    expect(await store.has({ ...blob, size: 9 })).toBe(false);
    expect(await store.resolve(blob.digest)).toEqual(blob);
    expect(await all(store.blobs())).toEqual([{ digest: blob.digest, size: 10 }]);
  });

  it('keeps bytes that the caller changes later', async () => {
    const store = createMemory();
    const bytes = bytesOf('abc');
    const blob = store.putBytes(bytes, 'text/plain');
    bytes[0] = 0;
    expect((await buffer(await store.open(blob))).toString()).toBe('abc');
  });

  it('keeps memory of its own: what came in memory of the pool stays when its reader gives it back', async () => {
    const slab = takeSlab().fill(1);
    const store = createMemory();
    const blob = describeBytes(slab, 'text/plain');
    await store.put(blob, () => Promise.resolve(Readable.from([lendPiece(slab, 0, slab.length)])));
    retireSlab(slab);
    for await (const piece of await store.open(blob)) givePiece(piece as Uint8Array);
    takeSlab().fill(2);
    expect((await buffer(await store.open(blob))).every((byte) => byte === 1)).toBe(true);
  });

  it('takes empty content', async () => {
    const store = createMemory();
    const blob = store.putBytes(new Uint8Array(), 'text/plain');
    expect((await buffer(await store.open(blob))).length).toBe(0);
  });

  it('refuses content that is not what the descriptor says, and keeps nothing of it', async () => {
    const other = createMemory();
    const blob = other.putBytes(bytesOf('right'), 'text/plain');
    const store = createMemory();
    await expect(store.put(blob, opening(bytesOf('wrong')))).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
    await expect(store.put(blob, opening(bytesOf('longer than that')))).rejects.toMatchObject({
      code: 'OCL_SIZE_MISMATCH',
    });
    await expect(store.open(blob)).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
  });

  it('shows names only after the commit, and drops them when it is closed before', async () => {
    const store = createMemory();
    const root = putManifest(store);
    await store.tag(root, { tag: 'v1' }, () => store.open(root));
    expect(await store.find('v1')).toBeUndefined();
    await store.close();
    await store.commit();
    expect(await all(store.tags())).toEqual([]);
    await tag(store, root, 'v1');
    expect(await store.find('v1')).toEqual(root);
    expect((await store.resolve('v1')).digest).toBe(root.digest);
    await expect(store.resolve('v2')).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
  });

  it('stores a document that comes with its name', async () => {
    const other = createMemory();
    const root = putManifest(other);
    const store = createMemory();
    await store.tag(root, {}, () => other.open(root));
    await store.commit();
    expect(await store.has(root)).toBe(true);
    expect((await store.roots()).map(({ digest }) => digest)).toEqual([root.digest]);
  });

  it('moves a tag, takes it away, and keeps the content', async () => {
    const store = createMemory();
    const first = putManifest(store);
    const second = putManifest(store, { annotations: { a: 'b' } });
    await tag(store, first, 'v1');
    await tag(store, first, 'latest');
    await tag(store, second, 'v1');
    expect((await store.resolve('v1')).digest).toBe(second.digest);
    expect((await store.resolve('latest')).digest).toBe(first.digest);
    expect(await store.untag('v1')).toBe(true);
    expect(await store.untag('v1')).toBe(false);
    expect((await store.resolve(second.digest)).mediaType).toBe(MEDIA.ociManifest);
    expect(await all(store.tags())).toEqual(['latest']);
  });

  it('removes manifests with their names, and blobs, each by its own door', async () => {
    const store = createMemory();
    const root = putManifest(store);
    const blob = store.putBytes(bytesOf('x'), 'text/plain');
    await tag(store, root, 'v1');
    expect(await store.removeBlob(root.digest)).toBe(false);
    expect(await store.remove(blob.digest)).toBe(false);
    expect(await store.remove(root.digest)).toBe(true);
    expect(await store.remove(root.digest)).toBe(false);
    expect(await store.removeBlob(blob.digest)).toBe(true);
    expect(await all(store.tags())).toEqual([]);
    expect(await store.has(root)).toBe(false);
  });

  it('finds referrers by subject and by the referrers tag, each once', async () => {
    const store = createMemory();
    const subject = putManifest(store);
    const referrer = putManifest(store, { subject, artifactType: 'application/x', annotations: { k: 'v' } });
    const { digest, size } = putManifest(store, { annotations: { old: 'way' } });
    const old = { mediaType: MEDIA.ociManifest, digest, size, artifactType: 'application/old' };
    const listing = store.putBytes(
      toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [old, referrer] }),
      MEDIA.ociIndex,
    );
    await tag(store, listing, referrersTag(subject.digest));
    expect(await all(store.referrers(subject))).toEqual([
      { ...referrer, artifactType: 'application/x', annotations: { k: 'v' } },
      old,
    ]);
    await store.remove(referrer.digest);
    expect((await all(store.referrers(subject))).map((entry) => entry.digest)).toEqual([old.digest, referrer.digest]);
    expect(await all(store.referrers(referrer))).toEqual([]);
  });

  it('makes a document of a blob that comes again as one', async () => {
    const store = createMemory();
    const root = putManifest(store);
    const again = createMemory();
    await again.put({ ...root, mediaType: 'application/octet-stream' }, () => store.open(root));
    await again.tag(root, { tag: 'v1' }, () => store.open(root));
    await again.put({ ...root, mediaType: 'application/octet-stream' }, () => store.open(root));
    expect((await again.resolve(root.digest)).mediaType).toBe(MEDIA.ociManifest);
  });
});

describe('a memory library', () => {
  it('has a repository from its first content on', async () => {
    const library = createMemoryLibrary();
    const sink = await library.sink('b/two');
    expect(await library.repositories()).toEqual([]);
    expect(await library.source('b/two')).toBeUndefined();
    const other = createMemory();
    const root = putManifest(other);
    await sink.tag(root, { tag: 'v1' }, () => other.open(root));
    expect(await library.repositories()).toEqual(['b/two']);
    const source = await library.source('b/two');
    if (source === undefined) throw new Error('the repository is not there');
    expect(await all(source.tags())).toEqual([]);
    await sink.commit();
    expect(await all(source.tags())).toEqual(['v1']);
  });

  it('sorts its repositories and refuses names that are none', async () => {
    const library = createMemoryLibrary();
    const { digest, size, mediaType } = createMemory().putBytes(bytesOf('x'), 'text/plain');
    for (const name of ['z', 'a/b', 'a'])
      await (await library.sink(name)).put({ digest, size, mediaType }, opening(bytesOf('x')));
    expect(await library.repositories()).toEqual(['a', 'a/b', 'z']);
    await expect(library.sink('../x')).rejects.toMatchObject({ code: 'OCL_REFERENCE_INVALID' });
  });
});
