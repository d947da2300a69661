import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatLock } from '../../src/bundle/lock.ts';
import { parseLock } from '../../src/bundle/lockSchema.ts';
import { parsePlatform } from '../../src/core/platform.ts';
import { parsePathReference, parseReference } from '../../src/core/reference.ts';
import { type Select } from '../../src/copy/select.ts';
import { codeOf } from '../support/graphs.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { makeShop, putRoots, writeLibrary } from '../support/shop.ts';
import { EVERYTHING, exported, image, place, stockedLibrary } from './support.ts';

const temporary = temporaryDirectories();
const shop = makeShop();
let registry: Embedded;

beforeAll(async () => {
  registry = await startEmbedded(await stockedLibrary(shop));
});
afterAll(() => registry.close());

const AMD64 = { ...EVERYTHING, platforms: [parsePlatform('linux/amd64')] };

describe('a lock', () => {
  it('says by name which digests were taken, with platforms, referrers and digest tags', async () => {
    const { lock } = await exported(await temporary(), [image(`${registry.host}/team/web:2.0`)]);
    const [name, locked] = [...lock.images][0] ?? [];
    expect(name).toBe(`${registry.host}/team/web:2.0`);
    expect(locked?.root.digest).toBe(shop.web.digest);
    expect([...(locked?.platforms ?? [])].map(([platform]) => platform)).toEqual(['linux/amd64', 'linux/arm64']);
    expect(locked?.referrers.map(({ digest }) => digest)).toEqual(
      shop.referrers.map(({ digest }) => digest).toSorted(),
    );
    expect(locked?.digestTags.map(({ tag }) => tag)).toEqual([shop.digestTag]);
    expect(formatLock(lock)).not.toMatch(/\d{4}-\d\d-\d\d/);
  });

  it.each<[string, Select]>([
    ['all', EVERYTHING],
    ['one platform of an index', AMD64],
    ['one platform of an index that is written anew', { ...AMD64, sparse: 'rewrite' }],
    ['images alone', {}],
  ])(
    'of %s gives the same bytes from a registry that has gone on, a library, a bundle, or parts',
    async (_, select) => {
      const library = await stockedLibrary(shop);
      const changing = await startEmbedded(library);
      try {
        const wanted = [image(`${changing.host}/team/web:2.0`, select), image(`${changing.host}/tool:latest`, select)];
        const first = await exported(await temporary(), wanted);
        const { content } = shop;
        const more = content.artifact({ type: 'application/vnd.test.later', subject: shop.web });
        await putRoots(await library.sink('team/web'), content, [
          [shop.tool, { tag: '2.0' }],
          [more, {}],
        ]);
        const again = async (places: readonly string[]): Promise<Buffer> => {
          const from = places.map((text) => (text.startsWith('127') ? parseReference(text) : parsePathReference(text)));
          return (await exported(await temporary(), { lock: first.lock, places: from })).bytes;
        };
        const directory = await temporary();
        await writeLibrary(join(directory, 'library'), shop);
        await writeFile(join(directory, 'bundle.tar'), first.bytes);
        expect(await again([])).toEqual(first.bytes);
        await changing.close();
        for (const places of [
          [join(directory, 'library')],
          [join(directory, 'bundle.tar')],
          [`${registry.host}/team/web`, `${registry.host}/tool`],
        ])
          expect(await again(places)).toEqual(first.bytes);
      } finally {
        await changing.close().catch(() => {});
      }
    },
  );

  it('of a layout with notes of its own gives the same bytes from its bundle', async () => {
    const directory = await temporary();
    await writeLibrary(join(directory, 'library'), shop);
    const first = await exported(directory, [place(join(directory, 'library'))]);
    await writeFile(join(directory, 'bundle.tar'), first.bytes);
    const places = [parsePathReference(join(directory, 'bundle.tar'))];
    expect((await exported(await temporary(), { lock: first.lock, places })).bytes).toEqual(first.bytes);
    expect((await exported(await temporary(), { lock: first.lock, places })).lock).toEqual(first.lock);
  });

  it('takes from the next place what the first has lost', async () => {
    const directory = await temporary();
    await writeLibrary(join(directory, 'whole'), shop);
    const first = await exported(directory, [place(join(directory, 'whole'), {})]);
    await exported(directory, [place(join(directory, 'whole'), AMD64)]);
    const places = ['exported.tar', 'whole'].map((name) => parsePathReference(join(directory, name)));
    await writeFile(join(directory, 'second'), '');
    const target = await temporary();
    expect((await exported(target, { lock: first.lock, places })).bytes).toEqual(first.bytes);
    expect(await codeOf(() => exported(target, { lock: first.lock, places: places.slice(0, 1) }))).toBe(
      'OCL_NOT_FOUND',
    );
  });

  it.each([
    ['no JSON', '{', 'OCL_DOCUMENT_INVALID'],
    ['another version', '{"lockVersion":2,"dockerPlatform":"linux/amd64","images":{}}', 'OCL_CONFIG_INVALID'],
    ['no digest', '{"lockVersion":1,"dockerPlatform":"x/y","images":{"a:1":{"digest":"x"}}}', 'OCL_DOCUMENT_INVALID'],
    [
      'entries that are no digests',
      `{"lockVersion":1,"dockerPlatform":"x/y","images":{"a:1":{"mediaType":"x","digest":"${shop.web.digest}","size":1,"entries":["../x"]}}}`,
      'OCL_CONFIG_INVALID',
    ],
  ])('with %s is refused', async (_, text, code) => {
    expect(await codeOf(() => parseLock(Buffer.from(text), 'it'))).toBe(code);
  });
});
