import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Clock } from '../../src/core/clock.ts';
import { OclError } from '../../src/core/errors.ts';
import { type OclEvent } from '../../src/core/events.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { createHttp } from '../../src/io/http.ts';
import { anonymous } from '../../src/stores/registry/auth/credentials.ts';
import { createRegistries } from '../../src/stores/registry/registries.ts';
import { createStores } from '../../src/stores.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { Journal } from '../../src/sync/journal/journal.ts';
import { keptLimits } from '../../src/sync/keptLimits.ts';
import { createPullBudget } from '../../src/sync/pulls/budget.ts';
import { runSync, type SyncOptions, type SyncReport } from '../../src/sync/run.ts';
import { jsonLines, oclDone } from '../support/cli.ts';
import { fakeClock } from '../support/fakeClock.ts';
import { image, multiPlatform, type Graph } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { startLimitedRegistry, type LimitedOptions, type LimitedRegistry } from '../support/limitedRegistry.ts';
import { surroundings } from '../support/surroundings.ts';

const HOUR = 3600;
const temporary = temporaryDirectories();
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function limited(
  clock: Clock,
  images: Readonly<Record<string, Graph>>,
  options: Partial<LimitedOptions> = {},
): Promise<LimitedRegistry> {
  const server = await startLimitedRegistry(images, { clock, limit: 10, window: HOUR, kind: 'reset', ...options });
  closing.push(() => server.close());
  return server;
}

interface Ran {
  readonly report: SyncReport;
  readonly events: readonly OclEvent[];
  /** What happened to images and waits, in order. */
  readonly course: readonly string[];
}

interface How extends Partial<SyncOptions> {
  readonly journal?: Journal;
  readonly onEvent?: (event: OclEvent) => void;
}

/** One run as a process of its own makes it: what it knows of limits is what it is told, and what the journal has. */
async function run(clock: Clock, text: string, { journal, onEvent, ...options }: How = {}): Promise<Ran> {
  const events: OclEvent[] = [];
  const emit = (event: OclEvent): void => {
    events.push(event);
    onEvent?.(event);
  };
  const { signal } = options;
  const http = createHttp({ userAgent: 'ocl-test' });
  const { config } = loadConfig(text, 'sync.yaml', surroundings());
  const hosts = new Map(config.creds.map(({ registry }) => [registry, { tls: 'disabled' as const }]));
  const registries = createRegistries({ http, clock, credentials: anonymous, emit, hosts, signal });
  const stores = createStores({ clock, emit, registries, tmpDir: await temporary(), signal });
  const kept = journal === undefined ? {} : keptLimits(journal, clock);
  const mayPull = createPullBudget({ ...kept, clock, emit, told: (host) => registries.rateLimit(host) });
  try {
    const report = await runSync(config, stores, { clock, emit, mayPull, surroundings: surroundings(), ...options });
    return { report, events, course: events.flatMap(courseOf) };
  } finally {
    await stores.close();
    await http.close();
    await journal?.flush();
  }
}

function courseOf(event: OclEvent): readonly string[] {
  switch (event.type) {
    case 'wait':
      return [`wait ${event.remaining}`];
    case 'wait.over':
      return ['go on'];
    case 'image.done':
      return [event.image.replace(/^[^/]+\//, '')];
    case 'image.failed':
      return [`failed ${event.image.replace(/^[^/]+\//, '')}`];
    default:
      return [];
  }
}

interface Step {
  readonly server: LimitedRegistry;
  readonly image: string;
  readonly more?: string;
}

async function file(steps: readonly Step[], parallel = 4): Promise<string> {
  const target = join(await temporary(), 'mirror');
  const hosts = [...new Set(steps.map(({ server }) => server.host))];
  return `
creds: [${hosts.map((host) => `{registry: "${host}", tls: disabled}`).join(', ')}]
defaults: {parallel: ${parallel}}
sync:
${steps.map(({ server, image: name, more = '' }, at) => `  - {type: image, source: "${server.host}/${name}", target: "ocidir://${target}/${at}:1"${more}}`).join('\n')}
`;
}

function images(count: number, make: (name: string) => Graph): Record<string, Graph> {
  return Object.fromEntries(Array.from({ length: count }, (_, at) => [`app${at}:1`, make(`app${at}`)]));
}

const MIN = ', ratelimit: {min: 3}';

describe('a sync from a registry that counts pulls', () => {
  it('leaves the reserve alone, however many images are under way', async () => {
    const clock = fakeClock();
    // An index, two platforms, and an attestation of each: five pulls.
    const server = await limited(
      clock,
      images(5, (name) => multiPlatform(name)),
    );
    const text = await file([0, 1, 2, 3, 4].map((at) => ({ server, image: `app${at}:1`, more: MIN })));
    const { report, course } = await run(clock, text);
    expect(report).toMatchObject({ copied: 5, failed: [] });
    expect(server).toMatchObject({ pulls: 25, refused: 0 });
    expect(server.lowest).toBeGreaterThanOrEqual(3);
    // Each window has room for one of them.
    expect(course.filter((what) => what.startsWith('wait')).length).toBeGreaterThanOrEqual(3);
    expect(course.at(-1)).toMatch(/^app/);
  });

  it('counts what it reads to learn the age of images, and reads it once', async () => {
    const clock = fakeClock();
    const day = (at: number): string => `2026-01-${10 + at}T00:00:00Z`;
    const tags = Array.from(
      { length: 16 },
      (_, at) => [`app:${at}`, image({ name: `${at}`, created: day(at) })] as const,
    );
    const server = await limited(clock, Object.fromEntries(tags));
    const text = `
creds: [{registry: "${server.host}", tls: disabled}]
sync:
  - {type: repository, source: "${server.host}/app", target: "ocidir://${join(await temporary(), 'mirror')}",
     tags: {since: 2001-01-01, newest: 3, newestBy: date}${MIN}}
`;
    const { report, course } = await run(clock, text);
    expect(report).toMatchObject({ copied: 3, failed: [] });
    expect(server).toMatchObject({ refused: 0 });
    expect(server.pulls).toBe(16);
    expect(server.lowest).toBeGreaterThanOrEqual(3);
    expect(course.filter((what) => what.startsWith('wait')).length).toBeGreaterThanOrEqual(2);
  });

  it('lets other registries go on meanwhile, and steps that keep less for others', async () => {
    const clock = fakeClock();
    const still: Clock = { now: () => clock.now(), sleep: stalled };
    const busy = await limited(
      clock,
      images(4, (name) => image({ name })),
      { limit: 4 },
    );
    const idle = await limited(
      clock,
      images(6, (name) => image({ name: `idle ${name}` })),
      { limit: 100 },
    );
    const steps = [
      ...[0, 1, 2].map((at) => ({ server: busy, image: `app${at}:1`, more: MIN })),
      ...[0, 1, 2, 3, 4, 5].map((at) => ({ server: idle, image: `app${at}:1` })),
      { server: busy, image: 'app3:1', more: ', ratelimit: {min: 2}' },
    ];
    const stop = new AbortController();
    const done: string[] = [];
    // With one place for all, what waits must not hold it.
    const ran = run(still, await file(steps, 1), {
      signal: stop.signal,
      onEvent: (event) => {
        if (event.type === 'image.done') done.push(event.image);
        if (done.length === 8) stop.abort(new OclError('OCL_CANCELLED', 'Stopped'));
      },
    });
    await expect(ran).rejects.toMatchObject({ code: 'OCL_CANCELLED' });
    expect(done).toEqual([0, 3, 4, 5, 6, 7, 8, 9].map((at) => `${steps[at]?.server.host}/${steps[at]?.image}`));
  });

  it('comes back as the pulls of a sliding window do', async () => {
    const clock = fakeClock();
    const server = await limited(
      clock,
      images(4, (name) => image({ name })),
      { limit: 4, kind: 'slide' },
    );
    const text = await file([0, 1, 2, 3].map((at) => ({ server, image: `app${at}:1`, more: ', ratelimit: {min: 2}' })));
    const { report } = await run(clock, text);
    expect(report).toMatchObject({ copied: 4, failed: [] });
    expect(server).toMatchObject({ pulls: 4, refused: 0 });
    expect(server.lowest).toBeGreaterThanOrEqual(2);
    // A quarter of the window brings one pull.
    expect(Math.max(...clock.sleeps)).toBeLessThanOrEqual(900_000);
  });

  it('goes on in the middle of an image when there is no reserve and the registry refuses, and tells of no failure', async () => {
    const clock = fakeClock();
    const server = await limited(
      clock,
      images(3, (name) => multiPlatform(name)),
      { limit: 7 },
    );
    const text = await file([0, 1, 2].map((at) => ({ server, image: `app${at}:1` })));
    const { report, events, course } = await run(clock, text, { concurrency: 1 });
    expect(report).toMatchObject({ copied: 3, failed: [] });
    expect(server.refused).toBeGreaterThan(0);
    // What had come was not pulled again.
    expect(server.pulls).toBe(15);
    expect(course.filter((what) => what.startsWith('failed'))).toEqual([]);
    expect(events.filter(({ type }) => type === 'image.start')).toHaveLength(3);
  });

  it('counts the index that is read to choose a platform, and reads it once for all targets', async () => {
    const clock = fakeClock();
    const server = await limited(
      clock,
      images(3, (name) => multiPlatform(name)),
      { limit: 3 },
    );
    const target = join(await temporary(), 'other');
    const text = (
      await file(
        [0, 1, 2].map((at) => ({ server, image: `app${at}:1`, more: ', platform: linux/arm64' })),
        1,
      )
    )
      .split('\n')
      .map((line) =>
        line.includes('app2') ? line.replace('target: ', `targets: ["ocidir://${target}:1"], target: `) : line,
      )
      .join('\n');
    const { report, course } = await run(clock, text);
    expect(report).toMatchObject({ copied: 4, failed: [] });
    expect(server).toMatchObject({ pulls: 6, refused: 0 });
    expect(course.filter((what) => what.startsWith('wait'))).toEqual(['wait 0']);
  });

  it('waits as long as Retry-After says', async () => {
    const clock = fakeClock();
    const server = await limited(
      clock,
      images(3, (name) => image({ name })),
      {
        limit: 2,
        retryAfter: 2 * HOUR,
        tells: () => false,
      },
    );
    const text = await file([0, 1, 2].map((at) => ({ server, image: `app${at}:1` })));
    const { report, events } = await run(clock, text);
    expect(report).toMatchObject({ copied: 3, failed: [] });
    expect(server.refused).toBe(1);
    const [wait] = events.filter((event) => event.type === 'wait');
    expect(wait).toMatchObject({ remaining: 0, limit: undefined, min: 0 });
    // What was copied before may have been waited for as well, to be committed.
    const longest = Math.max(...clock.sleeps);
    expect(longest).toBeLessThanOrEqual(2 * HOUR * 1000);
    expect(longest).toBeGreaterThan(2 * HOUR * 1000 - 4 * 30_000);
  });

  it('does not hang on headers that vanish', async () => {
    const clock = fakeClock();
    let isTelling = true;
    const server = await limited(
      clock,
      images(4, (name) => image({ name })),
      { limit: 4, tells: () => isTelling },
    );
    const text = await file([0, 1, 2, 3].map((at) => ({ server, image: `app${at}:1`, more: MIN })));
    const { report, course } = await run(clock, text, {
      onEvent: (event) => {
        if (event.type === 'wait') isTelling = false;
      },
    });
    expect(report).toMatchObject({ copied: 4, failed: [] });
    expect(course.filter((what) => what.startsWith('wait'))).toHaveLength(1);
  });

  it('knows after a restart what it was told before', async () => {
    const clock = fakeClock();
    const server = await limited(
      clock,
      images(3, (name) => image({ name })),
      {
        limit: 2,
        tells: ({ method }) => method === 'GET',
      },
    );
    const state = join(await temporary(), 'journal');
    const text = await file(
      [0, 1, 2].map((at) => ({ server, image: `app${at}:1` })),
      1,
    );
    const open = async (): Promise<Journal> => await Journal.open(state, { clock, emit: () => {} });
    const stop = new AbortController();
    const cut = run(clock, text, {
      journal: await open(),
      signal: stop.signal,
      onEvent: ({ type }) => {
        if (type === 'wait') stop.abort(new OclError('OCL_CANCELLED', 'Stopped'));
      },
    });
    await expect(cut).rejects.toMatchObject({ code: 'OCL_CANCELLED' });
    expect(server).toMatchObject({ pulls: 2, refused: 0 });
    const { course } = await run(clock, text, { journal: await open() });
    expect(course.slice(0, 3)).toEqual(['app0:1', 'app1:1', 'wait 0']);
  });

  it('leaves what waits untried when the first failure is to stop the run', async () => {
    const clock = fakeClock();
    const busy = await limited(
      clock,
      images(3, (name) => image({ name })),
      { limit: 4 },
    );
    const idle = await limited(clock, {});
    const text = await file(
      [...[0, 1, 2].map((at) => ({ server: busy, image: `app${at}:1`, more: MIN })), { server: idle, image: 'none:1' }],
      1,
    );
    const still: Clock = { now: () => clock.now(), sleep: stalled };
    const { report, course } = await run(still, text, { abortOnError: true });
    expect(report).toMatchObject({ copied: 1, untried: 2, failed: [{ error: { code: 'OCL_NOT_FOUND' } }] });
    expect(course.filter((what) => what.startsWith('failed'))).toEqual(['failed none:1']);
  });
});

interface PlanLine {
  readonly type: string;
  readonly registries: readonly unknown[];
}

describe('the command', () => {
  it('says what a file costs against what is left, which costs nothing itself', async () => {
    const server = await limited(systemClock, { ...images(2, (name) => image({ name })), 'multi:1': multiPlatform() });
    const text = await file(['app0:1', 'app1:1', 'multi:1'].map((name) => ({ server, image: name })));
    const config = join(await temporary(), 'sync.yaml');
    await writeFile(config, text);
    const { stdout } = await oclDone(['sync', 'check', '-c', config, '--json']);
    const { host: registry } = server;
    expect(jsonLines<PlanLine>(stdout).at(-1)).toMatchObject({
      type: 'plan',
      registries: [
        { registry, copies: 3, pulls: { count: 4, exact: false }, remaining: 10, limit: 10, bytes: null, ms: null },
      ],
    });
    expect(server.pulls).toBe(0);
    const table = (await oclDone(['sync', 'check', '-c', config, '--measure'])).stdout;
    expect(table).toMatch(/^REGISTRY +COPIES +PULLS +LEFT +BYTES +TIME$/m);
    // Answers of several connections come in any order, so the last one need not tell the least.
    expect(table).toMatch(new RegExp(`^${registry} +3 +7 +[3-6] of 10 until 20[^ ]+Z +[0-9.]+ kB +-$`, 'm'));
  });

  it('waits for the window, and says so', async () => {
    const server = await limited(
      systemClock,
      images(2, (name) => image({ name })),
      // Long enough for a busy machine to get from the question to the pull.
      { limit: 2, window: 5 },
    );
    const text = await file(
      [0, 1].map((at) => ({ server, image: `app${at}:1` })),
      1,
    );
    const config = join(await temporary(), 'sync.yaml');
    await writeFile(config, text.replace('parallel: 1', 'parallel: 1, ratelimit: {min: 1}'));
    const { stdout } = await oclDone(['sync', '-c', config, '--json']);
    const lines = jsonLines<{ readonly type: string }>(stdout);
    expect(lines.find(({ type }) => type === 'wait')).toMatchObject({
      host: server.host,
      remaining: 1,
      limit: 2,
      min: 1,
    });
    expect(lines.at(-1)).toMatchObject({ type: 'summary', copied: 2, failed: [] });
    expect(server.lowest).toBeGreaterThanOrEqual(1);
    const plan = (await oclDone(['sync', 'check', '-c', config, '--json'])).stdout;
    expect(jsonLines<PlanLine>(plan).at(-1)).toMatchObject({ registries: [] });
    expect(await readFile(`${config}.journal`, 'utf8')).toContain('"kind":"limit"');
  });

  it('waits likewise when the file is exported', async () => {
    const server = await limited(
      systemClock,
      images(2, (name) => image({ name })),
      { limit: 2, window: 5 },
    );
    const text = await file([0, 1].map((at) => ({ server, image: `app${at}:1`, more: ', ratelimit: {min: 1}' })));
    const config = join(await temporary(), 'sync.yaml');
    await writeFile(config, text);
    await oclDone(['export', '--from', config, '-o', `${config}.tar`]);
    expect(server).toMatchObject({ pulls: 2, refused: 0 });
    expect(server.lowest).toBeGreaterThanOrEqual(1);
  });
});

/** Time does not pass. */
async function stalled(_: number, signal?: AbortSignal): Promise<void> {
  await new Promise<void>((_resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason as Error);
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
