// node bench/run.mjs [--quick] [--only NAME] [--runs N] [--keep DIR] [--out FILE]
// Measures ocl beside other tools: whole processes, taken in turns, each with a fresh target. See docs/benchmarks.md.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { allCases, FILLED, fillCommand, registryHolds } from './cases.mjs';
import { makeCorpus, makeGapCorpus } from './corpus.mjs';
import { DiskWatch } from './disk.mjs';
import { countsSyncs, measure, settle, warmMemory, which } from './measure.mjs';
import { CountingProxy, DelayLine } from './proxy.mjs';
import { Registry } from './registry.mjs';
import { caseTable, document, machine, PATIENCE, requestLine, verdicts } from './report.mjs';

const USAGE = 'usage: node bench/run.mjs [--quick] [--only NAME] [--runs N] [--keep DIR] [--out FILE]';
const root = fileURLToPath(new URL('..', import.meta.url));
/** All figures that docs/benchmarks.md shows. */
const KEPT = join(root, 'bench', 'results.json');
const options = readOptions();
const home = options.keep === undefined ? mkdtempSync(join(tmpdir(), 'ocl-bench-')) : resolve(options.keep);
const scratch = join(home, 'scratch');
const registries = [];

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));
process.on('exit', () => rmSync(options.keep === undefined ? home : scratch, { recursive: true, force: true }));

try {
  await main();
} finally {
  for (const registry of registries) await registry.stop();
}

async function main() {
  const binary = which('docker-registry') ?? which('registry');
  if (binary === undefined) throw new Error('Cannot measure without a registry: install docker-registry');
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(join(scratch, 'tmp'), { recursive: true });
  const corpus = makeCorpus(home, { quick: options.quick, say });
  const source = new Registry(binary, join(home, `source-${options.quick ? 'quick' : 'full'}`));
  const sink = new Registry(binary, join(scratch, 'sink'));
  registries.push(source, sink);
  for (const registry of registries) await registry.start();
  const ways = await openWays(source, sink);
  let gap;
  const world = {
    corpus,
    gap: () => (gap ??= makeGapCorpus(home, { quick: options.quick, say })),
    source,
    sink,
    ...ways,
    scratch,
    ocl: [process.execPath, frozenCommand()],
  };

  if (!(await isFilled(world))) {
    say('filling the registry');
    await run(fillCommand(world));
  }
  const about = machine(home);
  const tools = versions(world, binary);
  const done = [];
  const failed = [];
  for (const one of allCases(world)) {
    if (options.only !== undefined && !one.name.includes(options.only)) continue;
    try {
      const result = await compare(one);
      console.log(`\n${one.title} (${one.name})\n${caseTable(result)}`);
      for (const note of result.notes) console.log(note);
      done.push(result);
    } catch (error) {
      console.error(`\n${one.title} (${one.name})\nfailed: ${error.message}`);
      failed.push({ title: one.title, reason: error.message.split('\n').at(-1) });
      process.exitCode = 1;
    }
  }
  if (done.length + failed.length === 0) throw new Error(`No case has ${options.only} in its name`);
  if (done.length > 0) console.log(`\n${verdicts(done)}`);
  if (options.out !== undefined && done.length > 0) {
    const results = keepResults(done, allCases(world));
    writeFileSync(options.out, document({ about, results, failed, tools }));
  }
}

/** What was measured now, beside what was measured before. Cases that are no more are dropped. */
function keepResults(done, cases) {
  const before = existsSync(KEPT) ? JSON.parse(readFileSync(KEPT, 'utf8')) : [];
  const byName = new Map([...before, ...done].map((result) => [result.name, result]));
  const results = cases.flatMap(({ name }) => byName.get(name) ?? []);
  const plain = results.map(({ competitors, ...rest }) => ({
    ...rest,
    competitors: competitors.map(({ name, runs, syncs }) => ({ name, runs, syncs })),
  }));
  writeFileSync(KEPT, `${JSON.stringify(plain, undefined, 1)}\n`);
  return results;
}

/** What stands before the registries for the cases that need it. */
async function openWays(source, sink) {
  const both = async (make) => {
    const pair = { source: make(source), sink: make(sink) };
    for (const way of Object.values(pair)) {
      await way.start();
      registries.unshift(way);
    }
    return pair;
  };
  return {
    counted: await both((registry) => new CountingProxy(registry)),
    distant: {
      10: await both((registry) => new DelayLine(registry, 10)),
      100: await both((registry) => new DelayLine(registry, 100)),
    },
  };
}

/** Rounds in which every competitor has its turn. The first is the warm-up, in which calls for the disk and requests are counted. */
async function compare(one) {
  const notes = [];
  const measured = {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    load: loadavg()[0].toFixed(1),
    commit: commitName(),
    runs: options.runs * one.repeat,
    quick: options.quick,
  };
  await one.before?.(run);
  let competitors = one.competitors().flatMap((competitor) => {
    const tool = competitor.tool ?? competitor.argv[0];
    if (tool.includes('/') || which(tool) !== undefined) return flushed(competitor);
    notes.push(`${competitor.name}: not installed, left out`);
    return [];
  });
  for (const competitor of competitors) competitor.runs = [];
  for (let round = 0; round <= options.runs * one.repeat; round++) {
    for (const competitor of inTurn(competitors, round)) {
      await one.prepare();
      settle(scratch);
      warmMemory(scratch, 1.1 * (one.bytes?.() ?? (options.quick ? 128 << 20 : 1 << 30)));
      one.requests?.();
      if (round % one.repeat === 0)
        progress(`${one.name}: round ${round} of ${options.runs * one.repeat}: ${competitor.name}`);
      let watch;
      try {
        const isCounted = round === 0 && competitor.counted !== undefined;
        watch = one.disk === undefined ? undefined : new DiskWatch(one.disk);
        const figures = await run(isCounted ? competitor.counted : competitor.argv, {
          trace: round === 0 && countsSyncs,
          ...(competitor.name === 'ocl' ? {} : { deadline: PATIENCE }),
        });
        if (watch !== undefined) figures.disk = watch.stop();
        if (isCounted || competitor.counted === undefined) competitor.requests = one.requests?.();
        await (competitor.verify ?? one.verify)();
        if (round === 0) competitor.syncs = figures.syncs;
        else competitor.runs.push(figures);
      } catch (error) {
        if (competitor.name === 'ocl') throw new Error(`ocl failed at ${one.name}: ${error.message}`, { cause: error });
        notes.push(`${competitor.name}: failed, left out: ${error.message.split('\n').at(-1).slice(0, 200)}`);
        competitors = competitors.filter((other) => other !== competitor);
      } finally {
        watch?.stop();
      }
    }
  }
  progress('');
  await one.prepare();
  for (const { name, note, requests } of competitors) {
    if (note !== undefined) notes.push(`${name}: ${note}`);
    if (requests !== undefined) notes.push(`${name}: ${requestLine(requests)}`);
  }
  const diskLimit = one.diskLimit === undefined ? undefined : Math.round(one.diskLimit * one.bytes());
  return { name: one.name, title: one.title, limits: one.limits, diskLimit, measured, competitors, notes };
}

/** Each round begins with another one. */
function inTurn(competitors, round) {
  const first = round % competitors.length;
  return [...competitors.slice(first), ...competitors.slice(0, first)];
}

/** A peer that leaves its bytes to the kernel competes twice: as it is, and with its files made durable as ocl's are. */
function flushed(competitor) {
  const { unsynced, name, argv } = competitor;
  if (unsynced === undefined) return [competitor];
  return [
    competitor,
    {
      ...competitor,
      note: undefined,
      name: `${name} + fsync`,
      argv: ['sh', '-c', 'place=$1; shift; "$@" && find "$place" -exec sync {} +', 'sh', unsynced, ...argv],
    },
  ];
}

function run(argv, how = {}) {
  // No login, no configuration of whoever runs this, and temporary files on the file system that is measured.
  const env = { PATH: process.env.PATH, HOME: join(scratch, 'home'), TMPDIR: join(scratch, 'tmp'), LANG: 'C' };
  return measure(argv, { env, cwd: scratch, scratch, ...how });
}

/** A copy of the built command, so that a build during the run changes nothing. */
function frozenCommand() {
  const directory = join(scratch, 'ocl');
  const command = join('dist', 'command');
  if (!existsSync(join(root, command))) throw new Error('Cannot find dist: run npm run build');
  for (const part of ['bin', 'package.json', command])
    cpSync(join(root, part), join(directory, part), { recursive: true });
  return join(directory, 'bin', 'ocl.js');
}

async function isFilled({ corpus, source }) {
  try {
    for (const name of FILLED) await registryHolds(source, `bench/${name}`, corpus[name]);
    return true;
  } catch {
    return false;
  }
}

function versions({ ocl }, registry) {
  const first = (argv, pattern = /\d+\.\d+\.\d+\S*/) => {
    if (!argv[0].includes('/') && which(argv[0]) === undefined) return 'not installed';
    const { stdout, stderr } = spawnSync(argv[0], argv.slice(1), { encoding: 'utf8' });
    return pattern.exec(`${stdout}${stderr}`)?.[0] ?? 'unknown';
  };
  return {
    ocl: first([...ocl, '--version']),
    node: process.version,
    'docker-registry': first([registry, '--version']),
    skopeo: first(['skopeo', '--version']),
    crane: first(['crane', 'version']),
    oras: first(['oras', 'version']),
    regctl: first(['regctl', 'version']),
    regsync: first(['regsync', 'version']),
    cp: first(['cp', '--version'], /\d+\.\d+/),
    hauler: first(['hauler', 'version']),
  };
}

function commitName() {
  const commit = spawnSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' }).stdout.trim();
  return commit === '' ? 'no commit' : `commit ${commit}`;
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        runs: { type: 'string', default: '5' },
        keep: { type: 'string' },
        out: { type: 'string' },
      },
    });
    const runs = Number(values.runs);
    if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs takes a whole number above 0');
    return { ...values, runs };
  } catch (error) {
    console.error(`${error.message}\n${USAGE}`);
    process.exit(64);
  }
}

function say(text) {
  console.error(text);
}

function progress(text) {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}
