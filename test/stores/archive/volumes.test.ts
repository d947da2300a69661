import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkStore } from '../../../src/copy/check.ts';
import { type Digest } from '../../../src/core/digest.ts';
import { openRegularFile, Tarball } from '../../../src/io/tarball.ts';
import { digestOf, readBounded } from '../../../src/io/verify.ts';
import { openArchive, openVolumes } from '../../../src/stores/archive/reader.ts';
import { bytesIn, digestsIn, image, index, noise, piece, type Piece } from '../../support/graphs.ts';
import { temporaryDirectories } from '../../support/layouts.ts';
import { writeVolumes, type Named } from '../../support/volumes.ts';
import { codeOf } from './support.ts';

const run = promisify(execFile);
const temporary = temporaryDirectories();
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

function layer(size: number, seed: number, algorithm: 'sha256' | 'sha512' = 'sha256'): Piece {
  // Nothing but zeros: slices of it are equal.
  return piece(seed % 5 === 0 ? new Uint8Array(size) : noise(size, seed), LAYER, algorithm);
}

const layerSpec = fc.record({
  size: fc.oneof(fc.constantFrom(0, 1, 511, 512, 513), fc.nat(3000), fc.nat(40_000)),
  seed: fc.nat(30),
  algorithm: fc.constantFrom('sha256' as const, 'sha256' as const, 'sha512' as const),
});
const images = fc
  .array(fc.record({ layers: fc.array(layerSpec, { maxLength: 5 }), multi: fc.boolean() }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((specs) =>
    specs.map(({ layers, multi }, i): Named => {
      const pieces = layers.map(({ size, seed, algorithm }) => layer(size, seed, algorithm));
      const one = image({ name: `app-${i}`, layers: pieces });
      return { graph: multi ? index([one, image({ name: `other-${i}` })]) : one, name: `example.com/app-${i}:1` };
    }),
  );
const sizes = fc.array(fc.oneof(fc.integer({ min: 50_000, max: 90_000 }), fc.integer({ min: 100_000, max: 400_000 })), {
  minLength: 1,
  maxLength: 4,
});

async function filesIn(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const tarball = await Tarball.read(await openRegularFile(path));
  try {
    const found = new Map<string, Uint8Array>();
    for (const name of tarball.names()) {
      const entry = tarball.find(name);
      if (entry !== undefined) found.set(name, await readBounded(tarball.stream(entry), 1 << 20, name));
    }
    return found;
  } finally {
    await tarball.close();
  }
}

function digestsOf(named: readonly Named[]): readonly string[] {
  return [...new Set(named.flatMap(({ graph }) => graph.pieces.map(({ descriptor }) => descriptor.digest)))].toSorted();
}

describe('volumes', () => {
  it('are never a byte too large, hold everything once, and give it back whole', async () => {
    const tmpDir = await temporary();
    await fc.assert(
      fc.asyncProperty(images, sizes, fc.integer(), async (named, volumeSizes, seed) => {
        const directory = await temporary();
        const paths = await writeVolumes(join(directory, 'set.tar'), named, { sizes: volumeSizes });
        const placed = new Map<string, number>();
        for (const [i, path] of paths.entries()) {
          expect((await stat(path)).size).toBeLessThanOrEqual(volumeSizes[Math.min(i, volumeSizes.length - 1)] ?? 0);
          for (const [name, bytes] of await filesIn(path)) {
            if (!name.startsWith('blobs/')) continue;
            const [, algorithm, encoded] = name.split('/');
            // Slices as well are named by what they are.
            expect(digestOf(bytes, algorithm as 'sha256')).toBe(`${algorithm}:${encoded}`);
            placed.set(`${algorithm}:${encoded}`, (placed.get(`${algorithm}:${encoded}`) ?? 0) + 1);
          }
        }
        const shuffled = paths.toSorted((a, b) =>
          digestOf(Buffer.from(`${seed}${basename(a)}`)).localeCompare(digestOf(Buffer.from(`${seed}${basename(b)}`))),
        );
        const set = await openVolumes(shuffled, { tmpDir });
        try {
          const { placement } = set.record ?? {};
          for (const { digest } of placement?.blobs ?? []) expect(placed.get(digest)).toBeGreaterThan(0);
          for (const { digest } of placement?.everywhere ?? []) expect(placed.get(digest)).toBe(paths.length);
          expect(await digestsIn(set)).toEqual(digestsOf(named));
          for (const { graph } of named)
            for (const { descriptor, bytes } of graph.pieces)
              expect(Buffer.from(await bytesIn(set, descriptor)).equals(bytes)).toBe(true);
          expect((await set.roots()).length).toBe(named.length);
          expect((await checkStore(set)).findings).toEqual([]);
        } finally {
          await set.close();
        }
      }),
      { numRuns: 40 },
    );
  });

  it('are the same bytes whenever they are written', async () => {
    const named = [1, 2, 3].map((i) => ({
      graph: image({ name: `a-${i}`, layers: [layer(30_000, i), layer(50_000, i + 10, 'sha512')] }),
      name: `example.com/a:${i}`,
    }));
    const [one, two] = [await temporary(), await temporary()];
    const first = await writeVolumes(join(one, 'set.tar'), named, { sizes: [100_000] });
    const second = await writeVolumes(join(two, 'set'), named.toReversed(), { sizes: [100_000] });
    expect(first.map((path) => basename(path))).toEqual(second.map((path) => basename(path)));
    expect(basename(first[0] ?? '')).toBe('set.vol01of03.tar');
    for (const [i, path] of first.entries())
      expect((await readFile(path)).equals(await readFile(second[i] ?? ''))).toBe(true);
  });

  it('prove themselves with sha256sum alone', async () => {
    const directory = await temporary();
    const graph = image({ layers: [layer(200_000, 1), layer(9000, 2, 'sha512'), layer(0, 3)] });
    const paths = await writeVolumes(join(directory, 'set.tar'), [{ graph, name: 'example.com/a:1' }], {
      sizes: [64 << 10],
    });
    expect(paths.length).toBeGreaterThan(3);
    for (const [i, path] of paths.entries()) {
      const out = join(directory, `out-${i}`);
      await mkdir(out);
      await run('tar', ['-xf', path, '-C', out]);
      const { stdout } = await run('sha256sum', ['--strict', '-c', 'ocl/SHA256SUMS'], { cwd: out });
      const listed = (await run('tar', ['-tf', path])).stdout.trim().split('\n');
      expect(stdout.trim().split('\n')).toHaveLength(listed.length - 1);
    }
  });

  it('keep an image in one volume where that costs no further one', async () => {
    const directory = await temporary();
    // Sorted by size alone, the layers of each would be scattered.
    const named = [0, 1, 2, 3].map((i) => ({
      graph: image({
        name: `a-${i}`,
        layers: [0, 1, 2].map((j) => layer(20_000 + i * 100 + j * 6000, 1 + i * 10 + j)),
      }),
      name: `example.com/a-${i}:1`,
    }));
    const paths = await writeVolumes(join(directory, 'set.tar'), named, { sizes: [200_000] });
    expect(paths).toHaveLength(2);
    const counts: number[] = [];
    for (const path of paths) {
      const one = await openArchive(path, { tmpDir: directory });
      counts.push((await one.roots()).length);
      expect((await checkStore(one)).damaged).toBe(false);
      await one.close();
    }
    expect(counts).toEqual([2, 2]);
  });

  it('read every range, also where slices meet', async () => {
    const directory = await temporary();
    const large = layer(150_000, 1);
    const paths = await writeVolumes(
      join(directory, 'set.tar'),
      [{ graph: image({ layers: [large] }), name: 'example.com/a:1' }],
      { sizes: [40_000] },
    );
    const set = await openVolumes(paths, { tmpDir: directory });
    const read = async (start: number, end?: number): Promise<Buffer> =>
      Buffer.from(await readBounded(await set.open(large.descriptor, { start, end }), 1 << 20, 'it'));
    try {
      const slices = set.record?.placement?.cut[0]?.slices ?? [];
      expect(slices.length).toBeGreaterThan(3);
      const edge = slices[0]?.size ?? 0;
      for (const [start, end] of [
        [0, 0],
        [0],
        [edge - 1, edge],
        [edge, edge],
        [edge - 1, edge - 1],
        [149_999],
        [10, 149_998],
        [200_000],
      ] as const) {
        expect(
          (await read(start, end)).equals(large.bytes.subarray(start, end === undefined ? undefined : end + 1)),
        ).toBe(true);
      }
      expect(await set.size(large.descriptor.digest)).toBe(150_000);
      expect(await set.size(slices[0]?.digest as Digest)).toBe(edge);
    } finally {
      await set.close();
    }
  });

  it('show alone what is complete in them, and say what the rest needs', async () => {
    const directory = await temporary();
    const large = layer(250_000, 1);
    const named = [
      { graph: image({ name: 'large', layers: [large] }), name: 'example.com/large:1' },
      { graph: image({ name: 'small', layers: [layer(500, 2)] }), name: 'example.com/small:1' },
    ];
    const paths = await writeVolumes(join(directory, 'set.tar'), named, { sizes: [200_000] });
    expect(paths).toHaveLength(2);
    const names = await Promise.all(
      paths.map(async (path) => {
        const one = await openArchive(path, { tmpDir: directory });
        try {
          expect(one.volumes?.count).toBe(2);
          const missing = (await Promise.resolve(one.volumes?.lacking(large.descriptor.digest))) ?? [];
          expect(missing).toEqual(one.volumes?.absent);
          await expect(one.resolve('example.com/large:1')).rejects.toMatchObject({
            code: 'OCL_INCOMPLETE',
            message: expect.stringContaining(`volume ${String(missing[0])}`),
          });
          expect(await codeOf(async () => await one.resolve('nothing:1'))).toBe('OCL_NOT_FOUND');
          return (await one.roots()).map((root) => root.annotations?.['io.containerd.image.name']);
        } finally {
          await one.close();
        }
      }),
    );
    expect(names.flat()).toEqual(['example.com/small:1']);
  });

  it('refuse sizes that what describes them would fill', async () => {
    const directory = await temporary();
    const named = [{ graph: image({ layers: [layer(9000, 1)] }), name: 'example.com/a:1' }];
    const small = writeVolumes(join(directory, 'set.tar'), named, { sizes: [5000] });
    await expect(small).rejects.toMatchObject({ code: 'OCL_USAGE', hint: expect.stringMatching(/\d+ bytes or more/) });
    expect(await readdir(directory)).toEqual([]);
  });

  it('are not mixed with those of an earlier export', async () => {
    const directory = await temporary();
    const path = join(directory, 'set.tar');
    const old = [{ graph: image({ name: 'old', layers: [layer(150_000, 1)] }), name: 'example.com/a:1' }];
    const fresh = [{ graph: image({ name: 'new', layers: [layer(50_000, 2)] }), name: 'example.com/a:2' }];
    expect(await writeVolumes(path, old, { sizes: [40_000] })).toHaveLength(5);
    expect(await codeOf(async () => await writeVolumes(path, fresh, { sizes: [40_000] }))).toBe('OCL_EXISTS');
    expect(await writeVolumes(path, fresh, { sizes: [40_000], overwrite: true })).toHaveLength(2);
    expect(await readdir(directory)).toHaveLength(2);
  });
});
