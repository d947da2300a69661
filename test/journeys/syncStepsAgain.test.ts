import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { image, multiPlatform } from '../support/graphs.ts';
import { countsOf, SERVERS, SyncWorld, type PlaceKind } from '../support/syncWorld.ts';
import { named } from './syncStepsRows.ts';

const [app, next, old] = [multiPlatform('app'), image({ name: 'next' }), image({ name: 'old' })];
const IMAGES = [named(app, '1'), named(next, '2')];
const TARGETS = SERVERS.flatMap((server) =>
  (server.kind === 'embedded' ? (['registry', 'layout'] as const) : (['registry'] as const)).map((to) => ({
    ...server,
    to,
  })),
);

describe.each(TARGETS)('a target of $kind, as a $to, that has something', ({ kind, missing, to }) => {
  let world: SyncWorld;
  beforeAll(async () => {
    if (missing) return;
    world = await SyncWorld.start(kind);
    await world.stock(world.place('registry', 'source', 'app'), IMAGES);
  });
  afterAll(async () => {
    await world?.close();
  });

  function stepTo(target: string, keys = 'type: repository', source: PlaceKind = 'registry'): readonly string[] {
    return [`source: "${world.place(source, 'source', 'app')}", target: "${target}", ${keys}`];
  }

  it.skipIf(missing)('is left alone with --missing, whatever its tags point at', async () => {
    const target = world.place(to, 'target', 'missing');
    await world.stock(target, [named(old, '1')]);
    const { summary, source } = await world.sync(stepTo(target), ['--missing']);
    expect(summary).toMatchObject({ copied: 1, failed: [] });
    expect(countsOf(source)['HEAD manifest']).toBe(1);
    expect(await world.differences(target, [named(old, '1'), named(next, '2')])).toEqual([]);
  });

  it.skipIf(missing)('and has lost a layer gets it again with forceRecursive', async () => {
    const target = world.place(to, 'target', 'lost');
    await world.sync(stepTo(target));
    const [layer = next.root] = next.pieces.map(({ descriptor }) => descriptor);
    if (to === 'registry') {
      const answer = await fetch(`http://${world.target.host}/v2/lost/blobs/${layer.digest}`, { method: 'DELETE' });
      expect(answer.status).toBe(202);
    } else await rm(join(target.slice('ocidir://'.length), 'blobs', layer.digest.replace(':', '/')));
    expect(await world.lacks(target, next)).toEqual([layer.digest]);

    // A registry that has the manifest vouches for all of it; files are looked at.
    const plain = await world.sync(stepTo(target));
    expect(await world.lacks(target, next)).toEqual(to === 'registry' ? [layer.digest] : []);
    expect(plain.summary).toMatchObject(to === 'registry' ? { copied: 0, current: 2 } : { copied: 1, current: 1 });
    const forced = await world.sync(stepTo(target, 'type: repository, forceRecursive: true'));
    expect(forced.summary).toMatchObject(to === 'registry' ? { copied: 1, current: 1 } : { copied: 0, current: 2 });
    expect(await world.differences(target, IMAGES)).toEqual([]);
  });

  it.skipIf(missing || to === 'registry')(
    'gives all its tags to the next, those beside backups and of several sources too',
    async () => {
      const layout = world.place('layout', 'source', 'kept');
      await world.stock(layout, [named(old, '1')]);
      await world.stock(world.place('registry', 'source', 'other'), [named(old, '3')]);
      await world.sync([
        ...stepTo(layout, 'type: repository, backup: "was-{{.Ref.Tag}}"'),
        `type: repository, source: "${world.place('registry', 'source', 'other')}", target: "${layout}"`,
      ]);
      const target = world.place('registry', 'target', 'onward');
      const { summary } = await world.sync([`type: repository, source: "${layout}", target: "${target}"`]);
      expect(summary).toMatchObject({ copied: 4, failed: [] });
      expect(await world.tags(target)).toEqual(['1', '2', '3', 'was-1']);
      expect(await world.differences(target, [...IMAGES, named(old, '3'), named(old, 'was-1')])).toEqual([]);
    },
  );
});
