import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { OclError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/events.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { Journal } from '../../src/sync/journal/journal.ts';
import { runJournaled, type JournaledOptions, type JournaledReport } from '../../src/sync/journaled.ts';
import { type Listed } from '../../src/sync/list.ts';
import { planSync } from '../../src/sync/plan.ts';
import { planPrune } from '../../src/sync/prune.ts';
import { Copier } from '../../src/copy/copier.ts';
import { fakeClock, type FakeClock } from '../support/fakeClock.ts';
import { all } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { surroundings } from '../support/surroundings.ts';
import { image, index, recorder, World } from './world.ts';

const temporary = temporaryDirectories();
const HOUR = 3_600_000;
const STEP = 'source: s.test/app, target: t.test/app, type: repository';
let world: World;
let clock: FakeClock;
let state: string;

beforeEach(async () => {
  world = new World();
  clock = fakeClock();
  state = join(await temporary(), 'journal');
});

function steps(...each: string[]): string {
  return `sync:\n${each.map((one) => `  - {${one}}\n`).join('')}`;
}

async function put(name: string, ...tags: string[]): Promise<void> {
  for (const tag of tags) await world.put(name, tag, image(`${name} ${tag}`));
}

async function takeFrom(name: string, ...tags: string[]): Promise<void> {
  const [registry = '', ...path] = name.split('/');
  const editor = await world.editor({ kind: 'registry', registry, repository: path.join('/') });
  for (const tag of tags) await editor.untag(tag);
}

async function run(text: string, options: Partial<JournaledOptions> = {}): Promise<JournaledReport> {
  const journal = await Journal.open(state, { clock, emit: silent });
  const { config } = loadConfig(text, 'sync.yaml', surroundings());
  const report = await runJournaled(config, world, { clock, surroundings: surroundings(), journal, ...options });
  expect(journal.failure).toBeUndefined();
  return report;
}

/** What a dry run lists for taking away. */
async function check(text: string, allowEmpty = false): Promise<readonly string[]> {
  const journal = await Journal.open(state, { clock, emit: silent, readOnly: true });
  const { config } = loadConfig(text, 'sync.yaml', surroundings());
  const listed: Listed[] = [];
  const copier = new Copier({ clock, emit: silent });
  await all(planSync(config, world, { clock, copier, observer: { listed: (one) => void listed.push(one) } }));
  const plan = await planPrune(config, world, { clock, journal, listed, allowEmpty });
  return plan.remove.map(({ target }) => target);
}

describe('prune', () => {
  it('leaves what another process has mirrored since the source was listed', async () => {
    await put('s.test/app', '1', '2');
    const text = steps(`${STEP}, prune: true`);
    const journal = await Journal.open(state, { clock, emit: silent });
    world.hooks.set('commit t.test/app', async () => {
      world.hooks.clear();
      await journal.flush();
      await put('s.test/app', '3');
      clock.advance(1000);
      await run(text);
    });
    await run(text, { journal });
    expect(await world.tags('t.test/app')).toEqual(['1', '2', '3']);
  });

  it('looks at each of the steps that mirror one source to several places', async () => {
    await put('s.test/app', '1', '2', '3');
    const other = 'source: s.test/app, target: o.test/app, type: repository';
    const text = steps(`${STEP}, prune: true`, `${other}, prune: true`);
    await run(text);
    await takeFrom('s.test/app', '2');
    await run(text);
    expect(await world.tags('t.test/app')).toEqual(['1', '3']);
    expect(await world.tags('o.test/app')).toEqual(['1', '3']);
  });

  it.each([
    ['only one of two takes, and it does not prune', 'allow: ["1", "2"]', 'allow: ["7", "8"]', ['1', '7', '8']],
    ['both may have taken', 'allow: ["1", "2"]', 'deny: ["1"]', ['1', '2', '7', '8']],
    ['one takes without end', 'allow: ["1", "2"]', '', ['1', '2', '7', '8']],
  ])('of two steps with one source and target leaves what %s', async (_, pruning, keeping, left) => {
    await put('s.test/app', '1', '2', '7', '8');
    const text = steps(`${STEP}, tags: {${pruning}}, prune: true`, `${STEP}, tags: {${keeping}}`);
    await run(text);
    expect(await world.tags('t.test/app')).toEqual(['1', '2', '7', '8']);
    await takeFrom('s.test/app', '2', '7');
    await run(text);
    expect(await world.tags('t.test/app')).toEqual(left);
    // The same when the step that prunes runs by itself.
    const file = loadConfig(text, 'sync.yaml', surroundings()).config;
    await run(steps(`${STEP}, tags: {${pruning}}, prune: true`), { file });
    expect(await world.tags('t.test/app')).toEqual(left);
  });

  it('takes away what it mirrored and what is gone from the source, and says so before', async () => {
    await put('s.test/app', '1', '2', '3');
    const text = steps(`${STEP}, prune: true`);
    await run(text);
    await takeFrom('s.test/app', '2');
    expect(await check(text)).toEqual(['t.test/app:2']);
    expect(await world.tags('t.test/app')).toEqual(['1', '2', '3']);
    const { emit, notices } = recorder();
    expect(await run(text, { emit })).toMatchObject({ pruned: 1, current: 2, failed: [] });
    expect(await world.tags('t.test/app')).toEqual(['1', '3']);
    expect(notices()).toEqual(['t.test/app:2 is taken away: gone from the source']);
    expect(await run(text)).toMatchObject({ pruned: 0 });
  });

  it('takes away what its filters no longer take, whatever line the step moves to', async () => {
    await put('s.test/app', '1', '2', '3');
    await run(steps(`${STEP}, prune: true`));
    const moved = `x-note: here\n${steps(`${STEP}, prune: true, tags: {allow: ["[23]"]}`)}`;
    expect(await check(moved)).toEqual(['t.test/app:1']);
    expect(await run(moved)).toMatchObject({ pruned: 1 });
    expect(await world.tags('t.test/app')).toEqual(['2', '3']);
  });

  it.each([
    ['without prune', steps(STEP)],
    ['with another source', steps('source: other.test/app, target: t.test/app, type: repository, prune: true')],
    ['to another target', steps('source: s.test/app, target: t.test/other, type: repository, prune: true')],
  ])('takes nothing away for a step %s', async (_, text) => {
    await put('s.test/app', '1', '2');
    await put('other.test/app', '1');
    await run(steps(`${STEP}, prune: true`));
    await takeFrom('s.test/app', '2');
    expect(await check(text)).toEqual([]);
    const { emit, notices } = recorder();
    await run(text, { emit });
    expect(await world.tags('t.test/app')).toEqual(['1', '2']);
    // There is nothing to warn about either.
    expect(notices()).toEqual([]);
  });

  it('never touches what somebody else put there, or has moved since', async () => {
    await put('s.test/app', '1', '2', '3');
    await put('t.test/app', 'theirs');
    // The same image under the same name, before any run of ours.
    await world.put('t.test/app', '3', image('s.test/app 3'));
    const text = steps(`${STEP}, prune: true`);
    expect(await run(text)).toMatchObject({ copied: 2, current: 1 });
    await world.put('t.test/app', '2', image('moved by them'));
    await takeFrom('s.test/app', '2', '3');
    expect(await check(text)).toEqual([]);
    expect(await run(text)).toMatchObject({ pruned: 0, failed: [] });
    expect(await world.tags('t.test/app')).toEqual(['1', '2', '3', 'theirs']);
    // Nor when they put back what was ours: it is theirs now.
    await world.put('t.test/app', '2', image('s.test/app 2'));
    expect(await run(text)).toMatchObject({ pruned: 0 });
  });

  it('looks again right before it takes a tag away', async () => {
    await put('s.test/app', '1', '2');
    const text = steps(`${STEP}, prune: true`);
    await run(text);
    await takeFrom('s.test/app', '2');
    world.hooks.set('editor t.test/app', async () => {
      await world.put('t.test/app', '2', image('moved at the last moment'));
    });
    expect(await run(text)).toMatchObject({ pruned: 0, failed: [] });
    expect(await world.tags('t.test/app')).toEqual(['1', '2']);
  });

  it('knows for its own what a run made that died before it could say so', async () => {
    await put('s.test/app', '1', '2');
    const text = steps(`${STEP}, prune: true`);
    // Made, and never committed as far as the journal knows.
    world.faults.set('commit t.test/app', () => new Error('killed'));
    expect((await run(text)).failed).toHaveLength(2);
    world.faults.clear();
    await put('t.test/app');
    for (const tag of ['1', '2']) await world.put('t.test/app', tag, image(`s.test/app ${tag}`));
    expect(await run(text)).toMatchObject({ current: 2 });
    await takeFrom('s.test/app', '2');
    expect(await run(text)).toMatchObject({ pruned: 1 });
  });

  it('leaves what another step asks for, also one that does not run now', async () => {
    await put('s.test/app', '1', '2');
    await put('o.test/app', '2', '7');
    const own = `${STEP}, prune: true`;
    const other = 'source: o.test/app, target: t.test/app, type: repository, tags: {allow: ["7", "2"]}';
    await run(steps(own));
    await takeFrom('s.test/app', '2');
    expect(await check(steps(own, other))).toEqual([]);
    const file = loadConfig(steps(own, other), 'sync.yaml', surroundings()).config;
    expect(await run(steps(own), { file })).toMatchObject({ pruned: 0 });
    world.faults.set('source o.test/app', () => new OclError('OCL_UNREACHABLE', 'Cannot reach o.test: no'));
    const { emit, notices } = recorder();
    expect(await run(steps(own), { file, emit })).toMatchObject({ pruned: 0 });
    expect(notices()).toEqual([
      'nothing is pruned from t.test/app: o.test/app (sync.yaml:3) could not be listed, and may ask for them',
    ]);
  });

  it.each([
    ['cannot be listed', 'source s.test/app', 'could not be listed'],
    ['has no tags any more', undefined, 's.test/app has no tags any more'],
  ])('refuses when the source %s', async (_, fault, why) => {
    await put('s.test/app', '1', '2');
    const text = steps(`${STEP}, prune: true`);
    await run(text);
    await takeFrom('s.test/app', '1', '2');
    if (fault !== undefined) world.faults.set(fault, () => new OclError('OCL_DENIED', 'Cannot list: no'));
    expect(await check(text)).toEqual([]);
    const { emit, notices } = recorder();
    expect(await run(text, { emit })).toMatchObject({ pruned: 0 });
    expect(notices().join('\n')).toContain(`nothing is pruned from t.test/app: `);
    expect(notices().join('\n')).toContain(why);
    expect(await world.tags('t.test/app')).toEqual(['1', '2']);
  });

  it('empties a repository only when it is told that it may', async () => {
    await put('s.test/app', '1', '2');
    await run(steps(`${STEP}, prune: true`));
    const typo = steps(`${STEP}, prune: true, tags: {allow: ["v.*"]}`);
    const { emit, notices } = recorder();
    await run(typo, { emit });
    expect(notices().join('\n')).toContain('the filters of sync.yaml:2 would leave nothing of it; --allow-empty');
    expect(await check(typo, true)).toEqual(['t.test/app:1', 't.test/app:2']);
    expect(await run(typo, { allowEmpty: true })).toMatchObject({ pruned: 2 });
  });

  it('refuses for a repository that its registry does not name any more, and prunes the others', async () => {
    await put('s.test/a', '1', '2');
    await put('s.test/b', '1', '2');
    const catalog = (...names: string[]) => ({
      async *catalog(): AsyncGenerator<string> {
        yield* names;
      },
    });
    const text = steps('source: s.test, target: t.test/copy, type: registry, prune: true');
    await run(text, catalog('a', 'b'));
    await takeFrom('s.test/a', '2');
    const { emit, notices } = recorder();
    expect(await run(text, { ...catalog('a'), emit })).toMatchObject({ pruned: 1 });
    expect(await world.tags('t.test/copy/a')).toEqual(['1']);
    expect(await world.tags('t.test/copy/b')).toEqual(['1', '2']);
    expect(notices().join('\n')).toContain('nothing is pruned from t.test/copy/b: its source is no longer listed');
    const filtered = text.replace('prune:', 'repos: {deny: [b]}, prune:');
    expect(await run(filtered, { ...catalog('a', 'b'), allowEmpty: true })).toMatchObject({ pruned: 2 });
    expect(await world.tags('t.test/copy/b')).toEqual([]);
  });

  it('waits out the grace, from when a tag was first found gone, and begins anew when it comes back', async () => {
    await put('s.test/app', '1', '2');
    const text = steps(`${STEP}, prune: {grace: 7d}`);
    await run(text);
    await takeFrom('s.test/app', '2');
    clock.advance(1000 * HOUR);
    expect(await run(text)).toMatchObject({ pruned: 0 });
    clock.advance(6 * 24 * HOUR);
    expect(await run(text)).toMatchObject({ pruned: 0 });
    await put('s.test/app', '2');
    await run(text);
    await takeFrom('s.test/app', '2');
    await run(text);
    clock.advance(2 * 24 * HOUR);
    expect(await run(text)).toMatchObject({ pruned: 0 });
    clock.advance(5 * 24 * HOUR);
    expect(await check(text)).toEqual(['t.test/app:2']);
    expect(await run(text)).toMatchObject({ pruned: 1 });
  });

  it('begins the grace anew for what another step spared meanwhile', async () => {
    await put('s.test/app', '1', '2');
    const alone = steps(`${STEP}, prune: {grace: 7d}`);
    await run(alone);
    await takeFrom('s.test/app', '2');
    await run(alone);
    clock.advance(3 * 24 * HOUR);
    await run(steps(`${STEP}, prune: {grace: 7d}`, STEP));
    clock.advance(5 * 24 * HOUR);
    expect(await run(alone)).toMatchObject({ pruned: 0 });
    clock.advance(7 * 24 * HOUR);
    expect(await run(alone)).toMatchObject({ pruned: 1 });
  });

  it.each([
    [3, ['1.9.0', 'nightly', 'old']],
    [5, ['old']],
  ])('keeps the newest %i of the gone: versions before other names, those by date', async (keep, taken) => {
    const gone = ['1.9.0', '1.10.0', '1.10.0-rc.1', 'v2', 'old', 'nightly'];
    await put('s.test/app', '3', 'old');
    const text = steps(`${STEP}, prune: {keep: ${keep}}`);
    await run(text);
    clock.advance(HOUR);
    await put('s.test/app', ...gone);
    await run(text);
    await takeFrom('s.test/app', ...gone);
    expect(await check(text)).toEqual(taken.map((tag) => `t.test/app:${tag}`));
    expect(await run(text)).toMatchObject({ pruned: taken.length });
    expect(await run(text)).toMatchObject({ pruned: 0 });
  });

  it.each([
    ['looks only for the missing', { missing: true }],
    ['is of some images alone', { only: () => true }],
    ['has no journal', { journal: undefined }],
  ])('takes nothing away in a run that %s', async (_, options) => {
    await put('s.test/app', '1', '2');
    const text = steps(`${STEP}, prune: true`);
    await run(text);
    await takeFrom('s.test/app', '2');
    expect(await run(text, options)).toMatchObject({ pruned: 0 });
    expect(await world.tags('t.test/app')).toEqual(['1', '2']);
  });

  it('takes nothing away in a run that stopped at a failure', async () => {
    await put('s.test/app', '1', '2', '3');
    const text = `defaults: {parallel: 1}\n${steps(`${STEP}, prune: true`)}`;
    await run(text);
    await takeFrom('s.test/app', '3');
    world.faults.set('resolve s.test/app 1', () => new OclError('OCL_DENIED', 'Cannot read: no'));
    expect(await run(text, { abortOnError: true })).toMatchObject({ untried: 1, pruned: 0 });
    expect(await world.tags('t.test/app')).toEqual(['1', '2', '3']);
  });

  it('reports a tag that cannot be taken away, and tries again the next time', async () => {
    await put('s.test/app', '1', '2', '3');
    const text = steps(`${STEP}, prune: true`);
    await run(text);
    await takeFrom('s.test/app', '2', '3');
    world.faults.set('untag t.test/app 2', () => new OclError('OCL_UNSUPPORTED', 'Cannot delete: switched off'));
    expect(await run(text)).toMatchObject({
      pruned: 1,
      failed: [{ image: 't.test/app:2', error: { code: 'OCL_UNSUPPORTED', side: 'target' } }],
    });
    world.faults.clear();
    expect(await run(text)).toMatchObject({ pruned: 1, failed: [] });
    expect(await world.tags('t.test/app')).toEqual(['1']);
  });

  it('knows an index that was written anew by its own digest', async () => {
    const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
    for (const tag of ['1', '2']) await world.put('s.test/app', tag, index(tag, ...platforms));
    const text = steps(`${STEP}, prune: true, platforms: [linux/amd64], sparse: rewrite`);
    await run(text);
    expect(await run(text)).toMatchObject({ copied: 0, current: 2 });
    await takeFrom('s.test/app', '2');
    expect(await run(text)).toMatchObject({ pruned: 1 });
    expect(await world.tags('t.test/app')).toEqual(['1']);
  });

  it('does in a layout what it does in a registry', async () => {
    await put('s.test/app', '1', '2');
    const text = steps('source: s.test/app, target: "ocidir://mirror", type: repository, prune: true');
    await run(text);
    await takeFrom('s.test/app', '1');
    expect(await check(text)).toEqual(['ocidir://mirror:1']);
    expect(await run(text)).toMatchObject({ pruned: 1 });
    expect(await world.tags('mirror')).toEqual(['2']);
  });
});

const TAGS = ['1.0', '1.1', '2.0', 'latest', 'edge'];
const anyTags = fc.subarray(TAGS);

describe('a dry run', () => {
  it('lists for pruning exactly what a run then takes away, and never what is not ours or is wanted', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          first: anyTags,
          later: anyTags,
          theirs: anyTags,
          moved: anyTags,
          keep: fc.integer({ min: 0, max: 2 }),
          grace: fc.constantFrom('0s', '1h', '3h'),
          waits: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
          allow: fc.constantFrom('.*', '[0-9.]*', 'latest'),
        }),
        async ({ first, later, theirs, moved, keep, grace, waits, allow }) => {
          world = new World();
          clock = fakeClock();
          state = join(await temporary(), 'journal');
          await put('t.test/app', ...theirs);
          await put('s.test/app', 'always', ...first);
          await run(steps(`${STEP}, prune: true`));
          const before = new Map<string, string | undefined>();
          await takeFrom('s.test/app', ...first.filter((tag) => !later.includes(tag)));
          await put('s.test/app', ...later);
          for (const tag of moved) await world.put('t.test/app', tag, image(`moved ${tag}`));
          const text = steps(`${STEP}, prune: {keep: ${keep}, grace: ${grace}}, tags: {allow: [always, "${allow}"]}`);
          for (const hours of [...waits, 0]) {
            clock.advance(hours * HOUR);
            for (const tag of await world.tags('t.test/app'))
              before.set(tag, (await world.tag('t.test/app', tag))?.digest);
            const listed = await check(text);
            const report = await run(text);
            const after = await world.tags('t.test/app');
            const taken = [...before.keys()].filter((tag) => !after.includes(tag));
            expect(taken.map((tag) => `t.test/app:${tag}`).toSorted()).toEqual([...listed].toSorted());
            expect(report.pruned).toBe(listed.length);
            const pattern = new RegExp(`^(always|${allow})$`);
            const wanted = ['always', ...later].filter((tag) => pattern.test(tag));
            for (const tag of taken) {
              expect(first).toContain(tag);
              expect(wanted).not.toContain(tag);
              expect(moved).not.toContain(tag);
              before.delete(tag);
            }
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});
