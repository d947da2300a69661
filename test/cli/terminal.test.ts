import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { PROGRAM, resultOf } from '../support/cli.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import { image, noise, piece, put } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { said } from '../support/processes.ts';
import { startSlowRegistry } from '../support/slowRegistry.ts';

const found = spawnSync('script', ['--version'], { encoding: 'utf8' });
const missing = found.status !== 0 || !found.stdout.includes('util-linux');
const note = missing ? ' (script of bsdutils is not installed)' : '';

const temporary = temporaryDirectories();
const slow = piece(noise(1 << 20, 7), 'application/vnd.oci.image.layer.v1.tar+gzip');
let registry: Embedded;

beforeAll(async () => {
  const library = createMemoryLibrary();
  await put(await library.sink('app'), image({ layers: [slow] }), '1');
  registry = await startEmbedded(library);
});

afterAll(async () => {
  await registry.close();
});

/** Runs the command on a terminal of its own, whose screen is standard output here. */
function onTerminal(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): ChildProcessWithoutNullStreams {
  const command = [process.execPath, PROGRAM, ...args].map((word) => `'${word}'`).join(' ');
  const { PATH = '' } = process.env;
  return spawn('script', ['-qefc', command, '/dev/null'], { env: { PATH, TERM: 'xterm', HOME: '/nowhere', ...env } });
}

async function copySlowly(env: Readonly<Record<string, string>>, until: RegExp): Promise<string> {
  const directory = await temporary();
  const server = await startSlowRegistry(registry.host, slow.descriptor.digest);
  try {
    const child = onTerminal(['copy', `${server.host}/app:1`, `ocidir://${join(directory, 'out')}:1`], env);
    const result = resultOf(child);
    await said(child.stdout, until);
    server.release();
    const { status, stdout } = await result;
    expect(status).toBe(0);
    return stdout;
  } finally {
    await server.close();
  }
}

describe.skipIf(missing)(`on a terminal${note}`, () => {
  it('a copy that takes its time draws a bar in colour, and takes it away at the end', async () => {
    const screen = await copySlowly({}, /\d+ % · [\d.]+ kB of 1\.0 MB/);
    expect(screen).toContain('\u001B[36m█');
    expect(screen).toContain('\u001B[?25l');
    expect(screen.lastIndexOf('\u001B[?25h')).toBeGreaterThan(screen.lastIndexOf('\u001B[?25l'));
    const rest = screen.slice(screen.lastIndexOf('\u001B[?25h'));
    expect(rest).toMatch(/sha256:[0-9a-f]{64}/);
    expect(screen).toContain('copied ');
  });

  it('NO_COLOR takes the colour away, not the bar', async () => {
    const screen = await copySlowly({ NO_COLOR: '1' }, /\d+ % · /);
    expect(screen).toContain('█');
    expect(screen).not.toContain('\u001B[36m');
  });

  it('what is quick draws no bar, nor does a terminal that cannot', async () => {
    const directory = await temporary();
    const quick = await resultOf(
      onTerminal(['copy', `${registry.host}/app:1`, `ocidir://${join(directory, 'quick')}:1`], { TERM: 'dumb' }),
    );
    expect(quick.status).toBe(0);
    // eslint-disable-next-line no-control-regex -- what draws is a control character
    expect(quick.stdout).not.toMatch(/[█░\u001B]/);
    const help = await resultOf(onTerminal(['ls', '--help']));
    expect(help.stdout).toContain('Examples:');
  });

  it('an archive is not written to it', async () => {
    const { status, stdout } = await resultOf(onTerminal(['export', `${registry.host}/app:1`, '-o', '-']));
    expect([status, stdout]).toEqual([64, expect.stringContaining('to a terminal')]);
  });
});
