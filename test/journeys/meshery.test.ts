import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Listed } from '../../src/artifact/list.ts';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { jsonLines, ocl, oclDone, type CliResult } from '../support/cli.ts';
import { Content } from '../support/content.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import { newCopier } from '../support/worlds.ts';
import { createMemory } from '../../src/stores/memory/store.ts';

let directory: string;
let near: Embedded;
let far: Embedded;
const images: Record<string, Descriptor> = {};
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ocl-meshery-'));
  const library = createMemoryLibrary();
  near = await startEmbedded(library);
  far = await startEmbedded(createMemoryLibrary());
  for (const name of ['web', 'job']) {
    const content = new Content();
    const root = content.image({ layers: [name] });
    const from = createMemory();
    for (const descriptor of content.descriptors) from.putBytes(content.bytes(descriptor), descriptor.mediaType);
    const to = await library.sink(`team/${name}`);
    await newCopier().copy({ from, to, root, name: { tag: '1.0' }, image: name });
    await to.commit();
    images[name] = root;
  }
});
afterAll(async () => {
  await near.close();
  await far.close();
  await rm(directory, { recursive: true, force: true });
});

const SAMPLES = new URL('../../testdata/meshery/minimal/', import.meta.url);
function sample(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(name, SAMPLES), 'utf8')) as Record<string, unknown>;
}

async function write(name: string, value: unknown): Promise<string> {
  const path = join(directory, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify(value, undefined, 2));
  return path;
}

const run = async (...args: readonly string[]): Promise<CliResult> => await ocl(args, { cwd: directory });
const done = async (...args: readonly string[]): Promise<CliResult> => await oclDone(args, { cwd: directory });

/** A design that runs two images and is of one model. */
async function shop(name: string, ...wanted: readonly string[]): Promise<string> {
  const component = sample('component.v1beta1.json');
  const components = wanted.map((image, i) => ({
    ...component,
    displayName: `app-${i}`,
    modelReference: { name: 'acme-widget', model: { version: 'v0.1.0' } },
    model: undefined,
    configuration: { spec: { template: { spec: { containers: [{ name: 'app', image }] } } } },
  }));
  return await write(name, { ...sample('design.v1beta3.json'), name: 'Shop', version: '1.0.0', components });
}

async function models(): Promise<string> {
  await write('models/acme-widget/v0.1.0/v1.0.0/model.json', sample('model.json'));
  await write('models/acme-widget/v0.1.0/v1.0.0/components/Widget.json', sample('component.v1beta1.json'));
  return join(directory, 'models');
}

/** The images that a design on disk runs, each with the digest that its registry gives. */
async function pulled(path: string): Promise<Readonly<Record<string, string | null>>> {
  const text = await readFile(path, 'utf8');
  const found: Record<string, string | null> = {};
  for (const [, image = ''] of text.matchAll(/"image": "([^"]+)"/g)) {
    const [, host = '', repository = '', tag = ''] = /^([^/]+)\/(.+):([^:/]+)$/.exec(image) ?? [];
    const answer = await fetch(`http://${host}/v2/${repository}/manifests/${tag}`);
    found[image] = answer.headers.get('docker-content-digest');
  }
  return found;
}

describe('a design crosses the gap with all that it needs', () => {
  it('by a layout, ocl export and ocl import, and runs from the registry there', async () => {
    await shop('shop.json', `${near.host}/team/web:1.0`, `${near.host}/team/job:1.0`);
    await done('mesh', 'bundle', 'shop.json', 'ocidir://carry', '--models', await models());
    await done('export', './carry', '-o', 'carried.tar');
    await done('check', 'carried.tar');
    // From here on the near side is out of reach.
    await done('import', 'carried.tar', `${far.host}/mirror`);
    const { stderr } = await done('mesh', 'pull', 'carried.tar', '-o', 'out', '--registry', `${far.host}/mirror`);
    expect(stderr).toContain(`${near.host}/team/web:1.0 -> ${far.host}/mirror/team/web:1.0`);
    expect(await pulled(join(directory, 'out/designs/shop/1.0.0/shop.json'))).toEqual({
      [`${far.host}/mirror/team/web:1.0`]: images['web']?.digest,
      [`${far.host}/mirror/team/job:1.0`]: images['job']?.digest,
    });
    const listed = jsonLines<readonly Listed[]>((await done('ls', 'carried.tar', '--json')).stdout).flat();
    expect(listed.map(({ reference }) => reference)).toEqual(
      expect.arrayContaining(['bundles/shop:1.0.0', 'designs/shop:1.0.0', 'models/acme-widget:v0.1.0-v1.0.0']),
    );
    for (const path of [
      'designs/shop/manifests/1.0.0',
      'models/acme-widget/manifests/v0.1.0-v1.0.0',
      'bundles/shop/manifests/1.0.0',
    ])
      expect((await fetch(`http://${far.host}/v2/mirror/${path}`)).status).toBe(200);
  });

  it('by one repository of a registry, from which the images go to their names', async () => {
    await shop('shop2.json', `${near.host}/team/web:1.0`);
    await done('mesh', 'bundle', 'shop2.json', `${near.host}/carry/shop:1`, '--models', await models());
    await done('export', `${near.host}/carry/shop:1`, '-o', 'one.tar');
    await done('import', 'one.tar', `${far.host}/in`);
    await done('mesh', 'pull', `${far.host}/in/carry/shop:1`, '-o', 'out2', '--images-to', `${far.host}/own`);
    expect(await pulled(join(directory, 'out2/designs/shop/1.0.0/shop2.json'))).toEqual({
      [`${far.host}/own/team/web:1.0`]: images['web']?.digest,
    });
  });

  it('or does not, when a part is missing, unless that is allowed', async () => {
    const absent = `${near.host}/team/absent:1`;
    await shop('lacking.json', `${near.host}/team/web:1.0`, absent);
    const refused = await run('mesh', 'bundle', 'lacking.json', 'lacking.tar', '--models', './nowhere');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain(
      `missing image ${absent}: not in ${near.host}; needed by Widget app-1 of the design Shop`,
    );
    expect(refused.stderr).toMatch(
      /missing model acme-widget v0\.1\.0: not in \.\/nowhere \(.*\); needed by 2 parts of the design Shop/,
    );
    expect((await run('ls', 'lacking.tar')).status).not.toBe(0);
    await done('mesh', 'bundle', 'lacking.json', 'lacking.tar', '--models', './nowhere', '--allow-missing');
    const { stdout } = await done('manifest', 'get', 'oci-archive:lacking.tar:localhost/bundles/shop:1.0.0');
    expect(JSON.parse(stdout)).toMatchObject({
      annotations: {
        'io.meshery.bundle.missing': JSON.stringify([
          { role: 'model', name: 'acme-widget v0.1.0' },
          { role: 'image', name: absent },
        ]),
      },
    });
    // The design has a name of its own beside the index, and is one entity all the same.
    const pull = await done('mesh', 'pull', 'lacking.tar', '-o', 'lacking');
    expect(pull.stdout).toBe('lacking  design Shop 1.0.0, 1 file\n');
  });

  it('beside the workspace that it belongs to', async () => {
    await shop('member.json');
    await write('workspace.json', sample('workspace.v1beta3.json'));
    await done('mesh', 'bundle', 'member.json', 'workspace.json', 'workspace.tar', '--overwrite');
    const listed = jsonLines<readonly Listed[]>((await done('ls', 'workspace.tar', '--json')).stdout).flat();
    const name = String(sample('workspace.v1beta3.json')['name']);
    expect(listed.map(({ reference }) => reference)).toEqual(
      expect.arrayContaining([`workspaces/${name}:0.0.1`, 'designs/shop:1.0.0', `bundles/${name}:0.0.1`]),
    );
  });
});

describe('the life of a design in a registry', () => {
  it('is published, changed, refused, bumped, deprecated and pulled', async () => {
    const place = `${near.host}/meshery`;
    const path = await shop('life.json');
    const first = await done('mesh', 'push', 'life.json', place);
    expect(first.stdout).toMatch(/designs\/shop:1\.0\.0@sha256:[0-9a-f]{64} {2}published \(also 1, 1\.0, latest\)/);
    await writeFile(path, (await readFile(path, 'utf8')).replace('"components"', '"note": "changed", "components"'));
    const refused = await run('mesh', 'push', 'life.json', place);
    expect([refused.status, refused.stderr]).toEqual([
      expect.not.stringMatching(/^0$/),
      expect.stringMatching(/OCL_EXISTS[^]*ocl mesh bump/),
    ]);
    expect((await done('mesh', 'bump', 'life.json', '--after', place)).stdout).toContain('1.0.0 -> 1.0.1');
    expect((await done('mesh', 'push', 'life.json', place)).stdout).toMatch(
      /published \(also 1, 1\.0, latest; after 1\.0\.0\)/,
    );
    await done(
      'mesh',
      'deprecate',
      `${place}/designs/shop:1.0.0`,
      '--reason',
      'too old',
      '--replaced-by',
      `${place}/designs/shop:1`,
    );
    const listed = await done('ls', `${place}/designs/shop`);
    expect(listed.stdout).toMatch(/shop:1\.0\.0 .*\(deprecated\)/);
    expect(listed.stdout).not.toMatch(/shop:latest .*\(deprecated\)/);
    const below = jsonLines<readonly Listed[]>((await done('mesh', 'ls', place, '--json')).stdout).flat();
    expect(below.map(({ reference }) => reference)).toEqual([
      `${place}/designs/shop:1.0.1`,
      `${place}/designs/shop:1.0.0`,
    ]);
    const pull = await done('mesh', 'pull', `${place}/designs/shop:1.0.0`, '-o', 'old');
    expect(pull.stderr).toMatch(/the design Shop 1\.0\.0 is deprecated: too old; use \S+designs\/shop:1 instead/);
    expect((await done('mesh', 'pull', `${place}/designs/shop:1`, '-o', 'new')).stderr).not.toContain('deprecated');
    expect(await readFile(join(directory, 'new/life.json'), 'utf8')).toBe(await readFile(path, 'utf8'));
  });
});
