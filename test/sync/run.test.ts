import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { surroundings } from '../support/surroundings.ts';
import { OclError } from '../../src/core/errors.ts';
import { parseReference } from '../../src/core/reference.ts';
import { type LocalSource } from '../../src/core/store.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { runSync, type SyncOptions, type SyncReport } from '../../src/sync/run.ts';
import { Linker } from '../../src/io/link.ts';
import { LayoutStore } from '../../src/stores/layout/layout.ts';
import { image, index, recorder, TestClock, World } from './world.ts';

async function run(world: World, text: string, options: Partial<SyncOptions> = {}): Promise<SyncReport> {
  return await runSync(loadConfig(text, 'sync.yaml', surroundings()).config, world, {
    clock: new TestClock(),
    ...options,
    surroundings: surroundings(),
  });
}

function steps(...all: string[]): string {
  return `sync:\n${all.map((one) => `  - {${one}}\n`).join('')}`;
}

const REPOSITORY = 'source: s.test/app, target: t.test/app, type: repository';

async function appWith(...tags: string[]): Promise<World> {
  const world = new World();
  for (const tag of tags) await world.put('s.test/app', tag, image(tag));
  return world;
}

describe('runSync', () => {
  it('copies what is new and changed, once, and commits at the end', async () => {
    const world = await appWith('1', '2', '3');
    await world.put('t.test/app', '1', image('1'));
    await world.put('t.test/app', '2', image('old'));
    const { emit, events } = recorder();
    const report = await run(world, steps(REPOSITORY), { emit });
    expect(report).toMatchObject({ copied: 2, current: 1, skipped: 0, failed: [], untried: 0 });
    expect(report.bytes).toBeGreaterThan(0);
    expect(await world.tag('t.test/app', '2')).toMatchObject({ digest: (await world.tag('s.test/app', '2'))?.digest });
    expect(world.callsOf('commit')).toEqual(['t.test/app']);
    expect(world.callsOf('source')).toEqual(['s.test/app']);
    expect(world.callsOf('sink')).toEqual(['t.test/app']);
    expect(world.opened).toBe(world.closed);
    expect(events.filter(({ type }) => type === 'image.done')).toHaveLength(3);
  });

  it('leaves lists of referrers to the target where referrers travel', async () => {
    const world = await appWith('1', `sha256-${'a'.repeat(64)}`, `sha256-${'a'.repeat(64)}.sig`);
    await run(world, steps(`${REPOSITORY}, referrers: true`));
    expect(await world.tags('t.test/app')).toEqual(['1', `sha256-${'a'.repeat(64)}.sig`]);
    await run(world, steps(REPOSITORY));
    expect(await world.tags('t.test/app')).toHaveLength(3);
  });

  it('does nothing the second time: one question to each end', async () => {
    const world = await appWith('1', '2');
    await run(world, steps(REPOSITORY));
    world.calls.length = 0;
    expect(await run(world, steps(REPOSITORY))).toMatchObject({ copied: 0, current: 2, bytes: 0 });
    expect(world.callsOf('resolve')).toHaveLength(2);
    expect(world.callsOf('find')).toHaveLength(2);
    for (const verb of ['open', 'put', 'has', 'tag', 'commit']) expect(world.callsOf(verb)).toEqual([]);
  });

  it('looks at the files of a layout that is current, and repairs it', async () => {
    const world = await appWith('1');
    const text = steps('source: s.test/app, target: "ocidir://mirror", type: repository');
    await run(world, text);
    const root = await world.tag('mirror', '1');
    expect(root).toBeDefined();
    expect(await run(world, text)).toMatchObject({ copied: 0, current: 1 });
    const layer = [...world.blobsOf('mirror')].find(({ mediaType }) => mediaType.includes('layer'));
    world.drop('mirror', layer?.digest ?? 'sha256:');
    expect(await run(world, text.replace('type:', 'fastCheck: true, type:'))).toMatchObject({ copied: 0, current: 1 });
    expect(await run(world, text)).toMatchObject({ copied: 1, current: 0, bytes: layer?.size });
  });

  it('keeps what a layout learns of an image that it has: where it came from', async () => {
    const world = await appWith('1');
    await world.put('mirror', '1', image('1'));
    const text = steps('source: s.test/app, target: "ocidir://mirror", type: repository');
    expect(await run(world, text)).toMatchObject({ copied: 0, current: 1, failed: [] });
    const layout = (await world.source(parseReference('ocidir://mirror'))) as LocalSource;
    const names = (await layout.roots()).map(({ annotations }) => annotations?.['io.containerd.image.name']);
    expect(names).toContain('s.test/app:1');
  });

  it('lets the others go on when one image fails', async () => {
    const world = await appWith('1', '2', '3');
    world.faults.set('resolve s.test/app 2', () => new OclError('OCL_NOT_FOUND', 'Cannot find 2: it is gone'));
    const { emit, events } = recorder();
    const report = await run(world, steps(REPOSITORY, 'source: s.test/none, target: t.test/none, type: repository'), {
      emit,
    });
    expect(report).toMatchObject({
      copied: 2,
      failed: [{ image: 's.test/none' }, { image: 's.test/app:2', error: { code: 'OCL_NOT_FOUND', side: 'source' } }],
    });
    expect(await world.tags('t.test/app')).toEqual(['1', '3']);
    expect(events.filter(({ type }) => type === 'image.failed')).toHaveLength(2);
  });

  it('does not take a target that cannot be asked for an empty one', async () => {
    const world = await appWith('1');
    world.faults.set('find t.test/app', () => new OclError('OCL_UNREACHABLE', 'Cannot reach t.test: it timed out'));
    expect(await run(world, steps(REPOSITORY))).toMatchObject({
      copied: 0,
      failed: [{ error: { code: 'OCL_UNREACHABLE', side: 'target' } }],
    });
    expect(world.callsOf('put')).toEqual([]);
  });

  it('starts nothing more after a failure when it is told to stop there', async () => {
    const world = await appWith('1', '2', '3', '4');
    world.faults.set('resolve s.test/app 2', () => new OclError('OCL_DENIED', 'Cannot read 2: no'));
    const report = await run(
      world,
      `defaults: {parallel: 1}\n${steps(REPOSITORY, 'source: t.test/app, target: u.test/app, type: repository')}`,
      { abortOnError: true },
    );
    expect(report).toMatchObject({ copied: 1, untried: 2, failed: [{ image: 's.test/app:2' }] });
    expect(await world.tags('t.test/app')).toEqual(['1']);
  });

  it('counts an image that could not be committed as failed', async () => {
    const world = await appWith('1', '2');
    world.faults.set(
      'commit t.test/app',
      () => new OclError('OCL_NO_SPACE', 'Cannot write index.json: the disk is full'),
    );
    const report = await run(world, steps(REPOSITORY, 'source: s.test/app:1, target: u.test/app:1, type: image'));
    expect(report).toMatchObject({
      copied: 1,
      failed: [{ image: 's.test/app:1', error: { code: 'OCL_NO_SPACE' } }, { image: 's.test/app:2' }],
    });
  });

  it('commits now and then, so that a kill loses little', async () => {
    const world = await appWith('1', '2');
    const clock = new TestClock();
    world.hooks.set('resolve s.test/app 2', async () => {
      await clock.advance(29_000);
      expect(await world.tags('t.test/app')).toEqual([]);
      await clock.advance(1_000);
      expect(await world.tags('t.test/app')).toEqual(['1']);
    });
    expect(await run(world, `defaults: {parallel: 1}\n${steps(REPOSITORY)}`, { clock })).toMatchObject({
      copied: 2,
      failed: [],
    });
    expect(world.callsOf('commit')).toHaveLength(2);
  });

  it('commits what was finished when the signal comes', async () => {
    const world = await appWith('1', '2', '3');
    const stop = new AbortController();
    world.hooks.set('resolve s.test/app 2', () => stop.abort());
    await expect(
      run(world, `defaults: {parallel: 1}\n${steps(REPOSITORY)}`, { signal: stop.signal }),
    ).rejects.toMatchObject({ code: 'OCL_CANCELLED' });
    expect(await world.tags('t.test/app')).toEqual(['1']);
    expect(world.opened).toBe(world.closed);
  });

  it('runs a step that reads what another writes after it', async () => {
    const world = await appWith('1', '2');
    const report = await run(
      world,
      steps(
        REPOSITORY,
        'source: t.test/app, target: "ocidir://out/app", type: repository',
        'source: "ocidir://out/app:2", target: u.test/app:2, type: image',
      ),
    );
    expect(report).toMatchObject({ copied: 5, failed: [] });
    expect(await world.tags('out/app')).toEqual(['1', '2']);
    expect(await world.tags('u.test/app')).toEqual(['2']);
  });

  it('makes a layout of each repository of a registry', async () => {
    const world = new World();
    for (const name of ['team/a', 'team/b']) await world.put(`s.test/${name}`, 'x', image(name));
    const catalog = async function* (): AsyncGenerator<string> {
      yield* ['team/a', 'team/b'];
    };
    expect(
      await run(world, steps('source: s.test, target: "ocidir://mirror", type: registry'), { catalog }),
    ).toMatchObject({ copied: 2 });
    expect(await world.tags('mirror/team/a')).toEqual(['x']);
    expect(world.callsOf('commit').toSorted()).toEqual(['mirror/team/a', 'mirror/team/b']);
  });

  it('copies many tags of one repository at a time', async () => {
    const world = await appWith(...Array.from({ length: 12 }, (_, i) => `v${i}`));
    let running = 0;
    let most = 0;
    for (let i = 0; i < 12; i++) {
      world.hooks.set(`resolve s.test/app v${i}`, async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
      });
    }
    expect(await run(world, `defaults: {parallel: 3}\n${steps(REPOSITORY)}`)).toMatchObject({ copied: 12 });
    expect(most).toBe(3);
  });

  describe('choices', () => {
    const platforms = [
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm64' },
    ];

    it('copies one platform as the image', async () => {
      const world = new World();
      await world.put('s.test/app', '1', index('1', ...platforms));
      await run(world, steps('source: s.test/app:1, target: t.test/app:1, type: image, platform: linux/arm64'));
      expect((await world.tag('t.test/app', '1'))?.mediaType).toContain('image.manifest');
    });

    it('keeps a sparse index as it is, and fills it when platforms are added', async () => {
      const world = new World();
      const root = await world.put('s.test/app', '1', index('1', ...platforms));
      const text = (list: string): string =>
        steps(`source: s.test/app:1, target: t.test/app:1, type: image, platforms: [${list}]`);
      expect(await run(world, text('linux/amd64'))).toMatchObject({ copied: 1 });
      expect(await world.tag('t.test/app', '1')).toMatchObject({ digest: root.digest });
      const before = [...world.blobsOf('t.test/app')].length;
      expect(await run(world, text('linux/amd64'))).toMatchObject({ current: 1 });
      expect(await run(world, text('linux/amd64, linux/arm64'))).toMatchObject({ copied: 1 });
      expect([...world.blobsOf('t.test/app')].length).toBeGreaterThan(before);
      expect(await run(world, text('linux/amd64, linux/arm64'))).toMatchObject({ current: 1 });
    });

    it('copies referrers that pass the filters, also later on', async () => {
      const world = await appWith('1');
      await run(world, steps('source: s.test/app:1, target: t.test/app:1, type: image'));
      const subject = await world.tag('s.test/app', '1');
      if (subject === undefined) throw new Error('no subject');
      const sbom = await world.put('s.test/app', 'sbom', image('sbom', { subject, artifactType: 'text/sbom' }));
      const signature = await world.put('s.test/app', 'sig', image('sig', { subject, artifactType: 'text/sig' }));
      await run(
        world,
        steps(
          'source: s.test/app:1, target: t.test/app:1, type: image, referrers: true, referrerFilters: [{artifactType: text/sig}]',
        ),
      );
      expect([world.has('t.test/app', sbom), world.has('t.test/app', signature)]).toEqual([false, true]);
      await run(world, steps('source: s.test/app:1, target: t.test/app:1, type: image, referrers: true'));
      expect(world.has('t.test/app', sbom)).toBe(true);
    });

    it('copies the tags that name the digest of an image', async () => {
      const world = await appWith('1');
      const root = await world.tag('s.test/app', '1');
      const tag = `${root?.digest.replace(':', '-')}.sig`;
      await world.put('s.test/app', tag, image('signature'));
      await run(world, steps('source: s.test/app:1, target: t.test/app:1, type: image, digestTags: true'));
      expect(await world.tags('t.test/app')).toEqual(['1', tag]);
    });

    it('skips and says so', async () => {
      const world = await appWith('1');
      const { emit, notices } = recorder();
      expect(await run(world, steps(`${REPOSITORY}, mediaTypes: [a/b]`), { emit })).toMatchObject({
        skipped: 1,
        copied: 0,
      });
      expect(notices()[0]).toContain('s.test/app:1 is skipped: its type');
    });
  });

  it('writes real layouts, also when it is stopped', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'ocl-sync-'));
    try {
      const world = await appWith('1', '2', '3');
      const { emit } = recorder();
      const clock = new TestClock();
      const stop = new AbortController();
      const linker = new Linker();
      world.sink = (reference) =>
        Promise.resolve(
          new LayoutStore(reference.kind === 'registry' ? '' : reference.path, {
            clock,
            emit,
            linker,
            signal: stop.signal,
          }),
        );
      world.hooks.set('resolve s.test/app 3', () => stop.abort());
      const text = `defaults: {parallel: 1}\n${steps(`source: s.test/app, target: "ocidir://${directory}/app", type: repository`)}`;
      await expect(run(world, text, { signal: stop.signal })).rejects.toMatchObject({ code: 'OCL_CANCELLED' });
      const file = JSON.parse(await readFile(join(directory, 'app', 'index.json'), 'utf8')) as {
        manifests: { annotations: Record<string, string> }[];
      };
      expect(file.manifests.map(({ annotations }) => annotations['org.opencontainers.image.ref.name'])).toEqual([
        '1',
        '2',
      ]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
