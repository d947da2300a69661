import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { collectionOf, type Tags } from '../../src/bundle/collection.ts';
import { diffSides, type DiffReport, type DiffSide } from '../../src/bundle/diff.ts';
import { readSide, readSideFile } from '../../src/bundle/diffSides.ts';
import { encodeInventory, takeInventory } from '../../src/bundle/inventory.ts';
import { Ledger } from '../../src/bundle/ledger.ts';
import { type Digest } from '../../src/core/digest.ts';
import { silent } from '../../src/core/events.ts';
import { digestOf } from '../../src/io/verify.ts';
import { openArchive } from '../../src/stores/archive/reader.ts';
import { fakeClock } from '../support/fakeClock.ts';
import { codeOf, multiPlatform } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import {
  inventoryOf,
  importFiles,
  knownFrom,
  layered,
  nearOf,
  openFar,
  writeBundle,
  type Release,
} from './deltaWorld.ts';

const temporary = temporaryDirectories();
const sideOptions = { clock: fakeClock(), emit: silent };
const digest = (n: number): Digest => digestOf(Buffer.from(`${n}`));

function side(
  name: string,
  tags: Readonly<Record<string, Readonly<Record<string, number>>>>,
  blobs?: readonly number[],
): DiffSide {
  const byRepository = new Map(
    Object.entries(tags).map(([repository, named]) => [
      repository,
      new Map(Object.entries(named).map(([tag, n]) => [tag, digest(n)])),
    ]),
  );
  const sizes = blobs === undefined ? undefined : new Map(blobs.map((n) => [digest(n), n]));
  const has = sizes === undefined ? undefined : (each: Digest) => sizes.has(each);
  return { name, tags: byRepository satisfies Tags, sizes, has };
}

const told = ({ added, moved, removed, same }: DiffReport): unknown => ({
  added: added.map(({ name }) => name),
  moved: moved.map(({ name }) => name),
  removed: removed.map(({ name }) => name),
  same,
});

describe('a comparison', () => {
  it('tells tags that were added, moved and removed, and what would flow', () => {
    const from = side('old', { app: { 1: 1, 2: 2, latest: 2 }, gone: { 1: 9 } }, [1, 2, 9]);
    const to = side('new', { app: { 2: 2, 3: 3, latest: 3 }, more: { 1: 4 } }, [2, 3, 4]);
    const found = diffSides(from, to);
    expect(told(found)).toEqual({
      added: ['app:3', 'more:1'],
      moved: ['app:latest'],
      removed: ['app:1', 'gone:1'],
      same: 1,
    });
    expect(found.flow).toEqual({ blobs: 2, bytes: 7 });
    expect(found.moved).toEqual([{ name: 'app:latest', from: digest(2), to: digest(3) }]);
  });

  it.each([
    ['with its registry and without', { 'docker.io/library/app': { 1: 1 } }, { 'library/app': { 1: 1 } }, 1],
    ['of this machine', { 'localhost/app': { 1: 1 } }, { app: { 1: 1 } }, 1],
    ['of a layout without repositories and of one', { '': { 1: 1 } }, { 'team/app': { 1: 1 } }, 1],
    ['of a layout without repositories and of two', { '': { 1: 1 } }, { a: { 1: 1 }, b: { 1: 1 } }, 0],
    ['of two registries and of one', { 'a.io/app': { 1: 1 }, 'b.io/app': { 1: 2 } }, { 'a.io/app': { 1: 1 } }, 0],
  ])('of names %s', (_, one, other, same) => {
    expect(diffSides(side('a', one), side('b', other)).same).toBe(same);
    expect(diffSides(side('b', other), side('a', one)).same).toBe(same);
  });

  it('the other way round is its mirror image', () => {
    const anyTags = fc.dictionary(
      fc.constantFrom('a', 'b', 'c/d'),
      fc.dictionary(fc.constantFrom('1', '2', '3'), fc.nat(3), { noNullPrototype: true }),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(anyTags, anyTags, (one, other) => {
        const there = diffSides(side('a', one), side('b', other));
        const back = diffSides(side('b', other), side('a', one));
        expect(there.added.map(({ name }) => name)).toEqual(back.removed.map(({ name }) => name));
        expect(there.moved.map(({ name }) => name)).toEqual(back.moved.map(({ name }) => name));
        expect(there.same).toBe(back.same);
        expect(there.flow).toBeUndefined();
        expect(told(diffSides(side('a', one), side('a', one)))).toMatchObject({ added: [], moved: [], removed: [] });
      }),
    );
  });
});

describe('the sides of a comparison', () => {
  const app = (n: number): Release => ({ repository: 'team/app', tag: 'latest', graph: layered('app', [n, 0], 500) });
  const multi: Release = { repository: 'multi', tag: '1', graph: multiPlatform('multi') };

  it('are places, bundles, deltas, inventories and receipts alike', async () => {
    const directory = await temporary();
    const at = (name: string): string => join(directory, name);
    const [old, now] = [await nearOf([app(1), multi]), await nearOf([app(2), multi])];
    const far = await openFar('library');
    await writeBundle(old, at('full.tar'));
    await importFiles(far, [at('full.tar')]);
    await inventoryOf(far, at('have.ocli'));
    await writeBundle(now, at('now.tar'));
    await writeBundle(now, at('delta.tar'), [await knownFrom(at('full.tar'))]);
    const inventory = await takeInventory([old], { clock: fakeClock(), emit: silent, version: '1' });
    const receipt = {
      receiptVersion: 1,
      target: 'far',
      time: '2026-08-01T00:00:00Z',
      images: [],
      inventory: Buffer.from(await encodeInventory(inventory)).toString('base64'),
    };
    await writeFile(at('receipt.json'), JSON.stringify(receipt));

    const options = { emit: silent };
    const bundle = async (path: string): Promise<DiffSide> => {
      const source = await openArchive(path, { tmpDir: directory });
      try {
        return await readSide(collectionOf(source), options);
      } finally {
        await source.close();
      }
    };
    const file = async (name: string): Promise<DiffSide> => (await readSideFile(at(name), sideOptions)) as DiffSide;
    const before = [
      await readSide(old, options),
      await readSide(await far.holds(), options),
      await bundle(at('full.tar')),
      await file('have.ocli'),
      await file('receipt.json'),
    ];
    const after = [await readSide(now, options), await bundle(at('now.tar')), await bundle(at('delta.tar'))];
    // A layer, a config and a manifest.
    for (const from of before)
      for (const to of after) {
        const found = diffSides(from, to);
        expect(told(found)).toEqual({ added: [], moved: ['team/app:latest'], removed: [], same: 1 });
        expect(found.flow?.blobs).toBe(3);
      }
    await far.close();
  });

  it('are locks, which name images alone', async () => {
    const path = join(await temporary(), 'a.lock');
    const root = { digest: digest(1), mediaType: 'application/vnd.oci.image.manifest.v1+json', size: 1 };
    const images = { 'docker.io/library/app:1': root, 'team.example/app@sha256:x': root };
    await writeFile(path, JSON.stringify({ lockVersion: 1, dockerPlatform: 'linux/amd64', images }));
    const lock = (await readSideFile(path, sideOptions)) as DiffSide;
    const found = diffSides(lock, side('library', { 'library/app': { 1: 1 } }, [1]));
    expect(told(found)).toEqual({ added: [], moved: [], removed: [], same: 1 });
    expect(found.flow).toBeUndefined();
  });

  it('are ledgers, by what was sent the last time', async () => {
    const path = join(await temporary(), 'site.ledger');
    const ledger = await Ledger.open(path, sideOptions);
    const name = 'docker.io/library/app:1';
    for (const n of [1, 2])
      await ledger.add({
        id: digest(10 + n),
        file: 'x.tar',
        blobs: [digest(n)],
        names: new Map([[name, [digest(n)]]]),
      });
    const from = (await readSideFile(path, sideOptions)) as DiffSide;
    const found = diffSides(from, side('library', { 'library/app': { 1: 2, 2: 3 } }, [2, 3]));
    expect(told(found)).toEqual({ added: ['library/app:2'], moved: [], removed: [], same: 1 });
    expect(found.flow?.blobs).toBe(1);
  });

  it('are no other documents', async () => {
    const path = join(await temporary(), 'other.json');
    await writeFile(path, '{"a":1}');
    expect(await codeOf(() => readSideFile(path, sideOptions))).toBe('OCL_USAGE');
    await writeFile(path, 'a: 1');
    expect(await readSideFile(path, sideOptions)).toBeUndefined();
  });
});
