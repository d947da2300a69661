import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peer, type Peer } from '../support/peers.ts';
import { said } from '../support/processes.ts';
import { type Expected, type Form } from './bundleForms.ts';
import { readJson, runSkopeo, sha256, skopeo, skopeoTakes, tar, umoci, type ManifestJson } from './support.ts';

/** What a reader has of an image: the digest of its root, or of the manifest of linux/amd64, or its config alone. */
export interface Taken {
  readonly digest?: string | undefined;
  readonly manifest?: string | undefined;
  readonly config?: string | undefined;
}

/** A tool that takes what ocl wrote. */
export interface Reader {
  /** With the version that was run. */
  readonly name: string;
  /** Why it does not run here. */
  readonly why: string | undefined;
  readonly start: (directory: string, registry: string) => Promise<RunningReader>;
}

export interface RunningReader {
  /** All images at once, by their full names. @throws when it cannot */
  readonly all?: (form: Form) => Promise<ReadonlyMap<string, Taken>>;
  /** One image: the only one of a form, or one by its name. @throws when it cannot */
  readonly one?: (form: Form, image: Expected, named: boolean) => Promise<Taken>;
  readonly stop: () => Promise<void>;
}

const optional = { optional: true } as const;
const crane = peer('crane', { probe: ['version'], ...optional });
const oras = peer('oras', { probe: ['version'], ...optional });
const regctl = peer('regctl', { probe: ['version'], ...optional });
const podman = peer('podman', optional);
const ctr = peer('ctr', optional);

const nothing = async (): Promise<void> => {};
let count = 0;

/** The words `major.minor` of what a program says of its version. */
function versionOf(program: Peer, args: readonly string[]): string {
  return program.missing ? '' : (/\d+\.\d+/.exec(program.run(args))?.[0] ?? '');
}

function named(name: string, program: Peer, args: readonly string[] = ['--version']): Pick<Reader, 'name' | 'why'> {
  const version = versionOf(program, args);
  return { name: version === '' ? name : `${name} ${version}`, why: program.missing ? program.note.trim() : undefined };
}

/** A tar file as a directory, for who reads nothing else. */
function unpacked(form: Form, directory: string): string {
  if (form.kind === 'directory') return form.path;
  const to = join(directory, `unpacked-${count++}`);
  mkdirSync(to);
  tar.run(['-xf', form.path, '-C', to]);
  return to;
}

/** Names as the entries of `index.json` have them: tags, or full names where there are several repositories. */
const refNames = (form: Form, image: Expected): string => (form.images.length > 1 ? image.name : image.tag);

const skopeoOf = (transport: 'oci' | 'docker'): Reader => ({
  ...named(transport === 'oci' ? 'skopeo, OCI' : 'skopeo, docker-archive', skopeo),
  start: (directory) =>
    Promise.resolve({
      one(form, image, isNamed) {
        const target = join(directory, `skopeo-${count++}`);
        const scheme = transport === 'docker' ? 'docker-archive' : form.kind === 'file' ? 'oci-archive' : 'oci';
        const name = transport === 'docker' ? image.name : refNames(form, image);
        const place = `${scheme}:${form.path}${isNamed ? `:${name}` : ''}`;
        if (transport === 'oci') return Promise.resolve({ digest: skopeoTakes(place, target).root });
        runSkopeo('copy', '--quiet', place, `dir:${target}`);
        return Promise.resolve({ config: (readJson(join(target, 'manifest.json')) as ManifestJson).config.digest });
      },
      stop: nothing,
    }),
});

interface PodmanImage {
  readonly Id: string;
  readonly Digest: string;
  readonly Names?: readonly string[];
}

/** A place of its own, with a short name: podman refuses a runroot of more than 50 characters. */
function podmanPlace(): { readonly options: readonly string[]; readonly remove: () => void } {
  const root = mkdtempSync(join(tmpdir(), 'pod'));
  return {
    options: ['--root', join(root, 's'), '--runroot', join(root, 'r'), '--storage-driver', 'vfs'],
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

const podmanReader: Reader = {
  ...named('podman load', podman),
  why: podman.missing ? podman.note.trim() : whyNoPodman(),
  start() {
    const { options, remove } = podmanPlace();
    const run = (...args: readonly string[]): string => podman.run([...options, ...args]);
    return Promise.resolve({
      all(form) {
        try {
          run('load', '--quiet', '--input', form.path);
          const images = JSON.parse(run('images', '--format', 'json')) as readonly PodmanImage[];
          return Promise.resolve(
            new Map(
              images.flatMap(({ Id, Digest, Names = [] }) =>
                Names.map((name) => [name, { digest: Digest, config: `sha256:${Id}` }] as const),
              ),
            ),
          );
        } finally {
          podman.tries([...options, 'rmi', '--all', '--force']);
        }
      },
      stop: () => Promise.resolve(remove()),
    });
  },
};

/** It needs rights that a container seldom has. */
function whyNoPodman(): string | undefined {
  const { options, remove } = podmanPlace();
  const { status } = podman.tries([...options, 'info']);
  remove();
  return status === 0 ? undefined : 'podman does not run here';
}

const containerdReader: Reader = {
  ...named('ctr images import', ctr),
  why: ctr.missing ? ctr.note.trim() : process.getuid?.() === 0 ? undefined : 'containerd needs root',
  async start(directory) {
    const socket = join(directory, 'containerd.sock');
    const config = [
      'version = 2',
      `root = ${JSON.stringify(join(directory, 'containerd'))}`,
      `state = ${JSON.stringify(join(directory, 'containerd-state'))}`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]',
      `[grpc]\naddress = ${JSON.stringify(socket)}`,
      `[ttrpc]\naddress = ${JSON.stringify(`${socket}.ttrpc`)}`,
    ];
    writeFileSync(join(directory, 'containerd.toml'), config.join('\n'));
    const server = spawn('containerd', ['--config', join(directory, 'containerd.toml')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await said(server.stderr, /successfully booted/);
    const run = (...args: readonly string[]): string => ctr.run(['--address', socket, ...args]);
    return {
      all(form) {
        run('images', 'import', '--all-platforms', '--no-unpack', form.path);
        const rows = run('images', 'ls').trim().split('\n').slice(1);
        const images = rows.map((row) => row.split(/\s+/)).map(([name = '', , digest = '']) => [name, digest] as const);
        const taken = images.map(([name, digest]) => {
          const { config } = JSON.parse(run('content', 'get', digest)) as Partial<ManifestJson>;
          return [name, { digest, config: config?.digest }] as const;
        });
        for (const [name] of images) run('images', 'rm', name);
        return Promise.resolve(new Map(taken));
      },
      stop: () => ended(server),
    };
  },
};

async function ended(server: ChildProcess): Promise<void> {
  await new Promise((done) => {
    server.once('exit', done);
    server.kill();
  });
}

const umociReader: Reader = {
  ...named('umoci, unpacked', umoci),
  start: (directory) =>
    Promise.resolve({
      one(form, image) {
        const layout = unpacked(form, directory);
        const bundle = join(directory, `umoci-${count++}`);
        umoci.run(['unpack', '--rootless', '--image', `${layout}:${refNames(form, image)}`, bundle]);
        const [, hex = ''] = /^sha256_([0-9a-f]{64})\.mtree$/m.exec(readdirSync(bundle).join('\n')) ?? [];
        return Promise.resolve({ manifest: `sha256:${hex}` });
      },
      stop: nothing,
    }),
};

/** What arrived in a registry. */
async function inRegistry(registry: string, name: string): Promise<Taken> {
  const [repository = '', tag = ''] = name.split(':');
  const answer = await fetch(`http://${registry}/v2/${repository}/manifests/${tag}`, {
    headers: { accept: '*/*' },
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const { config } = JSON.parse(bytes.toString()) as Partial<ManifestJson>;
  return { digest: sha256(bytes), config: config?.digest };
}

/** A tool that pushes one image of a file to a registry. */
function pushing(
  base: Pick<Reader, 'name' | 'why'>,
  push: (
    form: Form,
    image: Expected,
    to: { readonly registry: string; readonly name: string; readonly isNamed: boolean },
  ) => void,
): Reader {
  return {
    ...base,
    start: (_, registry) =>
      Promise.resolve({
        async one(form, image, isNamed) {
          const name = `pushed/image${count++}:1`;
          push(form, image, { registry, name, isNamed });
          return await inRegistry(registry, name);
        },
        stop: nothing,
      }),
  };
}

const craneReader = pushing(named('crane push', crane, ['version']), ({ path }, _, { registry, name, isNamed }) => {
  if (isNamed) throw new Error('crane push takes no name');
  crane.run(['push', '--insecure', path, `${registry}/${name}`]);
});

const orasReader = pushing(
  named('oras copy', oras, ['version']),
  (form, image, { registry, name }) =>
    void oras.run([
      'copy',
      '--to-plain-http',
      '--from-oci-layout',
      `${form.path}:${refNames(form, image)}`,
      `${registry}/${name}`,
    ]),
);

const regctlReader = pushing(
  named('regctl image import', regctl, ['version', '--format', '{{.VCSTag}}']),
  (form, image, { registry, name, isNamed }) => {
    const home = mkdtempSync(join(tmpdir(), 'ocl-regctl-'));
    try {
      const env = { REGCTL_CONFIG: join(home, 'config.json') };
      regctl.run(['registry', 'set', '--tls', 'disabled', registry], { env });
      const which = isNamed ? ['--name', refNames(form, image)] : [];
      regctl.run(['image', 'import', ...which, `${registry}/${name}`, form.path], { env });
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  },
);

export const READERS: readonly Reader[] = [
  skopeoOf('oci'),
  skopeoOf('docker'),
  podmanReader,
  containerdReader,
  umociReader,
  craneReader,
  orasReader,
  regctlReader,
];
