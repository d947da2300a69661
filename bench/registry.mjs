// Debian's docker-registry (distribution), in a directory and on a port of its own.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class Registry {
  host;
  #root;
  #binary;
  #child;

  /** @param root keeps its storage between starts */
  constructor(binary, root) {
    this.#binary = binary;
    this.#root = root;
  }

  get storage() {
    return join(this.#root, 'storage');
  }

  async start() {
    mkdirSync(this.storage, { recursive: true });
    this.host ??= `127.0.0.1:${await freePort()}`;
    const config = join(this.#root, 'config.yml');
    writeFileSync(
      config,
      `version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: ${JSON.stringify(this.storage)}
    maxthreads: 100
  delete:
    enabled: true
  cache:
    blobdescriptor: inmemory
http:
  addr: ${this.host}
`,
    );
    const log = openSync(join(this.#root, 'log'), 'w');
    const child = spawn(this.#binary, ['serve', config], { stdio: ['ignore', log, log] });
    closeSync(log);
    child.on('error', () => {}).on('close', () => running.delete(child));
    running.add(child);
    this.#child = child;
    for (let attempt = 0; attempt < 200; attempt++) {
      if (child.exitCode !== null) break;
      const answer = await fetch(`http://${this.host}/v2/`).catch(() => undefined);
      if (answer?.ok === true) return this;
      await sleep(25);
    }
    throw new Error(`Cannot start ${this.#binary}: ${readFileSync(join(this.#root, 'log'), 'utf8').slice(0, 500)}`);
  }

  async stop() {
    const child = this.#child;
    if (!running.has(child)) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGTERM');
    const deadline = setTimeout(() => child.kill('SIGKILL'), 5000);
    await closed;
    clearTimeout(deadline);
  }

  /** The same address, holding nothing. */
  async empty() {
    await this.stop();
    rmSync(this.storage, { recursive: true, force: true });
    await this.start();
  }

  /** Remembers all that it holds in a directory. */
  async keep(directory) {
    await this.stop();
    rmSync(directory, { recursive: true, force: true });
    spawnSync('cp', ['-a', this.storage, directory]);
    await this.start();
  }

  /** The same address, holding what was kept. */
  async restore(directory) {
    await this.stop();
    rmSync(this.storage, { recursive: true, force: true });
    spawnSync('cp', ['-a', directory, this.storage]);
    await this.start();
  }

  /** The digest that a tag has, or undefined. */
  async digest(repository, tag) {
    const answer = await fetch(`http://${this.host}/v2/${repository}/manifests/${tag}`, {
      method: 'HEAD',
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    return answer.headers.get('docker-content-digest') ?? undefined;
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
