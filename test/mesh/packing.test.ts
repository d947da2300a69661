import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Manifest, parseManifest } from '../../src/core/manifest.ts';
import { readBounded } from '../../src/io/verify.ts';
import { type Entity } from '../../src/mesh/entity.ts';
import { importNotes } from '../../src/mesh/importNotes.ts';
import { packEntity, type PackOptions } from '../../src/mesh/pack.ts';
import { packEntities } from '../../src/mesh/packInto.ts';
import { openShelves } from '../../src/mesh/shelves.ts';
import { newCopier } from '../support/worlds.ts';
import { fileOf, kindFiles, readAll, sample, SAMPLES, WASM, writeFiles, type Files } from './kit.ts';
import { openPlaces, type Places } from './places.ts';

let places: Places;
beforeAll(async () => {
  places = await openPlaces();
});
afterAll(() => places.close());

let count = 0;
/** The entities of some files, each time in a directory of their own. */
async function entitiesOf(files: Files): Promise<readonly Entity[]> {
  return await readAll(places, await writeFiles(places.path(`files-${count++}`), files));
}

async function entityOf(files: Files): Promise<Entity> {
  const [entity, ...others] = await entitiesOf(files);
  if (entity === undefined || others.length > 0) throw new Error(`there are ${others.length + 1} entities`);
  return entity;
}

async function manifestOf(entity: Entity, options: PackOptions = {}): Promise<Manifest> {
  const { store, root } = packEntity(entity, options);
  const document = parseManifest(await readBounded(await store.open(root), 1 << 20, 'it'), root.mediaType, 'it');
  if (document.kind !== 'manifest') throw new Error('it is no manifest');
  return document;
}

/** What Meshery finds in its layer. */
const imported = (entity: Entity, options?: PackOptions): string[] =>
  packEntity(entity, options).imported.map(({ path }) => path);
const importedText = (entity: Entity, path: string, options?: PackOptions): string =>
  fileOf(packEntity(entity, options).imported, path) ?? '';

describe('a design', () => {
  it('in JSON is the very text that Meshery reads under design.yml', async () => {
    const text = '{"schemaVersion":"designs.meshery.io/v1beta3",\n "name":"x", "components":[], "own": 1.10 }\n';
    const entity = await entityOf({ 'design.yml': text });
    expect(importedText(entity, 'design.yml')).toBe(text);
    // What lies there as it was given needs no layer of its own.
    expect((await manifestOf(entity)).layers).toHaveLength(1);
  });

  it('in YAML becomes JSON there, with the digits that were written, and stays as it was beside it', async () => {
    const text = [
      'schemaVersion: designs.meshery.io/v1beta3',
      'name: "1.10"',
      'version: 1.0.10',
      'components:',
      '  - id: &a 12345678901234567890',
      '    displayName: yes',
      '    metadata: {x: 1.10, y: ~, when: 0001-01-01T00:00:00Z, additionalproperties: {source_uri: git://x, x: 2}}',
      '    configuration: {metadata: {additionalproperties: {kept: true}}, same: *a, hex: 0x1F, inf: .inf}',
      '',
    ].join('\n');
    const entity = await entityOf({ 'shop.yaml': text });
    expect(importedText(entity, 'design.yml')).toBe(
      '{"schemaVersion":"designs.meshery.io/v1beta3","name":"1.10","version":"1.0.10","components":[{"id":12345678901234567890,' +
        '"displayName":"yes","metadata":{"source_uri":"git://x","x":1.10,"y":null,"when":"0001-01-01T00:00:00Z"},' +
        '"configuration":{"metadata":{"additionalproperties":{"kept":true}},"same":12345678901234567890,"hex":31,"inf":".inf"}}]}',
    );
    expect(importedText(entity, 'design.yml', { text: 'given' })).toBe(text);
    expect(importedText(entity, 'design.yml', { text: 'yaml' })).toBe(text);
    const { layers } = await manifestOf(entity);
    expect(
      layers.map(({ mediaType, annotations }) => [mediaType, annotations?.['org.opencontainers.image.title']]),
    ).toEqual([
      ['application/vnd.oci.image.layer.v1.tar+gzip', undefined],
      ['application/yaml', 'shop.yaml'],
    ]);
  });

  it('says what it is, and what it needs, in annotations', async () => {
    const design = JSON.parse((await sample('minimal/design.v1beta1.one-component.json')).toString()) as {
      components: Record<string, unknown>[];
    };
    const [component] = design.components;
    const configuration = { spec: { template: { spec: { containers: [{ image: 'nginx:1.27' }] } } } };
    const entity = await entityOf({
      'artifacthub-pkg.yml':
        'version: 1.2.3\nname: w\ndisplayName: W\ncreatedAt: "2024-01-02T03:04:05Z"\ndescription: d\nlicense: MIT\nkeywords: [a, b]\ndeprecated: true\nmaintainers: [{name: n, email: e@x}]\nprovider: {name: p}\n',
      'design.yml': JSON.stringify({ ...design, components: [{ ...component, configuration }] }),
    });
    expect((await manifestOf(entity)).annotations).toMatchObject({
      'org.opencontainers.image.created': '2024-01-02T03:04:05Z',
      'org.opencontainers.image.title': 'one-widget',
      'org.opencontainers.image.version': '1.2.3',
      'org.opencontainers.image.description': 'd',
      'org.opencontainers.image.licenses': 'MIT',
      'org.opencontainers.image.vendor': 'p',
      'io.artifacthub.package.keywords': 'a,b',
      'io.artifacthub.package.deprecated': 'true',
      'io.artifacthub.package.maintainers': '[{"name":"n","email":"e@x"}]',
      'io.meshery.entity.kind': 'design',
      'io.meshery.design.components': '1',
      'io.meshery.requires.models': '[{"name":"acme-widget","version":"v0.1.0"}]',
      'io.meshery.requires.images': '["docker.io/library/nginx:1.27"]',
    });
  });
});

describe('a model', () => {
  it('lies below both its versions, and what is no part of it lies beside the layer', async () => {
    const entity = await entityOf({ ...(await kindFiles('model')), 'docs/notes.txt': 'x', 'policies/p.json': '{}' });
    expect(imported(entity)).toEqual(
      [
        'README.md',
        'components/Widget.json',
        'connections/registry.json',
        'model.json',
        'policies/network.rego',
        'relationships/edge.json',
      ].map((path) => `v0.1.0/v1.0.0/${path}`),
    );
    const { layers } = await manifestOf(entity);
    expect(layers.slice(1).map(({ annotations }) => annotations?.['org.opencontainers.image.title'])).toEqual([
      'LICENSE',
      'docs/notes.txt',
      'policies/p.json',
    ]);
    expect(packEntity(entity).notes).toEqual([
      'LICENSE, docs/notes.txt, policies/p.json would be an error to Meshery\u2019s import: carried beside the layer that it reads'.replace(
        '\u2019',
        "'",
      ),
    ]);
  });

  it('with another in its directory is the last one, as for Meshery, and the other is carried', async () => {
    const model = JSON.parse((await sample('minimal/model.json')).toString()) as object;
    const entity = await entityOf({
      'a.json': JSON.stringify({ ...model, name: 'first' }),
      'b.json': JSON.stringify({ ...model, name: 'second' }),
      'components/Widget.json': await sample('minimal/component.v1beta1.json'),
    });
    expect(entity).toMatchObject({ name: 'second', main: 'b.json' });
    expect(imported(entity)).toEqual(['v0.1.0/v1.0.0/b.json', 'v0.1.0/v1.0.0/components/Widget.json']);
    expect(packEntity(entity).notes[0]).toContain('2 models lie in one directory; Meshery takes the last, b.json');
  });

  it('with many files beside it has them in one layer', async () => {
    const more = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`docs/${i}.txt`, `${i}`]));
    const entity = await entityOf({ ...(await kindFiles('model')), ...more });
    const { layers } = await manifestOf(entity);
    expect(layers.map(({ mediaType }) => mediaType)).toEqual([
      'application/vnd.oci.image.layer.v1.tar+gzip',
      'application/vnd.meshery.files.v1.tar+gzip',
    ]);
  });
});

describe('a part of a model by itself', () => {
  it('is wrapped in a model that Meshery imports without a complaint', async () => {
    const component = await entityOf({ 'x.json': await sample('minimal/component.v1beta1.json') });
    expect(imported(component)).toEqual(['v0.1.0/v1.0.0/model.json', 'v0.1.0/v1.0.0/components/Widget.json']);
    expect(await importNotes(packEntity(component).imported)).toEqual([]);
    const model = JSON.parse(importedText(component, 'v0.1.0/v1.0.0/model.json')) as object;
    expect(model).toMatchObject({ name: 'acme-widget', registrant: { kind: 'meshery' }, status: 'enabled' });
    const relationship = await entityOf({ 'x.json': await sample('minimal/relationship.v1beta2.json') });
    expect(await importNotes(packEntity(relationship).imported)).toEqual([]);
  });

  it('that Meshery would not take says why', async () => {
    const notes = async (path: string): Promise<string> => {
      const [entity] = await readAll(places, `${SAMPLES}/${path}`);
      return (await importNotes(packEntity(entity as Entity).imported)).join('\n');
    };
    expect(await notes('models/meshkit-generated/acm-controller/MeshSync.json')).toContain('[component-status]');
    expect(await notes('minimal/environment.v1beta3.json')).toContain('[no-importer]');
    expect(await notes('legacy-alpha2/Thanos-Query-Design.yaml')).toContain('[design-legacy]');
  });
});

describe('a filter', () => {
  it('is its module and what is said of it, whichever way it comes', async () => {
    const described = JSON.parse((await sample('minimal/filter.v1beta3.json')).toString()) as Record<string, unknown>;
    const { filterFile: _module, ...rest } = described;
    const ways: Files[] = [
      { 'filter.json': JSON.stringify(described) },
      { 'x.wasm': WASM, 'filter.json': JSON.stringify(rest) },
      { 'basic-auth.wasm': WASM },
    ];
    for (const files of ways) {
      const entity = await entityOf(files);
      expect(imported(entity)).toEqual(['artifacthub-pkg.yml', 'filter.json', 'basic-auth.wasm']);
      const bytes = packEntity(entity).imported.find(({ path }) => path === 'basic-auth.wasm')?.bytes;
      expect(Buffer.from(bytes ?? '').equals(WASM)).toBe(true);
      expect(JSON.parse(importedText(entity, 'filter.json'))).toMatchObject({ name: 'basic-auth' });
      expect(importedText(entity, 'filter.json')).not.toContain('filterFile');
    }
  });
});

describe('packing many', () => {
  const design = (i: number, version = '0.0.1'): string =>
    JSON.stringify({
      schemaVersion: 'designs.meshery.io/v1beta3',
      name: `d ${i}`,
      version,
      components: [],
      relationships: [],
    });

  it('holds no more than a few in memory, and makes all visible at once in a layout', async () => {
    let most = 0;
    let alive = 0;
    async function* entities(): AsyncGenerator<Entity> {
      for (let i = 0; i < 300; i++) {
        most = Math.max(most, ++alive);
        const main = 'design.yml';
        const files = [{ path: main, bytes: Buffer.from(design(i)) }];
        yield { kind: 'design', name: `d ${i}`, version: '0.0.1', main, files, origin: `${i}`, notes: [] };
      }
    }
    const place = { kind: 'disk', reference: { kind: 'layout', path: places.path('many') }, form: 'layout' } as const;
    const copier = newCopier();
    const shelves = openShelves(place, { stores: places.stores, copier });
    const targets = new Set<string>();
    for await (const { target } of packEntities(entities(), shelves, { copier })) {
      targets.add(target);
      alive--;
    }
    expect(targets.size).toBe(300);
    expect(most).toBeLessThan(8);
    const library = await places.stores.library(place.reference);
    expect(await library.repositories()).toHaveLength(300);
  });

  it('refuses two contents under one name, by name of both, and goes on', async () => {
    const tree = await writeFiles(places.path('clash'), {
      'a.json': design(1),
      'b.json': `${design(1)} `,
      'c.json': design(2),
    });
    const failed: string[] = [];
    const place = { kind: 'disk', reference: { kind: 'path', path: places.path('clashes') }, form: 'library' } as const;
    const copier = newCopier();
    const options = { copier, onFailed: (origin: string, error: Error) => failed.push(`${origin}: ${error.message}`) };
    async function* all(): AsyncGenerator<Entity> {
      yield* await readAll(places, tree);
    }
    const packed: string[] = [];
    for await (const { name } of packEntities(all(), openShelves(place, { stores: places.stores, copier }), options))
      packed.push(name);
    expect(packed).toEqual(['d 1', 'd 2']);
    expect(failed).toEqual([
      `${tree}/b.json: Cannot pack ${tree}/b.json: ${places.path('clashes')}/designs/d-1:0.0.1 is ${tree}/a.json already`,
    ]);
  });
});
