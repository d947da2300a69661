import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface DockerRegistry {
  /** `127.0.0.1:port` */
  readonly host: string;
  stop(): Promise<void>;
}

const PROGRAM = 'docker-registry';

/** Why tests against Debian's registry are left out; undefined when it is installed. */
export function whyNoDockerRegistry(): string | undefined {
  const found = spawnSync(PROGRAM, ['--version']).status === 0;
  if (!found && process.env['OCL_REQUIRE_PEERS'] !== undefined)
    throw new Error(`${PROGRAM} is not installed, and OCL_REQUIRE_PEERS asks for it`);
  return found ? undefined : `${PROGRAM} is not installed`;
}

/**
 * Debian's docker-registry on a free port with a directory of its own; undefined when it is not installed.
 * @param more lines of its configuration besides
 */
export async function startDockerRegistry(more: readonly string[] = []): Promise<DockerRegistry | undefined> {
  if (whyNoDockerRegistry() !== undefined) return undefined;
  const directory = await mkdtemp(join(tmpdir(), 'ocl-registry-'));
  for (let tries = 1; ; tries++) {
    const host = `127.0.0.1:${await freePort()}`;
    const config = join(directory, 'config.yml');
    await writeFile(config, configuration(join(directory, 'data'), host, more));
    const child = spawn(PROGRAM, ['serve', config], {
      stdio: 'ignore',
      env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
    });
    if (await answers(host, child)) {
      return {
        host,
        async stop() {
          await end(child);
          await rm(directory, { recursive: true, force: true });
        },
      };
    }
    await end(child);
    if (tries === 3) throw new Error(`${PROGRAM} does not start`);
  }
}

function configuration(data: string, host: string, more: readonly string[]): string {
  return [
    'version: 0.1',
    'log: { level: error, accesslog: { disabled: true } }',
    `storage: { filesystem: { rootdirectory: ${JSON.stringify(data)} }, delete: { enabled: true } }`,
    `http: { addr: ${JSON.stringify(host)} }`,
    ...more,
    '',
  ].join('\n');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

async function answers(host: string, child: ChildProcess): Promise<boolean> {
  for (let tries = 0; tries < 200 && child.exitCode === null; tries++) {
    const ready = await fetch(`http://${host}/v2/`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) return true;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
