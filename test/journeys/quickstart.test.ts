import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resultOf, type CliResult } from '../support/cli.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const CONFIG = 'examples/quickstart/sync.yaml';

async function quickstart(): Promise<CliResult> {
  return await resultOf(spawn(process.execPath, ['scripts/quickstart.mjs'], { cwd: ROOT }));
}

/** Takes the port that the example names, as any program may have done before. Undefined when somebody has it. */
async function takePort(port: number): Promise<(() => void) | undefined> {
  const server = createServer();
  return await new Promise((done) => {
    server.once('error', () => done(undefined));
    server.listen(port, '127.0.0.1', () => done(() => void server.close()));
  });
}

describe('the quick start', () => {
  it('carries everything over, says what it runs, and can be run again, also when its port is taken', async () => {
    const { status, stdout, stderr } = await quickstart();
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    const commands = stdout.split('\n').filter((line) => line.startsWith('$ ocl '));
    expect(commands.map((line) => line.split(' ')[2]).join(' ')).toBe(
      'serve sync ls tree export check import serve copy copy copy',
    );
    expect(stdout).toContain('referrer Sigstore bundle');
    expect(stdout).toContain('quickstart-out/bundle.tar: ok');
    expect(stdout).toContain('left out  demo/hello:1.0.0-rc.1\nleft out  demo/hello:nightly\n');
    expect(stdout).toContain('signed  demo/hello:1.0.0');
    expect(stdout).toContain('All digests are equal');
    expect((await stat(resolve(ROOT, 'quickstart-out/bundle.tar'))).size).toBeGreaterThan(20_000);

    const port = Number(/127\.0\.0\.1:(\d+)/.exec(await readFile(resolve(ROOT, CONFIG), 'utf8'))?.[1]);
    const leave = await takePort(port);
    const again = await quickstart();
    leave?.();
    expect(again.status).toBe(0);
    expect(again.stdout).toContain(`Port ${port} is taken, so quickstart-out/sync.yaml is ${CONFIG} with port `);
    expect(again.stdout).toContain('$ ocl sync --config quickstart-out/sync.yaml');
    expect(again.stdout).toContain('All digests are equal');
  }, 180_000);
});
