import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { buildArtifact } from '../../src/artifact/build.ts';
import { isCode } from '../../src/core/errors.ts';
import { type Source } from '../../src/core/store.ts';
import { loadDocument } from '../../src/copy/documents.ts';
import { chainOf, publish, type Chain, type Publishable, type Published } from '../../src/mesh/publish.ts';
import { aliasesOf, releasesOf } from '../../src/mesh/release.ts';
import { type Shelf } from '../../src/mesh/shelves.ts';
import { newCopier, openWorld, type Kind, type World } from '../support/worlds.ts';

const open: World[] = [];
afterEach(async () => {
  for (const world of open.splice(0)) await world.close();
});

async function shelfOf(kind: Kind): Promise<Shelf> {
  const world = await openWorld(kind);
  open.push(world);
  return {
    name: 'shelf/designs/shop',
    sink: await world.sink(),
    nameOf: (tag) => ({ tag }),
    source: async () => {
      try {
        return await world.source();
      } catch (error) {
        if (isCode(error, 'OCL_NOT_FOUND')) return undefined;
        throw error;
      }
    },
  };
}

function design(version: string | undefined, content: string, modelVersion?: string): Publishable {
  return {
    name: 'the design shop',
    version,
    modelVersion,
    build({ version: given, previous }) {
      const annotations = {
        version: given,
        ...(previous === undefined
          ? {}
          : { 'io.meshery.previous.version': previous.version, 'io.meshery.previous.digest': previous.digest }),
      };
      const { store, root } = buildArtifact({
        artifactType: 'application/vnd.meshery.design.v1',
        layers: [{ mediaType: 'text/plain', bytes: Buffer.from(content) }],
        annotations,
      });
      return { from: store, root };
    },
  };
}

async function put(shelf: Shelf, item: Publishable, force = false): Promise<Published> {
  return await publish(item, shelf, { copier: newCopier(), force });
}

async function tagsOf(shelf: Shelf): Promise<Readonly<Record<string, string>>> {
  const source = (await shelf.source()) as Source;
  const tags: Record<string, string> = {};
  for await (const tag of source.tags()) tags[tag] = (await source.resolve(tag)).digest;
  return tags;
}

async function chainAt(shelf: Shelf, tag: string): Promise<Chain | undefined> {
  const source = (await shelf.source()) as Source;
  return chainOf((await loadDocument(await source.resolve(tag), source)).document.annotations);
}

describe.each(['memory', 'layout', 'registry'] as const)('publishing into a %s', (kind) => {
  it('gives each version a tag that stays, moves the aliases, and chains the versions', async () => {
    const shelf = await shelfOf(kind);
    const first = await put(shelf, design('1.0.0', 'a'));
    expect(first).toMatchObject({
      outcome: 'published',
      tag: '1.0.0',
      previous: undefined,
      aliases: { latest: '1.0.0', '1': '1.0.0', '1.0': '1.0.0' },
    });
    const second = await put(shelf, design('1.1.0', 'b'));
    expect(second).toMatchObject({ previous: { version: '1.0.0', digest: first.digest } });
    expect(second.aliases).toEqual({ latest: '1.1.0', '1': '1.1.0', '1.1': '1.1.0' });
    const candidate = await put(shelf, design('2.0.0-rc.1', 'c'));
    expect(candidate).toMatchObject({ tag: '2.0.0-rc.1', aliases: {} });
    expect(await chainAt(shelf, '2.0.0-rc.1')).toEqual({ version: '1.1.0', digest: second.digest });
    expect(await tagsOf(shelf)).toEqual({
      '1.0.0': first.digest,
      '1.0': first.digest,
      '1.1.0': second.digest,
      '1.1': second.digest,
      '1': second.digest,
      latest: second.digest,
      '2.0.0-rc.1': candidate.digest,
    });
  });

  it('does nothing for what is there, though a version has come in between since', async () => {
    const shelf = await shelfOf(kind);
    await put(shelf, design('1.0.0', 'a'));
    const last = await put(shelf, design('1.2.0', 'c'));
    await put(shelf, design('1.1.0', 'b'));
    const before = await tagsOf(shelf);
    expect(await put(shelf, design('1.2.0', 'c'))).toMatchObject({
      outcome: 'unchanged',
      digest: last.digest,
      previous: { version: '1.0.0' },
      aliases: {},
    });
    expect(await tagsOf(shelf)).toEqual(before);
    expect(before['latest']).toBe(last.digest);
  });

  it.each([
    ['1.0.0', '1.0.0'],
    ['1.0.0', 'v1.0.0'],
    ['1.0.0+a', 'v1.0.0+a'],
  ])('refuses another content for %s published as %s, naming both, unless it is forced', async (before, now) => {
    const shelf = await shelfOf(kind);
    const first = await put(shelf, design(before, 'a'));
    const other = design(now, 'b');
    const { root } = other.build({ version: now, previous: undefined });
    await expect(put(shelf, other)).rejects.toMatchObject({
      code: 'OCL_EXISTS',
      message: expect.stringMatching(new RegExp(`${first.digest}.*${root.digest}`)) as string,
    });
    expect((await tagsOf(shelf))['latest']).toBe(first.digest);
    expect(await put(shelf, other, true)).toMatchObject({ outcome: 'replaced', replaced: first.digest });
    expect((await tagsOf(shelf))['latest']).toBe(root.digest);
  });

  it('counts up what has no version of its own, and only when it has changed', async () => {
    const shelf = await shelfOf(kind);
    expect(await put(shelf, design(undefined, 'a'))).toMatchObject({ tag: '0.0.1', outcome: 'published' });
    expect(await put(shelf, design(undefined, 'a'))).toMatchObject({ tag: '0.0.1', outcome: 'unchanged' });
    expect(await put(shelf, design(undefined, 'b'))).toMatchObject({ tag: '0.0.2', outcome: 'published' });
    expect(await put(shelf, design(undefined, 'b'))).toMatchObject({ tag: '0.0.2', outcome: 'unchanged' });
  });

  it('tells definitions of one version apart by the software that they describe', async () => {
    const shelf = await shelfOf(kind);
    await put(shelf, design('v1.0.0', 'a', 'v1.25.2'));
    const newest = await put(shelf, design('v1.0.0', 'b', 'v1.26.0'));
    expect(newest).toMatchObject({ tag: 'v1.26.0-v1.0.0', previous: { version: 'v1.25.2-v1.0.0' } });
    expect((await tagsOf(shelf))['latest']).toBe(newest.digest);
  });
});

describe('versions that cannot be published', () => {
  it.each([
    ['not-a-version', 'OCL_DOCUMENT_INVALID'],
    [`1.0.0-${'a'.repeat(200)}`, 'OCL_DOCUMENT_INVALID'],
  ])('%s is refused with %s', async (version, code) => {
    const shelf = await shelfOf('memory');
    await expect(put(shelf, design(version, 'a'))).rejects.toMatchObject({ code });
  });
});

describe('whatever is published in whatever order', () => {
  const VERSION = fc
    .tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.constantFrom('', '', '-rc.1', '+b'))
    .map(([major, minor, patch, suffix]) => `${major}.${minor}.${patch}${suffix}`);

  it('every alias points to the greatest, and every version stays what it was', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(VERSION, { minLength: 1, maxLength: 8 }), async (versions) => {
        const shelf = await shelfOf('memory');
        const published = new Map<string, string>();
        for (const version of versions) {
          const { tag, digest } = await put(shelf, design(version, version));
          expect(published.get(tag) ?? digest).toBe(digest);
          published.set(tag, digest);
        }
        const tags = await tagsOf(shelf);
        for (const [tag, digest] of published) expect(tags[tag]).toBe(digest);
        const aliases = aliasesOf(releasesOf(published.keys(), false));
        for (const [alias, tag] of aliases) expect(tags[alias]).toBe(published.get(tag));
        expect(Object.keys(tags).length).toBe(published.size + aliases.size);
      }),
      { numRuns: 40 },
    );
  });

  it('two publishers at once agree on the aliases', async () => {
    const shelf = await shelfOf('registry');
    await Promise.all(
      ['1.0.0', '1.1.0', '1.2.0', '1.0.1'].map(async (version) => put(shelf, design(version, version))),
    );
    const tags = await tagsOf(shelf);
    expect(tags['latest']).toBe(tags['1.2.0']);
    expect(tags['1.0']).toBe(tags['1.0.1']);
  });
});
