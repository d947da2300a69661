import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ENTITY_KINDS } from '../../src/mesh/entity.ts';
import { packEntity } from '../../src/mesh/pack.ts';
import { filesBelow, kindFiles, latin1, packOne, readAll, unpackTo, writeFiles } from './kit.ts';
import { openPlaces, type Places } from './places.ts';

let places: Places;
beforeAll(async () => {
  places = await openPlaces();
});
afterAll(() => places.close());

/** Each kind of place, as a reference to one name in it. */
const PLACES = {
  layout: (kind: string) => `ocidir://${places.path(`layout-${kind}`)}:v1`,
  archive: (kind: string) => `oci-archive:${places.path(`${kind}.tar`)}:v1`,
  registry: (kind: string) => `${places.host}/team/${kind}:v1`,
} as const;

describe.each(ENTITY_KINDS)('a %s', (kind) => {
  it('comes back from a layout, an archive and a registry as it was, under one digest', async () => {
    const files = await kindFiles(kind);
    const input = await writeFiles(places.path(`in-${kind}`), files);
    const digests = new Set<string>();
    for (const [place, reference] of Object.entries(PLACES)) {
      const { digest } = await packOne(places, input, reference(kind));
      digests.add(digest);
      const output = places.path(`out-${kind}-${place}`);
      const [unpacked] = await unpackTo(places, reference(kind), output);
      expect(unpacked).toMatchObject({ kind, files: Object.keys(latin1(files)) });
      expect(await filesBelow(output)).toEqual(latin1(files));
    }
    expect(digests.size).toBe(1);
  });

  it('is packed again to the same digest after it was unpacked', async () => {
    const input = await writeFiles(places.path(`again-${kind}`), await kindFiles(kind));
    const first = await packOne(places, input, `ocidir://${places.path(`again-${kind}-a`)}:v1`);
    await unpackTo(places, `ocidir://${places.path(`again-${kind}-a`)}:v1`, places.path(`again-${kind}-files`));
    const second = await packOne(
      places,
      places.path(`again-${kind}-files`),
      `oci-archive:${places.path('again.tar')}:v1`,
    );
    expect(second.digest).toBe(first.digest);
  });

  it.each(['image', 'flux'] as const)('comes back from the %s form too', async (form) => {
    const files = await kindFiles(kind);
    const input = await writeFiles(places.path(`in-${kind}-${form}`), files);
    const reference = `${places.host}/${form}/${kind}:v1`;
    await packOne(places, input, reference, { form });
    const [entity] = await readAll(places, reference);
    expect(entity).toMatchObject({ kind: form === 'flux' && WRAPPED.has(kind) ? 'model' : kind });
    if (form === 'image')
      expect(
        Object.fromEntries(entity?.files.map(({ path, bytes }) => [path, Buffer.from(bytes).toString('latin1')]) ?? []),
      ).toEqual(latin1(files));
  });

  it('is the same archive, byte for byte, whenever it is written', async () => {
    const input = await writeFiles(places.path(`twice-${kind}`), await kindFiles(kind));
    const [a, b] = [places.path(`twice-${kind}-a.tar`), places.path(`twice-${kind}-b.tar`)];
    for (const file of [a, b]) await packOne(places, input, `oci-archive:${file}:v1`);
    expect((await readFile(a)).equals(await readFile(b))).toBe(true);
  });
});

/** Where only Meshery's layer is left, they are in the model that was made around them. */
const WRAPPED: ReadonlySet<string> = new Set(['component', 'relationship', 'connection']);

describe('the time in an artifact', () => {
  it('is the one that is given, else what the entity says, else none', async () => {
    const input = await writeFiles(places.path('times'), await kindFiles('view'));
    const [view] = await readAll(places, input);
    const created = (time?: string): string | undefined =>
      view && packEntity(view, { created: time }).root.annotations?.['org.opencontainers.image.created'];
    expect(created('2024-05-06T07:08:09Z')).toBe('2024-05-06T07:08:09Z');
    expect(created()).toBe('2025-01-01T00:00:00Z');
    const [design] = await readAll(places, await writeFiles(places.path('no-time'), await kindFiles('design')));
    expect(design && packEntity(design).root.annotations?.['org.opencontainers.image.created']).toBeUndefined();
  });
});
