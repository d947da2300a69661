import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OclError } from '../../src/core/errors.ts';
import {
  parsePathReference,
  parseReference,
  type FileReference,
  type RegistryReference,
} from '../../src/core/reference.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { stateDeprecation } from '../../src/mesh/deprecate.ts';
import { inspectInput } from '../../src/mesh/inspect.ts';
import { listDisk, listRepository, type ListedEntity, type ListOptions } from '../../src/mesh/list.ts';
import { packEntity } from '../../src/mesh/pack.ts';
import { readEntities } from '../../src/mesh/read.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { Content } from '../support/content.ts';
import { newCopier } from '../support/worlds.ts';
import { openPlaces, type Places } from './places.ts';
import { altered, bytesOf, DESIGN, GOOD_MODEL, type Files } from './support.ts';

let places: Places;
const problems: string[] = [];
let options: ListOptions;
const copier = newCopier();

beforeAll(async () => {
  places = await openPlaces();
  const { stores } = places;
  options = {
    tmpDir: places.directory,
    stores,
    onProblem: (reference: string, error: OclError) => void problems.push(`${reference} ${error.code}`),
  };
  await put({ 'in/shop.json': shop('1.2.0') });
  await put(Object.fromEntries(Object.entries(GOOD_MODEL).map(([path, content]) => [`in/model/${path}`, content])));
  for (const target of [`ocidir://${places.path('layout')}`, `${places.host}/designs/shop`]) {
    for (const tag of ['latest', '1', '1.2.0']) await pack('in/shop.json', `${target}:${tag}`);
    await image(`${target}:app`);
  }
  await pack('in/model', `ocidir://${places.path('library/models/acme')}:v0.1.0-v1.0.0`);
  await pack('in/shop.json', `ocidir://${places.path('library/designs/shop')}:1.2.0`);
  for (const form of ['image', 'flux'] as const) await pack('in/shop.json', `${places.host}/forms:${form}`, form);
  await put({ 'both/d.json': shop('1.2.0') });
  await pack('in/shop.json', `ocidir://${places.path('both/store')}:1.2.0`);
  await pack('in/shop.json', `oci-archive:${places.path('shop.tar')}:1.2.0`);
  const statement = { deprecated: true, reason: 'old' };
  for (const text of [`ocidir://${places.path('layout')}:1.2.0`, `${places.host}/designs/shop:1.2.0`])
    await stateDeprecation(parseReference(text), statement, { stores, copier, clock: systemClock });
});
afterAll(async () => {
  await places.close();
});

const shop = (version: string): object =>
  altered(
    DESIGN,
    ['name', 'shop'],
    ['version', version],
    ['components.0.configuration', { spec: { containers: [{ image: 'nginx' }] } }],
  );

async function put(files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(places.path(path)), { recursive: true });
    await writeFile(places.path(path), bytesOf(content));
  }
}

async function pack(from: string, target: string, form: 'artifact' | 'image' | 'flux' = 'artifact'): Promise<void> {
  const reference = parseReference(target);
  const to = await places.stores.sink(reference);
  for await (const entity of readEntities(
    { kind: 'path', path: places.path(from), tag: undefined, digest: undefined },
    options,
  )) {
    const { store, root } = packEntity(entity, { form });
    const request = { from: store, to, root, name: { tag: reference.tag }, image: entity.name };
    if (to.reserve === undefined) await copier.copy(request);
    else await copier.copyReserved([request], to);
  }
  await to.commit();
}

async function image(target: string): Promise<void> {
  const content = new Content();
  const root = content.image({ layers: ['app'] });
  const store = createMemory();
  for (const descriptor of content.descriptors) store.putBytes(content.bytes(descriptor), descriptor.mediaType);
  const reference = parseReference(target);
  const to = await places.stores.sink(reference);
  await copier.copy({ from: store, to, root, name: { tag: reference.tag }, image: 'app' });
  await to.commit();
}

function local(...names: readonly string[]): FileReference {
  return parsePathReference(places.path(...names)) as FileReference;
}

/** What matters of a row, with the test's directory and port taken out. */
function row({ reference, aliases, kind, name, version, modelVersion, deprecation, digest }: ListedEntity): string {
  const where = reference.replace(places.directory, '.').replace(places.host, 'HOST');
  const more = [modelVersion, deprecation?.reason, ...aliases, digest === undefined ? 'files' : undefined];
  return [where, kind, name, version, ...more].filter((each) => each !== undefined).join(' ');
}

describe('the entities of', () => {
  it.each<[string, () => Promise<readonly ListedEntity[]>, readonly string[]]>([
    ['a layout', () => listDisk(local('layout'), options), ['./layout:1.2.0 design shop 1.2.0 old 1 latest']],
    [
      'one name of a layout',
      () => listDisk({ ...local('layout'), tag: '1' }, options),
      ['./layout:1 design shop 1.2.0 old'],
    ],
    [
      'a library',
      () => listDisk(local('library'), options),
      [
        './library/designs/shop:1.2.0 design shop 1.2.0',
        './library/models/acme:v0.1.0-v1.0.0 model acme-widget v1.0.0 v0.1.0',
      ],
    ],
    ['an archive', () => listDisk(local('shop.tar'), options), ['./shop.tar:1.2.0 design shop 1.2.0']],
    [
      'a repository',
      () => listRepository(parseReference(`${places.host}/designs/shop`) as RegistryReference, options),
      ['HOST/designs/shop:1.2.0 design shop 1.2.0 old 1 latest'],
    ],
    [
      'what Meshery pushes itself, and what is for registries that want images',
      () => listRepository(parseReference(`${places.host}/forms`) as RegistryReference, options),
      ['HOST/forms:flux design shop 1.2.0', 'HOST/forms:image design shop 1.2.0'],
    ],
    [
      'one tag of a repository',
      () => listRepository(parseReference(`${places.host}/designs/shop:1`) as RegistryReference, options),
      ['HOST/designs/shop:1 design shop 1.2.0 old'],
    ],
    [
      'a directory of both',
      () => listDisk(local('both'), options),
      ['./both/d.json design shop 1.2.0 files', './both/store:1.2.0 design shop 1.2.0'],
    ],
    [
      'a directory of files',
      () => listDisk(local('in'), options),
      ['./in/model/v1.0.0/model.json model acme-widget v1.0.0 v0.1.0 files', './in/shop.json design shop 1.2.0 files'],
    ],
  ])('%s are listed once, with their tags', async (_what, list, expected) => {
    expect((await list()).map(row).toSorted()).toEqual(expected);
    expect(problems.splice(0)).toEqual([]);
  });

  it('a place are listed although one of them is damaged', async () => {
    const broken = `ocidir://${places.path('broken')}`;
    await pack('in/shop.json', `${broken}:1.0.0`);
    await put({ 'in/other.json': shop('2.0.0') });
    await pack('in/other.json', `${broken}:2.0.0`);
    const [first] = await listDisk(local('broken'), options);
    const path = places.path('broken', 'blobs', 'sha256', first?.digest?.slice('sha256:'.length) ?? '');
    await chmod(path, 0o644);
    await writeFile(path, '{}');
    expect((await listDisk(local('broken'), options)).map(({ version }) => version)).toEqual(['2.0.0']);
    expect(problems.splice(0)).toEqual([expect.stringMatching(/1\.0\.0 OCL_(?:SIZE|DIGEST)_MISMATCH$/)]);
  });
});

const NGINX = [{ image: 'docker.io/library/nginx:latest' }];

describe('an entity', () => {
  it.each<[string, () => string, object]>([
    [
      'of a file',
      () => places.path('in/shop.json'),
      {
        kind: 'design',
        counts: { components: 1, relationships: 0, connections: 0, policies: 0 },
        digest: undefined,
        files: 1,
        images: NGINX,
      },
    ],
    [
      'of a registry',
      () => `${places.host}/designs/shop:1.2.0`,
      {
        kind: 'design',
        deprecation: { reason: 'old' },
        digest: expect.stringMatching(/^sha256:/) as string,
        images: NGINX,
      },
    ],
    [
      'of a library',
      () => places.path('library/models/acme'),
      {
        reference: expect.stringMatching(/library\/models\/acme@sha256:/) as string,
        kind: 'model',
        modelVersion: 'v0.1.0',
        counts: { components: 1, relationships: 1, connections: 1, policies: 0 },
      },
    ],
  ])('%s is shown with what it holds and needs', async (_what, input, expected) => {
    const shown: object[] = [];
    const text = input();
    for await (const each of inspectInput(
      text.startsWith('/') ? parsePathReference(text) : parseReference(text),
      options,
    ))
      shown.push(each);
    expect(shown).toMatchObject([expected]);
  });
});
