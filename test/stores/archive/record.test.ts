import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { encodeBundleRecord, parseBundleRecord, type BundleRecord } from '../../../src/core/bundleRecord.ts';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { isDocumentType } from '../../../src/core/mediaTypes.ts';
import { silent } from '../../../src/core/events.ts';
import { openArchive } from '../../../src/stores/archive/reader.ts';
import { createArchive, type ArchiveDestination } from '../../../src/stores/archive/writer.ts';
import { all, image, index, opening, piece, rootBytes, type Graph } from '../../support/graphs.ts';
import { temporaryDirectories } from '../../support/layouts.ts';
import { codeOf } from './support.ts';

const run = promisify(execFile);
const temporary = temporaryDirectories();
const BASIS = { kind: 'inventory', id: 'sha256:abc', assumed: false } as const;

/** Two images, one of them with sha512 throughout. */
const graph = index([image({ name: 'one' }), image({ name: 'two', algorithm: 'sha512' })]);

async function writeDelta(destination: ArchiveDestination, given: Graph, has: readonly string[]): Promise<void> {
  const sink = createArchive(destination, {
    emit: silent,
    delta: { basis: BASIS, has: ({ digest }) => has.includes(digest) },
    tool: { name: 'ocl', version: '1.2.3' },
  });
  try {
    const bytes = new Map(given.pieces.map((each) => [each.descriptor.digest, each.bytes]));
    const read = async ({ digest }: Descriptor): Promise<Uint8Array> => bytes.get(digest) ?? new Uint8Array();
    const name = { tag: '1', imageName: 'example.com/app:1' };
    const nodes = given.pieces.map(({ descriptor }) => descriptor);
    const order = await sink.reserve(nodes, [{ root: given.root, name }], read);
    await Promise.all(
      order.map(async (descriptor) => await sink.put(descriptor, async () => opening(await read(descriptor))())),
    );
    await sink.tag(given.root, name, opening(rootBytes(given)));
    await sink.commit();
  } finally {
    await sink.close();
  }
}

const contents = graph.pieces.map(({ descriptor }) => descriptor).filter(({ mediaType }) => !isDocumentType(mediaType));
const left = contents.filter((_, i) => i % 2 === 0);

describe('the record of a bundle', () => {
  it('names what a delta leaves out and what it brings', async () => {
    const path = join(await temporary(), 'delta.tar');
    // Documents travel although the far side has them.
    await writeDelta(
      { path },
      graph,
      [...left, graph.root].map(({ digest }) => digest),
    );
    const source = await openArchive(path, { tmpDir: await temporary() });
    try {
      const stored = (await all(source.blobs())).toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
      const requires = left
        .map(({ digest, size }) => ({ digest, size }))
        .toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
      expect(source.record).toMatchObject({ kind: 'delta', basis: BASIS, requires, provides: stored });
      expect(source.record?.tool).toEqual({ name: 'ocl', version: '1.2.3' });
      expect(stored.map(({ digest }) => digest)).toContain(graph.root.digest);
      expect(stored).toHaveLength(graph.pieces.length - left.length);
    } finally {
      await source.close();
    }
  });

  it('comes with sums that prove every file, also of other algorithms', async () => {
    const directory = await temporary();
    await writeDelta({ path: join(directory, 'delta.tar') }, graph, []);
    await mkdir(join(directory, 'out'));
    await run('tar', ['-xf', '../delta.tar'], { cwd: join(directory, 'out') });
    const checked = await run('sha256sum', ['-c', 'ocl/SHA256SUMS'], { cwd: join(directory, 'out') });
    const listed = (await run('tar', ['-tf', 'delta.tar'], { cwd: directory })).stdout.trim().split('\n');
    expect(checked.stdout.trim().split('\n')).toHaveLength(listed.length - 1);
    expect(listed.at(-1)).toBe('ocl/SHA256SUMS');
    expect(listed.filter((name) => name.startsWith('blobs/sha512/')).length).toBeGreaterThan(2);
  });

  it('is the same in a stream as in a file', async () => {
    const directory = await temporary();
    const path = join(directory, 'delta.tar');
    await writeDelta({ path }, graph, [String(left[0]?.digest)]);
    const chunks: Buffer[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        chunks.push(Buffer.from(chunk));
        done();
      },
    });
    await writeDelta({ stream, name: 'it' }, graph, [String(left[0]?.digest)]);
    expect(Buffer.concat(chunks).equals(await readFile(path))).toBe(true);
  });
});

describe('reading a record', () => {
  const blob = piece('x', 'text/plain').descriptor;
  const plain = { digest: blob.digest, size: blob.size };
  const record: BundleRecord = {
    kind: 'delta',
    set: { id: blob.digest, volume: 2, volumes: 3 },
    roots: [{ ...blob, annotations: { a: 'b' } }],
    placement: {
      everywhere: [plain],
      blobs: [{ ...plain, volume: 1 }],
      cut: [{ ...plain, slices: [{ ...plain, volume: 3 }] }],
    },
    basis: { ...BASIS, host: 'far' },
    requires: [plain],
    provides: [],
    tool: { name: 'ocl', version: '1' },
  };

  it('gives back what was written', () => {
    expect(parseBundleRecord(encodeBundleRecord(record), 'it')).toMatchObject(record);
    expect(parseBundleRecord(encodeBundleRecord({ kind: 'full' }), 'it').kind).toBe('full');
  });

  const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
  it.each([
    ['no JSON', Buffer.from('{'), 'OCL_DOCUMENT_INVALID'],
    ['a list', bytes([]), 'OCL_ARCHIVE_INVALID'],
    ['no version', bytes({ kind: 'full' }), 'OCL_ARCHIVE_INVALID'],
    ['a later version', bytes({ bundleVersion: 2, kind: 'full' }), 'OCL_UNSUPPORTED'],
    ['another kind', bytes({ bundleVersion: 1, kind: 'half' }), 'OCL_ARCHIVE_INVALID'],
    ['volume 0', bytes({ bundleVersion: 1, kind: 'full', set: { ...record.set, volume: 0 } }), 'OCL_ARCHIVE_INVALID'],
    [
      'a digest that leads elsewhere',
      bytes({ bundleVersion: 1, kind: 'delta', requires: [{ digest: 'sha256:../../etc', size: 1 }] }),
      'OCL_ARCHIVE_INVALID',
    ],
    [
      'a negative size',
      bytes({ bundleVersion: 1, kind: 'delta', requires: [{ digest: blob.digest, size: -1 }] }),
      'OCL_ARCHIVE_INVALID',
    ],
    ['a root without a type', bytes({ bundleVersion: 1, kind: 'full', roots: [plain] }), 'OCL_DOCUMENT_INVALID'],
  ])('refuses %s', async (_what, given, code) => {
    expect(await codeOf(async () => parseBundleRecord(given, 'it'))).toBe(code);
  });

  it('keeps members that it does not know', () => {
    const value = { bundleVersion: 1, kind: 'full', later: { a: 1 } };
    expect(parseBundleRecord(bytes(value), 'it')).toMatchObject({ later: { a: 1 } });
  });

  it('refuses an archive whose record is broken', async () => {
    const path = join(await temporary(), 'broken.tar');
    await writeDelta({ path }, graph, []);
    const file = await readFile(path);
    file.write('"kind":"delt?"', file.indexOf('"kind":"delta"'));
    await writeFile(path, file);
    expect(await codeOf(async () => await openArchive(path, { tmpDir: await temporary() }))).toBe(
      'OCL_ARCHIVE_INVALID',
    );
  });
});
