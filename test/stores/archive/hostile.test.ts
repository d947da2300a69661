import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { OclError } from '../../../src/core/errors.ts';
import { children } from '../../../src/core/graph.ts';
import { parseManifest } from '../../../src/core/manifest.ts';
import { isDocumentType, MEDIA } from '../../../src/core/mediaTypes.ts';
import { type LocalSource } from '../../../src/core/store.ts';
import { toJsonBytes } from '../../../src/core/json.ts';
import { describe as describeBytes, readVerified } from '../../../src/io/verify.ts';
import { planArchive } from '../../../src/stores/archive/plan.ts';
import { openArchive } from '../../../src/stores/archive/reader.ts';
import { goodArchive, HOSTILE_TARS, pax, paxEntry, rawTar } from '../../support/tarCases.ts';
import { codeOf } from './support.ts';

let dir: string;
let spool: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocl-hostile-'));
  spool = await mkdtemp(join(dir, 'spool-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function readGraph(source: LocalSource, descriptor: Descriptor): Promise<void> {
  const bytes = await readVerified(await source.open(descriptor), descriptor, 1 << 24);
  if (!isDocumentType(descriptor.mediaType)) return;
  for (const child of children(parseManifest(bytes, descriptor.mediaType, 'test')))
    await readGraph(source, child.descriptor);
}

/** Opens an archive and reads all that its roots reach. */
async function readArchive(bytes: Uint8Array): Promise<void> {
  const path = join(dir, 'case.tar');
  await writeFile(path, bytes);
  const source = await openArchive(path, { tmpDir: spool });
  try {
    for (const root of await source.roots()) await readGraph(source, root);
  } finally {
    await source.close();
  }
}

describe('an archive with', () => {
  it.each(HOSTILE_TARS)('$what is refused: $code', async ({ bytes, code }) => {
    expect(await codeOf(() => readArchive(bytes()))).toBe(code);
    expect(await readdir(spool)).toEqual([]);
  });
});

describe('the plan of an archive', () => {
  it('searches indexes that name each other again and again only once', async () => {
    const read = new Map<string, Uint8Array>();
    const nodes: Descriptor[] = [];
    const add = (manifests: readonly Descriptor[]): Descriptor => {
      const bytes = toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests });
      const descriptor = describeBytes(bytes, MEDIA.ociIndex);
      read.set(descriptor.digest, bytes);
      nodes.push(descriptor);
      return descriptor;
    };
    let root = add([]);
    for (let level = 0; level < 5; level++) root = add(Array.from({ length: 1000 }, () => root));
    const plan = await planArchive(nodes, [{ root, name: { tag: 'deep' } }], {
      read: (descriptor) => Promise.resolve(read.get(descriptor.digest) ?? new Uint8Array()),
      dockerPlatform: { os: 'linux', architecture: 'amd64' },
    });
    expect(plan.slots.size).toBe(6);
  });
});

describe('an archive', () => {
  it('that is good is taken, in whichever of the usual forms', async () => {
    const { entries } = goodArchive();
    const dotted = [{ name: './', type: '5' }, ...entries.map((entry) => ({ ...entry, name: `./${entry.name}` }))];
    const directories = [{ name: 'blobs/', type: '5' }, { name: 'blobs/sha256/', type: '5' }, ...entries];
    const viaPax = entries.flatMap((entry) => [
      paxEntry(pax('path', entry.name), pax('mtime', '1.5'), pax('size', String(Buffer.from(entry.body ?? '').length))),
      { ...entry, name: 'x' },
    ]);
    const viaGnu = entries.flatMap((entry) => [
      { name: '././@LongLink', type: 'L', body: `${entry.name}\0` },
      { ...entry, name: 'x', magic: 'ustar  \0' },
    ]);
    const viaPrefix = entries.map((entry) =>
      entry.name.startsWith('blobs/') ? { ...entry, name: entry.name.slice(13), prefix: 'blobs/sha256' } : entry,
    );
    const old = entries.map((entry) => ({ ...entry, type: '\0', magic: '\0\0\0\0\0\0\0\0' }));
    const global = [{ name: 'pax_global_header', type: 'g', body: pax('comment', 'x') }, ...entries];
    for (const form of [entries, dotted, directories, viaPax, viaGnu, viaPrefix, old, global, entries.toReversed()])
      await readArchive(rawTar(form));
    await readArchive(Buffer.concat([rawTar(entries), Buffer.alloc(10240 - 7)]));
    expect(await codeOf(() => readArchive(Buffer.concat([rawTar(entries, false), Buffer.alloc(512)])))).toBe('none');
  });

  it('that is cut off anywhere is refused', async () => {
    const bytes = rawTar(goodArchive().entries);
    const whole = bytes.length - 1024;
    for (let at = 0; at < whole + 512; at += 101)
      expect([at, await codeOf(() => readArchive(bytes.subarray(0, at)))]).toEqual([at, 'OCL_ARCHIVE_INVALID']);
  });

  it('with any byte changed is refused by name, or still gives the right content', async () => {
    const bytes = rawTar(goodArchive().entries);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const copy = Buffer.from(bytes);
        copy[at] = (copy[at] ?? 0) ^ change;
        try {
          await readArchive(copy);
        } catch (error) {
          expect(error).toBeInstanceOf(OclError);
          expect((error as OclError).code).not.toBe('OCL_INTERNAL');
        }
      }),
      { numRuns: 300 },
    );
  });

  it('that is a directory or a pipe is refused without waiting', async () => {
    expect(await codeOf(() => openArchive(dir, { tmpDir: spool }))).toBe('OCL_ARCHIVE_INVALID');
    expect(await codeOf(() => openArchive(join(dir, 'nothing.tar'), { tmpDir: spool }))).toBe('OCL_NOT_FOUND');
    const pipe = join(dir, 'pipe');
    if (spawnSync('mkfifo', [pipe]).status === 0)
      expect(await codeOf(() => openArchive(pipe, { tmpDir: spool }))).toBe('OCL_ARCHIVE_INVALID');
  });

  it('of a hundred thousand small files is read in a moment', async () => {
    const { entries } = goodArchive();
    const block = rawTar([{ name: 'x' }], false);
    const parts: Buffer[] = [];
    for (let i = 0; i < 100_000; i++) {
      const copy = Buffer.from(block);
      copy.write(`f/${i.toString().padStart(6, '0')}`, 0, 'latin1');
      copy.write('        ', 148, 'latin1');
      const sum = copy.reduce((total, byte) => total + byte, 0);
      copy.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
      parts.push(copy);
    }
    const start = performance.now();
    await readArchive(Buffer.concat([...parts, rawTar(entries)]));
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
