import { describe, expect, it } from 'vitest';
import { OclError } from '../../src/core/errors.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { FEEDS } from '../../src/sync/feeds.ts';
import { runSync, type SyncOptions, type SyncReport } from '../../src/sync/run.ts';
import { surroundings } from '../support/surroundings.ts';
import { image, index, recorder, TestClock, World } from './world.ts';

async function run(world: World, step: string, options: Partial<SyncOptions> = {}): Promise<SyncReport> {
  const text = `sync:\n  - {${step}}\n`;
  return await runSync(loadConfig(text, 'sync.yaml', surroundings()).config, world, {
    clock: new TestClock(),
    ...options,
    surroundings: surroundings(),
  });
}

describe('several targets of one source', () => {
  it('get the same, and the source is asked and read once', async () => {
    const world = new World();
    const root = await world.put('s.test/app', '1', image('1'));
    const report = await run(
      world,
      'source: s.test/app:1, target: t.test/a:1, targets: ["t.test/b:1", "ocidir://c:1", "t.test/a:1"], type: image',
    );
    expect(report).toMatchObject({ copied: 3, failed: [] });
    for (const name of ['t.test/a', 't.test/b', 'c']) expect((await world.tag(name, '1'))?.digest).toBe(root.digest);
    expect(world.callsOf('resolve')).toHaveLength(1);
    const reads = world.callsOf('open').filter((call) => call.startsWith('s.test'));
    expect(reads).toHaveLength([...world.blobsOf('s.test/app')].length);
  });

  it('of steps apart as well', async () => {
    const world = new World();
    await world.put('s.test/app', '1', image('1'));
    const text = ['a', 'b', 'c'].map((name) => `  - {source: s.test/app:1, target: t.test/${name}:1, type: image}\n`);
    const { config } = loadConfig(`sync:\n${text.join('')}`, 'sync.yaml', surroundings());
    await runSync(config, world, { clock: new TestClock(), surroundings: surroundings() });
    expect(world.callsOf('resolve')).toHaveLength(1);
    expect(world.callsOf('open').filter((call) => call.startsWith('s.test'))).toHaveLength(
      [...world.blobsOf('s.test/app')].length,
    );
  });

  it('the others are served by the source when the first fails', async () => {
    const world = new World();
    await world.put('s.test/app', '1', image('1'));
    world.faults.set('put t.test/a', () => new OclError('OCL_DENIED', 'Cannot write: no'));
    const report = await run(world, 'source: s.test/app:1, targets: ["t.test/a:1", "t.test/b:1"], type: image');
    expect(report).toMatchObject({ copied: 1, failed: [{ image: 's.test/app:1', error: { code: 'OCL_DENIED' } }] });
    expect(await world.tag('t.test/b', '1')).toBeDefined();
  });

  it.each([
    ['cannot be read there', 'open t.test/a', new OclError('OCL_DENIED', 'Cannot read: push only')],
    ['cannot be opened there', 'source t.test/a', new OclError('OCL_UNREACHABLE', 'Cannot reach it')],
  ])('the source gives what %s', async (_, call, fault) => {
    const world = new World();
    const root = await world.put('s.test/app', '1', image('1'));
    world.faults.set(call, () => fault);
    const report = await run(world, 'source: s.test/app:1, targets: ["t.test/a:1", "t.test/b:1"], type: image');
    expect(report).toMatchObject({ copied: 2, failed: [] });
    expect((await world.tag('t.test/b', '1'))?.digest).toBe(root.digest);
  });

  it('for all tags of a repository', async () => {
    const world = new World();
    for (const tag of ['1', '2']) await world.put('s.test/app', tag, image(tag));
    await run(world, 'source: s.test/app, targets: [t.test/a, t.test/b], type: repository');
    expect([await world.tags('t.test/a'), await world.tags('t.test/b')]).toEqual([
      ['1', '2'],
      ['1', '2'],
    ]);
  });
});

describe('backups', () => {
  const step = 'source: s.test/app:1, target: t.test/app:1, type: image';

  async function changed(): Promise<World> {
    const world = new World();
    await world.put('s.test/app', '1', image('new'));
    await world.put('t.test/app', '1', image('old'));
    return world;
  }

  it.each([
    ['old-{{.Ref.Tag}}', 't.test/app', 'old-1'],
    ['{{ $t := time.Now }}{{printf "b-%s-%d%02d" .Ref.Tag $t.Year $t.Month}}', 't.test/app', 'b-1-202603'],
    ['b.test/kept/{{.Ref.Repository}}:{{.Ref.Tag}}', 'b.test/kept/app', '1'],
    ['ocidir://kept:{{.Sync.Type}}', 'kept', 'image'],
  ])('go where %j says', async (backup, name, tag) => {
    const world = await changed();
    const old = await world.tag('t.test/app', '1');
    expect(await run(world, `${step}, backup: '${backup}'`)).toMatchObject({ copied: 1, failed: [] });
    expect((await world.tag(name, tag))?.digest).toBe(old?.digest);
    expect((await world.tag('t.test/app', '1'))?.digest).toBe((await world.tag('s.test/app', '1'))?.digest);
  });

  it('are not made of what is current, or not there', async () => {
    const world = new World();
    await world.put('s.test/app', '1', image('new'));
    await run(world, `${step}, backup: old`);
    await run(world, `${step}, backup: old`);
    expect(await world.tags('t.test/app')).toEqual(['1']);
  });

  it('are of the platforms that are there, where the target was given some alone', async () => {
    const world = new World();
    const [arm, amd] = [
      { os: 'linux', architecture: 'arm64' },
      { os: 'linux', architecture: 'amd64' },
    ];
    const old = await world.put('s.test/app', '1', index('old', arm, amd));
    const sparse = `${step}, platforms: [linux/arm64], backup: 'b.test/app:1', backupRequired: true`;
    expect(await run(world, sparse)).toMatchObject({ copied: 1, failed: [] });
    await world.put('s.test/app', '1', index('new', arm, amd));
    expect(await run(world, sparse)).toMatchObject({ copied: 1, failed: [] });
    expect((await world.tag('b.test/app', '1'))?.digest).toBe(old.digest);
    expect([...world.blobsOf('b.test/app')]).toHaveLength(4);
  });

  it('that fail are a warning, and stop the image where they are required', async () => {
    const world = await changed();
    const old = await world.tag('t.test/app', '1');
    world.faults.set('tag b.test/app', () => new OclError('OCL_DENIED', 'Cannot write: no'));
    const required = await run(world, `${step}, backup: 'b.test/app:1', backupRequired: true`);
    expect(required).toMatchObject({ copied: 0, failed: [{ image: 's.test/app:1', error: { code: 'OCL_DENIED' } }] });
    expect((await world.tag('t.test/app', '1'))?.digest).toBe(old?.digest);
    const { emit, events } = recorder();
    expect(await run(world, `${step}, backup: 'b.test/app:1'`, { emit })).toMatchObject({ copied: 1, failed: [] });
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'notice', message: expect.stringContaining('without a backup') }),
    );
  });

  it.each([['a b'], ['{{.Nope}}'], ['Bad/Name:1']])('named %j stop the image', async (backup) => {
    const world = await changed();
    const old = await world.tag('t.test/app', '1');
    expect(await run(world, `${step}, backup: '${backup}'`)).toMatchObject({ copied: 0, failed: [{}] });
    expect((await world.tag('t.test/app', '1'))?.digest).toBe(old?.digest);
  });
});

describe('referrers of another place, or for another place', () => {
  async function signed(): Promise<World> {
    const world = new World();
    const platform = { os: 'linux', architecture: 'amd64' };
    const child = await world.put('s.test/app', 'amd64', image('1 linux/amd64/', { platform }));
    const root = await world.put('s.test/app', '1', index('1', platform));
    await world.put('sigs.test/all', 'a', image('of the index', { subject: root, artifactType: 'application/sig' }));
    await world.put('sigs.test/all', 'b', image('of the image', { subject: child, artifactType: 'application/sbom' }));
    await world.put('s.test/app', 'own', image('own', { subject: root, artifactType: 'application/own' }));
    return world;
  }
  const step = 'source: s.test/app:1, target: t.test/app:1, type: image, referrers: true';

  it.each([
    ['referrerSource: sigs.test/all', ['t.test/app']],
    ['referrerSource: sigs.test/all, referrerTarget: t.test/sigs', ['t.test/sigs']],
    ['referrerTarget: t.test/sigs', ['t.test/sigs']],
  ])('%s', async (keys, [where = '']) => {
    const world = await signed();
    const fromOwn = !keys.includes('referrerSource');
    expect(await run(world, `${step}, ${keys}`)).toMatchObject({ copied: 1, failed: [] });
    const sources = fromOwn ? ['own'] : ['a', 'b'];
    for (const tag of sources) {
      const descriptor = await world.tag(fromOwn ? 's.test/app' : 'sigs.test/all', tag);
      expect(descriptor !== undefined && world.has(where, descriptor)).toBe(true);
    }
    const other = fromOwn ? await world.tag('sigs.test/all', 'a') : await world.tag('s.test/app', 'own');
    expect(other !== undefined && world.has(where, other)).toBe(false);
  });

  it('filters count there too', async () => {
    const world = await signed();
    await run(world, `${step}, referrerSource: sigs.test/all, referrerFilters: [{artifactType: application/sbom}]`);
    const [sig, sbom] = [await world.tag('sigs.test/all', 'a'), await world.tag('sigs.test/all', 'b')];
    expect(sig !== undefined && world.has('t.test/app', sig)).toBe(false);
    expect(sbom !== undefined && world.has('t.test/app', sbom)).toBe(true);
  });
});

describe('feeds', () => {
  const [first = '', second = ''] = FEEDS['trivy-db'] ?? [];

  it('come from the first known place that has them', async () => {
    for (const place of [first, second]) {
      const world = new World();
      await world.put(place.replace(/:2$/, ''), '2', image('db'));
      expect(await run(world, 'type: feed, feed: trivy-db, target: "t.test/db:2"')).toMatchObject({ copied: 1 });
      expect(await world.tag('t.test/db', '2')).toBeDefined();
    }
  });

  it('come from any reference', async () => {
    const world = new World();
    await world.put('s.test/feed', '7', image('db'));
    expect(await run(world, 'type: feed, source: "s.test/feed:7", target: "t.test/db:2"')).toMatchObject({ copied: 1 });
  });

  it.each([
    ['feed: nothing', 'there is no feed "nothing"'],
    ['parallel: 1', 'it has neither feed nor source'],
  ])('that are unknown fail their step: %s', async (keys, why) => {
    const { failed } = await run(new World(), `type: feed, ${keys}, target: "t.test/db:2"`);
    expect(failed).toMatchObject([{ error: { code: 'OCL_CONFIG_INVALID', message: expect.stringContaining(why) } }]);
  });
});
