import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { verifyBundle, type VerifyReport } from '../../src/bundle/verify.ts';
import { OclError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/events.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { TAR_BLOCK } from '../../src/io/tarHeader.ts';
import { Tarball, openRegularFile } from '../../src/io/tarball.ts';
import { openVolumes } from '../../src/stores/archive/reader.ts';
import { image, index, multiPlatform, noise, piece, signature } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { writeVolumes } from '../support/volumes.ts';

const temporary = temporaryDirectories();
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const web = multiPlatform('web');
const large = image({
  name: 'large',
  layers: [piece(noise(200_001, 1), LAYER), piece(noise(700, 2), LAYER, 'sha512'), piece('', LAYER)],
});
const IMAGES = [
  { graph: index([large], { extra: { annotations: { a: 'b' } } }), name: 'example.com/large:1' },
  { graph: web, name: 'example.com/web:1' },
  { graph: signature(web.root), name: 'example.com/web:sig' },
];
const OTHERS = [
  { graph: image({ name: 'other', layers: [piece(noise(250_000, 3), LAYER)] }), name: 'example.com/o:1' },
];

let volumes: readonly Buffer[];
let others: readonly Buffer[];
/** Bytes of entries, with what fills them up, by volume: what is not among them is a header, or the end. */
let bodies: readonly (readonly (readonly [start: number, end: number])[])[];

async function written(images: typeof IMAGES): Promise<readonly string[]> {
  return await writeVolumes(join(await temporary(), 'set.tar'), images, { sizes: [160_000] });
}

async function bodiesOf(path: string): Promise<readonly (readonly [number, number])[]> {
  const tarball = await Tarball.read(await openRegularFile(path));
  const found = [...tarball.names()].map((name): readonly [number, number] => {
    const { offset = 0, size = 0 } = tarball.find(name) ?? {};
    return [offset, offset + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK];
  });
  await tarball.close();
  return found;
}

beforeAll(async () => {
  const paths = await written(IMAGES);
  volumes = await Promise.all(paths.map(async (path) => await readFile(path)));
  bodies = await Promise.all(paths.map(bodiesOf));
  others = await Promise.all((await written(OTHERS)).map(async (path) => await readFile(path)));
});

async function place(files: readonly Buffer[]): Promise<readonly string[]> {
  const directory = await temporary();
  const paths = files.map((_, i) => join(directory, `${i}.tar`));
  await Promise.all(paths.map(async (path, i) => await writeFile(path, files[i] ?? '')));
  return paths;
}

async function verified(paths: readonly string[]): Promise<VerifyReport> {
  const source = await openVolumes(paths, { tmpDir: await temporary() });
  try {
    return await verifyBundle(source, { clock: systemClock, emit: silent });
  } finally {
    await source.close();
  }
}

/** Everything that is said: findings, or why they cannot be opened. */
async function said(files: readonly Buffer[]): Promise<string> {
  try {
    const report = await verified(await place(files));
    return report.damaged ? report.findings.map(({ kind, message }) => `${kind}: ${message}`).join('; ') : 'sound';
  } catch (error) {
    if (error instanceof OclError) return error.code;
    throw error;
  }
}

function flipped(file: Buffer, at: number, bit = 0): Buffer {
  const altered = Buffer.from(file);
  altered[at] = (altered[at] ?? 0) ^ (1 << bit);
  return altered;
}

const with1 = (i: number, change: (file: Buffer) => Buffer): readonly Buffer[] =>
  volumes.map((file, n) => (n === i ? change(file) : file));

describe('volumes that are verified', () => {
  it('are sound as they were written, all of them and each alone', async () => {
    expect(volumes.length).toBeGreaterThan(1);
    const report = await verified(await place(volumes));
    expect(report).toMatchObject({ damaged: false, findings: [], kind: 'full', roots: IMAGES.length });
    expect(report.set).toMatchObject({ volumes: volumes.length, missing: [], images: IMAGES.length });
    for (const [i, file] of volumes.entries()) {
      const alone = await verified(await place([file]));
      const missing = volumes.map((_, n) => n + 1).filter((n) => n !== i + 1);
      expect(alone).toMatchObject({ damaged: false, findings: [], set: { missing } });
    }
  });

  it('cannot have one bit altered without being found out, unless no reader would see it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat().chain((n) => {
          const i = n % volumes.length;
          return fc.record({ i: fc.constant(i), at: fc.nat((volumes[i]?.length ?? 1) - 1), bit: fc.nat(7) });
        }),
        fc.boolean(),
        async ({ i, at, bit }, alone) => {
          const altered = flipped(volumes[i] as Buffer, at, bit);
          const answer = await said(alone ? [altered] : with1(i, () => altered));
          if (answer !== 'sound') return;
          // Of headers readers look at names and sizes alone: the time in an extended one, and how a sum is filled up, may be another.
          expect(bodies[i]?.some(([start, end]) => at >= start && at < end)).toBe(false);
          expect(at).toBeLessThan(bodies[i]?.at(-1)?.[0] ?? 0);
        },
      ),
      { numRuns: 150 },
    );
  });

  it('name the volume whose slice was altered', async () => {
    const at = volumes.map((file) => file.indexOf(noise(200_001, 1).subarray(0, 64)));
    const first = at.findIndex((offset) => offset >= 0);
    const answer = await said(with1(first, (file) => flipped(file, (at[first] ?? 0) + 1000)));
    expect(answer).toContain(`altered: its part in volume ${first + 1}`);
  });

  it('name what fills up a block with something', async () => {
    const file = volumes[0] as Buffer;
    const end = file.indexOf('"imageLayoutVersion"') + 60;
    expect(await said(with1(0, () => flipped(file, end)))).toMatch(/^unlike: the bytes that fill up its last block/);
  });

  it.each([
    [
      'truncated',
      (): readonly Buffer[] => with1(1, (file) => file.subarray(0, file.length >> 1)),
      'OCL_ARCHIVE_INVALID',
    ],
    ['empty', () => with1(1, () => Buffer.alloc(0)), 'OCL_ARCHIVE_INVALID'],
    ['without its end', () => with1(0, (file) => file.subarray(0, -1024)), 'OCL_ARCHIVE_INVALID'],
    ['with one of another set', () => [...volumes, others[0] as Buffer], 'OCL_ARCHIVE_INVALID'],
    ['with one twice', () => [...volumes, volumes[0] as Buffer], 'sound'],
    ['in another order', () => volumes.toReversed(), 'sound'],
    ['in part', () => volumes.slice(1), 'sound'],
  ])('are told for what they are: %s', async (_what, files, expected) => {
    expect(await said(files())).toBe(expected);
  });

  it('refuse a second file that claims to be the same volume', async () => {
    const second = Buffer.from(volumes[1] as Buffer);
    second.write('"volume":1,', second.indexOf('"volume":2,"volumes"'));
    expect(await said([volumes[0] as Buffer, second])).toBe('OCL_ARCHIVE_INVALID');
  });
});
