import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { readBounded } from '../../src/io/verify.ts';
import { openZip } from '../../src/io/zip.ts';
import { type Entity } from '../../src/mesh/entity.ts';
import { readArtifact } from '../../src/mesh/fromArtifact.ts';
import { packEntity } from '../../src/mesh/pack.ts';
import { type MemoryStore } from '../../src/stores/memory/store.ts';
import { Pusher } from '../support/embedded.ts';
import { rawTar } from '../support/tarCases.ts';
import { newCopier } from '../support/worlds.ts';
import { zipOf } from '../support/zips.ts';
import { filesBelow, GENUINE, kindFiles, packOne, readAll, sample, unpackTo, writeFiles } from './kit.ts';
import { openPlaces, type Places } from './places.ts';

let places: Places;
let design: Buffer;
beforeAll(async () => {
  places = await openPlaces();
  design = await sample('minimal/design.v1beta3.json');
});
afterAll(() => places.close());

/** Pushes an artifact with this first layer to a repository of its own. */
async function pushed(name: string, layer: Uint8Array, more: object = {}): Promise<string> {
  const pusher = new Pusher(`http://${places.host}`, name);
  const descriptor = await pusher.blob(layer, MEDIA.ociLayerGzip);
  await pusher.manifest('v1', {
    artifactType: 'application/vnd.meshery.design.v1',
    layers: [{ ...descriptor, ...more }],
  });
  return `${places.host}/${name}:v1`;
}

const layerOf = (...entries: Parameters<typeof rawTar>[0]): Buffer => gzipSync(rawTar(entries));

describe('a layer', () => {
  it.each([
    ['a path out of it', () => layerOf({ name: '../../x/design.yml', body: design }), 'OCL_UNSAFE'],
    ['an absolute path', () => layerOf({ name: '/etc/design.yml', body: design }), 'OCL_UNSAFE'],
    ['a backslash', () => layerOf({ name: '..\\design.yml', body: design }), 'OCL_UNSAFE'],
    ['a device', () => layerOf({ name: 'design.yml', type: '3' }), 'OCL_ARCHIVE_INVALID'],
    ['a pipe', () => layerOf({ name: 'design.yml', type: '6' }), 'OCL_ARCHIVE_INVALID'],
    ['one path twice', () => layerOf({ name: 'a', body: '1' }, { name: 'a', body: '2' }), 'OCL_ARCHIVE_INVALID'],
    ['a huge entry', () => layerOf({ name: 'design.yml', size: 2 ** 33, body: 'x' }), 'OCL_ARCHIVE_INVALID'],
    ['a bomb', () => gzipSync(Buffer.alloc(140 << 20)), 'OCL_LIMIT'],
    ['a cut', () => layerOf({ name: 'design.yml', body: design }).subarray(0, 60), 'OCL_ARCHIVE_INVALID'],
  ])('with %s is refused, and nothing is written', async (what, layer, code) => {
    const reference = await pushed(`hostile/${what.replaceAll(' ', '-')}`, layer());
    const output = places.path(`out-${what}`);
    await expect(unpackTo(places, reference, output)).rejects.toMatchObject({ code });
    expect(await readdir(output)).toEqual([]);
  });

  it('with links is read without them', async () => {
    const notes: string[] = [];
    const reference = await pushed(
      'hostile/links',
      layerOf(
        { name: 'evil', type: '2', link: '/etc' },
        { name: 'evil/passwd', type: '1', link: '../../etc/passwd' },
        { name: 'design.yml', body: design },
      ),
    );
    const [entity] = await readAll(places, reference, { onNote: (note) => notes.push(note) });
    expect(entity?.files.map(({ path }) => path)).toEqual(['design.yml']);
    expect(notes).toEqual([`${reference}: links are left out and never followed: 2 of them`]);
  });

  it('that is no entity at all is named as such', async () => {
    const reference = await pushed('hostile/nothing', gzipSync(Buffer.alloc(1024)));
    await expect(readAll(places, reference)).rejects.toMatchObject({ code: 'OCL_NOT_FOUND' });
  });
});

describe('an artifact that says it is ours', () => {
  interface Manifest {
    layers: Descriptor[];
    annotations: Record<string, string>;
  }

  /** The artifact of a model after its manifest was changed, read as it is. */
  async function altered(change: (manifest: Manifest, store: MemoryStore) => void): Promise<Entity | undefined> {
    const [entity] = await readAll(places, await writeFiles(places.path('ours'), await kindFiles('model')));
    const { store, root } = packEntity(entity as Entity);
    const bytes = await readBounded(await store.open(root), 1 << 20, 'it');
    const manifest = JSON.parse(Buffer.from(bytes).toString()) as Manifest;
    change(manifest, store);
    const other = store.putBytes(toJsonBytes(manifest), MEDIA.ociManifest);
    for await (const found of readArtifact(store, other, { origin: 'x', wanted: true }))
      if (found.type === 'entity') return found.entity;
    return undefined;
  }

  const title = (text: string) => (manifest: Manifest, store: MemoryStore) => {
    const annotations = { 'org.opencontainers.image.title': text };
    manifest.layers.push({ ...store.putBytes(Buffer.from('x'), 'text/plain'), annotations });
  };
  const onFirst = (key: string, value: string) => (manifest: Manifest) => {
    const [first, ...rest] = manifest.layers;
    manifest.layers = [{ ...(first as Descriptor), annotations: { ...first?.annotations, [key]: value } }, ...rest];
  };

  it('is read when nothing was changed', async () => {
    expect(await altered(() => {})).toMatchObject({ kind: 'model', main: 'model.json' });
  });

  it.each([
    ['a title that leads out', title('../x'), 'OCL_UNSAFE'],
    ['an absolute title', title('/x'), 'OCL_UNSAFE'],
    ['a title that is a directory', title('.'), 'OCL_DOCUMENT_INVALID'],
    ['a file more than was packed', title('more.txt'), 'OCL_DIGEST_MISMATCH'],
    ['a file less', (manifest: Manifest) => void manifest.layers.pop(), 'OCL_DIGEST_MISMATCH'],
    ['another directory', onFirst('io.meshery.layer.base', 'v0.1.0'), 'OCL_DIGEST_MISMATCH'],
    ['files said to be made', onFirst('io.meshery.layer.made', '["v0.1.0/v1.0.0/model.json"]'), 'OCL_DIGEST_MISMATCH'],
    ['a list that is none', onFirst('io.meshery.layer.made', '[['), 'OCL_DOCUMENT_INVALID'],
    [
      'a main file that is not there',
      (manifest: Manifest) => void (manifest.annotations['io.meshery.entity.file'] = '../../etc/passwd'),
      'OCL_DOCUMENT_INVALID',
    ],
  ])('with %s is refused', async (_, change, code) => {
    await expect(altered(change)).rejects.toMatchObject({ code });
  });
});

describe('a zip file', () => {
  it.each([
    ['a path out of it', [{ name: '../design.yml', body: 'x' }], 'OCL_ARCHIVE_INVALID'],
    ['an absolute path', [{ name: '/design.yml', body: 'x' }], 'OCL_ARCHIVE_INVALID'],
    ['a backslash', [{ name: '..\\design.yml', body: 'x' }], 'OCL_ARCHIVE_INVALID'],
    ['one path twice', [1, 2].map(() => ({ name: 'design.yml', body: 'x' })), 'OCL_ARCHIVE_INVALID'],
    ['an encrypted entry', [{ name: 'design.yml', body: 'x', encrypted: true }], 'OCL_UNSUPPORTED'],
    ['a size that lies', [{ name: 'design.yml', body: 'x'.repeat(5000), size: 10 }], 'OCL_ARCHIVE_INVALID'],
    [
      'the promise of a bomb',
      Array.from({ length: 3 }, (_, i) => ({ name: `f${i}`, body: 'x', size: 2 ** 31 })),
      'OCL_LIMIT',
    ],
  ])('with %s is refused', async (what, entries, code) => {
    const path = places.path(`${what}.zip`);
    await writeFile(path, zipOf(entries));
    await expect(readAll(places, path)).rejects.toMatchObject({ code });
  });

  it('with a bomb gives no more than is accepted', async () => {
    const zip = await openZip(zipOf([{ name: 'a', body: Buffer.alloc(30 << 20) }]), 'the zip');
    await expect(zip.read('a', 1 << 20)).rejects.toMatchObject({ code: 'OCL_LIMIT' });
    await zip.close();
  });

  it('that is cut off anywhere is refused', async () => {
    const bytes = zipOf([{ name: 'design.yml', body: design }]);
    for (let at = 30; at < bytes.length; at += 7)
      await expect(openZip(bytes.subarray(0, at), 'the zip')).rejects.toMatchObject({ code: 'OCL_ARCHIVE_INVALID' });
  });

  it('with links is read without them', async () => {
    const path = places.path('links.zip');
    await writeFile(
      path,
      zipOf([
        { name: 'l', body: '/etc/passwd', mode: 0o120777 },
        { name: 'd.json', body: design },
      ]),
    );
    expect((await readAll(places, path)).map(({ main }) => main)).toEqual(['d.json']);
  });
});

describe('unpacking', () => {
  it('touches nothing that is there, and replaces it when asked', async () => {
    const output = await writeFiles(places.path('there'), { 'design.yml': 'mine', 'other.txt': 'mine too' });
    await expect(unpackTo(places, GENUINE, output)).rejects.toMatchObject({
      code: 'OCL_EXISTS',
      message: `Cannot write ${output}/design.yml: it is there already`,
    });
    expect(await filesBelow(output)).toEqual({ 'design.yml': 'mine', 'other.txt': 'mine too' });
    await unpackTo(places, GENUINE, output, true);
    expect(Object.keys(await filesBelow(output))).toEqual(['artifacthub-pkg.yml', 'design.yml', 'other.txt']);
  });

  it('does not follow a link that lies in its way', async () => {
    await mkdir(places.path('elsewhere'));
    const output = await writeFiles(places.path('linked'), {});
    await mkdir(output);
    await symlink(places.path('elsewhere'), `${output}/components`);
    const input = await writeFiles(places.path('model'), await kindFiles('model'));
    await packOne(places, input, `ocidir://${places.path('model-layout')}:v1`);
    await expect(unpackTo(places, `ocidir://${places.path('model-layout')}:v1`, output, true)).rejects.toMatchObject({
      code: 'OCL_UNSAFE',
    });
    expect(await readdir(places.path('elsewhere'))).toEqual([]);
    expect(await readdir(output)).toEqual(['components']);
  });

  it('of several entities gives each a directory, also where two have one name', async () => {
    const tree = await writeFiles(places.path('several'), {
      'a/x.json': design,
      'b/x.json': Buffer.from(`${design.toString()} `),
      'v.json': await sample('minimal/view.v1beta2.json'),
    });
    const output = places.path('several-out');
    const found = await unpackTo(places, tree, output);
    expect(found.map(({ directory }) => directory.slice(output.length + 1))).toEqual([
      'designs/empty-design/0.0.1',
      'designs/empty-design/0.0.1-2',
      'views/my-view/0.0.1',
    ]);
    expect(Object.keys(await filesBelow(output))).toEqual([
      'designs/empty-design/0.0.1-2/x.json',
      'designs/empty-design/0.0.1/x.json',
      'views/my-view/0.0.1/v.json',
    ]);
  });

  it('of two versions of one name and a third that is called like the second place loses none', async () => {
    const tree = await writeFiles(places.path('numbered'), {
      'a/x.json': design,
      'b/x.json': Buffer.from(`${design.toString()} `),
      'c/x.json': Buffer.from(design.toString().replaceAll('0.0.1', '0.0.1-2')),
    });
    const output = places.path('numbered-out');
    const found = await unpackTo(places, tree, output);
    expect(found.map(({ directory }) => directory.slice(output.length + 1))).toEqual([
      'designs/empty-design/0.0.1',
      'designs/empty-design/0.0.1-3',
      'designs/empty-design/0.0.1-2',
    ]);
    expect(Object.keys(await filesBelow(output))).toHaveLength(3);
  });

  it('of a file that is a directory as well is refused', async () => {
    const [entity] = await readAll(places, await writeFiles(places.path('plain'), { 'design.yml': design }));
    const files = [...(entity as Entity).files, { path: 'design.yml/x', bytes: design }];
    const { store, root } = packEntity({ ...(entity as Entity), files });
    const sink = await places.stores.sink({ kind: 'layout', path: places.path('both') });
    await newCopier().copy({ from: store, to: sink, root, name: { tag: 'v1' }, image: 'x' });
    await sink.commit();
    await expect(unpackTo(places, `ocidir://${places.path('both')}:v1`, places.path('both-out'))).rejects.toMatchObject(
      {
        code: 'OCL_UNSAFE',
      },
    );
  });
});

describe('archives within archives', () => {
  it('are opened three deep', async () => {
    let inner: Buffer = await readFile(GENUINE);
    for (let i = 0; i < 5; i++) inner = rawTar([{ name: `${i}.tar`, body: inner }]);
    const path = places.path('deep.tar');
    await writeFile(path, inner);
    const notes: string[] = [];
    await expect(readAll(places, path, { onNote: (note) => notes.push(note) })).rejects.toMatchObject({
      code: 'OCL_NOT_FOUND',
    });
    expect(notes).toHaveLength(1);
  });
});

describe('credentials', () => {
  const secret = async (value: unknown): Promise<Buffer> =>
    Buffer.from(
      JSON.stringify({
        ...JSON.parse((await sample('minimal/connection.v1beta3.json')).toString()),
        ...(value as object),
      }),
    );

  it.each([
    [{ metadata: { password: 'hunter2' } }, 'metadata.password'],
    [{ metadata: { auth: { apiToken: 'x' } } }, 'metadata.auth.apiToken'],
    [{ credential: { name: 'x' } }, 'credential.name'],
    [{ client_secret: 'x' }, 'client_secret'],
    [{ metadata: [{ privateKey: 'x' }] }, 'metadata.0.privateKey'],
    [{ metadata: { 'api-key': 'x' } }, 'metadata.api-key'],
    [{ metadata: { secretKey: 'x' } }, 'metadata.secretKey'],
    [{ metadata: { user: { 'client-key-data': 'x' } } }, 'metadata.user.client-key-data'],
  ])('such as %j are refused in a connection, also within a model, unless they are allowed', async (value, place) => {
    for (const path of ['connection.json', 'connections/registry.json']) {
      const base = path === 'connection.json' ? {} : await kindFiles('model');
      const files = { ...base, [path]: await secret(value) };
      const [entity] = await readAll(places, await writeFiles(places.path(`secret-${place}-${path.length}`), files));
      expect(() => packEntity(entity as Entity)).toThrow(`has the value of a credential at ${place}`);
      expect(packEntity(entity as Entity, { allowSecrets: true }).root.size).toBeGreaterThan(0);
    }
  });

  it.each([
    { credentialId: '11111111-1111-4111-8111-111111111111' },
    { credentialSchema: { properties: { password: { type: 'string', title: 'Password' } } } },
    { metadata: { password: '', token: null, secretName: 'kept-elsewhere' } },
  ])('are not %j', async (value) => {
    const [entity] = await readAll(
      places,
      await writeFiles(places.path('harmless'), { 'c.json': await secret(value) }),
    );
    expect(packEntity(entity as Entity).root.size).toBeGreaterThan(0);
  });
});
