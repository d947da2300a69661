import { type ChildProcessWithoutNullStreams } from 'node:child_process';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Library } from '../../src/core/store.ts';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { ended } from '../support/child.ts';
import { oclDone, startOcl } from '../support/cli.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import { digestsIn, image, namesIn, noise, piece, put } from '../support/graphs.ts';
import { layoutOptions, temporaryDirectories } from '../support/layouts.ts';
import { startSlowRegistry, type SlowRegistry } from '../support/slowRegistry.ts';

const temporary = temporaryDirectories();
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const shared = piece(noise(200_000, 1), LAYER);
/** Half of it is enough to be gone on with. */
const slow = piece(noise(4 << 20, 2), LAYER);

interface Line {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** A running `ocl sync server --json`. */
class Server {
  readonly child: ChildProcessWithoutNullStreams;
  readonly gone: Promise<number | null>;
  readonly lines: Line[] = [];
  stderr = '';
  #next: (() => void)[] = [];

  constructor(file: string, args: readonly string[] = []) {
    this.child = startOcl(['sync', 'server', '--config', file, '--json', ...args]);
    this.gone = ended(this.child);
    this.child.stderr.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    const wake = (): void => this.#next.splice(0).forEach((go) => go());
    createInterface(this.child.stdout).on('line', (line) => {
      this.lines.push(JSON.parse(line) as Line);
      wake();
    });
    void this.gone.then(wake);
    running.push(this);
  }

  /** The first line of a type that also has these members, from the `from`th line on. @throws when the process ends before */
  async says(type: string, members: object = {}, from = 0): Promise<Line> {
    for (;;) {
      const found = this.lines
        .slice(from)
        .find((line) => line.type === type && Object.entries(members).every(([key, value]) => line[key] === value));
      if (found !== undefined) return found;
      if (this.child.exitCode !== null || this.child.signalCode !== null)
        throw new Error(`it ended without ${type}: ${this.stderr} ${JSON.stringify(this.lines)}`);
      await new Promise<void>((resolve) => void this.#next.push(resolve));
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return await this.gone;
  }
}

const running: Server[] = [];
let library: Library;
let registry: Embedded;
let directory: string;

beforeEach(async () => {
  library = createMemoryLibrary();
  registry = await startEmbedded(library);
  directory = await temporary();
});

afterEach(async () => {
  for (const server of running.splice(0)) if (server.child.exitCode === null) await server.stop('SIGKILL');
  await registry.close();
});

async function push(tag: string, ...layers: readonly ReturnType<typeof piece>[]): Promise<void> {
  const sink = await library.sink('app');
  await put(sink, image({ name: `image-${tag}`, layers: [shared, ...layers] }), tag);
}

async function write(name: string, steps: readonly string[], host = registry.host): Promise<string> {
  const file = join(directory, name);
  const lines = steps.map((step) => `  - {type: repository, source: origin.example/app, ${step}}\n`).join('');
  const text = `creds:\n  - {registry: origin.example, hostname: "${host}", tls: disabled}\nsync:\n${lines}`;
  // As an editor does it: readers see the old file or the new one.
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
  return file;
}

/** A layout as the target of a step. */
function into(name: string): { readonly path: string; readonly target: string } {
  const path = join(directory, name);
  return { path, target: `target: "ocidir://${path}"` };
}

async function tags(path: string): Promise<readonly string[]> {
  return (await namesIn(await openLayout(path, layoutOptions()))).map((name) => name.split(' ')[0] ?? '');
}

async function answer(server: Server, path: string): Promise<Response> {
  const { url } = await server.says('listening');
  return await fetch(`${String(url)}${path}`);
}

describe('ocl sync server', () => {
  it('mirrors what comes, tells how it goes, and ends with 0', async () => {
    await push('1');
    const { path, target } = into('mirror');
    const file = await write('sync.yaml', [`${target}, interval: 1s`, into('never').target]);
    const server = new Server(file, ['--listen', '127.0.0.1:0']);
    await server.says('server.done', { pass: 'first', copied: 1 });
    expect(server.lines).toContainEqual(expect.objectContaining({ type: 'server.ignored', line: 5 }));
    await push('2', piece(noise(1000, 9), LAYER));
    await server.says('server.done', { pass: 'scheduled', copied: 1 });
    expect((await answer(server, '/readyz')).status).toBe(200);
    const status = (await (await answer(server, '/status')).json()) as { steps: readonly unknown[] };
    expect(status.steps).toMatchObject([{ line: 4, images: { copied: 2, failed: 0 }, last: { result: 'ok' } }]);
    expect(await (await answer(server, '/metrics')).text()).toMatch(
      /ocl_sync_images_total\{step="4",source="origin\.example\/app",outcome="copied"\} 2\n/,
    );
    expect(await server.stop()).toBe(0);
    expect(await tags(path)).toEqual(['1', '2']);
  });

  it('reads its file anew at SIGHUP or when it changes, hosts and steps, and keeps the old one when it is broken', async () => {
    await push('1');
    const { path, target } = into('mirror');
    const file = await write('sync.yaml', [`${target}, interval: 1h`], '127.0.0.1:1');
    const server = new Server(file, ['--listen', '127.0.0.1:0']);
    await server.says('server.done', { failed: 1 });

    await writeFile(file, 'sync: [');
    server.child.kill('SIGHUP');
    await server.says('server.reload', { ok: false });
    const { config } = (await (await answer(server, '/status')).json()) as { config: unknown };
    expect(config).toMatchObject({ reload: { ok: false, error: { code: 'OCL_CONFIG_INVALID' } } });

    // The step itself is as it was; only its way has changed. The new one is brought at once.
    const second = into('second');
    await write('sync.yaml', [`${target}, interval: 1s`, `${second.target}, interval: 1h`]);
    const before = server.lines.length;
    server.child.kill('SIGHUP');
    await server.says('server.reload', { ok: true, steps: 2 }, before);
    await server.says('server.done', { pass: 'first', copied: 1 }, before);
    await server.says('server.done', { pass: 'scheduled', copied: 1, failed: 0 }, before);

    // Without a signal it is noticed within seconds.
    const third = into('third');
    await write('sync.yaml', [`${third.target}, interval: 1h`]);
    await server.says('server.reload', { ok: true, steps: 1 });
    await server.says('server.done', { pass: 'first', copied: 1 }, server.lines.length - 1);
    expect(await server.stop('SIGINT')).toBe(0);
    expect([await tags(path), await tags(second.path), await tags(third.path)]).toEqual([['1'], ['1'], ['1']]);
  });

  it('loses nothing when two of them write to one target', async () => {
    const { path, target } = into('mirror');
    const mirror = await startEmbedded(createMemoryLibrary());
    try {
      await push('0');
      const steps = [`${target}, interval: 1s`, `target: ${mirror.host}/app, interval: 1s`];
      const insecure = ['--plain-http', mirror.host];
      const servers = [
        new Server(await write('one.yaml', steps), insecure),
        new Server(await write('two.yaml', steps), insecure),
      ];
      for (let i = 1; i <= 6; i++) {
        await push(String(i), piece(noise(50_000, 10 + i), LAYER));
        const from = servers.map(({ lines }) => lines.length);
        await Promise.all(servers.map(async (server, at) => await server.says('server.done', { failed: 0 }, from[at])));
      }
      const from = servers.map(({ lines }) => lines.length);
      await Promise.all(
        servers.map(async (server, at) => await server.says('server.done', { current: 14, failed: 0 }, from[at])),
      );
      expect(await Promise.all(servers.map(async (server) => await server.stop()))).toEqual([0, 0]);
      for (const { lines } of servers)
        expect(lines.filter(({ type }) => type === 'image.failed' || type === 'error')).toEqual([]);
    } finally {
      await mirror.close();
    }
    expect(await tags(path)).toEqual(['0', '1', '2', '3', '4', '5', '6']);
    expect((await oclDone(['check', path])).stdout).toContain(': ok, ');
    expect((await digestsIn(await openLayout(path, layoutOptions()))).length).toBe(1 + 6 + 7 * 2);
  });

  it('ends with 1 after a failure when it is told to', async () => {
    const file = await write('sync.yaml', [`${into('mirror').target}, interval: 1h`], '127.0.0.1:1');
    const server = new Server(file, ['--abort-on-error']);
    expect(await server.gone).toBe(1);
    expect(server.lines.at(-1)).toMatchObject({ type: 'server.done', failed: 1 });
  });

  it('ends with 64 when its file cannot be used', async () => {
    const server = new Server(await write('sync.yaml', [into('mirror').target]));
    expect(await server.gone).toBe(64);
    expect(server.stderr).toContain('none of its steps ever runs');
  });

  it('makes up for a run that was missed while no server ran, where it may', async () => {
    await push('1');
    const { path, target } = into('mirror');
    const file = await write('sync.yaml', [`${target}, interval: 1s`]);
    const first = new Server(file);
    await first.says('server.done', { pass: 'scheduled' });
    await first.stop();
    // All of that was yesterday.
    const journal = await readFile(`${file}.journal`, 'utf8');
    const yesterday = new Date(Date.now() - 24 * 3_600_000).toISOString();
    await writeFile(`${file}.journal`, journal.replaceAll(/"time":"[^"]*"/g, `"time":"${yesterday}"`));
    const digests = await digestsIn(await openLayout(path, layoutOptions()));

    // Of a tag that is there the first pass of a server takes no notice.
    await push('1', piece(noise(2000, 7), LAYER));
    await write('sync.yaml', [`${target}, interval: 6h`]);
    const second = new Server(file, ['--catch-up']);
    expect(await second.says('server.done')).toMatchObject({ pass: 'catch-up', copied: 1 });
    expect(await second.stop()).toBe(0);
    expect(await digestsIn(await openLayout(path, layoutOptions()))).not.toEqual(digests);
  });
});

describe('ocl sync server that is stopped while an image is under way', () => {
  let way: SlowRegistry;
  let server: Server;
  let path: string;

  async function begin(...args: readonly string[]): Promise<void> {
    await push('1', slow);
    way = await startSlowRegistry(registry.host, slow.descriptor.digest);
    const mirror = into('mirror');
    path = mirror.path;
    server = new Server(await write('sync.yaml', [`${mirror.target}, interval: 1h`], way.host), args);
    await way.asked;
  }

  afterEach(async () => {
    await way.close();
  });

  it('lets it finish', async () => {
    await begin();
    server.child.kill('SIGTERM');
    await server.says('server.stopping', { runs: 1, graceMs: 30_000 });
    way.release();
    expect(await server.gone).toBe(0);
    expect(server.lines.at(-1)).toMatchObject({ type: 'server.done', copied: 1, untried: 0 });
    expect(await tags(path)).toEqual(['1']);
  });

  it('breaks it off when the grace has passed, and the next one goes on from there', async () => {
    await begin('--grace', '1s');
    server.child.kill('SIGTERM');
    await server.says('server.aborting', { runs: 1 });
    expect(await server.gone).toBe(0);
    const file = await write('sync.yaml', [`${into('mirror').target}, interval: 1h`]);
    const next = new Server(file);
    await next.says('server.done', { copied: 1 });
    expect(await next.stop()).toBe(0);
    expect(next.lines.some(({ type }) => type === 'blob.resume')).toBe(true);
    expect((await oclDone(['check', path])).stdout).toContain(': ok, ');
  });

  it('ends at once at the second signal', async () => {
    await begin();
    server.child.kill('SIGTERM');
    await server.says('server.stopping');
    expect(await server.stop()).toBe(130);
  });
});
