import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BundleInspection } from '../../src/artifact/cnab/inspect.ts';
import { EXIT, EXIT_OF } from '../../src/cli/exit.ts';
import { Copier } from '../../src/copy/copier.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { describe as descriptorOf } from '../../src/io/verify.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { bundleFile, CONFIG, cnabIndex, DATABASE, INVOCATION, WEB, type CnabThing } from '../artifact/cnabThings.ts';
import { createAuthority } from '../support/certificates.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { startConnectProxy } from '../support/connectProxy.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import { newLayout } from '../support/layouts.ts';

let root = '';
let server: Embedded;
let near: CnabThing;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ocl-cnab-test-'));
  server = await startEmbedded(createMemoryLibrary());
  near = cnabIndex();
  await lay(near, 'near');
});
afterAll(async () => {
  await server.close();
  await rm(root, { recursive: true, force: true });
});

async function lay({ store, root: index }: Pick<CnabThing, 'store' | 'root'>, name: string): Promise<void> {
  const layout = await newLayout(join(root, name));
  const copier = new Copier({ clock: systemClock, emit: () => {} });
  await copier.copy({ from: store, to: layout, root: index, name: { tag: '1.0' }, image: name });
  await layout.commit();
  await layout.close();
}

const relocate = (...args: readonly string[]) => ['cnab', 'relocate', ...args, '--plain-http', server.host];

async function inspect(place: string): Promise<BundleInspection> {
  const { stdout } = await oclDone(['cnab', 'inspect', place, '--json', '--plain-http', server.host], { cwd: root });
  return jsonLines<BundleInspection>(stdout)[0] as BundleInspection;
}

describe('a CNAB bundle', () => {
  const digests = () => near.images.map(({ digest }) => digest);
  const mapOf = (repository: string) => {
    const [invocation, web, database] = digests();
    return {
      [INVOCATION]: `${repository}@${invocation}`,
      [WEB]: `${repository}@${web}`,
      [DATABASE]: `${repository}@${database}`,
    };
  };

  it('goes into a registry as it is, with a relocation map', async () => {
    await oclDone(relocate('ocidir://near:1.0', `${server.host}/far/shop:1.0`, '--relocation-map', 'map.json'), {
      cwd: root,
    });
    expect(JSON.parse(await readFile(join(root, 'map.json'), 'utf8'))).toEqual(mapOf(`${server.host}/far/shop`));
    const found = await inspect(`${server.host}/far/shop:1.0`);
    expect(found).toMatchObject({ form: 'index', digest: near.root.digest, name: 'shop' });
    expect(found.images.map(({ where }) => where)).toEqual(['here', 'here', 'here']);
  });

  it('goes into a thick archive that others read, and out of it again', async () => {
    await oclDone(relocate(`${server.host}/far/shop:1.0`, 'shop.tgz'), { cwd: root });
    expect((await readdir(root)).filter((name) => name.startsWith('.ocl'))).toEqual([]);
    await mkdir(join(root, 'unpacked'));
    execFileSync('tar', ['-xzf', join(root, 'shop.tgz'), '-C', join(root, 'unpacked')]);
    const layout = join(root, 'unpacked', 'artifacts', 'layout');
    const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as {
      manifests: { digest: string; annotations: Record<string, string> }[];
    };
    const names = index.manifests.map(({ digest, annotations }) => [
      annotations['org.opencontainers.image.ref.name'],
      digest,
    ]);
    const [invocation, web, database] = digests();
    expect(Object.fromEntries(names)).toEqual({ [INVOCATION]: invocation, [WEB]: web, [DATABASE]: database });
    expect(JSON.parse(await readFile(join(root, 'unpacked', 'bundle.json'), 'utf8'))).toEqual(bundleFile());
    expect((await oclDone(['check', layout])).status).toBe(0);

    const again = await oclDone(relocate('shop.tgz', `${server.host}/again/shop:1.0`), { cwd: root });
    expect(JSON.parse(again.stdout)).toEqual(mapOf(`${server.host}/again/shop`));
    const found = await inspect(`${server.host}/again/shop:1.0`);
    expect(found).toMatchObject({ form: 'index', name: 'shop', configMediaType: CONFIG });
    expect(found.images.map(({ digest }) => digest)).toEqual([invocation, database, web]);
    expect(await inspect('./shop.tgz')).toMatchObject({
      form: 'thick',
      images: [{ by: 'name' }, { by: 'name' }, { by: 'name' }],
    });
    const twice = await ocl(relocate('shop.tgz', 'shop.tgz'), { cwd: root });
    expect(twice.status).toBe(EXIT_OF.OCL_EXISTS);
    const { status, stderr } = await ocl(['ls', 'shop.tgz'], { cwd: root });
    expect([status, stderr]).toEqual([EXIT_OF.OCL_ARCHIVE_INVALID, expect.stringContaining('ocl cnab inspect')]);
  });

  it.each([
    ['in a thick archive', () => 'shop.tgz', 'oci'],
    ['in a registry, from where Clair fetches them', () => `${server.host}/far/shop:1.0`, 'clair'],
  ])('has images that are scanned %s', async (_, place, form) => {
    const scanner = form === 'oci' ? 'syft' : form;
    const args = ['scan-input', place(), '--for', scanner, '-o', `scan-${form}`, '--json'];
    const { stdout } = await oclDone(args, { cwd: root });
    const inputs = jsonLines<{ inputs: { digest: string; path: string }[] }>(stdout).at(-1)?.inputs ?? [];
    expect(new Set(inputs.map(({ digest }) => digest))).toEqual(new Set(digests()));
    if (form === 'oci') return;
    const request = await readFile(join(root, `scan-${form}`, inputs[0]?.path ?? ''), 'utf8');
    expect(request).toContain(`"uri": "http://${server.host}/v2/far/shop/blobs/sha256:`);
  });

  it('without its images is shown, and goes nowhere', async () => {
    await writeFile(join(root, 'bundle.json'), toJsonBytes(bundleFile()));
    const { stdout } = await oclDone(['cnab', 'inspect', 'bundle.json'], { cwd: root });
    expect(stdout).toMatch(/^Bundle: {2}shop 1\.0\.0\n/);
    expect(stdout).toContain('3 images elsewhere: ocl cnab relocate --include-foreign');
    const refused = await ocl(relocate('bundle.json', 'ocidir://nowhere:1.0'), { cwd: root });
    expect(refused).toMatchObject({
      status: EXIT.notFound,
      stderr: expect.stringContaining('--include-foreign fetches them'),
    });
    expect(existsSync(join(root, 'nowhere', 'index.json'))).toBe(false);
  });

  it.each([
    [['near.tgz', '--relocation-map', 'm.json'], 'in an archive images keep their names'],
    [['oci-archive:x.tar'], 'it is neither a repository nor a layout'],
  ])('is not relocated to %j', async (args, why) => {
    const { status, stderr } = await ocl(relocate('ocidir://near:1.0', ...args), { cwd: root });
    expect([status, stderr]).toEqual([EXIT.usage, expect.stringContaining(why)]);
  });

  it('an image is none', async () => {
    const { status, stderr } = await ocl(['cnab', 'inspect', `ocidir://near@${digests()[0]}`], { cwd: root });
    expect([status, stderr]).toEqual([EXIT.unsupported, expect.stringContaining('as a CNAB bundle: it is no index')]);
  });
});

describe('foreign layers', () => {
  it('are listed, and fetched when that is asked for, from addresses of the internet alone', async () => {
    const content = Buffer.from('what its maker keeps');
    const authority = createAuthority();
    const web = createTlsServer(authority.server(['layers.example']), (request, response) => {
      response.writeHead(request.url === '/layer' ? 200 : 404).end(request.url === '/layer' ? content : '');
    });
    await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    const proxy = await startConnectProxy();
    try {
      const store = createMemory();
      const urls = [`https://layers.example:${(web.address() as AddressInfo).port}/layer`];
      const layer = { ...descriptorOf(content, MEDIA.dockerForeignLayerGzip), urls };
      const config = store.putBytes(toJsonBytes({ os: 'windows', architecture: 'amd64' }), MEDIA.ociConfig);
      const put = (value: object, type: string) =>
        store.putBytes(toJsonBytes({ schemaVersion: 2, mediaType: type, ...value }), type);
      const image = put({ config, layers: [layer] }, MEDIA.ociManifest);
      const file = {
        ...bundleFile(),
        invocationImages: [{ image: INVOCATION, contentDigest: image.digest }],
        images: {},
      };
      const bundle = put({ config: store.putBytes(toJsonBytes(file), CONFIG), layers: [] }, MEDIA.ociManifest);
      await lay({ store, root: put({ manifests: [bundle, image] }, MEDIA.ociIndex) }, 'windows');

      const { stdout } = await oclDone(['cnab', 'inspect', 'ocidir://windows:1.0'], { cwd: root });
      expect(stdout).toMatch(/^Foreign layers .*\n {2}sha256:[0-9a-f]{64} +20 B {2}https:\/\/layers\.example:/m);
      const blob = (directory: string) =>
        join(root, directory, 'blobs', 'sha256', layer.digest.slice('sha256:'.length));
      await oclDone(relocate('ocidir://windows:1.0', 'ocidir://without:1.0'), { cwd: root });
      expect(existsSync(blob('without'))).toBe(false);

      await writeFile(join(root, 'ca.pem'), authority.cert);
      const env = { SSL_CERT_FILE: join(root, 'ca.pem'), HTTPS_PROXY: proxy.url };
      const withAll = relocate('ocidir://windows:1.0', 'ocidir://with:1.0', '--include-foreign');
      await oclDone(withAll, { cwd: root, env });
      expect(await readFile(blob('with'))).toEqual(content);
      // Without the proxy the name leads nowhere, and an address inside would be refused.
      const alone = await ocl(relocate('ocidir://windows:1.0', 'ocidir://alone:1.0', '--include-foreign'), {
        cwd: root,
      });
      expect([EXIT.network, EXIT.content]).toContain(alone.status);
      expect(existsSync(blob('alone'))).toBe(false);
    } finally {
      await proxy.close();
      web.closeAllConnections();
      web.close();
    }
  });
});
