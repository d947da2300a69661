import { describe, expect, it } from 'vitest';
import { ANNOTATION, type Descriptor } from '../../../src/core/descriptor.ts';
import { NamedEntries } from '../../../src/stores/named/library.ts';
import { createMemory, type MemoryStore } from '../../../src/stores/memory/store.ts';
import { all, bytesIn, codeOf, image, multiPlatform, put, signature, type Graph } from '../../support/graphs.ts';

const alpine = multiPlatform('alpine');
const older = image({ name: 'older' });
const loki = image({ name: 'loki' });
const bare = image({ name: 'bare' });

async function storeWith(...entries: readonly (readonly [Graph, string, string?])[]): Promise<MemoryStore> {
  const store = createMemory();
  for (const [graph, tag, imageName] of entries)
    await put(store, graph, { tag, ...(imageName === undefined ? {} : { imageName }) });
  return store;
}

const several = (): Promise<MemoryStore> =>
  storeWith(
    [alpine, 'docker.io/library/alpine:3', 'docker.io/library/alpine:3'],
    [older, 'docker.io/library/alpine:2', 'docker.io/library/alpine:2'],
    [loki, 'ghcr.io/grafana/loki:3', 'ghcr.io/grafana/loki:3'],
    [bare, 'plain'],
  );

describe('one store as a library', () => {
  it('has the repositories that its entries name, and its own for those that name none', async () => {
    const library = new NamedEntries(await several(), 'box');
    expect(await library.repositories()).toEqual(['box', 'grafana/loki', 'library/alpine']);
    expect(library.writable).toBe(false);
    expect(await library.source('nobody')).toBeUndefined();
  });

  it('shows each repository its own tags, and all contents', async () => {
    const library = new NamedEntries(await several(), 'box');
    const source = await library.source('library/alpine');
    expect((await all(source?.tags() ?? (async function* () {})())).toSorted()).toEqual(['2', '3']);
    const root = await source?.resolve('3');
    expect(root?.digest).toBe(alpine.root.digest);
    expect(await codeOf(async () => await source?.resolve('plain'))).toBe('OCL_NOT_FOUND');
    const child = await source?.resolve(alpine.pieces[3]?.descriptor.digest ?? '');
    expect(child?.digest).toBe(alpine.pieces[3]?.descriptor.digest);
    if (source === undefined || child === undefined) throw new Error('the repository is there');
    expect(Buffer.from(await bytesIn(source, child)).equals(alpine.pieces[3]?.bytes ?? new Uint8Array())).toBe(true);
    const own = await library.source('box');
    expect(await all(own?.tags() ?? (async function* () {})())).toEqual(['plain']);
  });

  it('takes names apart once, however many repositories there are', async () => {
    /** How often names are looked at until every repository has told its tags. */
    const looks = async (count: number): Promise<number> => {
      let looked = 0;
      const entries = Array.from({ length: count }, (_, i): Descriptor => {
        const name = `example.com/team/app${i}:1`;
        return {
          ...alpine.root,
          get annotations() {
            looked++;
            return { [ANNOTATION.imageName]: name, [ANNOTATION.refName]: name };
          },
        };
      });
      const library = new NamedEntries(Object.assign(createMemory(), { roots: () => Promise.resolve(entries) }), 'box');
      for (const repository of await library.repositories()) {
        const source = await library.source(repository);
        expect(await all(source?.tags() ?? (async function* () {})())).toEqual(['1']);
      }
      return looked;
    };
    expect(await looks(80)).toBe(2 * (await looks(40)));
  });

  it('finds repositories by their whole name as well', async () => {
    const library = new NamedEntries(await several(), 'box');
    expect((await (await library.source('ghcr.io/grafana/loki'))?.resolve('3'))?.digest).toBe(loki.root.digest);
  });

  it('tells two hosts with one path apart', async () => {
    const store = await storeWith(
      [alpine, 'docker.io/library/app:1', 'docker.io/library/app:1'],
      [loki, 'ghcr.io/library/app:1', 'ghcr.io/library/app:1'],
    );
    const library = new NamedEntries(store, 'box');
    expect(await library.repositories()).toEqual(['docker.io/library/app', 'ghcr.io/library/app']);
    expect(await library.source('library/app')).toBeUndefined();
    expect((await (await library.source('ghcr.io/library/app'))?.resolve('1'))?.digest).toBe(loki.root.digest);
  });

  it('has no repository for signatures without a name, unless there is nothing else', async () => {
    const signed = signature(alpine.root);
    const store = await storeWith([alpine, 'docker.io/library/alpine:3', 'docker.io/library/alpine:3']);
    await put(store, signed, {});
    const library = new NamedEntries(store, 'box');
    expect(await library.repositories()).toEqual(['library/alpine']);
    expect((await (await library.source('box'))?.roots())?.map(({ digest }) => digest)).toEqual([signed.root.digest]);
    const alone = createMemory();
    await put(alone, signed, {});
    expect(await new NamedEntries(alone, 'box').repositories()).toEqual(['box']);
  });

  it('passes referrers on', async () => {
    const store = await several();
    const signed = signature(alpine.root);
    await put(store, signed, {});
    const source = await new NamedEntries(store, 'box').source('library/alpine');
    expect(
      (await all(source?.referrers(alpine.root) ?? (async function* () {})())).map(({ digest }) => digest),
    ).toEqual([signed.root.digest]);
  });

  it('takes pushes to its own repository, where there is something to push to', async () => {
    const store = await several();
    const library = new NamedEntries(store, 'box', store);
    await put(await library.sink('box'), older, 'pushed');
    expect((await (await library.source('box'))?.resolve('pushed'))?.digest).toBe(older.root.digest);
    expect(await codeOf(() => library.sink('library/alpine'))).toBe('OCL_UNSUPPORTED');
    expect(await codeOf(() => new NamedEntries(store, 'box').sink('box'))).toBe('OCL_UNSUPPORTED');
  });
});
