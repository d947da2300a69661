import { cp, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildArtifact, tarLayer } from '../../src/artifact/build.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { tarFile, TAR_END } from '../../src/io/tarball.ts';
import { digestOf } from '../../src/io/verify.ts';
import { imageConfig } from '../../src/mesh/standIn.ts';
import { Pusher } from '../support/embedded.ts';
import { rawTar } from '../support/tarCases.ts';
import { zipOf } from '../support/zips.ts';
import {
  asReference,
  filesBelow,
  fileOf,
  GENUINE,
  kindFiles,
  latin1,
  packOne,
  readAll,
  REGO,
  sample,
  SAMPLES,
  unpackTo,
  WASM,
  writeFiles,
  type Files,
} from './kit.ts';
import { openPlaces, type Places } from './places.ts';

let places: Places;
let model: Files;
let design: Buffer;
beforeAll(async () => {
  places = await openPlaces();
  model = await kindFiles('model');
  design = await sample('designs/from-genuine-oci-export.v1beta1.design.yml');
});
afterAll(() => places.close());

const DESIGN = { kind: 'design', name: 'my design', version: '0.0.2', main: 'design.yml' };

/** A file in the directory of the tests, and its path. */
async function put(name: string, bytes: Uint8Array | string): Promise<string> {
  await writeFile(places.path(name), bytes);
  return places.path(name);
}

function entriesOf(files: Files, prefix = ''): { name: string; body: Uint8Array }[] {
  return Object.entries(files).map(([name, body]) => ({ name: `${prefix}${name}`, body: Buffer.from(body) }));
}

describe("Meshery's own export of 2025", () => {
  it('is unpacked to its two files', async () => {
    const output = places.path('genuine');
    expect(await unpackTo(places, GENUINE, output)).toMatchObject([
      { kind: 'design', name: 'my design', version: '0.0.2', files: ['artifacthub-pkg.yml', 'design.yml'] },
    ]);
    expect(await readFile(places.path('genuine', 'design.yml'))).toEqual(design);
  });

  it('is read also without an ending, and packed with gzip', async () => {
    const bytes = await readFile(GENUINE);
    expect(await readAll(places, await put('exported', bytes))).toMatchObject([DESIGN]);
    expect(await readAll(places, await put('exported.bin', gzipSync(bytes)))).toMatchObject([DESIGN]);
  });

  it('is read from an archive whose file names lie', async () => {
    const layer = tarLayer([{ path: 'design.yml', bytes: design }]);
    const config = imageConfig([layer.diffId]);
    const manifest = [{ Config: 'sha256:old', RepoTags: ['x:latest'], Layers: ['0123456789abcdef.tar.gz'] }];
    const file = rawTar([
      { name: 'sha256:old', body: config },
      { name: '0123456789abcdef.tar.gz', body: layer.bytes },
      { name: 'manifest.json', body: JSON.stringify(manifest) },
    ]);
    expect(await readAll(places, await put('repacked.tar', file))).toMatchObject([DESIGN]);
  });
});

describe('the archive that ocl writes', () => {
  it('is read as a layout, as a layout in a compressed file, and as a directory', async () => {
    const file = places.path('hybrid.tar');
    await packOne(places, GENUINE, `oci-archive:${file}:v1`);
    await packOne(places, GENUINE, `ocidir://${places.path('layout')}:v1`);
    const packed = await put('hybrid.tgz', gzipSync(await readFile(file)));
    for (const place of [file, packed, places.path('layout')])
      expect(await readAll(places, place)).toMatchObject([DESIGN]);
    // What docker's files say of it is the same entity, as Meshery sees it.
    expect(await readAll(places, `docker-archive:${file}`)).toMatchObject([DESIGN]);
  });

  it('keeps YAML as it was given beside the JSON that Meshery reads', async () => {
    const file = places.path('text.tar');
    await packOne(places, GENUINE, `oci-archive:${file}:v1`);
    const [meshery] = await readAll(places, `docker-archive:${file}`);
    const text = fileOf(meshery?.files ?? [], 'design.yml') ?? '';
    const value = JSON.parse(text) as { components: { metadata: Record<string, unknown> }[] };
    // Members of metadata that an old export put too deep are back where importers look.
    expect(value.components[0]?.metadata).toMatchObject({ source_uri: expect.stringContaining('git://') as string });
    expect(text).not.toContain('additionalproperties');
    const [own] = await readAll(places, file);
    expect(fileOf(own?.files ?? [], 'design.yml')).toBe(design.toString());
  });
});

describe('what other tools push', () => {
  it("is read in flux's types, of one layer or of one file", async () => {
    await packOne(places, GENUINE, `${places.host}/flux/design:v1`, { form: 'flux', text: 'given' });
    expect(await readAll(places, `${places.host}/flux/design:v1`)).toMatchObject([{ ...DESIGN, files: [{}, {}] }]);
    const { store, root } = buildArtifact({
      config: { mediaType: 'application/vnd.cncf.flux.config.v1+json', bytes: imageConfig([]) },
      layers: [{ mediaType: 'application/vnd.cncf.flux.content.v1.yaml', bytes: design }],
    });
    const to = await places.stores.sink(asReference(`${places.host}/flux/static:v1`));
    for await (const { digest, size } of store.blobs())
      await to.put({ mediaType: MEDIA.ociConfig, digest, size }, () => store.open({ mediaType: '', digest, size }));
    await to.tag(root, { tag: 'v1' }, () => store.open(root));
    expect(await readAll(places, `${places.host}/flux/static:v1`)).toMatchObject([{ ...DESIGN, main: 'content.yaml' }]);
  });

  it.each([
    ['/tmp/meshery-123/out', '/tmp/meshery-123/out'],
    ['out', 'out'],
    ['./out/', 'out'],
  ])('is read from the directory %s that oras packed', async (title, prefix) => {
    const tar = rawTar([
      { name: `${prefix}/`, type: '5' },
      { name: `${prefix}/artifacthub-pkg.yml`, body: 'version: 0.0.1\nname: x\n' },
      { name: `${prefix}/design.yml`, body: design },
    ]);
    const pusher = new Pusher(`http://${places.host}`, 'oras/design');
    const layer = await pusher.blob(gzipSync(tar), 'application/vnd.test.folder');
    const annotations = {
      'org.opencontainers.image.title': title,
      'io.deis.oras.content.unpack': 'true',
      'io.deis.oras.content.digest': digestOf(tar),
    };
    await pusher.manifest('v1', { artifactType: 'application/vnd.test.artifact', layers: [{ ...layer, annotations }] });
    const [entity] = await readAll(places, `${places.host}/oras/design:v1`);
    expect(entity).toMatchObject({ ...DESIGN, files: [{ path: 'artifacthub-pkg.yml' }, { path: 'design.yml' }] });
  });

  it.each([
    ['a path out of it', '../../etc', 'out/../../etc/design.yml', 'OCL_UNSAFE'],
    ['an absolute path beside the title', '/tmp/out', '/etc/design.yml', 'OCL_UNSAFE'],
  ])('with %s is refused', async (_, title, name, code) => {
    const pusher = new Pusher(`http://${places.host}`, 'oras/evil');
    const layer = await pusher.blob(gzipSync(rawTar([{ name, body: design }])), 'application/vnd.test.folder');
    const annotations = { 'org.opencontainers.image.title': title, 'io.deis.oras.content.unpack': 'true' };
    await pusher.manifest('v1', { artifactType: 'application/vnd.test.artifact', layers: [{ ...layer, annotations }] });
    await expect(readAll(places, `${places.host}/oras/evil:v1`)).rejects.toMatchObject({ code });
  });

  it('is read from single files with titles', async () => {
    const pusher = new Pusher(`http://${places.host}`, 'oras/files');
    const layer = await pusher.blob(design, 'application/yaml');
    const annotations = { 'org.opencontainers.image.title': 'shop.yaml' };
    await pusher.manifest('v1', { artifactType: 'application/x', layers: [{ ...layer, annotations }] });
    expect(await readAll(places, `${places.host}/oras/files:v1`)).toMatchObject([{ ...DESIGN, main: 'shop.yaml' }]);
  });
});

describe('files', () => {
  const MODEL = { kind: 'model', name: 'acme-widget', version: 'v1.0.0', modelVersion: 'v0.1.0', main: 'model.json' };

  it.each(['', 'v0.1.0/v1.0.0/'])('of a model below %j are read from tar, tar.gz and zip', async (prefix) => {
    const entries = entriesOf(model, prefix);
    const archives = {
      'model.tar': rawTar(entries),
      'model.tar.gz': gzipSync(rawTar(entries)),
      'model.zip': zipOf(entries),
    };
    for (const [name, bytes] of Object.entries(archives)) {
      const [entity, ...others] = await readAll(places, await put(name, bytes));
      expect(others).toEqual([]);
      expect(entity).toMatchObject(MODEL);
      expect(entity?.files.map(({ path }) => path)).toEqual(Object.keys(latin1(model)));
    }
  });

  it('of many models in one tree are as many entities', async () => {
    const tree = places.path('tree');
    for (const version of ['1.0.0', '2.0.0'])
      await writeFiles(
        tree,
        Object.fromEntries(entriesOf(model, `acme/${version}/v1.0.0/`).map(({ name, body }) => [name, body])),
      );
    await cp(`${SAMPLES}/models/init-template-v1beta2`, `${tree}/init`, { recursive: true });
    const found = await readAll(places, tree);
    expect(found.map(({ kind, name, origin }) => [kind, name, origin.slice(tree.length + 1)])).toEqual([
      ['model', 'acme-widget', 'acme/1.0.0/v1.0.0/model.json'],
      ['model', 'acme-widget', 'acme/2.0.0/v1.0.0/model.json'],
      ['model', 'untitled-model', 'init/v0.1.0/model.json'],
    ]);
  });

  it('of a tree of Artifact Hub are a design each, with what lies beside it', async () => {
    const [entity] = await readAll(places, `${SAMPLES}/legacy-alpha2`).then((all) =>
      all.filter(({ main }) => main === 'design.yml'),
    );
    expect(entity).toMatchObject({ kind: 'design', name: 'kubernetes_basic', version: '1.0.0' });
    expect(entity?.files.map(({ path }) => path)).toEqual(['README.md', 'artifacthub-pkg.yml', 'design.yml']);
  });

  it('of a ?pkg=true export are read, with the text in a text and what comes after the end', async () => {
    const wrapped = `|\n${design
      .toString()
      .split('\n')
      .map((line) => (line === '' ? '' : `  ${line}`))
      .join('\n')}\n`;
    const tar = Buffer.concat([
      tarFile('artifacthub-pkg.yml', Buffer.from('version: 0.0.3\nname: my-design\n'), 0o1411),
      tarFile('my design.yml', Buffer.from(wrapped), 0o1411),
      TAR_END,
      design,
    ]);
    const [entity] = await readAll(places, await put('pkg.zip', tar));
    expect(entity).toMatchObject({ ...DESIGN, version: '0.0.3', main: 'my design.yml' });
    const file = places.path('pkg.tar');
    await packOne(places, places.path('pkg.zip'), `oci-archive:${file}:v1`);
    const [meshery] = await readAll(places, `docker-archive:${file}`);
    expect(JSON.parse(fileOf(meshery?.files ?? [], 'design.yml') ?? '')).toMatchObject({ name: 'my design' });
    await unpackTo(places, file, places.path('pkg'));
    expect((await filesBelow(places.path('pkg')))['my design.yml']).toBe(Buffer.from(wrapped).toString('latin1'));
  });

  it('of any kind are known by their content, whatever they are called', async () => {
    const named = {
      'a.txt': (await sample('minimal/environment.v1beta3.json')).toString(),
      'b/c': REGO,
      d: WASM,
      'e.json': 'name: x\nschemaVersion: designs.meshery.io/v1beta3\n',
      'f.yml': '{"kind": "Pod", "apiVersion": "v1"}',
      'README.md': 'components: none\n',
    };
    const found = await readAll(places, await writeFiles(places.path('any'), named));
    expect(found.map(({ kind, main }) => [kind, main])).toEqual([
      ['environment', 'a.txt'],
      ['policy', 'c'],
      ['filter', 'd'],
      ['design', 'e.json'],
    ]);
  });

  it('within archives within directories are found', async () => {
    const inner = rawTar([{ name: 'export.tar', body: await readFile(GENUINE) }]);
    const tree = await writeFiles(places.path('nested'), {
      'a/design.tar': await readFile(GENUINE),
      'b.zip': zipOf([{ name: 'x/inner.tar.gz', body: gzipSync(inner) }]),
    });
    const found = await readAll(places, tree);
    expect(found).toMatchObject([DESIGN, DESIGN]);
  });

  it('of credentials, links and repositories are left out, and it is said', async () => {
    const notes: string[] = [];
    const tree = await writeFiles(places.path('secret'), {
      ...model,
      'credentials/token.json': '{"schemaVersion": "connections.meshery.io/v1beta3", "token": "abc"}',
      '.git/config': 'x',
    });
    const [entity] = await readAll(places, tree, { onNote: (note) => notes.push(note) });
    expect(entity?.files.map(({ path }) => path)).toEqual(Object.keys(latin1(model)));
    expect(notes).toEqual([`${tree}: "credentials" is left out: credentials are never packed`]);
  });

  it('that are no entity are an error that says so', async () => {
    const tree = await writeFiles(places.path('none'), { 'pod.yaml': 'kind: Pod\n', 'x.md': '#' });
    await expect(readAll(places, tree)).rejects.toMatchObject({
      code: 'OCL_NOT_FOUND',
      message: `Cannot find an entity of Meshery in ${tree}: none of its 2 files is one`,
    });
  });

  it('that are broken are told, and others go on where somebody listens', async () => {
    const tree = await writeFiles(places.path('broken'), {
      'bad.yml': 'name: x\n<<<<<<< HEAD\nschemaVersion: designs.meshery.io/v1beta3\n=======\n>>>>>>> x\n',
      'good.json': await sample('minimal/design.v1beta3.json'),
    });
    await expect(readAll(places, tree)).rejects.toMatchObject({
      code: 'OCL_DOCUMENT_INVALID',
      message: expect.stringContaining('bad.yml:2: it has the marks of a merge') as string,
    });
    const broken: string[] = [];
    const found = await readAll(places, tree, { onBroken: (error, place) => broken.push(`${place} ${error.code}`) });
    expect(found).toMatchObject([{ name: 'empty-design' }]);
    expect(broken).toEqual([`${tree}/bad.yml OCL_DOCUMENT_INVALID`]);
  });
});
