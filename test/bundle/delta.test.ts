import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readHoldings, type Holdings } from '../../src/bundle/collection.ts';
import { type Known } from '../../src/bundle/delta.ts';
import { type Incomplete } from '../../src/bundle/deltaCheck.ts';
import { BlobSet } from '../../src/bundle/inventoryBlobs.ts';
import { type ImportTarget } from '../../src/bundle/import.ts';
import { type Digest } from '../../src/core/digest.ts';
import { OclError } from '../../src/core/errors.ts';
import { entryName } from '../../src/core/names.ts';
import { silent, type OclEvent } from '../../src/core/events.ts';
import { type Library } from '../../src/core/store.ts';
import { openArchive } from '../../src/stores/archive/reader.ts';
import { type LayoutTree } from '../../src/stores/layout/library.ts';
import { whyNoDockerRegistry } from '../support/dockerRegistry.ts';
import { all, codeOf, multiPlatform, put, signature } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { makeShop } from '../support/shop.ts';
import {
  generationsAt,
  importFiles,
  inventoryOf,
  knownFrom,
  layered,
  nearOf,
  openFar,
  requestOf,
  writeAnswer,
  writeBundle,
  type Far,
  type FarKind,
  type Release,
} from './deltaWorld.ts';
import { stockedLibrary } from './support.ts';

const temporary = temporaryDirectories();

async function holdingsOf(place: Library | Far): Promise<Holdings> {
  return await readHoldings(['holds' in place ? await place.holds() : place], { emit: silent });
}

/** The tags and blobs of the near side that are not there, or are something else: none, when all has arrived. */
async function missingOf(near: Library, far: Far): Promise<readonly string[]> {
  const now = await holdingsOf(near);
  const there = await holdingsOf(far);
  const tags = [...now.tags].flatMap(([repository, named]) =>
    [...named]
      .filter(([tag, digest]) => there.tags.get(repository)?.get(tag) !== digest)
      .map(([tag]) => `${repository}:${tag}`),
  );
  return [...tags, ...[...now.blobs.keys()].filter((digest) => !there.blobs.has(digest))];
}

const other: Release = { repository: 'other', tag: '1', graph: multiPlatform('other') };

async function blobsOf(path: string): Promise<readonly Digest[]> {
  const source = await openArchive(path, { tmpDir: await temporary() });
  try {
    return (await all(source.blobs())).map(({ digest }) => digest);
  } finally {
    await source.close();
  }
}

const FARS: readonly FarKind[] = ['memory', 'library', 'layout', 'registry', 'docker-registry'];
const IMAGES = 3;
const SMALL = 2000;

/** What the near side has at a version: a tag of its own for it, and one that moves. */
function releasesAt(version: number, bytes = SMALL, images = IMAGES, created?: string): readonly Release[] {
  return Array.from({ length: images }, (_, i) => {
    const graph = layered(`app${i}`, generationsAt(i, version), bytes, created === undefined ? {} : { created });
    return ['latest', `v${version}`].map((tag) => ({ repository: `team/app${i}`, tag, graph }));
  }).flat();
}

describe('a delta', () => {
  it('carries within one percent of what is really new, over ten versions', async () => {
    const directory = await temporary();
    const far = await openFar('memory');
    let before: Holdings = { tags: new Map(), blobs: new Map() };
    for (let version = 0; version < 10; version++) {
      const near = await nearOf(releasesAt(version, 1 << 20));
      const known = version === 0 ? [] : [await inventoryOf(far, join(directory, 'have.ocli'))];
      const { path, size } = await writeBundle(near, join(directory, `${version}.tar`), known);
      const fresh = [...(await holdingsOf(near)).blobs].filter(([digest]) => !before.blobs.has(digest));
      const bytes = fresh.reduce((sum, [, each]) => sum + each, 0);
      expect(size).toBeLessThan(bytes * 1.01);
      await importFiles(far, [path]);
      expect(await missingOf(near, far)).toEqual([]);
      before = await holdingsOf(far);
    }
    await far.close();
  });

  describe.each(FARS)('to a far side that is %s', (kind) => {
    const open = async (context: { skip: (why: string) => void }): Promise<Far> => {
      const why = kind === 'docker-registry' ? whyNoDockerRegistry() : undefined;
      if (why !== undefined) context.skip(why);
      return await openFar(kind);
    };

    it('brings all that is new, and the tags end as those of the near side', async (context) => {
      const far = await open(context);
      const directory = await temporary();
      const multi = multiPlatform('multi');
      const plain = { repository: 'multi', tag: '1', graph: multi };
      const first = await nearOf([...releasesAt(0), plain]);
      await importFiles(far, [(await writeBundle(first, join(directory, 'full.tar'))).path]);
      // One image moves, two are as they were, and one is known under a further tag and has a signature now.
      const second = await nearOf([
        ...releasesAt(1, SMALL, 1),
        ...releasesAt(0).slice(2),
        plain,
        { ...plain, tag: 'signed' },
      ]);
      await put(await second.sink('multi'), signature(multi.root));
      const { path, record } = await writeBundle(second, join(directory, 'delta.tar'), [
        await inventoryOf(far, join(directory, 'have.ocli')),
      ]);
      const unchanged = record?.unchanged?.images.map((root) => root.annotations?.['io.containerd.image.name']);
      const names = ['team/app1:latest', 'team/app1:v0', 'team/app2:latest', 'team/app2:v0'];
      expect(unchanged).toEqual(names.map((name) => `near.example/${name}`));
      const { failed, incomplete } = await importFiles(far, [path]);
      expect([failed, incomplete]).toEqual([[], []]);
      expect(await missingOf(second, far)).toEqual([]);
      await far.close();
    });

    it('leaves signatures with what they are of, in whatever way they are kept', async (context) => {
      const far = await open(context);
      const directory = await temporary();
      const shop = makeShop();
      const near = await stockedLibrary(shop);
      await importFiles(far, [(await writeBundle(near, join(directory, 'full.tar'))).path]);
      const known = [await inventoryOf(far, join(directory, 'have.ocli'))];
      await put(await near.sink('tool'), layered('tool', [1], SMALL), 'new');
      const { path, record } = await writeBundle(near, join(directory, 'delta.tar'), known);
      expect(record?.unchanged?.images).toHaveLength(4 + shop.referrers.length);
      const before = await holdingsOf(far);
      const notices: string[] = [];
      const emit = (event: OclEvent): void => void (event.type === 'notice' && notices.push(event.message));
      const { failed, arrived } = await importFiles(far, [path], {}, emit);
      expect([failed, notices, arrived.length]).toEqual([[], [], 5]);
      expect(await missingOf(near, far)).toEqual([]);
      const after = await holdingsOf(far);
      expect(after.blobs.size).toBe(before.blobs.size + 3);
      expect(after.tags.size).toBe(before.tags.size);
      await far.close();
    });

    it('into a target that has more repositories than the delta moves the right tag', async (context) => {
      const far = await open(context);
      const directory = await temporary();
      await importFiles(far, [(await writeBundle(await nearOf(releasesAt(0)), join(directory, 'full.tar'))).path]);
      const one = await nearOf(releasesAt(1, SMALL, 1));
      const known = [await inventoryOf(far, join(directory, 'have.ocli'))];
      await importFiles(far, [(await writeBundle(one, join(directory, 'delta.tar'), known)).path]);
      expect(await missingOf(one, far)).toEqual([]);
      expect((await holdingsOf(far)).tags.get('team/app0')?.size).toBe(3);
      expect((await holdingsOf(far)).tags.size).toBe(IMAGES);
      const names = ((await (await far.holds()).whole?.roots()) ?? []).map((root) => entryName(root).imageName);
      expect(names).toHaveLength(new Set(names).size);
      await far.close();
    });

    it('whose base got lost is refused with what is missing, and nothing is written', async (context) => {
      const far = await open(context);
      const directory = await temporary();
      const steps = [await nearOf(releasesAt(0)), await nearOf(releasesAt(1)), await nearOf([...releasesAt(2), other])];
      const paths: string[] = [];
      for (const [i, near] of steps.entries()) {
        const known = await Promise.all(paths.map(knownFrom));
        paths.push((await writeBundle(near, join(directory, `${i}.tar`), known)).path);
      }
      const [full = '', lost = '', last = ''] = paths;
      await importFiles(far, [full]);
      const before = await holdingsOf(far);
      let told: readonly Incomplete[] = [];
      const missing = async (incomplete: readonly Incomplete[]): Promise<void> => void (told = incomplete);
      expect(await codeOf(() => importFiles(far, [last], { missing }))).toBe('OCL_MISSING_BLOBS');
      expect(await holdingsOf(far)).toEqual(before);
      expect(told.map(({ image }) => image)).toEqual(
        [0, 1, 2].flatMap((i) => ['latest', 'v2'].map((tag) => `near.example/team/app${i}:${tag}`)),
      );
      // What the lost one brought and this one still needs: a layer of each image.
      const brought = new Set(await blobsOf(lost));
      for (const each of told) expect(each.missing.every(({ digest }) => brought.has(digest))).toBe(true);

      const partly = await importFiles(far, [last], { keepGoing: true });
      expect(partly.failed.map(({ image, error }) => [image, error.code])).toEqual(
        told.map(({ image }) => [image, 'OCL_MISSING_BLOBS']),
      );
      expect((await holdingsOf(far)).tags.get('other')?.get('1')).toBe(other.graph.root.digest);
      // Both at once, in whatever order.
      expect((await importFiles(far, [last, lost])).failed).toEqual([]);
      expect(await missingOf(steps[2] as Library, far)).toEqual([]);
      await far.close();
    });

    it.each(['alone, and then the one that was refused', 'and the one that was refused, at once'])(
      'whose base got lost is mended by the answer to a request, imported %s',
      async (order) => {
        if (kind === 'docker-registry' && whyNoDockerRegistry() !== undefined) return;
        const far = await openFar(kind);
        const directory = await temporary();
        const at = (name: string): string => join(directory, name);
        // The lost one brought layers that two images still need, and a third image that has not changed since.
        const near = await nearOf([...releasesAt(2, SMALL, 2), other]);
        await writeBundle(await nearOf(releasesAt(0, SMALL, 2)), at('full.tar'));
        const full = await knownFrom(at('full.tar'));
        await writeBundle(await nearOf([...releasesAt(1, SMALL, 2), other]), at('lost.tar'), [full]);
        await writeBundle(near, at('last.tar'), [full, await knownFrom(at('lost.tar'))]);
        await importFiles(far, [at('full.tar')]);

        const request = await requestOf(far, [at('last.tar')]);
        const there = new Set([...(await holdingsOf(far)).blobs.keys(), ...(await blobsOf(at('last.tar')))]);
        const lacking = [...(await holdingsOf(near)).blobs.keys()].filter((digest) => !there.has(digest));
        const asked = request.missing.map(({ digest }) => digest);
        expect(lacking).toEqual(expect.arrayContaining(asked));
        expect(asked).toContain(other.graph.root.digest);
        const { record } = await writeAnswer(near, request, at('mend.tar'));
        const documents = new Set(request.images.map(({ root }) => root.digest));
        const brought = record?.provides?.map(({ digest }) => digest).filter((digest) => !documents.has(digest));
        expect(lacking).toEqual(expect.arrayContaining(brought ?? []));
        if (order.startsWith('alone')) {
          const { failed, waiting } = await importFiles(far, [at('mend.tar')]);
          expect([failed, waiting]).toEqual([[], expect.objectContaining({ length: 4 })]);
          expect((await importFiles(far, [at('last.tar')])).failed).toEqual([]);
        } else expect((await importFiles(far, [at('mend.tar'), at('last.tar')])).failed).toEqual([]);
        expect(await missingOf(near, far)).toEqual([]);
        // What was held for the bundle that was refused is let go.
        if (kind === 'library')
          expect(
            (await readdir(((await far.holds()) as LayoutTree).root, { recursive: true })).join('\n'),
          ).not.toContain('.ocl');
        await far.close();
      },
    );

    it('for which an inventory promised a blob that is not there is mended too', async (context) => {
      const far = await open(context);
      const directory = await temporary();
      const at = (name: string): string => join(directory, name);
      const near = await nearOf(releasesAt(1, SMALL, 1));
      await writeBundle(await nearOf(releasesAt(0, SMALL, 1)), at('full.tar'));
      await importFiles(far, [at('full.tar')]);
      // Another blob that begins in the same way would look like this.
      const real = await inventoryOf(far, at('have.ocli'));
      const fresh = [...(await holdingsOf(near)).blobs.keys()].filter((digest) => !real.has(digest));
      const alike = fresh.map(
        (digest): Digest => `${digest.slice(0, 'sha256:'.length + 16)}${'0'.repeat(48)}` as Digest,
      );
      const unreal = BlobSet.of(alike);
      const { record } = await writeBundle(near, at('delta.tar'), [
        { ...real, has: (digest) => real.has(digest) || unreal.has(digest) },
      ]);
      expect(record?.provides).toEqual([]);
      const request = await requestOf(far, [at('delta.tar')]);
      await writeAnswer(near, request, at('mend.tar'));
      expect((await importFiles(far, [at('mend.tar')])).failed).toEqual([]);
      expect((await importFiles(far, [at('delta.tar')])).failed).toEqual([]);
      expect(await missingOf(near, far)).toEqual([]);
      await far.close();
    });

    it('takes what another repository of the target has', async (context) => {
      if (kind === 'layout') context.skip('one layout has no other repository');
      const far = await open(context);
      const directory = await temporary();
      const [release] = releasesAt(0, SMALL, 1) as [Release];
      await importFiles(far, [(await writeBundle(await nearOf([release]), join(directory, 'full.tar'))).path]);
      // The layers are known elsewhere, one image whole and one but for its config.
      const moved = { ...release, repository: 'elsewhere/app' };
      const alike = {
        repository: 'alike',
        tag: '1',
        graph: layered('app0', generationsAt(0, 0), SMALL, { config: 'alike' }),
      };
      const near = await nearOf([release, moved, alike]);
      const known = [await inventoryOf(far, join(directory, 'have.ocli'))];
      const { path, record } = await writeBundle(near, join(directory, 'delta.tar'), known);
      expect(record?.provides).toHaveLength(2);
      const events: OclEvent[] = [];
      const { failed } = await importFiles(far, [path], {}, (event) => void events.push(event));
      expect(failed).toEqual([]);
      expect(await missingOf(near, far)).toEqual([]);
      const outcomes = events.flatMap((event) => (event.type === 'blob.done' ? [event.outcome] : []));
      if (kind === 'library') expect(outcomes).toContain('linked');
      if (kind.endsWith('registry')) expect(outcomes).toContain('mounted');
      await far.close();
    });
  });

  it('looks through its own repositories where the target lists none', async () => {
    const far = await openFar('memory');
    const directory = await temporary();
    const [release] = releasesAt(0, SMALL, 1) as [Release];
    await importFiles(far, [(await writeBundle(await nearOf([release]), join(directory, 'full.tar'))).path]);
    const near = await nearOf([release, { ...release, repository: 'elsewhere/app' }]);
    const known = [await inventoryOf(far, join(directory, 'have.ocli'))];
    const { path } = await writeBundle(near, join(directory, 'delta.tar'), known);
    const target = (await far.target()) as Extract<ImportTarget, { kind: 'repositories' }>;
    const repositories = async (): Promise<never> => {
      throw new OclError('OCL_UNAUTHORIZED', 'Cannot list the repositories');
    };
    const { holds } = target;
    const closed: Far = {
      ...far,
      target: () =>
        Promise.resolve({ ...target, holds: { name: 'far', repositories, source: (name) => holds.source(name) } }),
    };
    const notices: string[] = [];
    const emit = (event: OclEvent): void => void (event.type === 'notice' && notices.push(event.message));
    expect((await importFiles(closed, [path], {}, emit)).failed).toEqual([]);
    expect(notices).toEqual([expect.stringContaining('Cannot list the repositories')]);
    expect(await missingOf(near, far)).toEqual([]);
  });

  const orderings = fc.record({
    order: fc.shuffledSubarray([1, 2, 3, 4], { minLength: 4 }),
    measured: fc.constantFrom('each since the one before', 'all against one inventory'),
    // Which of two images is made anew in each version, and whether images tell when they were made.
    changes: fc.array(fc.constantFrom([0], [1], [0, 1]), { minLength: 4, maxLength: 4 }),
  });

  it('ends in the same tags and blobs in whatever order it comes', async () => {
    await fc.assert(
      fc.asyncProperty(orderings, async ({ order, measured, changes }) => {
        const directory = await temporary();
        const versions = [0, 0];
        const release = (): readonly Release[] =>
          versions.flatMap((version, i) =>
            releasesAt(version, 200, 2, `2026-01-0${version + 1}T00:00:00Z`).slice(2 * i, 2 * i + 2),
          );
        const write = async (name: string, known: readonly Known[]): Promise<string> =>
          (await writeBundle(await nearOf(release()), join(directory, name), known)).path;
        const full = await write('full.tar', []);
        const [inOrder, anyOrder] = [await openFar('memory'), await openFar('memory')];
        for (const far of [inOrder, anyOrder]) await importFiles(far, [full]);
        const inventory = await inventoryOf(inOrder, join(directory, 'have.ocli'));
        const deltas: string[] = [];
        for (const [step, changed] of changes.entries()) {
          for (const i of changed) versions[i] = step + 1;
          const since = measured.startsWith('all') ? [inventory] : await Promise.all([full, ...deltas].map(knownFrom));
          deltas.push(await write(`${step + 1}.tar`, since));
        }
        for (const delta of deltas) await importFiles(inOrder, [delta]);
        // Who is refused, because it needs what comes later, comes again.
        let waiting = order.map((number) => deltas[number - 1] ?? '');
        for (let tries = 0; waiting.length > 0 && tries < 5; tries++) {
          const refused: string[] = [];
          for (const delta of waiting)
            if ((await codeOf(() => importFiles(anyOrder, [delta]))) !== 'none') refused.push(delta);
          waiting = refused;
        }
        expect(waiting).toEqual([]);
        const [expected, found] = [await holdingsOf(inOrder), await holdingsOf(anyOrder)];
        expect(found.tags).toEqual(expected.tags);
        expect(found.blobs).toEqual(expected.blobs);
        expect(await missingOf(await nearOf(release()), anyOrder)).toEqual([]);
      }),
      { numRuns: 15 },
    );
  });
});
