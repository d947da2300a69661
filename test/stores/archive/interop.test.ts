import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { parseManifest } from '../../../src/core/manifest.ts';
import { type LocalSource } from '../../../src/core/store.ts';
import { digestOf, readVerified } from '../../../src/io/verify.ts';
import { openArchive } from '../../../src/stores/archive/reader.ts';
import { Content } from '../../support/content.ts';
import { peer } from '../../support/peers.ts';
import { writeArchive } from './support.ts';

const skopeo = peer('skopeo');
const umoci = peer('umoci');
const tar = peer('tar');
const AMD = { os: 'linux', architecture: 'amd64' };
const ARM = { os: 'linux', architecture: 'arm64' };

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocl-interop-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Every blob below an image, each verified; returns their digests. */
async function readAll(source: LocalSource, root: Descriptor): Promise<string[]> {
  const manifest = parseManifest(await readVerified(await source.open(root), root, 1 << 20), root.mediaType, 'test');
  const children =
    manifest.kind === 'index'
      ? manifest.manifests
      : [...(manifest.config === undefined ? [] : [manifest.config]), ...manifest.layers];
  const found: string[] = [root.digest];
  for (const child of children) {
    if (manifest.kind === 'index') found.push(...(await readAll(source, child)));
    else {
      await readVerified(await source.open(child), child, 1 << 24);
      found.push(child.digest);
    }
  }
  return found;
}

function several(): { content: Content; multi: Descriptor; app: Descriptor; plain: Descriptor } {
  const content = new Content();
  const multi = content.platforms([ARM, AMD], { layers: ['base', 'top'] });
  return {
    content,
    multi,
    app: content.image({ layers: ['base', 'app'] }),
    plain: content.image({ layers: ['raw'], compression: 'none' }),
  };
}

function run(...args: string[]): string {
  return skopeo.run(['--insecure-policy', ...args]);
}

describe.skipIf(skopeo.missing)(`skopeo reads what ocl writes${skopeo.note}`, () => {
  it('one image, as a layout and as a docker archive', async () => {
    const { content, app } = several();
    const path = join(dir, 'one.tar');
    await writeArchive({ path }, content, [
      { root: app, name: { tag: '1.0', imageName: 'registry.example/team/app:1.0' } },
    ]);
    expect((JSON.parse(run('inspect', `oci-archive:${path}:1.0`)) as { Digest: string }).Digest).toBe(app.digest);
    expect((JSON.parse(run('inspect', `oci-archive:${path}`)) as { Digest: string }).Digest).toBe(app.digest);
    const docker = JSON.parse(run('inspect', `docker-archive:${path}`)) as { RepoTags: string[]; Layers: string[] };
    const byName = JSON.parse(run('inspect', `docker-archive:${path}:registry.example/team/app:1.0`)) as {
      Layers: string[];
    };
    expect(docker.Layers).toEqual(byName.Layers);
    run('copy', '--preserve-digests', `oci-archive:${path}:1.0`, `oci:${join(dir, 'one')}:1.0`);
    const index = JSON.parse(await readFile(join(dir, 'one/index.json'), 'utf8')) as { manifests: Descriptor[] };
    expect(index.manifests.map(({ digest }) => digest)).toEqual([app.digest]);
    run('copy', `docker-archive:${path}`, `dir:${join(dir, 'one-docker')}`);
  });

  it('many images and platforms, by their names', async () => {
    const { content, multi, app, plain } = several();
    const path = join(dir, 'many.tar');
    await writeArchive({ path }, content, [
      { root: multi, name: { tag: 'latest', imageName: 'docker.io/library/multi:latest' } },
      { root: app, name: { tag: 'latest', imageName: 'docker.io/team/app:latest' } },
      { root: plain, name: { tag: '2', imageName: 'ghcr.io/team/plain:2' } },
    ]);
    expect(
      (JSON.parse(run('inspect', `oci-archive:${path}:docker.io/team/app:latest`)) as { Digest: string }).Digest,
    ).toBe(app.digest);
    expect((JSON.parse(run('inspect', `oci-archive:${path}:ghcr.io/team/plain:2`)) as { Digest: string }).Digest).toBe(
      plain.digest,
    );
    run(
      'copy',
      '--all',
      '--preserve-digests',
      `oci-archive:${path}:docker.io/library/multi:latest`,
      `oci:${join(dir, 'multi')}:x`,
    );
    const index = JSON.parse(await readFile(join(dir, 'multi/index.json'), 'utf8')) as { manifests: Descriptor[] };
    expect(index.manifests[0]?.digest).toBe(multi.digest);
    for (const name of ['multi:latest', 'team/app:latest', 'ghcr.io/team/plain:2']) {
      const target = join(dir, `docker-${name.replaceAll(/[/:]/g, '-')}`);
      run('copy', `docker-archive:${path}:${name}`, `dir:${target}`);
      expect((await readdir(target)).length).toBeGreaterThan(2);
    }
  });
});

describe.skipIf(skopeo.missing)(`ocl reads what skopeo writes${skopeo.note}`, () => {
  it('an oci-archive', async () => {
    const { content, multi } = several();
    const path = join(dir, 'source.tar');
    await writeArchive({ path }, content, [{ root: multi, name: { tag: '1' } }]);
    const copied = join(dir, 'copied.tar');
    run(
      'copy',
      '--all',
      '--preserve-digests',
      `oci-archive:${path}:1`,
      `oci-archive:${copied}:docker.io/library/demo:1`,
    );
    const source = await openArchive(copied, { tmpDir: dir });
    const root = await source.resolve('demo:1');
    expect(root.digest).toBe(multi.digest);
    expect(await readAll(source, root)).toHaveLength(1 + 2 * 5);
    await source.close();
  });

  it('a docker-archive, whose layers are plain', async () => {
    const { content, app, plain } = several();
    const path = join(dir, 'source2.tar');
    await writeArchive({ path }, content, [
      { root: app, name: { tag: 'app' } },
      { root: plain, name: { tag: 'plain' } },
    ]);
    const copied = join(dir, 'docker.tar');
    run('copy', `oci-archive:${path}:app`, `docker-archive:${copied}:docker.io/library/demo:1`);
    const source = await openArchive(copied, { tmpDir: dir });
    expect(source.kind).toBe('docker');
    const root = await source.resolve('demo:1');
    const config = parseManifest(content.bytes(app), undefined, 'test');
    const digests = await readAll(source, root);
    expect(digests).toHaveLength(4);
    expect(config.kind === 'manifest' && config.config?.digest).toBeTruthy();
    expect(root.platform).toEqual({ architecture: 'amd64', os: 'linux' });
    await source.close();
  });
});

it.skipIf(umoci.missing || tar.missing)(
  `umoci unpacks what tar unpacks of an archive${umoci.note}${tar.note}`,
  async () => {
    const { content, app } = several();
    const path = join(dir, 'umoci.tar');
    await writeArchive({ path }, content, [{ root: app, name: { tag: '1.0' } }]);
    const layout = await mkdtemp(join(dir, 'layout-'));
    tar.run(['-xf', path, '-C', layout]);
    expect(JSON.parse(umoci.run(['stat', '--image', `${layout}:1.0`, '--json']))).toHaveProperty('history');
    const bundle = join(dir, 'bundle');
    umoci.run(['unpack', '--rootless', '--image', `${layout}:1.0`, bundle]);
    expect(await readFile(join(bundle, 'rootfs/file-0'), 'utf8')).toBe('base');
    expect(await readFile(join(bundle, 'rootfs/file-1'), 'utf8')).toBe('app');
    const mode = (await stat(join(layout, 'blobs/sha256', app.digest.slice(7)))).mode & 0o777;
    expect(mode & 0o222).toBe(0);

    umoci.run(['config', '--image', `${layout}:1.0`, '--tag', '2.0', '--config.env', 'A=B']);
    const packed = join(dir, 'packed.tar');
    tar.run(['-C', layout, '-cf', packed, '.']);
    const source = await openArchive(packed, { tmpDir: dir });
    const root = await source.resolve('2.0');
    expect(root.digest).not.toBe(app.digest);
    expect(await readAll(source, root)).toHaveLength(4);
    await source.close();
  },
);

it.skipIf(tar.missing)(`GNU tar finds nothing to complain about${tar.note}`, async () => {
  const { content, multi } = several();
  const bytes = Buffer.from('long');
  const long = { mediaType: 'text/plain', digest: digestOf(bytes, 'sha512'), size: bytes.length };
  content.blobs.set(long.digest, { descriptor: long, bytes });
  const path = join(dir, 'gnu.tar');
  await writeArchive({ path }, content, [{ root: multi, name: { tag: '1' } }]);
  const { status, stdout, stderr } = tar.tries(['-tvf', path], { env: { TZ: 'UTC' } });
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout.split('\n')[0]).toMatch(/^-rw-r--r-- 0\/0 +30 1970-01-01 00:00 oci-layout$/);
  expect(stdout).toContain(`blobs/sha512/${long.digest.slice(7)}`);
});
