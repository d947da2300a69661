import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { app, KEY_ROWS, named } from './syncStepsRows.ts';
import { countsOf, SERVERS, SyncWorld, type Ran, type SyncLine } from '../support/syncWorld.ts';

/** Requests by which contents change their place. */
const MOVES = /^(?:PUT|POST|PATCH) |^GET blob/;
const WRITES = /^(?:PUT|POST|PATCH) /;
/** The tag under which registries without a referrers API, and layouts for old readers, keep what refers to a digest. */
const isFallback = (tag: string): boolean => /^sha256-[0-9a-f]{64}$/.test(tag);

const ROWS = KEY_ROWS.map((row, number) => ({ ...row, name: `row${number}` }));
type Row = (typeof ROWS)[number];
const ENDS = SERVERS.flatMap((server) => (['registry', 'layout'] as const).map((to) => ({ ...server, to }))).filter(
  ({ kind, to }) => kind === 'embedded' || to === 'registry',
);

// All rows are steps of one file, which is run twice: they must not disturb each other either.
describe.each(ENDS)('keys of a step, from $kind to a $to', ({ kind, missing, to }) => {
  let world: SyncWorld;
  let first: Ran;
  let again: Ran;

  beforeAll(async () => {
    if (missing) return;
    world = await SyncWorld.start(kind);
    for (const row of ROWS) {
      await world.stock(beside(row, 'app'), row.source ?? [named(app, '1')]);
      for (const [name, images] of Object.entries(row.beside ?? {})) await world.stock(beside(row, name), images);
      if (row.before !== undefined) await world.stock(place(row, 'app'), row.before);
    }
    first = await world.sync(ROWS.map(stepOf));
    again = await world.sync(ROWS.map(stepOf));
  }, 120_000);
  afterAll(async () => {
    await world?.close();
  });

  function place({ name }: Row, repository: string): string {
    return world.place(to, 'target', `${name}/${repository}`);
  }

  function beside({ name }: Row, repository: string): string {
    return world.place('registry', 'source', `${name}/${repository}`);
  }

  function stepOf(row: Row): string {
    const { type = 'image', keys } = row;
    const tag = type === 'image' ? ':1' : '';
    const ends = `source: "${beside(row, 'app')}${tag}", target: "${place(row, 'app')}${tag}"`;
    const made =
      typeof keys === 'string'
        ? keys
        : keys(
            (name) => place(row, name),
            (name) => beside(row, name),
          );
    return `type: ${type}, ${ends}, ${made}`;
  }

  /** What was told of one row. */
  const linesOf = ({ events }: Ran, row: Row): readonly SyncLine[] =>
    events.filter(({ image, message }) => `${image} ${message}`.includes(`/${row.name}/`));
  /** Codes of failures, and `copied` for each image that was; backups and referrers are told with something in brackets. */
  const outcomesOf = (ran: Ran, row: Row): readonly string[] =>
    linesOf(ran, row).flatMap(({ type, image = '', outcome, error }) => {
      if (image.endsWith(')')) return [];
      if (type === 'image.failed') return [error?.code ?? ''];
      return type === 'image.done' && outcome === 'copied' ? [outcome] : [];
    });

  describe.skipIf(missing).each(ROWS)('$title', (row) => {
    const { there = [named(app, '1')], elsewhere = {}, absent = [], says } = row;
    const refused = to === 'registry' && row.refusedBy?.kind === kind ? row.refusedBy.code : undefined;

    it('copies what it should, and nothing else', async () => {
      const fails = refused ?? row.fails;
      expect(outcomesOf(first, row)).toEqual(fails === undefined ? Array(row.copied ?? 1).fill('copied') : [fails]);
      if (says !== undefined) expect(linesOf(first, row).some(({ message }) => message?.includes(says))).toBe(true);
      if (refused !== undefined) return;
      const tags = there.flatMap(({ name }) => name.tag ?? []).toSorted();
      const found = await world.tags(place(row, 'app'));
      expect(found.filter((tag) => !isFallback(tag))).toEqual(tags);
      expect(await world.differences(place(row, 'app'), there)).toEqual([]);
      for (const [name, images] of Object.entries(elsewhere))
        expect(await world.differences(place(row, name), images)).toEqual([]);
      const kept = new Set(there.flatMap(({ graph }) => graph.pieces.map(({ descriptor }) => descriptor.digest)));
      for (const { root, pieces } of absent) {
        const own = pieces.filter(({ descriptor }) => !kept.has(descriptor.digest));
        expect(own.length).toBeGreaterThan(0);
        expect(await world.lacks(place(row, 'app'), { root, pieces: own })).toHaveLength(own.length);
      }
    });

    it('finds nothing to do when it is run again', () => {
      const fails = refused ?? row.fails;
      expect(outcomesOf(again, row)).toEqual(fails === undefined ? [] : [fails]);
      if (fails !== undefined) return;
      const [source, target] = [countsOf(again.source, `/${row.name}/`), countsOf(again.target, `/${row.name}/`)];
      const moves = row.looks === 'inside' ? WRITES : MOVES;
      expect(Object.keys({ ...source, ...target }).filter((asked) => moves.test(asked))).toEqual([]);
      if (row.looks !== undefined) return;
      const images = Math.max(1, row.copied ?? 1);
      const { type = 'image' } = row;
      const sources = row.title === 'several targets' ? 1 : images;
      expect(source).toEqual({ 'HEAD manifest': sources, ...(type === 'repository' ? { 'GET tags': 1 } : {}) });
      expect(target).toEqual(to === 'registry' ? { 'HEAD manifest': images } : {});
    });
  });
});
