import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHoldings } from '../../src/bundle/collection.ts';
import { decodeInventory, encodeInventory, takeInventory, type Inventory } from '../../src/bundle/inventory.ts';
import { BlobSet } from '../../src/bundle/inventoryBlobs.ts';
import { type Digest } from '../../src/core/digest.ts';
import { OclError } from '../../src/core/errors.ts';
import { silent, type OclEvent } from '../../src/core/events.ts';
import { digestOf } from '../../src/io/verify.ts';
import { LayoutTree } from '../../src/stores/layout/library.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { fakeClock } from '../support/fakeClock.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../support/layouts.ts';
import { makeShop, partsOf, putRoots, type Shop } from '../support/shop.ts';

const temporary = temporaryDirectories();

const digestOfNumber = (n: number): Digest => digestOf(Buffer.from(`${n}`));
const anyDigest = fc.oneof(
  fc.nat(5000).map(digestOfNumber),
  fc.nat(50).map((n) => digestOf(Buffer.from(`${n}`), 'sha512')),
);
const anyName = fc.oneof(fc.constantFrom('', '__proto__', 'constructor', 'library/alpine', '1.0'), fc.string());
const anyTags = fc.array(fc.tuple(anyName, fc.array(fc.tuple(anyName, anyDigest), { maxLength: 4 })), { maxLength: 4 });

function inventoryOf(blobs: Iterable<Digest>, tags: Inventory['tags'] = new Map()): Inventory {
  const set = BlobSet.of(blobs);
  return {
    of: 'far',
    time: '2026-08-01T00:00:00.000Z',
    tool: { name: 'ocl', version: '1' },
    tags,
    blobs: set,
    bytes: 1,
  };
}

describe('a set of blobs', () => {
  it('has what was put in, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(anyDigest), fc.array(anyDigest), (put, asked) => {
        const set = BlobSet.of(put);
        const real = new Set(put);
        expect(asked.map((digest) => set.has(digest))).toEqual(asked.map((digest) => real.has(digest)));
        expect(set.size).toBe(real.size);
      }),
    );
  });

  it('of two sets has what either has', () => {
    fc.assert(
      fc.property(fc.array(anyDigest), fc.array(anyDigest), (one, other) => {
        const both = BlobSet.union([BlobSet.of(one), BlobSet.of(other)]);
        const expected = BlobSet.of([...one, ...other]);
        expect([both.encode(), both.others]).toEqual([expected.encode(), expected.others]);
      }),
    );
  });

  it('takes a blob for there that begins like one of its own', () => {
    const digest: Digest = `sha256:${'a'.repeat(64)}`;
    expect(BlobSet.of([digest]).has(`sha256:${'a'.repeat(16)}${'b'.repeat(48)}`)).toBe(true);
    expect(BlobSet.of([digest]).has(`sha256:${'a'.repeat(15)}${'b'.repeat(49)}`)).toBe(false);
  });
});

describe('an inventory file', () => {
  it('says what was written into it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyDigest), anyTags, async (blobs, names) => {
        const tags = new Map(names.map(([repository, named]) => [repository, new Map(named)]));
        const read = await decodeInventory(await encodeInventory(inventoryOf(blobs, tags)), 'it');
        expect(read.tags).toEqual(tags);
        expect(new Set(blobs).size).toBe(read.blobs.size);
        for (const digest of blobs) expect(read.blobs.has(digest)).toBe(true);
      }),
    );
  });

  it('needs eight bytes for a blob, and little for a tag', async () => {
    const digests = Array.from({ length: 20_000 }, (_, i) => digestOfNumber(i));
    const tags = new Map([['library/app', new Map(digests.slice(0, 500).map((digest, i) => [`v1.${i}`, digest]))]]);
    const { length } = await encodeInventory(inventoryOf(digests, tags));
    expect(length).toBeLessThan(8 * digests.length + 48 * 500 + 300);
  });

  it('that was altered in any place, or cut off, is refused', async () => {
    const tags = new Map([['app', new Map([['1', digestOfNumber(1)]])]]);
    const whole = await encodeInventory(inventoryOf([digestOfNumber(1), digestOfNumber(2)], tags));
    const refused = async (bytes: Uint8Array): Promise<void> => {
      const error: unknown = await decodeInventory(bytes, 'it').catch((failure: unknown) => failure);
      expect(error).toBeInstanceOf(OclError);
      expect(['OCL_DOCUMENT_INVALID', 'OCL_UNSUPPORTED']).toContain((error as OclError).code);
    };
    for (let length = 0; length < whole.length; length++) await refused(whole.subarray(0, length));
    for (let at = 0; at < whole.length; at++) {
      const altered = whole.slice();
      altered[at] = (altered[at] ?? 0) ^ 1;
      await refused(altered);
    }
    await refused(Buffer.concat([whole, Buffer.alloc(8)]));
  });

  /** An inventory by somebody who can compute checksums. */
  function forged(header: unknown, prefixes: Uint8Array, version = 1): Uint8Array {
    const packed = Buffer.isBuffer(header) ? header : gzipSync(JSON.stringify(header));
    const fixed = Buffer.from('OCLI\r\n\u001a\n............', 'latin1');
    fixed.writeUInt32BE(version, 8);
    fixed.writeUInt32BE(packed.length, 12);
    fixed.writeUInt32BE(prefixes.length / 8, 16);
    const all = Buffer.concat([fixed, packed, prefixes]);
    return Buffer.concat([all, createHash('sha256').update(all).digest()]);
  }
  const right = {
    of: 'far',
    time: '2026-08-01T00:00:00Z',
    tool: { name: 'x', version: '1' },
    bytes: 1,
    repositories: {},
    others: [],
  };

  it('by another writer is read, and what is not known in it is left', async () => {
    const read = await decodeInventory(forged({ ...right, more: [1] }, Buffer.from('0000000000000001', 'hex')), 'it');
    expect(read.blobs.has(`sha256:${'0'.repeat(15)}1${'f'.repeat(48)}`)).toBe(true);
  });

  it.each([
    ['descending blobs', right, '00000000000000020000000000000001', 'OCL_DOCUMENT_INVALID'],
    ['a blob twice', right, '00000000000000010000000000000001', 'OCL_DOCUMENT_INVALID'],
    ['a tag that names no digest', { ...right, repositories: { a: { b: 'sha256:1' } } }, '', 'OCL_DOCUMENT_INVALID'],
    ['a repository that is a list', { ...right, repositories: { a: ['b'] } }, '', 'OCL_DOCUMENT_INVALID'],
    ['tags that are a list', { ...right, repositories: [] }, '', 'OCL_DOCUMENT_INVALID'],
    ['a name without end', { ...right, repositories: { ['a'.repeat(5000)]: {} } }, '', 'OCL_DOCUMENT_INVALID'],
    ['negative bytes', { ...right, bytes: -1 }, '', 'OCL_DOCUMENT_INVALID'],
    ['no header', [], '', 'OCL_DOCUMENT_INVALID'],
    ['a header that is not packed', Buffer.from('{}'), '', 'OCL_ARCHIVE_INVALID'],
    ['a header that never ends', gzipSync(Buffer.alloc(65 << 20)), '', 'OCL_LIMIT'],
  ])('with %s is refused', async (_, header, prefixes, code) => {
    await expect(decodeInventory(forged(header, Buffer.from(prefixes, 'hex')), 'it')).rejects.toMatchObject({ code });
  });

  it('of a newer version says so', async () => {
    await expect(decodeInventory(forged(right, Buffer.alloc(0), 2), 'it')).rejects.toMatchObject({
      code: 'OCL_UNSUPPORTED',
    });
  });
});

describe('taking an inventory', () => {
  const shop = makeShop();
  const options = { clock: fakeClock(Date.UTC(2026, 7, 1)), version: '1', emit: silent };
  const names = (tags: Inventory['tags']): unknown =>
    [...tags].map(([name, named]) => [name, [...named.keys()].toSorted()]);

  async function fill(library: ReturnType<typeof createMemoryLibrary>, from: Shop): Promise<void> {
    for (const { repository, roots } of from.repositories)
      await putRoots(await library.sink(repository), from.content, roots);
  }

  it('finds all tags, and all that they reach with what refers to it', async () => {
    const memory = createMemoryLibrary();
    await fill(memory, shop);
    const tree = new LayoutTree(await temporary(), layoutOptions());
    await fill(tree, shop);
    for (const library of [memory, tree]) {
      const taken = await takeInventory([library], options);
      expect(names(taken.tags)).toEqual([
        ['team/web', ['1.0', '2.0', shop.digestTag].toSorted()],
        ['tool', ['latest']],
      ]);
      expect(taken.blobs.encode()).toEqual(BlobSet.of(shop.content.blobs.keys()).encode());
      expect(taken.bytes).toBe([...shop.content.blobs.values()].reduce((sum, { bytes }) => sum + bytes.length, 0));
      expect(taken.time).toBe('2026-08-01T00:00:00.000Z');
    }
  });

  it('leaves out what is not there, is too short, or is damaged', async () => {
    const root = await temporary();
    const layout = await newLayout(join(root, 'app'));
    const parts = partsOf(shop.content, shop.web);
    await putRoots(layout, shop.content, [[shop.web, { tag: '2.0' }]]);
    await layout.close();
    const layers = parts.filter(({ mediaType }) => mediaType.includes('layer'));
    const manifests = parts.filter(({ mediaType }) => mediaType.includes('manifest'));
    const [lost, short] = layers as [(typeof layers)[0], (typeof layers)[0]];
    const [damaged] = manifests as [(typeof manifests)[0]];
    const file = (digest: Digest): string => join(root, 'app', 'blobs', ...digest.split(':'));
    const { chmod, rm, truncate, writeFile } = await import('node:fs/promises');
    await rm(file(lost.digest));
    await chmod(file(short.digest), 0o644);
    await truncate(file(short.digest), short.size - 1);
    await chmod(file(damaged.digest), 0o644);
    await writeFile(file(damaged.digest), Buffer.alloc(damaged.size, '{'));
    const events: OclEvent[] = [];
    const emit = (event: OclEvent): void => void events.push(event);
    const { blobs } = await readHoldings([new LayoutTree(root, layoutOptions())], { emit });
    for (const { digest } of [lost, short, damaged]) expect(blobs.has(digest)).toBe(false);
    expect(blobs.has(shop.web.digest)).toBe(true);
    expect(events).toEqual([expect.objectContaining({ type: 'notice', level: 'warning' })]);
  });
});
