import { readFileSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseReference } from '../../src/core/reference.ts';
import { loadDocument } from '../../src/copy/documents.ts';
import { parseYaml } from '../../src/io/yaml.ts';
import { repositoryArtifact, writeHubRepository } from '../../src/mesh/artifactHubRepository.ts';
import { lintPackageFile } from '../../src/mesh/artifactHubLint.ts';
import { writeHubPackage, type HubDesign, type HubOptions, type HubPackage } from '../../src/mesh/artifactHubTree.ts';
import { type Entity } from '../../src/mesh/entity.ts';
import { packEntity } from '../../src/mesh/pack.ts';
import { newCopier } from '../support/worlds.ts';
import { openPlaces, type Places } from './places.ts';
import { altered, bytesOf, DESIGN, sample, type Files } from './support.ts';

const NOW = '2026-01-31T12:00:00Z';
const DEFAULTS: HubOptions = { facts: {}, now: NOW, minimal: false, overwrite: false };
const shop = (...changes: readonly (readonly [string, unknown])[]): object =>
  altered(
    DESIGN,
    ['name', 'My Shop'],
    ['version', '1.2.0'],
    ['components.0.configuration', { spec: { containers: [{ image: 'nginx' }, { image: '{{ x }}' }] } }],
    ...changes,
  );

let places: Places;
let count = 0;
let root: string;
beforeAll(async () => {
  places = await openPlaces();
});
afterAll(async () => {
  await places.close();
});
beforeEach(() => {
  root = places.path(`hub${count++}`);
});

function entity(files: Files = { 'd.json': shop() }, more: Partial<Entity> = {}): Entity {
  const [main = ''] = Object.keys(files);
  return {
    kind: 'design',
    name: 'My Shop',
    version: '1.2.0',
    files: Object.entries(files).map(([path, content]) => ({ path, bytes: bytesOf(content) })),
    main,
    origin: main,
    notes: [],
    ...more,
  };
}

async function write(design: Partial<HubDesign> = {}, options: Partial<HubOptions> = {}): Promise<HubPackage> {
  return await writeHubPackage({ entity: entity(), ...design }, root, { ...DEFAULTS, ...options });
}

async function written(path: string): Promise<string> {
  return await readFile(join(root, path), 'utf8');
}

async function described(directory = 'my-shop/1.2.0'): Promise<Record<string, unknown>> {
  const text = await written(`${directory}/artifacthub-pkg.yml`);
  expect(lintPackageFile(text, 'f')).toEqual([]);
  return parseYaml(text, 'f').value as Record<string, unknown>;
}

describe('a version of a design', () => {
  it('is a directory with the files that the tracker reads', async () => {
    const result = await write();
    const { digest } = packEntity(entity()).root;
    expect(result).toEqual({
      name: 'my-shop',
      version: '1.2.0',
      directory: join(root, 'my-shop/1.2.0'),
      digest,
      outcome: 'written',
      notes: [],
    });
    expect((await readdir(join(root, 'my-shop/1.2.0'))).toSorted()).toEqual([
      'README.md',
      'artifacthub-pkg.yml',
      'design.yml',
    ]);
    expect(JSON.parse(await written('my-shop/1.2.0/design.yml'))).toEqual(shop());
    expect(await written('my-shop/1.2.0/README.md')).toBe('# My Shop\n\nA Meshery Design\n');
    expect(await described()).toMatchObject({
      version: '1.2.0',
      name: 'my-shop',
      displayName: 'My Shop',
      createdAt: NOW,
      digest,
      containersImages: [{ name: 'nginx', image: 'docker.io/library/nginx:latest' }],
    });
  });

  it('is written once: the same again changes nothing, whatever the time', async () => {
    await write();
    const before = await written('my-shop/1.2.0/artifacthub-pkg.yml');
    expect(await write({}, { now: '2027-01-01T00:00:00Z' })).toMatchObject({ outcome: 'unchanged' });
    expect(await written('my-shop/1.2.0/artifacthub-pkg.yml')).toBe(before);
    expect(await write({}, { facts: { license: 'MIT' } })).toMatchObject({ outcome: 'replaced' });
    expect(await described()).toMatchObject({ license: 'MIT', createdAt: NOW });
  });

  it('is not given another content, unless that is asked for', async () => {
    await write();
    const other = { entity: entity({ 'd.json': shop(['preferences', { layers: {} }]) }) };
    await expect(write(other)).rejects.toMatchObject({
      code: 'OCL_EXISTS',
      message: expect.stringMatching(/sha256:.*sha256:/) as string,
    });
    expect(JSON.parse(await written('my-shop/1.2.0/design.yml'))).toEqual(shop());
    expect(await write(other, { overwrite: true })).toMatchObject({ outcome: 'replaced' });
    expect(
      await write({ entity: entity({ 'd.json': shop(['version', '1.3.0']) }, { version: '1.3.0' }) }),
    ).toMatchObject({ outcome: 'written' });
    expect((await readdir(join(root, 'my-shop'))).toSorted()).toEqual(['1.2.0', '1.3.0']);
  });

  it('has what is given before what it says itself', async () => {
    const facts = {
      license: 'MIT',
      keywords: ['a'],
      category: 'networking',
      provider: 'me',
      description: 'd',
      createdAt: '2020-01-01T00:00:00Z',
      maintainers: [{ name: 'A', email: 'a@x.test' }],
    };
    await write({ digest: 'sha256:00' }, { facts, minimal: true });
    const value = await described();
    expect(value).toMatchObject({ ...facts, keywords: ['a'], provider: { name: 'me' }, digest: 'sha256:00' });
    expect(value).not.toHaveProperty('containersImages');
  });

  it.each<[string, HubDesign['deprecation'], string, object, readonly string[]]>([
    [
      'a statement',
      { deprecated: true, reason: 'Use 2.0.0.' },
      '',
      { deprecated: true, changes: [{ kind: 'deprecated', description: 'Use 2.0.0.' }] },
      [],
    ],
    ['its own file', undefined, 'deprecated: "true"\n', { deprecated: true }, ['changes']],
    ['a statement that takes it back', { deprecated: false }, 'deprecated: true\n', {}, ['deprecated', 'changes']],
  ])('is deprecated by %s', async (_what, deprecation, file, expected, absent) => {
    await write({ entity: entity({ 'd.json': shop(), 'artifacthub-pkg.yml': `version: 1\n${file}` }), deprecation });
    const value = await described();
    expect(value).toMatchObject(expected);
    for (const key of absent) expect(value).not.toHaveProperty(key);
  });

  it('keeps what a file beside it says, and says what Artifact Hub would refuse', async () => {
    const file =
      'version: 9.9.9\nname: shop-of-mine\ndisplayName: Mine\ncreatedAt: 2021-02-03T04:05:06Z\ndescription: sells\nappVersion: 1.10\nprerelease: "true"\nlogoPath: img/logo.png\nkeywords: [a, 1.10]\nmaintaners: []\nlinks: [{name: l, url: u, x: y}]\ndigest: old\n';
    const result = await write({
      entity: entity({
        'd.json': shop(),
        'artifacthub-pkg.yml': file,
        'README.md': '# own\n',
        'img/logo.png': new Uint8Array([1]),
      }),
    });
    expect(result).toMatchObject({
      name: 'shop-of-mine',
      version: '1.2.0',
      notes: [expect.stringContaining('maintaners'), expect.stringContaining('links.0.x')],
    });
    const value = await described('shop-of-mine/1.2.0');
    expect(value).toMatchObject({
      version: '1.2.0',
      displayName: 'Mine',
      createdAt: '2021-02-03T04:05:06Z',
      description: 'sells',
      appVersion: '1.10',
      prerelease: true,
      logoPath: 'img/logo.png',
      keywords: ['a', '1.10'],
      links: [{ name: 'l', url: 'u' }],
      digest: result.digest,
    });
    expect(await written('shop-of-mine/1.2.0/README.md')).toBe('# own\n');
    expect([...readFileSync(join(root, 'shop-of-mine/1.2.0/img/logo.png'))]).toEqual([1]);
  });

  it('may be what Meshery exported', async () => {
    const files = {
      'design.yml': sample('designs/from-genuine-oci-export.v1beta1.design.yml'),
      'artifacthub-pkg.yml': sample('designs/from-genuine-oci-export.artifacthub-pkg.yml'),
    };
    expect(await write({ entity: entity(files, { name: 'my design', version: '0.0.1' }) })).toMatchObject({
      name: 'my-design',
      notes: [],
    });
    expect(await described('my-design/0.0.1')).toMatchObject({
      license: 'Apache-2.0',
      createdAt: '2025-02-03T13:57:04Z',
      provider: { name: 'admin' },
      screenshots: [{ title: 'Meshery Project' }],
    });
  });

  it.each<[string, Partial<Entity>, Files, string]>([
    ['what is no design', { kind: 'model' }, { 'd.json': shop() }, 'OCL_UNSUPPORTED'],
    ['a version that is none', { version: 'new' }, { 'd.json': shop() }, 'OCL_USAGE'],
    [
      'a category of its own',
      {},
      { 'd.json': shop(), 'artifacthub-pkg.yml': 'category: other\n' },
      'OCL_DOCUMENT_INVALID',
    ],
    ['a description that is no YAML', {}, { 'd.json': shop(), 'artifacthub-pkg.yml': 'a: [' }, 'OCL_CONFIG_INVALID'],
  ])('is not %s', async (_what, more, files, code) => {
    await expect(write({ entity: entity(files, more) })).rejects.toMatchObject({ code });
    await expect(readdir(root)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('a repository', () => {
  const owner = { repositoryId: '982dcb40-d869-4712-afd5-526ea860bec7', owners: [{ name: 'A', email: 'a@x.test' }] };

  it('says whose it is, and keeps what else it says', async () => {
    expect(await writeHubRepository(owner, root)).toBe(true);
    expect(await writeHubRepository(owner, root)).toBe(false);
    await writeFile(
      join(root, 'artifacthub-repo.yml'),
      `${await written('artifacthub-repo.yml')}ignore:\n  - name: x\n`,
    );
    expect(await writeHubRepository({ owners: [{ name: 'B', email: 'b@x.test' }] }, root)).toBe(true);
    expect(parseYaml(await written('artifacthub-repo.yml'), 'f').value).toEqual({
      repositoryID: owner.repositoryId,
      owners: [{ name: 'B', email: 'b@x.test' }],
      ignore: [{ name: 'x' }],
    });
    await expect(writeHubRepository({ repositoryId: 'mine' }, root)).rejects.toMatchObject({ code: 'OCL_USAGE' });
  });

  it('says so of itself in a registry, in the types that Artifact Hub looks for', async () => {
    const { store, root: manifest } = repositoryArtifact(owner);
    expect(repositoryArtifact(owner).root.digest).toBe(manifest.digest);
    const target = parseReference(`${places.host}/app`);
    const to = await places.stores.sink(target);
    await newCopier().copy({ from: store, to, root: manifest, name: { tag: 'artifacthub.io' }, image: 'app' });
    await to.commit();
    const source = await places.stores.source(target);
    const { document } = await loadDocument(await source.resolve('artifacthub.io'), source);
    expect(document).toMatchObject({
      kind: 'manifest',
      config: { mediaType: 'application/vnd.cncf.artifacthub.config.v1+yaml' },
      layers: [
        {
          mediaType: 'application/vnd.cncf.artifacthub.repository-metadata.layer.v1.yaml',
          annotations: { 'org.opencontainers.image.title': 'artifacthub-repo.yml' },
        },
      ],
    });
  });
});
