import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { OclError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/events.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { readHistory, type HistoryFilter } from '../../src/sync/journal/history.ts';
import { Journal } from '../../src/sync/journal/journal.ts';
import { runJournaled, type JournaledOptions } from '../../src/sync/journaled.ts';
import { Tally } from '../../src/sync/report.ts';
import {
  makeReport,
  mergeReports,
  readReport,
  retryOf,
  writeReport,
  type ReportFile,
} from '../../src/sync/reportFile.ts';
import { type SyncConfig } from '../../src/sync/settings.ts';
import { fakeClock, type FakeClock } from '../support/fakeClock.ts';
import { all, codeOf } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { surroundings } from '../support/surroundings.ts';
import { image, World } from './world.ts';

const temporary = temporaryDirectories();
let world: World;
let clock: FakeClock;
let directory: string;

beforeEach(async () => {
  world = new World();
  clock = fakeClock();
  directory = await temporary();
  for (const name of ['a.test/app', 'b.test/app'])
    for (const tag of ['1', '2', '3']) await world.put(name, tag, image(`${name} ${tag}`));
});

const FILE = `defaults: {parallel: 1}
sync:
  - {source: a.test/app, target: t.test/a, type: repository}
  - {source: b.test/app, target: t.test/b, type: repository}
`;

function config(text = FILE): SyncConfig {
  return loadConfig(text, 'sync.yaml', surroundings()).config;
}

async function report(of: SyncConfig, options: Partial<JournaledOptions> = {}): Promise<ReportFile> {
  const tally = new Tally(of.steps);
  const journal = await Journal.open(join(directory, 'journal'), { clock, emit: silent });
  const started = clock.now();
  const run = runJournaled(of, world, { clock, surroundings: surroundings(), tally, journal, ...options });
  await run.catch(() => {});
  return makeReport('/etc/sync.yaml', tally, { started, ended: clock.now() });
}

function denied(call: string): void {
  world.faults.set(call, () => new OclError('OCL_DENIED', 'Cannot read it: no', { hint: 'ask for it' }));
}

describe('a report', () => {
  it('counts by registry, and names each failure with its place', async () => {
    denied('resolve a.test/app 2');
    expect(await report(config())).toMatchObject({
      version: 1,
      config: '/etc/sync.yaml',
      complete: false,
      summary: { copied: 5, current: 0, failed: 1 },
      registries: [
        { registry: 'a.test', copied: 2, failed: 1 },
        { registry: 'b.test', copied: 3, failed: 0 },
      ],
      failures: [
        {
          code: 'OCL_DENIED',
          message: 'Cannot read it: no',
          hint: 'ask for it',
          side: 'source',
          image: 'a.test/app:2',
          target: 't.test/a:2',
          line: 3,
        },
      ],
      left: [],
    });
  });

  it.each([
    ['at the first failure', { abortOnError: true }, 1],
    ['by a signal', {}, 0],
  ])('names what was not reached in a run that is stopped %s', async (how, options, failures) => {
    const stop = new AbortController();
    if (how === 'by a signal')
      world.hooks.set('resolve a.test/app 2', () => stop.abort(new OclError('OCL_CANCELLED', 'Stopped by SIGINT')));
    else denied('resolve a.test/app 2');
    const made = await report(config(), { ...options, signal: stop.signal });
    expect(made.failures).toHaveLength(failures);
    expect(made.complete).toBe(false);
    expect(made.left.map(({ target }) => target)).toContain('t.test/a:3');
    // And all that is left is done by the retry.
    world.hooks.clear();
    world.faults.clear();
    const { config: rest, only } = retryOf(made, config());
    const merged = mergeReports(made, await report(rest, { only }));
    expect(merged).toMatchObject({ complete: true, failures: [], left: [], summary: { failed: 0 } });
    expect(await world.tags('t.test/a')).toEqual(['1', '2', '3']);
    expect(await world.tags('t.test/b')).toEqual(['1', '2', '3']);
  });

  it('is what a retry goes by: only what failed is asked for, and both together are one report', async () => {
    denied('resolve a.test/app 2');
    const first = await report(config());
    world.faults.clear();
    world.calls.length = 0;
    const { config: rest, only, dropped } = retryOf(first, config());
    expect(dropped).toBe(0);
    const retried = await report(rest, { only });
    expect(world.callsOf('resolve')).toEqual(['a.test/app 2']);
    expect(world.callsOf('source')).toEqual(['a.test/app']);
    expect(retried.summary).toMatchObject({ copied: 1, current: 0, failed: 0 });
    expect(mergeReports(first, retried)).toMatchObject({
      complete: true,
      summary: { copied: 6, failed: 0, bytes: first.summary.bytes + retried.summary.bytes },
      registries: [
        { registry: 'a.test', copied: 3, failed: 0 },
        { registry: 'b.test', copied: 3, failed: 0 },
      ],
      failures: [],
    });
  });

  it('keeps what fails again, and finds its step on another line', async () => {
    denied('resolve a.test/app 2');
    const first = await report(config());
    const { config: rest, only } = retryOf(first, config(`x-moved: true\n${FILE}`));
    const merged = mergeReports(first, await report(rest, { only }));
    expect(merged).toMatchObject({ complete: false, summary: { copied: 5, failed: 1 } });
    expect(merged.failures).toMatchObject([{ image: 'a.test/app:2', line: 4 }]);
    expect(merged.registries[0]).toMatchObject({ registry: 'a.test', copied: 2, failed: 1 });
  });

  it('retries the whole of a step that could not be listed, and drops one that is not there any more', async () => {
    denied('source a.test/app');
    denied('source b.test/app');
    const first = await report(config());
    expect(first).toMatchObject({
      summary: { failed: 2 },
      failures: [{ image: 'a.test/app' }, { image: 'b.test/app' }],
    });
    world.faults.clear();
    const { config: rest, only, dropped } = retryOf(first, config(FILE.split('\n').slice(0, 3).join('\n')));
    expect(dropped).toBe(1);
    expect(await report(rest, { only })).toMatchObject({ complete: true, summary: { copied: 3 } });
    expect(await world.tags('t.test/b')).toEqual([]);
  });

  it('comes back from its file', async () => {
    denied('resolve a.test/app 2');
    const made = await report(config());
    const path = join(directory, 'report.json');
    await writeReport(path, made);
    expect(await readReport(path)).toEqual(made);
  });

  it.each([
    ['no JSON', 'sync: []'],
    ['something else', '{"version": 1}'],
    ['of another version', '{"version": 2}'],
  ])('is refused when the file is %s', async (_, text) => {
    const path = join(directory, 'report.json');
    await writeFile(path, text);
    expect(await codeOf(() => readReport(path))).toBe('OCL_USAGE');
  });
});

describe('the journal of a run', () => {
  async function history(filter: Partial<HistoryFilter> = {}): Promise<readonly string[]> {
    const journal = await Journal.open(join(directory, 'journal'), { clock, emit: silent, readOnly: true });
    return (await all(readHistory(journal, { limit: 0, ...filter }))).map(
      ({ outcome, target }) => `${outcome} ${target}`,
    );
  }

  it('has each image when something became of it, and a run that changes nothing adds none', async () => {
    denied('resolve a.test/app 2');
    await report(config());
    const once = await history();
    expect(once.toSorted()).toEqual([
      'copied t.test/a:1',
      'copied t.test/a:3',
      'copied t.test/b:1',
      'copied t.test/b:2',
      'copied t.test/b:3',
      'failed t.test/a:2',
    ]);
    world.faults.clear();
    await report(config());
    expect(await history()).toEqual([...once, 'copied t.test/a:2']);
    const size = (await readFile(join(directory, 'journal'), 'utf8')).split('\n').length;
    await report(config());
    expect((await readFile(join(directory, 'journal'), 'utf8')).split('\n').slice(size - 1)).toHaveLength(3);
  });

  it('notes what is current once, and again when it was something else meanwhile', async () => {
    await world.put('t.test/a', '1', image('a.test/app 1'));
    await report(config());
    await report(config());
    expect(await history({ image: 't.test/a:1' })).toEqual(['current t.test/a:1']);
    await world.put('a.test/app', '1', image('new'));
    await report(config());
    await world.put('a.test/app', '1', image('a.test/app 1'));
    await world.put('t.test/a', '1', image('a.test/app 1'));
    await report(config());
    expect(await history({ image: 't.test/a:1' })).toEqual([
      'current t.test/a:1',
      'copied t.test/a:1',
      'current t.test/a:1',
    ]);
  });

  it.each<readonly [string, Partial<HistoryFilter>, readonly string[]]>([
    ['an image', { image: 't.test/b:2' }, ['copied t.test/b:2']],
    ['where it came from', { image: 'b.test/app:2' }, ['copied t.test/b:2']],
    ['a pattern', { image: '*/b:?' }, ['copied t.test/b:1', 'copied t.test/b:2', 'copied t.test/b:3']],
    ['a pattern of two stars', { image: 't*/*:3' }, ['copied t.test/a:3', 'copied t.test/b:3']],
    ['a pattern that must fit to the end', { image: 't.test/b' }, []],
    ['a pattern longer than the name', { image: 't.test/b:2*2' }, []],
    ['failures', { failed: true }, ['failed t.test/a:2']],
    ['the newest', { limit: 2 }, ['copied t.test/b:2', 'copied t.test/b:3']],
    ['more than there are', { limit: 50, image: '*b:1' }, ['copied t.test/b:1']],
    ['a time to come', { since: Date.UTC(2030, 0, 1) }, []],
  ])('is looked through for %s', async (_, filter, expected) => {
    denied('resolve a.test/app 2');
    await report(config());
    expect(await history(filter)).toEqual(expected);
  });

  it('tells how runs ended', async () => {
    const stop = new AbortController();
    world.hooks.set('resolve a.test/app 2', () => stop.abort(new OclError('OCL_CANCELLED', 'Stopped by SIGINT')));
    await report(config(), { signal: stop.signal });
    world.hooks.clear();
    denied('resolve a.test/app 2');
    await report(config());
    world.faults.clear();
    await report(config());
    const journal = await Journal.open(join(directory, 'journal'), { clock, emit: silent });
    const ends = (await all(journal.records())).flatMap((one) => (one.kind === 'end' ? [one.outcome] : []));
    expect(ends).toEqual(['cancelled', 'failed', 'done']);
  });
});

describe('a run that looks only for the missing', () => {
  it('asks each target once for its tags, and leaves alone what is there, whatever it is', async () => {
    await world.put('t.test/a', '1', image('something else'));
    await world.put('t.test/a', '2', image('a.test/app 2'));
    expect(await report(config(), { missing: true })).toMatchObject({ summary: { copied: 4, current: 2, failed: 0 } });
    expect(world.callsOf('resolve')).not.toContain('a.test/app 1');
    expect(world.callsOf('source').filter((name) => name === 't.test/a')).toHaveLength(1);
    expect((await world.tag('t.test/a', '1'))?.digest).not.toBe((await world.tag('a.test/app', '1'))?.digest);
  });

  it('does not take a target that cannot be listed for an empty one', async () => {
    await world.put('t.test/a', '1', image('something else'));
    denied('source t.test/a');
    expect(await report(config(), { missing: true })).toMatchObject({
      summary: { copied: 3, failed: 3 },
      failures: [{ code: 'OCL_DENIED', side: 'target' }, {}, {}],
    });
    expect(world.callsOf('put').some((call) => call.startsWith('t.test/a'))).toBe(false);
  });

  it('copies to several new targets, the later from the first', async () => {
    const text = `sync: [{source: a.test/app, target: "ocidir://one", targets: ["ocidir://two"], type: repository}]`;
    expect(await report(config(text), { missing: true })).toMatchObject({ summary: { copied: 6, failed: 0 } });
  });
});
