import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkStore } from '../../src/copy/check.ts';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { ALGORITHMS } from '../../src/core/digest.ts';
import { all, digestsIn, image, index, namesIn, noise, piece, put, signature, type Graph } from '../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../support/layouts.ts';
import { newCopier } from '../support/worlds.ts';

const temporary = temporaryDirectories();

const layers = Array.from({ length: 6 }, (_, i) =>
  piece(
    noise([0, 1, 100, 4096, 70_000, 300_000][i] ?? 0, i),
    'application/vnd.oci.image.layer.v1.tar+gzip',
    ALGORITHMS[i % 4],
  ),
);

const leaf: fc.Arbitrary<Graph> = fc
  .record({
    name: fc.constantFrom('a', 'b', 'c', 'd'),
    docker: fc.boolean(),
    algorithm: fc.constantFrom(...ALGORITHMS),
    layers: fc.array(fc.constantFrom(...layers), { maxLength: 5 }),
  })
  .map((options) => image(options));

/** Images, and indexes of images and indexes, some of whose parts are the same. */
const graph: fc.Arbitrary<Graph> = fc.letrec<{ graph: Graph }>((tie) => ({
  graph: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc
      .tuple(fc.array(tie('graph'), { maxLength: 4 }), fc.boolean(), fc.constantFrom(...ALGORITHMS))
      .map(([parts, docker, algorithm]) => index(parts, { docker, algorithm })),
  ),
})).graph;

describe('copies of random graphs', () => {
  it('are equal in memory, in a layout, and in memory again', async () => {
    const directory = await temporary();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(graph, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(1, 2, 6),
        fc.boolean(),
        async (graphs, concurrency, signed) => {
          const path = join(directory, `${run++}`);
          const from = createMemory();
          for (const [i, it] of graphs.entries()) {
            await put(from, it, `tag-${i}`);
            if (signed) await put(from, signature(it.root), {});
          }
          const select = { referrers: signed };
          const layout = await newLayout(path);
          const there = newCopier(concurrency);
          await Promise.all(
            graphs.map(({ root }, i) =>
              there.copy({ from, to: layout, root, name: { tag: `tag-${i}` }, image: `${i}`, select }),
            ),
          );
          await layout.commit();
          await layout.close();
          const opened = await openLayout(path, layoutOptions());
          const to = createMemory();
          const back = newCopier(concurrency);
          for (const tag of await all(opened.tags()))
            await back.copy({ from: opened, to, root: await opened.resolve(tag), name: { tag }, image: tag, select });
          await to.commit();
          expect((await checkStore(opened)).findings).toEqual([]);
          expect(await digestsIn(to)).toEqual(await digestsIn(opened));
          // Signatures in memory are no roots of their own until they were copied.
          expect(await digestsIn(opened)).toEqual(await digestsIn(from));
          expect((await namesIn(to)).filter((name) => name.startsWith('tag'))).toEqual(
            (await namesIn(from)).filter((name) => name.startsWith('tag')),
          );
          await rm(path, { recursive: true });
        },
      ),
      { numRuns: 25 },
    );
  });
});
