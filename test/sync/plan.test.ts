import { describe, expect, it } from 'vitest';
import { surroundings } from '../support/surroundings.ts';
import { Copier } from '../../src/copy/copier.ts';
import { OclError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/events.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { planSync, type PlannedJob, type PlanOptions } from '../../src/sync/plan.ts';
import { runSync } from '../../src/sync/run.ts';
import { image, index, recorder, TestClock, World } from './world.ts';

async function plan(world: World, text: string, options: Partial<PlanOptions> = {}): Promise<readonly PlannedJob[]> {
  const jobs: PlannedJob[] = [];
  const clock = new TestClock();
  const copier = new Copier({ clock, emit: options.emit ?? silent });
  for await (const job of planSync(loadConfig(text, 'sync.yaml', surroundings()).config, world, {
    clock,
    copier,
    ...options,
  }))
    jobs.push(job);
  return jobs;
}

async function lines(world: World, text: string, options: Partial<PlanOptions> = {}): Promise<readonly string[]> {
  return (await plan(world, text, options)).map(({ action, image: name, target, reason }) =>
    action === 'failed' ? `failed ${name}: ${reason}` : `${action} ${name} → ${target} (${reason})`,
  );
}

function steps(...all: string[]): string {
  return `sync:\n${all.map((one) => `  - {${one}}\n`).join('')}`;
}

describe('planSync', () => {
  it('asks each end once and writes nothing', async () => {
    const world = new World();
    const root = await world.put('docker.io/library/busybox', 'latest', image('1'));
    const jobs = await plan(world, steps('source: busybox, target: r.test/busybox:new, type: image'));
    expect(jobs).toEqual([
      {
        image: 'docker.io/library/busybox:latest',
        registry: 'docker.io',
        target: 'r.test/busybox:new',
        line: 2,
        action: 'copy',
        reason: 'not there yet',
        sourceDigest: root.digest,
        targetDigest: undefined,
        bytes: undefined,
        pulls: { count: 1, exact: true },
        error: undefined,
      },
    ]);
    expect(world.calls).toEqual(
      [
        'source docker.io/library/busybox',
        'resolve docker.io/library/busybox latest',
        'sink r.test/busybox',
        'find r.test/busybox new',
        'close docker.io/library/busybox',
        'close r.test/busybox',
      ].toSorted((a, b) => world.calls.indexOf(a) - world.calls.indexOf(b)),
    );
    expect(world.opened).toBe(world.closed);
  });

  it('tells new, changed and current apart', async () => {
    const world = new World();
    await world.put('s.test/app', '1', image('1'));
    await world.put('s.test/app', '2', image('2'));
    await world.put('s.test/app', '3', image('3'));
    await world.put('t.test/app', '1', image('1'));
    await world.put('t.test/app', '2', image('old'));
    expect(await lines(world, steps('source: s.test/app, target: t.test/app, type: repository'))).toEqual([
      'current s.test/app:1 → t.test/app:1 (same digest)',
      'copy s.test/app:2 → t.test/app:2 (changed)',
      'copy s.test/app:3 → t.test/app:3 (not there yet)',
    ]);
  });

  it('measures when asked to', async () => {
    const world = new World();
    const root = await world.put('s.test/app', '1', image('1'));
    const [job] = await plan(world, steps('source: s.test/app:1, target: t.test/app:1, type: image'), {
      measure: true,
    });
    expect(job?.bytes).toBeGreaterThan(root.size);
    expect(world.callsOf('put')).toEqual([]);
  });

  it('puts tags through the filters', async () => {
    const world = new World();
    for (const tag of ['1.0', '1.1', '1.1-rc', '2.0', 'latest']) await world.put('s.test/app', tag, image(tag));
    const list = async (filter: string): Promise<readonly string[]> =>
      (await plan(world, steps(`source: s.test/app, target: t.test/app, type: repository, ${filter}`))).map(
        ({ target }) => target.split(':')[1] ?? '',
      );
    expect(await list('tags: {allow: ["1\\\\..*"], deny: [".*-rc"]}')).toEqual(['1.0', '1.1']);
    expect(await list('tags: {semverRange: [">=1.1"]}')).toEqual(['1.1', '2.0']);
    expect(await list('tags: {allow: [latest]}, tagSets: [{allow: ["2.*"]}]')).toEqual(['2.0', 'latest']);
  });

  it('warns when no tag passes, and goes on', async () => {
    const world = new World();
    await world.put('s.test/app', '1', image('1'));
    const { emit, notices } = recorder();
    expect(
      await plan(world, steps('source: s.test/app, target: t.test/app, type: repository, tags: {allow: ["app:.*"]}'), {
        emit,
      }),
    ).toEqual([]);
    expect(notices()).toEqual(['sync.yaml:2: none of the 1 tags of s.test/app passes the filters; it has 1']);
  });

  it('goes through a registry by its catalog, below prefixes and libraries', async () => {
    const world = new World();
    for (const name of ['team/a', 'team/b', 'other/c']) await world.put(`s.test:5000/${name}`, '1', image(name));
    const catalog = async function* (): AsyncGenerator<string> {
      yield* ['other/c', 'team/a', 'team/b', '../evil'];
    };
    expect(
      await lines(
        world,
        steps(
          'source: "s.test:5000", target: "ocidir://mirror", type: registry, repos: {allow: ["team/.*", ".*evil"]}',
        ),
        { catalog },
      ),
    ).toEqual([
      'failed s.test:5000/../evil: Cannot copy the repository "../evil": the catalog names it, but it is no valid name',
      'copy s.test:5000/team/a:1 → ocidir://mirror/team/a:1 (not there yet)',
      'copy s.test:5000/team/b:1 → ocidir://mirror/team/b:1 (not there yet)',
    ]);
    expect(
      await lines(
        world,
        steps('source: "s.test:5000", target: t.test/all/, type: registry, repos: {deny: ["team/.*", ".*evil"]}'),
        { catalog },
      ),
    ).toEqual(['copy s.test:5000/other/c:1 → t.test/all/other/c:1 (not there yet)']);
    expect((await lines(world, steps('source: "s.test:5000", target: t.test, type: registry')))[0]).toContain(
      'this run has no catalog',
    );
  });

  it('takes a library as the source of a registry step', async () => {
    const world = new World();
    await world.put('mirror/team/a', '1', image('a'));
    expect(await lines(world, steps('source: "ocidir://mirror", target: t.test/x, type: registry'))).toEqual([
      'copy ocidir://mirror/team/a:1 → t.test/x/team/a:1 (not there yet)',
    ]);
  });

  it('fails a step, an image, a target alone', async () => {
    const world = new World();
    await world.put('s.test/app', '1', image('1'));
    await world.put('s.test/app', '2', image('2'));
    world.faults.set(
      'find t.test/locked',
      () => new OclError('OCL_UNAUTHORIZED', 'Cannot read t.test/locked: the registry asks for a login'),
    );
    const found = await lines(
      world,
      steps(
        'source: s.test/app:none, target: t.test/a:1, type: image',
        'source: s.test/gone, target: t.test/b, type: repository',
        'source: s.test/app:1, target: t.test/locked:1, type: image',
        'source: s.test/app:1, target: t.test/d, type: repository',
        'source: s.test/app, target: t.test/e:1, type: repository',
        'source: s.test/app, target: t.test/f',
        'target: t.test/g, type: image',
        'source: s.test/app, target: t.test/h, type: repository, tags: {allow: ["["]}',
        'source: s.test/app:1, target: "oci-archive:x.tar:1", type: image',
        'source: s.test/app:1, target: t.test/UPPER:1, type: image',
        'source: s.test/app:1, target: t.test/fine:1, type: image',
      ),
    );
    const byStart = (start: string): string | undefined => found.find((line) => line.includes(start));
    expect(found).toHaveLength(11);
    expect(byStart('s.test/app:none')).toContain('failed');
    expect(byStart('s.test/gone')).toContain('there is no such repository');
    expect(byStart('t.test/locked')).toContain('asks for a login');
    expect(byStart('it names the tag 1')).toBeDefined();
    expect(byStart('its type is ""')).toContain('sync.yaml:7');
    expect(byStart('it has no source')).toContain('failed sync.yaml:8');
    expect(byStart('Cannot use the pattern')).toBeDefined();
    expect(byStart('an archive is written as a whole')).toBeDefined();
    expect(byStart('lower case')).toBeUndefined();
    expect(byStart('UPPER')).toContain('is not valid');
    expect(found.at(-1)).toBe('copy s.test/app:1 → t.test/fine:1 (not there yet)');
  });

  it('copies the later of two images for one target, and warns', async () => {
    const world = new World();
    await world.put('s.test/app', '1', image('1'));
    await world.put('s.test/app', '2', image('2'));
    const { emit, notices } = recorder();
    expect(
      await lines(
        world,
        steps(
          'source: s.test/app:1, target: t.test/app:x, type: image',
          'source: s.test/app:2, target: t.test/app:x, type: image',
        ),
        { emit },
      ),
    ).toEqual(['copy s.test/app:2 → t.test/app:x (not there yet)']);
    expect(notices()).toEqual([
      'sync.yaml:3: t.test/app:x is written by two steps; s.test/app:2 is copied, s.test/app:1 of line 2 is not',
    ]);
  });

  it('asks a source once for several targets', async () => {
    const world = new World();
    await world.put('s.test/app', '1', image('1'));
    await plan(
      world,
      steps(
        'source: s.test/app, target: a.test/app, type: repository',
        'source: s.test/app, target: b.test/app, type: repository',
        'source: s.test/app:1, target: c.test/app, type: image',
      ),
    );
    expect(world.callsOf('resolve')).toEqual(['s.test/app 1']);
    expect(world.callsOf('source')).toEqual(['s.test/app']);
  });

  describe('what is copied', () => {
    const platforms = [
      { os: 'linux', architecture: 'amd64' },
      { os: 'linux', architecture: 'arm', variant: 'v6' },
      { os: 'linux', architecture: 'arm', variant: 'v7' },
    ];

    it('picks one platform of an index', async () => {
      const world = new World();
      await world.put('s.test/app', '1', index('1', ...platforms));
      const one = steps('source: s.test/app:1, target: t.test/app:1, type: image, platform: linux/arm/v7');
      const [job] = await plan(world, one);
      expect(job).toMatchObject({ action: 'copy', reason: 'not there yet' });
      const child = await world.put(
        't.test/app',
        '1',
        image('1 linux/arm/v7', { platform: { os: 'linux', architecture: 'arm' } }),
      );
      expect(child.digest).toBe(job?.sourceDigest);
      expect(await lines(world, one)).toEqual(['current s.test/app:1 → t.test/app:1 (same digest)']);
      expect(
        (
          await lines(world, steps('source: s.test/app:1, target: t.test/app:1, type: image, platform: linux/s390x'))
        )[0],
      ).toBe(
        'failed s.test/app:1: Cannot find linux/s390x in s.test/app:1: there is linux/amd64, linux/arm/v6, linux/arm/v7',
      );
      expect(
        (await lines(world, steps('source: s.test/app:1, target: t.test/app:1, type: image, platform: "linux/*"')))[0],
      ).toContain('Cannot read the platform');
    });

    it('skips types that are not asked for', async () => {
      const world = new World();
      await world.put('s.test/app', '1', index('1', ...platforms));
      expect(
        await lines(
          world,
          steps(`source: s.test/app:1, target: t.test/app:1, type: image, mediaTypes: [${MEDIA.ociManifest}]`),
        ),
      ).toEqual([`skip s.test/app:1 → t.test/app:1 (its type ${MEDIA.ociIndex} is not among mediaTypes)`]);
    });

    it('goes through what is current again where more was asked for', async () => {
      const world = new World();
      await world.put('s.test/app', '1', image('1'));
      await world.put('t.test/app', '1', image('1'));
      const reason = async (key: string): Promise<string | undefined> =>
        (await lines(world, steps(`source: s.test/app:1, target: t.test/app:1, type: image, ${key}`)))[0]?.replace(
          /^(\S+).*\((.*)\)$/,
          '$1 $2',
        );
      const nothing = 'current same digest, and nothing is missing';
      expect(await reason('referrers: true')).toBe(nothing);
      expect(await reason('digestTags: true')).toBe(nothing);
      expect(await reason('forceRecursive: true')).toBe(nothing);
      expect(await reason('forceRecursive: true, referrers: true, fastCheck: true')).toBe('current same digest');
      expect(await reason('referrers: true, referrerTarget: t.test/sigs')).toBe('current same digest');
    });

    it.each(['t.test/app:1', 'ocidir://mirror/app:1'])(
      'counts what is missing beside it, until %s has it',
      async (to) => {
        const world = new World();
        const subject = await world.put('s.test/app', '1', image('1'));
        const signature = await world.put(
          's.test/app',
          `${subject.digest.replace(':', '-')}.sig`,
          image('signature', { subject, artifactType: 'application/sig' }),
        );
        await runSync(
          loadConfig(steps(`source: s.test/app:1, target: "${to}", type: image`), 'a.yaml', surroundings()).config,
          world,
          { clock: new TestClock(), surroundings: surroundings() },
        );
        const text = steps(`source: s.test/app:1, target: "${to}", type: image, referrers: true, digestTags: true`);
        expect(await plan(world, text)).toMatchObject([
          { action: 'copy', reason: '3 contents and 1 digest tag missing', pulls: { count: 1, exact: true } },
        ]);
        // It was looked at anyway, so the bytes are known without being asked for.
        expect((await plan(world, text))[0]?.bytes).toBeGreaterThan(signature.size);
        expect(world.callsOf('tag')).toHaveLength(1);
        await runSync(loadConfig(text, 'sync.yaml', surroundings()).config, world, {
          clock: new TestClock(),
          surroundings: surroundings(),
        });
        expect(await plan(world, text)).toMatchObject([
          { action: 'current', reason: 'same digest, and nothing is missing' },
        ]);
      },
    );

    it('fails where nobody can tell whether something is missing', async () => {
      const world = new World();
      await world.put('s.test/app', '1', image('1'));
      await world.put('t.test/app', '1', image('1'));
      world.faults.set('has t.test/app', () => new OclError('OCL_REGISTRY', 'Cannot look for it: answered 500'));
      expect(
        await plan(world, steps('source: s.test/app:1, target: t.test/app:1, type: image, forceRecursive: true')),
      ).toMatchObject([{ action: 'failed', reason: 'Cannot look for it: answered 500' }]);
    });

    it('finds platforms that a sparse index at a registry lacks, without asking the source for more', async () => {
      const world = new World();
      const root = await world.put('s.test/app', '1', index('1', ...platforms));
      await world.put('t.test/app', '1', (store) => {
        index('1', ...platforms)(store);
        return root;
      });
      const one = (list: string): string =>
        steps(`source: s.test/app:1, target: t.test/app:1, type: image, platforms: ${list}`);
      expect(await lines(world, one('[linux/amd64, linux/arm/v6]'))).toEqual([
        'current s.test/app:1 → t.test/app:1 (same digest)',
      ]);
      const [job] = await plan(
        world,
        steps('source: s.test/app:1, target: x.test/app:1, type: image, platform: linux/arm/v6'),
      );
      world.drop('t.test/app', job?.sourceDigest ?? root.digest);
      expect(await lines(world, one('[linux/amd64]'))).toEqual(['current s.test/app:1 → t.test/app:1 (same digest)']);
      expect(await lines(world, one('[linux/amd64, linux/arm/v6]'))).toEqual([
        'copy s.test/app:1 → t.test/app:1 (platforms are missing)',
      ]);
      expect((await lines(world, one('[linux/s390x]')))[0]).toContain('it has none of the platforms linux/s390x');
      expect((await lines(world, one('[""]')))[0]).toContain('an empty entry of platforms is not supported');
    });

    it('refuses to overwrite where a backup is required and has no place', async () => {
      const world = new World();
      await world.put('s.test/app', '1', image('1'));
      await world.put('t.test/app', '1', image('old'));
      expect(
        (await lines(world, steps('source: s.test/app:1, target: t.test/app:1, type: image, backupRequired: true')))[0],
      ).toContain('failed s.test/app:1: Cannot overwrite t.test/app:1');
    });

    it('holds a target digest against the source', async () => {
      const world = new World();
      const root = await world.put('s.test/app', '1', image('1'));
      expect(
        await lines(world, steps(`source: s.test/app:1, target: "t.test/app@${root.digest}", type: image`)),
      ).toEqual([`copy s.test/app:1 → t.test/app@${root.digest} (not there yet)`]);
      expect(
        (
          await lines(world, steps(`source: s.test/app:1, target: "t.test/app@sha256:${'0'.repeat(64)}", type: image`))
        )[0],
      ).toContain(`the source is ${root.digest}`);
    });
  });

  it('stops at the signal', async () => {
    const world = new World();
    await world.put('s.test/app', '1', image('1'));
    await expect(
      plan(world, steps('source: s.test/app:1, target: t.test/app:1, type: image'), { signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ code: 'OCL_CANCELLED' });
    expect(world.opened).toBe(world.closed);
  });
});
