import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTarBytes } from '../../src/io/tarball.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { filesBelow, GENUINE, kindFiles, latin1, sample, SAMPLES, writeFiles } from '../mesh/kit.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';

let dir: string;
let registry: Embedded;
const at = (...names: readonly string[]): string => join(dir, ...names);
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocl-mesh-journey-'));
  registry = await startEmbedded(createMemoryLibrary());
});
afterAll(async () => {
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

interface Line {
  readonly type: string;
  readonly target: string;
  readonly digest: string;
  readonly outcome: string;
  readonly notes: readonly string[];
  readonly files: readonly string[];
  readonly [key: string]: unknown;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const tarOf = async (path: string): Promise<ReadonlyMap<string, Uint8Array>> =>
  (await readTarBytes(await readFile(path))).files;
const packed = (stdout: string): Line[] => jsonLines<Line>(stdout).filter(({ type }) => type === 'packed');

describe("Meshery's own export of 2025", () => {
  it('is unpacked and packed again in the legacy form: the same entries, config and diff_id', async () => {
    await oclDone(['mesh', 'unpack', GENUINE, '-o', at('genuine')]);
    await oclDone(['mesh', 'pack', at('genuine'), at('legacy.tar'), '--format', 'meshery-legacy']);
    const [theirs, ours] = [await tarOf(GENUINE), await tarOf(at('legacy.tar'))];
    const [config = '', layer = ''] = [...ours.keys()];
    const [, theirLayer = ''] = [...theirs.keys()];
    expect([...ours.keys()]).toEqual([config, layer, 'manifest.json']);
    expect(config).toBe([...theirs.keys()][0]);
    expect(ours.get(config)).toEqual(theirs.get(config));
    // The compressed bytes are another compressor's; what is in them is the same.
    expect(gunzipSync(ours.get(layer) ?? '')).toEqual(gunzipSync(theirs.get(theirLayer) ?? ''));
    expect(layer).toBe(`${sha256(ours.get(layer) ?? Buffer.alloc(0))}.tar.gz`);
    const manifest = (files: ReadonlyMap<string, Uint8Array>): string =>
      Buffer.from(files.get('manifest.json') ?? '').toString();
    expect(manifest(ours)).toBe(manifest(theirs).replace(theirLayer, layer));
    // Headers too: they are compared where the bodies are equally long.
    const [ourBytes, theirBytes] = [await readFile(at('legacy.tar')), await readFile(GENUINE)];
    expect(ourBytes.subarray(0, 1024)).toEqual(theirBytes.subarray(0, 1024));
  });

  it('goes through a registry into another archive, which Meshery imports as well', async () => {
    await oclDone(['mesh', 'pack', GENUINE, `${registry.host}/team/shop:v1`, '--plain-http', registry.host]);
    await oclDone(['copy', `${registry.host}/team/shop:v1`, `oci-archive:${at('copied.tar')}:v1`]);
    const files = await tarOf(at('copied.tar'));
    const [image, ...others] = JSON.parse(Buffer.from(files.get('manifest.json') ?? '').toString()) as {
      Config: string;
      RepoTags: string[];
      Layers: string[];
    }[];
    expect([others, image?.RepoTags]).toEqual([[], ['mydesign:latest']]);
    expect(files.get(image?.Config ?? '')?.length).toBe(233);
    await oclDone(['mesh', 'unpack', at('copied.tar'), '-o', at('from-copy')]);
    expect(await filesBelow(at('from-copy'))).toEqual(await filesBelow(at('genuine')));
  });
});

describe('ocl mesh pack', () => {
  it('puts each entity of a tree in its place, tells of each, and goes on after one that fails', async () => {
    const tree = await writeFiles(at('tree'), {
      ...Object.fromEntries(Object.entries(await kindFiles('model')).map(([path, bytes]) => [`m/${path}`, bytes])),
      'd/shop.yml': await sample('designs/meshkit-valid_design.v1beta1.yml'),
      'd/broken.yml': 'schemaVersion: designs.meshery.io/v1beta3\n<<<<<<< HEAD\nname: x\n=======\nname: y\n>>>>>>> b\n',
      'd/secret.json': JSON.stringify({
        ...(JSON.parse((await sample('minimal/connection.v1beta3.json')).toString()) as object),
        metadata: { token: 'abc' },
      }),
    });
    const first = await ocl(['mesh', 'pack', tree, `${registry.host}/meshery`, '--json']);
    expect(first.status).toBe(1);
    expect(packed(first.stdout).map(({ target, outcome }) => [target, outcome])).toEqual([
      [`${registry.host}/meshery/designs/valid-design:0.0.1`, 'packed'],
      [`${registry.host}/meshery/models/acme-widget:v0.1.0-v1.0.0`, 'packed'],
    ]);
    expect(jsonLines<Line>(first.stdout).at(-1)).toMatchObject({ type: 'summary', packed: 2, unchanged: 0, failed: 2 });
    const again = await ocl(['mesh', 'pack', tree, `${registry.host}/meshery`]);
    expect(again.stderr).toContain('has the value of a credential at metadata.token');
    expect(again.stderr).toContain('broken.yml:2: it has the marks of a merge that was never finished');
    expect(again.stderr).toContain('0 entities packed, 2 unchanged, 2 failed');
  });

  it('packs to one digest wherever it goes, and says the same of one that is there', async () => {
    const design = at('design.json');
    await writeFile(design, await sample('minimal/design.v1beta1.one-component.json'));
    const digests: string[] = [];
    for (const target of [
      at('one.tar'),
      `ocidir://${at('flat')}`,
      at('library'),
      `${registry.host}/other`,
      at('one-b.tar'),
    ]) {
      const { stdout } = await oclDone(['mesh', 'pack', design, target, '--json']);
      digests.push(...packed(stdout).map(({ digest }) => digest));
    }
    expect(new Set(digests).size).toBe(1);
    expect(digests).toHaveLength(5);
    expect(await readFile(at('one.tar'))).toEqual(await readFile(at('one-b.tar')));
  });

  it('refuses one version with two contents, and takes it when forced', async () => {
    const design = (description: string): string => at(`${description}.json`);
    const value = JSON.parse((await sample('minimal/design.v1beta3.json')).toString()) as object;
    for (const description of ['a', 'b'])
      await writeFile(design(description), JSON.stringify({ ...value, description }));
    await oclDone(['mesh', 'pack', design('a'), at('versions')]);
    const refused = await ocl(['mesh', 'pack', design('b'), at('versions')]);
    expect([refused.status, refused.stderr]).toEqual([expect.any(Number), expect.stringContaining('[OCL_EXISTS]')]);
    const { stdout } = await oclDone(['mesh', 'pack', design('b'), at('versions'), '--force', '--json']);
    expect(packed(stdout)).toMatchObject([{ outcome: 'replaced' }]);
  });

  it('writes YAML for people, other types for Meshery, and the time that it is given', async () => {
    const design = join(SAMPLES, 'minimal/design.v1beta3.json');
    const env = { SOURCE_DATE_EPOCH: '1700000000' };
    await oclDone(['mesh', 'pack', design, at('yaml.tar'), '--yaml'], { env });
    await oclDone(['mesh', 'unpack', `docker-archive:${at('yaml.tar')}`, '-o', at('yaml')]);
    expect(await readFile(at('yaml', 'design.yml'), 'utf8')).toMatch(/^id: "11111111-/);
    const { stdout } = await oclDone(['inspect', at('yaml.tar'), '--json']);
    expect(stdout).toContain('"org.opencontainers.image.created":"2023-11-14T22:13:20Z"');
    await oclDone(['mesh', 'pack', design, `${registry.host}/flux/d:v1`, '--media-types', 'flux']);
    const flux = (await oclDone(['manifest', 'get', `${registry.host}/flux/d:v1`])).stdout;
    expect(JSON.parse(flux)).toMatchObject({
      config: { mediaType: 'application/vnd.cncf.flux.config.v1+json', size: 233 },
      layers: [{ mediaType: 'application/vnd.cncf.flux.content.v1.tar+gzip' }],
    });
    const bad = await ocl(['mesh', 'pack', design, at('x.tar'), '--image', '--media-types', 'flux']);
    expect([bad.status, bad.stderr]).toEqual([expect.any(Number), expect.stringContaining('[OCL_USAGE]')]);
  });

  it('warns of what Meshery will refuse, and of what is no import of its own', async () => {
    const component = join(SAMPLES, 'models/meshkit-generated/acm-controller/Broker.json');
    const { stderr } = await oclDone(['mesh', 'pack', component, at('broker.tar')]);
    expect(stderr).toContain('a component without status crashes the import [component-status]');
    const view = await oclDone(['mesh', 'pack', join(SAMPLES, 'minimal/view.v1beta2.json'), at('view.tar')]);
    expect(view.stderr).toContain('Meshery imports this from no file');
  });

  it('leaves room for one in the legacy form', async () => {
    const inputs = ['minimal/design.v1beta3.json', 'minimal/view.v1beta2.json'].map((path) => join(SAMPLES, path));
    const { status, stderr } = await ocl(['mesh', 'pack', ...inputs, at('two.tar'), '--format', 'meshery-legacy']);
    expect([status === 0, stderr]).toEqual([false, expect.stringContaining('Cannot pack several entities into')]);
    expect(existsSync(at('two.tar'))).toBe(false);
  });

  it('makes one archive of many, which no single import of Meshery takes', async () => {
    await oclDone([
      'mesh',
      'pack',
      join(SAMPLES, 'minimal/view.v1beta2.json'),
      at('design.json'),
      at('many.tar'),
      '-q',
    ]);
    const { stdout } = await oclDone(['mesh', 'unpack', at('many.tar'), '-o', at('many'), '--json']);
    const unpacked = jsonLines<Line>(stdout).filter(({ type }) => type === 'unpacked');
    expect(unpacked.map(({ name }) => name)).toEqual(['one-widget', 'my-view']);
    expect([...(await tarOf(at('many.tar'))).keys()]).not.toContain('manifest.json');
  });
});

describe('ocl mesh unpack', () => {
  it('gives back a model from a registry, and says what Meshery would not take', async () => {
    const files = await kindFiles('model');
    await oclDone(['mesh', 'unpack', `${registry.host}/meshery/models/acme-widget:v0.1.0-v1.0.0`, '-o', at('model')]);
    expect(await filesBelow(at('model'))).toEqual(latin1(files));
    const twice = await ocl(['mesh', 'unpack', GENUINE, '-o', at('genuine')]);
    expect([twice.status === 0, twice.stderr]).toEqual([false, expect.stringContaining('or add --overwrite')]);
  });
});
