import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OclError } from '../../src/core/errors.ts';
import { ENTITY_KINDS } from '../../src/mesh/entity.ts';
import { type Published } from '../../src/mesh/publish.ts';
import { pushEntities, type PushOptions } from '../../src/mesh/push.ts';
import { openShelves, type ShelvesPlace } from '../../src/mesh/shelves.ts';
import { newCopier } from '../support/worlds.ts';
import { asReference, kindFiles, readAll, writeFiles } from './kit.ts';
import { openPlaces, type Places } from './places.ts';

let places: Places;
beforeAll(async () => {
  places = await openPlaces();
  for (const kind of ENTITY_KINDS) await writeFiles(places.path('all', kind), await kindFiles(kind));
});
afterAll(async () => {
  await places.close();
});

async function push(
  input: string,
  place: ShelvesPlace,
  more: Partial<PushOptions> = {},
): Promise<readonly Published[]> {
  const { stores, directory } = places;
  const copier = newCopier();
  const shelves = openShelves(place, { stores, copier });
  const published: Published[] = [];
  const options = { stores, copier, tmpDir: directory, force: false, ...more };
  for await (const one of pushEntities(asReference(input), shelves, options)) published.push(one);
  await shelves.finish();
  return published;
}

function disk(form: 'library' | 'layout' | 'archive', name: string): ShelvesPlace {
  const kind = form === 'library' ? 'path' : form;
  return { kind: 'disk', reference: { kind, path: places.path(name) }, form };
}

const TARGETS: readonly (readonly [string, () => ShelvesPlace, () => string])[] = [
  ['library', () => disk('library', 'library'), () => places.path('library')],
  ['layout', () => disk('layout', 'layout'), () => `ocidir://${places.path('layout')}`],
  ['archive', () => disk('archive', 'all.tar'), () => `oci-archive:${places.path('all.tar')}`],
];

describe('all kinds', () => {
  it.each(TARGETS)('go into a %s, each in a repository of its own, and are there again', async (_, place, where) => {
    const published = await push(places.path('all'), place());
    expect(published.map(({ outcome }) => outcome)).toEqual(ENTITY_KINDS.map(() => 'published'));
    const kinds = (await readAll(places, where())).map(({ kind }) => kind);
    expect(kinds.toSorted()).toEqual([...ENTITY_KINDS].toSorted());
  });

  it.each(TARGETS)(
    'keep their digests from a %s into a registry, and once more are unchanged',
    async (name, place, where) => {
      const before = await push(places.path('all'), place());
      const registry = { kind: 'registry', registry: places.host, prefix: `from-${name}` } as const;
      const after = await push(where(), registry);
      const digests = (all: readonly Published[]): readonly string[] => all.map(({ digest }) => digest).toSorted();
      expect(digests(after)).toEqual(digests(before));
      expect((await push(where(), registry)).map(({ outcome }) => outcome)).toEqual(
        ENTITY_KINDS.map(() => 'unchanged'),
      );
    },
  );
});

it('goes on after one that fails, and tells it', async () => {
  const bad = JSON.stringify({
    schemaVersion: 'designs.meshery.io/v1beta3',
    name: 'bad',
    version: 'one',
    components: [],
  });
  await writeFiles(places.path('mixed'), { 'a/bad.json': bad, ...(await kindFiles('design')) });
  const failed: (readonly [string, OclError])[] = [];
  const published = await push(places.path('mixed'), disk('library', 'mixed-library'), {
    onFailed: (entity, error) => failed.push([entity, error]),
  });
  expect(published).toHaveLength(1);
  expect(failed).toMatchObject([
    [
      'the design bad',
      { code: 'OCL_DOCUMENT_INVALID', hint: expect.stringContaining('write one like 1.0.0') as string },
    ],
  ]);
  await expect(push(places.path('mixed'), disk('library', 'mixed-library-2'))).rejects.toMatchObject({
    code: 'OCL_DOCUMENT_INVALID',
  });
});

it('writes one level below the namespace at Docker Hub', async () => {
  const shelves = openShelves(
    { kind: 'registry', registry: 'docker.io', prefix: 'acme' },
    { stores: places.stores, copier: newCopier() },
  );
  expect((await shelves.open('designs/shop')).name).toBe('docker.io/acme/design-shop');
  expect((await shelves.open('policies/net')).name).toBe('docker.io/acme/policy-net');
});
