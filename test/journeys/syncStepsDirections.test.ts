import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { image, multiPlatform, piece } from '../support/graphs.ts';
import { countsOf, SERVERS, SyncWorld, type PlaceKind, type ServerKind } from '../support/syncWorld.ts';

const IMAGES = [
  { graph: multiPlatform('first'), name: { tag: '1' } },
  { graph: image({ name: 'second' }), name: { tag: '2' } },
  { graph: image({ name: 'third', docker: true }), name: { tag: '3-rc' } },
];
const DATABASE = piece('vulnerabilities', 'application/vnd.aquasec.trivy.db.layer.v1.tar+gzip');
const FEED = { graph: image({ name: 'database', layers: [DATABASE] }), name: { tag: '2' } };

type StepType = 'image' | 'repository' | 'registry' | 'feed';

interface Row {
  readonly type: StepType;
  readonly from: PlaceKind;
  readonly to: PlaceKind;
}

/** What each type can read. A library is a directory of layouts, so it differs where there is more than one. */
const FROM: Readonly<Record<StepType, readonly PlaceKind[]>> = {
  image: ['registry', 'layout', 'archive'],
  repository: ['registry', 'layout', 'library', 'archive'],
  registry: ['registry', 'library'],
  feed: ['registry', 'layout', 'archive'],
};
const TO: Readonly<Record<StepType, readonly PlaceKind[]>> = {
  image: ['registry', 'layout'],
  repository: ['registry', 'layout', 'library'],
  registry: ['registry', 'library'],
  feed: ['registry', 'layout'],
};
const TYPES: readonly StepType[] = ['image', 'repository', 'registry', 'feed'];
const ROWS: readonly Row[] = TYPES.flatMap((type) =>
  FROM[type].flatMap((from) => TO[type].map((to) => ({ type, from, to }))),
);

/** What passes by no registry is the same with each of them, and to them a feed is an image. */
function rowsFor(kind: ServerKind): readonly Row[] {
  if (kind === 'embedded') return ROWS;
  return ROWS.filter(({ type, from, to }) => type !== 'feed' && (from === 'registry' || to === 'registry'));
}

describe.each(SERVERS)('a step, where registries are $kind', ({ kind, missing }) => {
  let world: SyncWorld;
  beforeAll(async () => {
    if (!missing) world = await SyncWorld.start(kind);
  });
  afterAll(async () => {
    await world?.close();
  });

  it.skipIf(missing).each(rowsFor(kind))(
    'of type $type from a $from to a $to copies, and then finds nothing to do',
    async (row) => {
      const { type, from, to } = row;
      const name = `${type}/${from}-${to}`;
      const stocked = type === 'feed' ? [FEED] : type === 'image' ? IMAGES.slice(0, 1) : IMAGES;
      const below = from === 'library' || to === 'library' ? ['deep/er'] : ['app'];
      const repositories = (type === 'registry' ? ['a', 'b/c'] : below).map((each) => `${name}/${each}`);
      for (const repository of repositories) await world.stock(world.place(from, 'source', repository), stocked);
      const steps = [stepOf(world, row, name, repositories)];

      const first = await world.sync(steps);
      const count = stocked.length * repositories.length;
      expect(first.summary).toMatchObject({ copied: count, current: 0, failed: [] });
      for (const repository of repositories) {
        const target = world.place(to, 'target', repository);
        expect(await world.tags(target)).toEqual(stocked.map(({ name: { tag } }) => tag));
        expect(await world.differences(target, stocked)).toEqual([]);
      }

      const again = await world.sync(steps);
      expect(again.summary).toMatchObject({ copied: 0, current: count, failed: [], bytes: 0 });
      expect(countsOf(again.source)).toEqual(
        from === 'registry' ? { ...LISTS[type](repositories.length), 'HEAD manifest': count } : {},
      );
      expect(countsOf(again.target)).toEqual(to === 'registry' ? { 'HEAD manifest': count } : {});
    },
  );
});

/** What tells a registry's repositories and tags. */
const LISTS: Readonly<Record<StepType, (repositories: number) => Readonly<Record<string, number>>>> = {
  image: () => ({}),
  feed: () => ({}),
  repository: (count) => ({ 'GET tags': count }),
  registry: (count) => ({ 'GET tags': count, 'GET other': 1 }),
};

function stepOf(world: SyncWorld, { type, from, to }: Row, name: string, [first]: readonly string[]): string {
  const tag = type === 'feed' ? ':2' : type === 'image' ? ':1' : '';
  const repository = type === 'registry' ? undefined : first;
  const ends = `source: "${world.place(from, 'source', repository)}${tag}", target: "${world.place(to, 'target', repository)}${tag}"`;
  return `type: ${type}, ${ends}, repos: {allow: ["${name}/.*"]}`;
}
