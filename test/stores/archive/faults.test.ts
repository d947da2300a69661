import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { encodeBundleRecord, RECORD_ENTRY, SUMS_ENTRY, type BundleRecord } from '../../../src/core/bundleRecord.ts';
import { LAYOUT_FILE } from '../../../src/core/layoutFile.ts';
import { toJsonBytes } from '../../../src/core/json.ts';
import { type Fault } from '../../../src/core/store.ts';
import { blobPath } from '../../../src/io/verify.ts';
import { openArchive } from '../../../src/stores/archive/reader.ts';
import { setIdOf } from '../../../src/stores/archive/setId.ts';
import { tarOf } from '../../support/content.ts';
import { all, image, piece } from '../../support/graphs.ts';
import { temporaryDirectories } from '../../support/layouts.ts';
import { codeOf } from './support.ts';

const temporary = temporaryDirectories();
const app = image({ name: 'app' });
const root = { ...app.root, platform: undefined, annotations: { 'org.opencontainers.image.ref.name': '1' } };
const stray = piece('nobody placed it', 'text/plain');
const blobs = app.pieces.map(({ descriptor: { digest, size } }) => ({ digest, size, volume: 1 }));

function record(more: Partial<BundleRecord> = {}): BundleRecord {
  const made: BundleRecord = {
    kind: 'full',
    set: { id: 'sha256:', volume: 1, volumes: 2 },
    roots: [root],
    placement: { everywhere: [], blobs, cut: [] },
    ...more,
  };
  return made.set === undefined ? made : { ...made, set: { ...made.set, id: setIdOf(made) } };
}

type Files = Readonly<Record<string, Uint8Array>>;

function filesOf(given: BundleRecord): Record<string, Uint8Array> {
  return {
    'oci-layout': LAYOUT_FILE,
    'index.json': toJsonBytes({ schemaVersion: 2, manifests: [root] }),
    [RECORD_ENTRY]: encodeBundleRecord(given),
    ...Object.fromEntries(app.pieces.map(({ descriptor, bytes }) => [blobPath(descriptor.digest), bytes])),
  };
}

const sums = (files: Files): Uint8Array =>
  Buffer.from(
    Object.entries(files)
      .map(([name, bytes]) => `${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`)
      .join(''),
  );

async function faultsIn(files: Files): Promise<readonly string[]> {
  const path = join(await temporary(), 'it.tar');
  await writeFile(path, tarOf(files));
  const source = await openArchive(path, { tmpDir: await temporary() });
  try {
    return (await all<Fault>(source.faults())).map(({ entry, message }) => `${entry ?? ''}: ${message}`);
  } finally {
    await source.close();
  }
}

const summed = (files: Files): Files => ({ ...files, [SUMS_ENTRY]: sums(files) });
const first = blobPath(app.pieces[0]?.descriptor.digest ?? 'sha256:');

describe('what a bundle says of itself', () => {
  it('is held by one that was made by hand', async () => {
    expect(await faultsIn(summed(filesOf(record())))).toEqual([]);
    expect(await faultsIn({ ...filesOf(record()), [RECORD_ENTRY]: encodeBundleRecord({ kind: 'full' }) })).toEqual([
      `${SUMS_ENTRY}: it is not there`,
    ]);
  });

  const delta = { kind: 'delta', set: undefined, roots: undefined, placement: undefined } as const;
  it.each<readonly [string, () => Files, string]>([
    ['no sums', () => filesOf(record()), `${SUMS_ENTRY}: it is not there`],
    [
      'a blob that the record does not know',
      () => summed({ ...filesOf(record()), [blobPath(stray.descriptor.digest)]: stray.bytes }),
      'its record does not know it',
    ],
    [
      'a blob that is not there',
      () => {
        const { [first]: _gone, ...files } = filesOf(record());
        return summed(files);
      },
      'its record promises it, and it is not there',
    ],
    ['a blob of another size', () => summed({ ...filesOf(record()), [first]: Buffer.from('x') }), 'it has 1 bytes'],
    [
      'a file that the sums do not name',
      () => ({ ...summed(filesOf(record())), extra: Buffer.from('x') }),
      `extra: ${SUMS_ENTRY} does not name it`,
    ],
    [
      'a name in the sums that is no file',
      () => {
        const files = filesOf(record());
        return { ...files, [SUMS_ENTRY]: sums({ ...files, gone: Buffer.from('x') }) };
      },
      'it names "gone", which is not there',
    ],
    [
      'a wrong sum',
      () => ({
        ...summed(filesOf(record())),
        [RECORD_ENTRY]: encodeBundleRecord(record({ tool: { name: 'x', version: '1' } })),
      }),
      `${RECORD_ENTRY}: it is not what ${SUMS_ENTRY} says`,
    ],
    [
      'a line that is no sum',
      () => ({ ...filesOf(record()), [SUMS_ENTRY]: Buffer.concat([sums(filesOf(record())), Buffer.from('hello\n')]) }),
      'is no sum',
    ],
    [
      'an index that names what is not complete',
      () => {
        const elsewhere = blobs.map((blob, i) => ({ ...blob, volume: i === 0 ? 2 : 1 }));
        const { [first]: _gone, ...files } = filesOf(
          record({ placement: { everywhere: [], blobs: elsewhere, cut: [] } }),
        );
        return summed(files);
      },
      'index.json: it names',
    ],
    [
      'an index that leaves out what is complete',
      () => summed({ ...filesOf(record()), 'index.json': toJsonBytes({ schemaVersion: 2, manifests: [] }) }),
      'index.json: it names 0 of 1 images',
    ],
    [
      'a delta that does not bring what it says',
      () => summed(filesOf(record({ ...delta, provides: blobs.slice(1) }))),
      'its record does not know it',
    ],
    [
      'a delta that requires what it brings',
      () => summed(filesOf(record({ ...delta, provides: blobs, requires: blobs.slice(0, 1) }))),
      `${RECORD_ENTRY}: it requires`,
    ],
  ])('is told of: %s', async (_what, files, expected) => {
    expect((await faultsIn(files())).join('\n')).toContain(expected);
  });

  it.each<readonly [string, Partial<BundleRecord>]>([
    ['a volume beyond its set', { set: { id: 'sha256:', volume: 3, volumes: 2 } }],
    ['a place beyond its set', { placement: { everywhere: [], blobs: [{ ...stray.descriptor, volume: 3 }], cut: [] } }],
    ['a content that is placed twice', { placement: { everywhere: blobs, blobs, cut: [] } }],
    [
      'slices that are not as long as the whole',
      {
        placement: {
          everywhere: [],
          blobs: [],
          cut: [{ ...stray.descriptor, slices: [{ ...stray.descriptor, size: 1, volume: 1 }] }],
        },
      },
    ],
    ['no placement', { placement: undefined }],
  ])('is refused when it makes no sense: %s', async (_what, more) => {
    expect(await codeOf(async () => await faultsIn(summed(filesOf(record(more)))))).toBe('OCL_ARCHIVE_INVALID');
  });

  it('is refused when the set is called by another name', async () => {
    const wrong = { ...record(), set: { id: stray.descriptor.digest, volume: 1, volumes: 2 } };
    expect(await codeOf(async () => await faultsIn(summed(filesOf(wrong))))).toBe('OCL_ARCHIVE_INVALID');
  });
});
