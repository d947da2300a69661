// What is made of the figures: medians, ratios pair by pair, and docs/benchmarks.md.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { basename, join } from 'node:path';
import { countsSyncs, instrument } from './measure.mjs';

/** Seconds that a peer is waited for. */
export const PATIENCE = 60;
const MIB = 1 << 20;
const MEMORY_LIMIT = 250 * MIB;

/** One line a competitor: seconds, processor, memory, and how long ocl took in the same round, as a ratio. */
export function caseTable({ competitors, limits }) {
  const hasDisk = competitors.some(({ runs }) => runs.some(({ disk }) => disk !== undefined));
  const ours = competitors.find(({ name }) => name === 'ocl');
  const rows = competitors.map((competitor) => {
    const { name, runs, syncs } = competitor;
    const ratio = competitor === ours ? undefined : ratios(ours, competitor);
    return [
      name,
      seconds(median(runs.map(({ wall }) => wall))),
      range(
        runs.map(({ wall }) => wall),
        seconds,
      ),
      seconds(median(runs.map(({ cpu }) => cpu))),
      `${Math.round(Math.max(...runs.map(({ memory }) => memory)) / MIB)}`,
      ...(hasDisk ? [`${Math.round(Math.max(...runs.map(({ disk }) => disk ?? 0)) / MIB)}`] : []),
      syncs === undefined ? '?' : String(syncs),
      ratio === undefined ? '' : fine(median(ratio)),
      ratio === undefined ? '' : range(ratio, fine),
      limits[name] === undefined ? '' : `≤ ${limits[name]}`,
    ];
  });
  const disk = hasDisk ? ['disk MiB'] : [];
  return table(
    ['', 'median s', 'min–max s', 'cpu s', 'peak MiB', ...disk, 'syncs', 'ocl/peer', 'min–max', 'wanted'],
    rows,
  );
}

/** Requests by method, at either end. */
export function requestLine(ends) {
  return Object.entries(ends)
    .map(([end, counts]) => {
      const methods = Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1));
      const sum = methods.reduce((total, [, count]) => total + count, 0);
      return `${sum} requests at the ${end} (${methods.map(([method, count]) => `${count} ${method}`).join(', ')})`;
    })
    .join('; ');
}

/** Each promise, with what became of it. */
export function verdicts(results) {
  const rows = results.flatMap(({ name, competitors, limits }) => {
    const ours = competitors.find((competitor) => competitor.name === 'ocl');
    return competitors
      .filter((peer) => limits[peer.name] !== undefined)
      .map((peer) => {
        const ratio = median(ratios(ours, peer));
        return [name, peer.name, `≤ ${limits[peer.name]}`, fine(ratio), ratio <= limits[peer.name] ? 'kept' : 'missed'];
      });
  });
  for (const { name, competitors, diskLimit } of results) {
    if (diskLimit === undefined) continue;
    const { runs } = competitors.find((competitor) => competitor.name === 'ocl');
    const disk = Math.max(...runs.map((each) => each.disk));
    const kept = disk < diskLimit ? 'kept' : 'missed';
    rows.push([name, 'peak extra disk', `< ${Math.round(diskLimit / MIB)} MiB`, `${Math.round(disk / MIB)} MiB`, kept]);
  }
  const [memory, where] = results
    .map(({ name, competitors }) => [peak(competitors.find((competitor) => competitor.name === 'ocl')), name])
    .toSorted(([a], [b]) => b - a)[0];
  rows.push([
    `peak memory (${where})`,
    '',
    `< ${MEMORY_LIMIT / MIB} MiB`,
    `${Math.round(memory / MIB)} MiB`,
    memory < MEMORY_LIMIT ? 'kept' : 'missed',
  ]);
  return table(['case', 'peer', 'wanted', 'measured', ''], rows);
}

/** What the figures depend on, taken before the first run. */
export function machine(directory) {
  const [source, kind] = (
    spawnSync('df', ['--output=source,fstype', directory], { encoding: 'utf8' }).stdout?.split('\n').at(1) ?? ''
  ).split(/\s+/);
  const device = basename(source ?? '');
  const rotational = `/sys/block/${device.replace(/(?<=\d)p\d+$|(?<=^[hsv]d[a-z])\d+$/, '')}/queue/rotational`;
  const sort = device.startsWith('vd')
    ? 'virtual disk'
    : existsSync(rotational)
      ? readFileSync(rotational, 'utf8').trim() === '1'
        ? 'rotating disk'
        : 'SSD'
      : 'no disk';
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    processor: `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`,
    memory: `${Math.round(totalmem() / (1 << 30))} GiB`,
    kernel: `Linux ${release()}`,
    disk: `${sort}, ${kind ?? 'unknown file system'}, ${diskSpeed(directory)} MiB/s written and synced`,
    load: loadavg()[0].toFixed(1),
  };
}

/**
 * The page, of all cases that were ever measured: each keeps the day and the load of its own run, so that one case can be
 * measured again by itself.
 * @param results in the order of the page, each with `measured`
 */
export function document({ about, tools, results, failed }) {
  const rounds = new Set(results.map(({ measured }) => measured.runs));
  return `<!-- Written by bench/run.mjs: do not edit. -->
# Benchmarks

\`\`\`sh
npm run build
node bench/run.mjs --runs 2 --out docs/benchmarks.md                  # all of it
node bench/run.mjs --only latency --runs 2 --out docs/benchmarks.md   # the cases of that name, the others stay
\`\`\`

The machine and the programs are those of the last run, on ${about.date} UTC. Each case says when it was measured, and with which load before its first
run: a load above 0.5 means that others used the machine; then look at the ratios, not at the seconds.

| machine | |
| --- | --- |
| processor | ${about.processor} |
| memory | ${about.memory} |
| disk | ${about.disk} |
| system | ${about.kernel} |
${Object.entries(tools)
  .map(([name, version]) => `| ${name} | ${version} |`)
  .join('\n')}

## Promises
The ratio is the time of ocl over that of the peer.

${verdicts(results)}

## How it is measured
- Each figure is of a whole process, start-up included: seconds on the clock, seconds of processor and peak memory by ${instrument}.
- The competitors take turns, ${[...rounds].toSorted((a, b) => a - b).join(' or ')} rounds after one that is not counted, and each round begins with another one. Every run has a
  fresh, empty target; those that push get a registry with empty storage. What is still on its way to the disk is waited for before each run,
  and as much memory as a run fills is written and let go of, because a virtual machine pays for memory that lay idle. Nothing is dropped from
  the page cache.
- \`ocl/peer\` is taken round by round: the median of these ratios, with the smallest and the largest. Below 1, ocl is faster.
- After every run, what it left behind is looked at: each blob with its size, or the digest in the registry.
- A peer that fails, or is not done after ${PATIENCE} s, is left out, and a line says so.
- Registries are docker-registry on the loopback interface, with storage on the same disk, and share the processors with the competitors.
- The cases called \`latency\` put a line between the two that gives every byte half the round trip to travel, whatever else is under way, and lets
  one connection have 2 MiB under way in each direction. The cases called \`requests\` put a proxy there that counts.
- \`disk\` is the most that lay on the disk at a time beyond what was there before, temporary files included and the registries' storage not.
- Layers do not compress, so nothing is gained by packing; they are valid gzip, so no tool packs them anew.
- \`ocl\` runs as \`node bin/ocl.js\`, from a copy of the build.

## Who waits for the disk
\`syncs\` counts the calls of \`fsync\`, \`fdatasync\`, \`sync\` and \`syncfs\` in the uncounted round${countsSyncs ? ', by strace' : ' (strace is not installed, so they are unknown)'}.
ocl gives a blob its name only after \`fsync\`, and then syncs the directory: after a power cut there is no blob with a right name and wrong bytes.
skopeo syncs every blob that it writes into a layout or directory, but neither index.json nor directories; of an archive it syncs the parts in its
temporary directory, not the archive. Its other syncs, some 20 an image, are of its own database of known blobs.
crane, oras, regctl, regsync and cp do not sync: when they end, the kernel still holds what they wrote, and the disk's time is missing from their figures.
Such a peer has a second line, \`+ fsync\`, where the same command is followed by \`sync\` of every file and directory that it wrote: that line compares like with like.
(\`sync -f\` would also have to wait for what others write to that file system.)
Nobody syncs when pushing: there it is up to the registry, which does so for none of them or for all.

## Figures
${results
  .map((result) =>
    [
      `### ${result.title}`,
      caseTable(result),
      ...[...result.notes, measuredLine(result)].map((note) => `- ${note}`),
    ].join('\n\n'),
  )
  .map((text) => text.replaceAll(/\n\n(?=- )/g, '\n').replace(/\n(?=- )/, '\n\n'))
  .join('\n\n')}
${failed.map(({ title, reason }) => `\n### ${title}\n\nocl failed: ${reason}\n`).join('')}`;
}

function measuredLine({ name, measured: { date, load, commit, runs, quick } }) {
  const small = quick ? ', a quick run with layers of 32 MiB' : '';
  return `\`${name}\`: ${date} UTC, ${runs} rounds, load ${load}, ${commit}${small}`;
}

/** Round by round: what one round's noise does, it does to both. */
function ratios(ours, peer) {
  return peer.runs.map(({ wall }, round) => ours.runs[round].wall / wall);
}

function peak({ runs }) {
  return Math.max(...runs.map(({ memory }) => memory));
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function range(values, format) {
  return `${format(Math.min(...values))}–${format(Math.max(...values))}`;
}

function seconds(value) {
  return value.toFixed(value < 1 ? 3 : 2);
}

function fine(value) {
  return value.toFixed(value < 0.1 ? 3 : 2);
}

function table(head, rows) {
  const widths = head.map((title, column) => Math.max(3, title.length, ...rows.map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function diskSpeed(directory) {
  const file = join(directory, 'probe');
  const block = Buffer.alloc(16 * MIB, 7);
  const handle = openSync(file, 'w');
  try {
    const started = performance.now();
    for (let count = 0; count < 16; count++) writeSync(handle, block);
    fsyncSync(handle);
    return Math.round(256_000 / (performance.now() - started));
  } finally {
    closeSync(handle);
    rmSync(file, { force: true });
  }
}
