import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Pair } from './certificates.ts';

export interface Running {
  /** `127.0.0.1:port` */
  readonly host: string;
  stop(): Promise<void>;
}

export interface DistributionOptions {
  /** Lines of `htpasswd`, which must be bcrypt. */
  readonly htpasswd?: string | undefined;
  /** `authority` is PEM: clients must show a certificate of it. */
  readonly tls?: (Pair & { readonly authority?: string | undefined }) | undefined;
  /** `authority` is PEM: tokens must be signed by a certificate of it. */
  readonly token?: { readonly realm: string; readonly service: string; readonly authority: string } | undefined;
  /** False: DELETE is switched off, as it is where nothing is configured. */
  readonly deletes?: boolean | undefined;
  /** Lines of its configuration besides. */
  readonly more?: readonly string[] | undefined;
}

/** A registry of the distribution project (`docker-registry`, `registry`) on a free port, with a directory of its own. */
export async function startDistribution(program: string, options: DistributionOptions = {}): Promise<Running> {
  const directory = await mkdtemp(join(tmpdir(), 'ocl-registry-'));
  const sections = [...(await authOf(options, directory)), ...(options.more ?? [])];
  const tls = await tlsOf(options, directory);
  return await startOnFreePort(program, directory, async (host) => {
    const config = join(directory, 'config.yml');
    const lines = [
      'version: 0.1',
      'log: { level: error, accesslog: { disabled: true } }',
      `storage: { filesystem: { rootdirectory: ${text(join(directory, 'data'))} }, delete: { enabled: ${options.deletes !== false} } }`,
      `http: { addr: ${text(host)}${tls} }`,
      ...sections,
      '',
    ];
    await writeFile(config, lines.join('\n'));
    return ['serve', config];
  });
}

/**
 * Starts a server of somebody else and waits until its port is open. A port that another took in between is changed for a new one.
 * @param directory is gone when it has stopped
 * @param prepare writes the configuration for `127.0.0.1:port`; answers the arguments
 */
export async function startOnFreePort(
  program: string,
  directory: string,
  prepare: (host: string) => Promise<readonly string[]>,
): Promise<Running> {
  let last = '';
  for (let tries = 1; tries <= 3; tries++) {
    const port = await freePort();
    const args = await prepare(`127.0.0.1:${port}`);
    const child = spawn(program, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' },
    });
    child.on('error', (error) => (last = error.message));
    child.stderr.on('data', (chunk: Buffer) => (last = `${last}${chunk.toString()}`.slice(-1000)));
    if (await isOpen(port, child)) {
      return {
        host: `127.0.0.1:${port}`,
        async stop() {
          await end(child);
          await rm(directory, { recursive: true, force: true });
        },
      };
    }
    await end(child);
  }
  await rm(directory, { recursive: true, force: true });
  throw new Error(`${program} does not start: ${last}`);
}

async function authOf({ htpasswd, token }: DistributionOptions, directory: string): Promise<readonly string[]> {
  if (htpasswd !== undefined) {
    const file = join(directory, 'htpasswd');
    await writeFile(file, htpasswd);
    return [`auth: { htpasswd: { realm: test, path: ${text(file)} } }`];
  }
  if (token === undefined) return [];
  const bundle = join(directory, 'tokens.pem');
  await writeFile(bundle, token.authority);
  const { realm, service } = token;
  return [
    `auth: { token: { realm: ${text(realm)}, service: ${service}, issuer: test, rootcertbundle: ${text(bundle)} } }`,
  ];
}

async function tlsOf({ tls }: DistributionOptions, directory: string): Promise<string> {
  if (tls === undefined) return '';
  const [certificate, key, authority] = ['server.crt', 'server.key', 'clients.crt'].map((name) =>
    join(directory, name),
  );
  await writeFile(certificate ?? '', tls.cert);
  await writeFile(key ?? '', tls.key);
  await writeFile(authority ?? '', tls.authority ?? '');
  const clients = tls.authority === undefined ? '' : `, clientcas: [${text(authority)}]`;
  return `, tls: { certificate: ${text(certificate)}, key: ${text(key)}${clients} }`;
}

/** A text for YAML, of which JSON is a part. */
function text(value: string | undefined): string {
  return JSON.stringify(value);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port was given');
  return address.port;
}

/** Any answer is one, a refusal or an error of TLS too. */
async function isOpen(port: number, child: ChildProcess): Promise<boolean> {
  for (let tries = 0; tries < 400 && child.exitCode === null && child.pid !== undefined; tries++) {
    const ready = await new Promise<boolean>((done) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('connect', () => done(true)).once('error', () => done(false));
      socket.once('connect', () => socket.destroy());
    });
    if (ready) return child.exitCode === null;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}
