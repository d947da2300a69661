import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Library } from '../../src/core/store.ts';
import { lineFileHeader } from '../../src/io/lineFile.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { decode, type JournalRecord } from '../../src/sync/journal/records.ts';
import { type ReportFile } from '../../src/sync/reportFile.ts';
import { ended } from '../support/child.ts';
import { jsonLines, ocl, oclDone, resultOf, startOcl, type CliResult } from '../support/cli.ts';
import { startDockerRegistry, whyNoDockerRegistry } from '../support/dockerRegistry.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import { image, noise, piece, put } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { startSlowRegistry } from '../support/slowRegistry.ts';

const temporary = temporaryDirectories();
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const slow = piece(noise(1 << 20, 3), LAYER);
let directory: string;
let library: Library;
let origin: Embedded;

beforeEach(async () => {
  directory = await temporary();
  library = createMemoryLibrary();
  origin = await startEmbedded(library);
});

afterEach(async () => {
  await origin.close();
});

async function publish(...tags: string[]): Promise<void> {
  const sink = await library.sink('app');
  for (const tag of tags) {
    const layers = tag === 'slow' ? [slow] : [piece(`layer of ${tag}`, LAYER)];
    await put(sink, image({ name: tag, layers }), tag);
  }
}

async function withdraw(...tags: string[]): Promise<void> {
  const sink = await library.sink('app');
  for (const tag of tags) await sink.untag(tag);
}

/** A sync file; `origin.example` is the given server. */
async function config(steps: string, host = origin.host): Promise<string> {
  const file = join(directory, 'sync.yaml');
  const creds = `creds: [{registry: origin.example, hostname: "${host}", tls: disabled}]`;
  await writeFile(file, `version: 1\n${creds}\nsync:\n${steps}`);
  return file;
}

function repository(target: string, more = ''): string {
  return `  - {type: repository, source: origin.example/app, target: "${target}"${more}}\n`;
}

async function tagsOf(place: string): Promise<readonly string[]> {
  return (JSON.parse((await oclDone(['tag', 'ls', place, '--json'])).stdout) as readonly string[]).toSorted();
}

/** Every line of the journal, each of which must be a whole one. */
async function journal(file: string): Promise<readonly JournalRecord[]> {
  const [first, ...lines] = (await readFile(`${file}.journal`, 'utf8')).split('\n');
  expect(first).toBe(lineFileHeader('journal'));
  expect(lines.pop()).toBe('');
  return lines.map((line) => {
    const record = decode(line);
    if (record === undefined) throw new Error(`no record: ${line}`);
    return record;
  });
}

interface Summary {
  readonly type: string;
  readonly copied: number;
  readonly current: number;
  readonly pruned: number;
  readonly untried: number;
}

function summary({ stdout }: CliResult): Summary | undefined {
  return jsonLines<Summary>(stdout).at(-1);
}

async function report(): Promise<ReportFile> {
  return JSON.parse(await readFile(join(directory, 'report.json'), 'utf8')) as ReportFile;
}

const TARGETS: readonly (readonly [string, () => Promise<{ place: string; close: () => Promise<void> }>])[] = [
  [
    'a layout',
    () => Promise.resolve({ place: `ocidir://${join(directory, 'mirror')}`, close: () => Promise.resolve() }),
  ],
  [
    'the embedded registry',
    async () => {
      const mirror = await startEmbedded(createMemoryLibrary());
      return { place: `${mirror.host}/mirror`, close: () => mirror.close() };
    },
  ],
  [
    'docker-registry',
    async () => {
      const mirror = await startDockerRegistry();
      if (mirror === undefined) throw new Error('not installed');
      return { place: `${mirror.host}/mirror`, close: () => mirror.stop() };
    },
  ],
];

describe.each(TARGETS.filter(([name]) => name !== 'docker-registry' || whyNoDockerRegistry() === undefined))(
  'prune in %s',
  (_, start) => {
    it('takes a tag away that vanished at the source, after the dry run has said so', async () => {
      const { place, close } = await start();
      try {
        await publish('1', '2', '3');
        const file = await config(repository(place, ', prune: true'));
        await oclDone(['sync', '-c', file]);
        await withdraw('2');
        const check = await ocl(['sync', 'check', '-c', file, '--exit-code']);
        expect(check).toMatchObject({ status: 2 });
        expect(check.stdout).toMatch(/^prune .*gone from the source$/m);
        expect(check.stderr).toContain('1 to prune');
        expect(await tagsOf(place)).toEqual(['1', '2', '3']);
        const run = await oclDone(['sync', '-c', file]);
        expect(run.stderr).toContain('1 pruned');
        expect(await tagsOf(place)).toEqual(['1', '3']);
        expect((await ocl(['sync', 'check', '-c', file, '--exit-code'])).status).toBe(0);
        const { stdout } = await oclDone(['sync', 'history', '-c', file]);
        expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/ removed .*:2 .*gone from the source$/);
      } finally {
        await close();
      }
    });

    it('leaves everything where the source cannot be listed', async () => {
      const { place, close } = await start();
      const other = await startEmbedded(createMemoryLibrary());
      try {
        await publish('1', '2');
        const file = await config(repository(place, ', prune: true'));
        await oclDone(['sync', '-c', file]);
        // A server that knows nothing of the repository.
        await config(repository(place, ', prune: true'), other.host);
        const run = await ocl(['sync', '-c', file]);
        expect(run.status).toBe(1);
        expect(run.stderr).toMatch(/nothing is pruned from .*mirror: .* could not be listed/);
        expect(await tagsOf(place)).toEqual(['1', '2']);
      } finally {
        await other.close();
        await close();
      }
    });
  },
);

describe('a run that is killed', () => {
  it('leaves a journal that opens, and the next run goes on and knows what the first one made', async () => {
    const mirror = await startEmbedded(createMemoryLibrary());
    await publish('1', '2', 'slow');
    const server = await startSlowRegistry(origin.host, slow.descriptor.digest);
    try {
      const place = `${mirror.host}/mirror`;
      const file = await config(repository(place, ', prune: true'), server.host);
      const child = startOcl(['sync', '-c', file]);
      const gone = ended(child);
      child.stdout.resume();
      child.stderr.resume();
      await server.asked;
      for (const tag of ['1', '2'])
        while ((await fetch(`http://${mirror.host}/v2/mirror/manifests/${tag}`)).status !== 200);
      child.kill('SIGKILL');
      await gone;
      await appendFile(`${file}.journal`, '{"kind":"image","time":"2026');

      server.release();
      expect(summary(await oclDone(['sync', '-c', file, '--json']))).toMatchObject({ copied: 1, current: 2 });
      const images = (await journal(file)).flatMap((record) => (record.kind === 'image' ? [record] : []));
      expect(images.map(({ target, ours }) => `${target} ${ours}`).toSorted()).toEqual(
        ['1', '2', 'slow'].map((tag) => `${place}:${tag} true`),
      );
      await withdraw('1', '2');
      expect(summary(await oclDone(['sync', '-c', file, '--json']))).toMatchObject({ pruned: 2 });
      expect(await tagsOf(place)).toEqual(['slow']);
    } finally {
      await server.close();
      await mirror.close();
    }
  });
});

describe('two runs at once', () => {
  it('write one journal and spoil no line of each other', async () => {
    const tags = Array.from({ length: 30 }, (_, i) => `v${i}`);
    await publish(...tags);
    const mirror = await startEmbedded(createMemoryLibrary());
    try {
      const place = `${mirror.host}/mirror`;
      const file = await config(repository(place, ', prune: true'));
      await Promise.all([1, 2, 3].map(async () => await oclDone(['sync', '-c', file])));
      const records = await journal(file);
      const known = new Set(records.flatMap((record) => (record.kind === 'image' ? [record.target] : [])));
      expect([...known].toSorted()).toEqual(tags.map((tag) => `${place}:${tag}`).toSorted());
      expect(records.filter(({ kind }) => kind === 'end')).toHaveLength(3);
      expect(await tagsOf(place)).toHaveLength(30);
    } finally {
      await mirror.close();
    }
  });
});

describe('a report', () => {
  const other = '  - {type: image, source: "origin.example/app:late", target: "ocidir://MIRROR:late"}\n';

  it('lets a retry do only what failed, and is whole then', async () => {
    await publish('1', '2');
    const mirror = join(directory, 'mirror');
    const steps = `${repository(`ocidir://${join(directory, 'all')}`)}${other.replace('MIRROR', mirror)}`;
    const file = await config(steps);
    const path = join(directory, 'report.json');
    const first = await ocl(['sync', 'once', '-c', file, '--report', path]);
    expect(first.status).toBe(1);
    expect(await report()).toMatchObject({
      config: file,
      complete: false,
      summary: { copied: 2, failed: 1 },
      registries: [{ registry: 'origin.example', copied: 2, failed: 1 }],
      failures: [{ code: 'OCL_NOT_FOUND', image: 'origin.example/app:late', line: 5 }],
    });
    expect((await ocl(['sync', 'retry', path])).status).toBe(1);
    expect((await report()).failures).toHaveLength(1);
    await publish('late');
    const again = await oclDone(['sync', 'retry', path, '--json']);
    expect(summary(again)).toMatchObject({ copied: 1, current: 0 });
    expect(await report()).toMatchObject({ complete: true, summary: { copied: 3, failed: 0 }, failures: [], left: [] });
    expect((await oclDone(['sync', 'retry', path])).stderr).toContain('nothing is left to do');
    const failed = await oclDone(['sync', 'history', '-c', file, '--failed', '--json']);
    expect(jsonLines(failed.stdout)).toMatchObject([
      { outcome: 'failed', image: 'origin.example/app:late', error: { code: 'OCL_NOT_FOUND' } },
      { outcome: 'failed' },
    ]);
  });

  it('is there after Ctrl-C, and names what is left', async () => {
    await publish('1', 'slow');
    const server = await startSlowRegistry(origin.host, slow.descriptor.digest);
    try {
      const file = await config(repository(`ocidir://${join(directory, 'mirror')}`), server.host);
      const path = join(directory, 'report.json');
      const child = startOcl(['sync', 'once', '-c', file, '--report', path]);
      const result = resultOf(child);
      await server.asked;
      child.kill('SIGINT');
      expect((await result).status).toBe(130);
      const made = await report();
      expect(made).toMatchObject({ complete: false, failures: [] });
      expect(made.left.map(({ image: name }) => name)).toContain('origin.example/app:slow');
      expect((await journal(file)).at(-1)).toMatchObject({ kind: 'end', outcome: 'cancelled' });
      server.release();
      await oclDone(['sync', 'retry', path]);
      expect(await report()).toMatchObject({ complete: true, left: [] });
      expect(await tagsOf(`ocidir://${join(directory, 'mirror')}`)).toEqual(['1', 'slow']);
    } finally {
      await server.close();
    }
  });
});

describe('the actions about journals', () => {
  it.each([
    [['sync', 'once', '-c', 'FILE', '--abort-on-error', '--keep-going'], 64, '--keep-going'],
    [['sync', 'once', '-c', 'FILE', '--state', 'FILE'], 64, 'it is something else'],
    [['sync', 'once', '-c', 'FILE', '--report', 'FILE/report.json'], 3, 'report.json'],
    [['sync', 'history', '-c', 'FILE'], 3, 'ocl sync once'],
    [['sync', 'history'], 64, '--state'],
    [['sync', 'history', '--state', 'FILE', '--since', 'soon'], 64, '7d'],
    [['sync', 'retry', 'FILE'], 64, 'it is no report'],
  ])('refuse %j', async (args, status, words) => {
    const file = await config(repository(`ocidir://${join(directory, 'mirror')}`));
    const before = await readFile(file, 'utf8');
    const result = await ocl(args.map((arg) => arg.replace('FILE', file)));
    expect(result).toMatchObject({ status });
    expect(result.stderr).toContain(words);
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  it('do their work where the journal cannot be kept, and prune nothing', async () => {
    await publish('1', '2');
    const file = await config(repository(`ocidir://${join(directory, 'mirror')}`, ', prune: true'));
    const state = join(file, 'journal');
    await oclDone(['sync', '-c', file, '--state', state]);
    await withdraw('2');
    const run = await oclDone(['sync', '-c', file, '--state', state]);
    expect(run.stderr).toMatch(/warning: the journal .* is not kept, so nothing is pruned/);
    expect(await tagsOf(`ocidir://${join(directory, 'mirror')}`)).toEqual(['1', '2']);
  });

  it('keep no journal for standard input, unless it is named', async () => {
    await publish('1', '2');
    const steps = repository(`ocidir://${join(directory, 'mirror')}`, ', prune: true');
    const stdin = await readFile(await config(steps), 'utf8');
    const state = join(directory, 'state', 'journal');
    await oclDone(['sync', '-c', '-'], { stdin });
    await withdraw('2');
    expect(summary(await oclDone(['sync', '-c', '-', '--json'], { stdin }))).toMatchObject({ pruned: 0 });
    await publish('3');
    await oclDone(['sync', '-c', '-', '--state', state], { stdin });
    await withdraw('3');
    const last = await oclDone(['sync', '-c', '-', '--json', '--state', state], { stdin });
    expect(summary(last)).toMatchObject({ pruned: 1 });
  });

  it('look only for the missing where they are told to', async () => {
    await publish('1', '2');
    const target = `ocidir://${join(directory, 'mirror')}`;
    const file = await config(repository(target));
    await oclDone(['sync', '-c', file]);
    await put(await library.sink('app'), image({ name: 'changed' }), '1');
    await publish('3');
    expect(summary(await oclDone(['sync', '-c', file, '--missing', '--json']))).toMatchObject({
      copied: 1,
      current: 2,
    });
    expect(summary(await oclDone(['sync', '-c', file, '--json']))).toMatchObject({ copied: 1, current: 2 });
  });
});
