import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildArtifact } from '../../src/artifact/build.ts';
import { buildDeprecation, DEPRECATION_TYPE, readDeprecation } from '../../src/artifact/deprecation.ts';
import { describeImage } from '../../src/artifact/list.ts';
import { buildTree } from '../../src/artifact/tree.ts';
import { ANNOTATION, type Descriptor } from '../../src/core/descriptor.ts';
import { parseReference } from '../../src/core/reference.ts';
import { type Sink, type Source } from '../../src/core/store.ts';
import { stateDeprecation, type Deprecated } from '../../src/mesh/deprecate.ts';
import { createMemory, type MemoryStore } from '../../src/stores/memory/store.ts';
import { fakeClock } from '../support/fakeClock.ts';
import { newCopier } from '../support/worlds.ts';
import { openPlaces, type Places } from './places.ts';

let places: Places;
beforeAll(async () => {
  places = await openPlaces();
});
afterAll(async () => {
  await places.close();
});

const TYPE = 'application/vnd.meshery.design.v1';
const clock = fakeClock();

function shop(annotations: Readonly<Record<string, string>> = {}): { from: MemoryStore; root: Descriptor } {
  const layers = [{ mediaType: 'text/plain', bytes: Buffer.from('shop') }];
  const { store, root } = buildArtifact({ artifactType: TYPE, layers, annotations });
  return { from: store, root };
}

async function place(where: string, annotations?: Readonly<Record<string, string>>): Promise<Descriptor> {
  const { from, root } = shop(annotations);
  const to = await places.stores.sink(parseReference(where));
  await newCopier().copy({ from, to, root, name: { tag: '1.0.0' }, image: 'shop' });
  await to.commit();
  return root;
}

async function state(where: string, deprecated: boolean, reason?: string): Promise<Deprecated> {
  const options = { stores: places.stores, copier: newCopier(), clock };
  return await stateDeprecation(parseReference(`${where}:1.0.0`), { deprecated, reason }, options);
}

describe.each([
  ['layout', () => `ocidir://${places.path('layout')}`],
  ['registry', () => `${places.host}/designs/shop`],
])('in a %s', (_, at) => {
  it('the newest statement counts, and the version keeps its digest', async () => {
    const where = at();
    const root = await place(where);
    const listing = async (): Promise<readonly [boolean | undefined, string | undefined]> => {
      const source = await places.stores.source(parseReference(where));
      const { deprecation, digest } = await describeImage(source, 'shop', await source.resolve('1.0.0'));
      expect(digest).toBe(root.digest);
      return [deprecation?.deprecated, deprecation?.reason];
    };
    expect(await listing()).toEqual([undefined, undefined]);
    expect(await state(where, false)).toMatchObject({ outcome: 'unchanged' });
    expect(await state(where, true, 'too old')).toMatchObject({ outcome: 'stated', digest: root.digest });
    expect(await listing()).toEqual([true, 'too old']);
    expect(await state(where, true, 'too old')).toMatchObject({ outcome: 'unchanged' });
    // The clock stands still, and the order is kept nevertheless.
    expect(await state(where, false, 'mended')).toMatchObject({ outcome: 'stated' });
    expect(await listing()).toEqual([false, 'mended']);
    expect(await state(where, false)).toMatchObject({ outcome: 'unchanged' });
    expect(await state(where, true, 'broken again')).toMatchObject({ outcome: 'stated' });
    expect(await listing()).toEqual([true, 'broken again']);
  });

  it('a tree shows it beside what it refers to', async () => {
    const source = await places.stores.source(parseReference(at()));
    const tree = await buildTree(source, await source.resolve('1.0.0'), { contents: false });
    expect(tree.deprecation).toMatchObject({ deprecated: true, reason: 'broken again' });
    expect(tree.children.map(({ role, kind }) => [role, kind])).toEqual(
      [1, 2, 3].map(() => ['referrer', expect.stringContaining('deprecation')]),
    );
  });

  it('travels with a copy', async () => {
    const from = await places.stores.source(parseReference(at()));
    const to = createMemory();
    const root = await from.resolve('1.0.0');
    await newCopier().copy({ from, to, root, name: { tag: '1.0.0' }, image: 'shop', select: { referrers: true } });
    expect(await readDeprecation(to, root, undefined)).toMatchObject({ deprecated: true, reason: 'broken again' });
  });
});

it('takes back what a version says of itself', async () => {
  const where = `${places.host}/designs/born`;
  const annotations = { 'io.artifacthub.package.deprecated': 'true' };
  const root = await place(where, annotations);
  const source = await places.stores.source(parseReference(where));
  expect(await readDeprecation(source, root, annotations)).toMatchObject({ deprecated: true, digest: undefined });
  await state(where, false);
  expect(await readDeprecation(source, root, annotations)).toMatchObject({ deprecated: false });
});

it('refuses an archive, which is written once', async () => {
  const path = places.path('shop.tar');
  const { from, root } = shop();
  const to = await places.stores.sink(parseReference(`oci-archive:${path}`));
  await newCopier().copyReserved([{ from, to, root, name: { tag: '1.0.0' }, image: 'shop' }], to);
  await to.commit();
  await expect(state(`oci-archive:${path}`, true)).rejects.toMatchObject({ code: 'OCL_UNSUPPORTED' });
});

describe('statements of others', () => {
  async function put(store: MemoryStore, from: MemoryStore, root: Descriptor): Promise<void> {
    const to: Sink = store;
    await newCopier().copy({ from, to, root, name: {}, image: 'statement' });
    await store.commit();
  }

  it('count by their time, in whatever order they are listed', async () => {
    const { root } = shop();
    const statement = fc.record({
      deprecated: fc.boolean(),
      created: fc.integer({ min: 0, max: 4_000_000_000_000 }),
      reason: fc.string({ maxLength: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(statement, { selector: ({ created }) => created, maxLength: 6 }), async (all) => {
        const store = createMemory();
        for (const { created, ...said } of all) {
          const built = buildDeprecation(root, said, created);
          await put(store, built.store, built.root);
        }
        const newest = all.toSorted((a, b) => b.created - a.created)[0];
        const read = await readDeprecation(store, root, undefined);
        expect(read?.deprecated).toBe(newest?.deprecated);
        expect(read?.reason).toBe(newest?.reason === '' ? undefined : newest?.reason);
      }),
      { numRuns: 50 },
    );
  });

  const CREATED = { [ANNOTATION.created]: '2026-01-01T00:00:00Z' };
  it.each<[string, string, Readonly<Record<string, string>>]>([
    ['no JSON', 'deprecated', CREATED],
    ['a list', '[]', CREATED],
    ['a text for a truth', '{"deprecated":"true"}', CREATED],
    ['no time', '{"deprecated":true}', {}],
    ['a time that is none', '{"deprecated":true}', { [ANNOTATION.created]: 'yesterday' }],
    ['too much', `{"deprecated":true,"reason":"${'a'.repeat(70_000)}"}`, CREATED],
    ['a name twice', '{"deprecated":true,"deprecated":false}', CREATED],
  ])('count as none when they are %s', async (_, text, annotations) => {
    const { root } = shop();
    const store = createMemory();
    const said = buildArtifact({
      artifactType: DEPRECATION_TYPE,
      layers: [{ mediaType: DEPRECATION_TYPE, bytes: Buffer.from(text) }],
      annotations,
      subject: root,
    });
    await put(store, said.store, said.root);
    expect(await readDeprecation(store, root, undefined)).toBeUndefined();
  });

  it('count as none when they are listed, and are about something else', async () => {
    const { root } = shop();
    const other = shop({ other: 'yes' }).root;
    const { store, root: statement } = buildDeprecation(other, { deprecated: true }, 0);
    const liar = {
      open: async (descriptor: Descriptor) => await store.open(descriptor),
      async *referrers() {
        yield* await Promise.resolve([statement]);
      },
    };
    expect(await readDeprecation(liar as unknown as Source, root, undefined)).toBeUndefined();
  });
});
