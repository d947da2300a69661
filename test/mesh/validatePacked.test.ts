import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parsePathReference, parseReference } from '../../src/core/reference.ts';
import { packEntity } from '../../src/mesh/pack.ts';
import { readEntities } from '../../src/mesh/read.ts';
import { validateFiles } from '../../src/mesh/validate.ts';
import { openInputs } from '../../src/mesh/validateInputs.ts';
import { newCopier } from '../support/worlds.ts';
import { openPlaces, type Places } from './places.ts';
import { altered, bytesOf, COMPONENT, DESIGN, GOOD_MODEL, sample, type Files } from './support.ts';

const GENUINE = new URL('../../testdata/meshery/oci/meshery-genuine-design-export-2025-02.tar', import.meta.url)
  .pathname;

let places: Places;
const notes: string[] = [];
beforeAll(async () => {
  places = await openPlaces();
});
afterAll(async () => {
  await places.close();
});

async function put(name: string, files: Files): Promise<string> {
  for (const [path, content] of Object.entries(files)) {
    const file = places.path(name, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, bytesOf(content));
  }
  return places.path(name);
}

/** `form level rule` of all that is found in whatever a path or reference leads to. */
async function validated(text: string): Promise<readonly string[]> {
  const reference = text.startsWith('/') ? parsePathReference(text) : parseReference(text);
  const options = { stores: places.stores, tmpDir: places.directory, onNote: (note: string) => void notes.push(note) };
  const lines: string[] = [];
  for await (const { input, onDisk } of openInputs(reference, options)) {
    const { findings, examined } = await validateFiles(input);
    lines.push(`${input.form} ${onDisk ? 'on disk' : 'packed'} ${examined}`);
    lines.push(...findings.map(({ level, rule }) => `${level} ${rule}`));
  }
  return lines;
}

async function pack(from: string, target: string): Promise<void> {
  const reference = parseReference(target);
  const to = await places.stores.sink(reference);
  const options = { stores: places.stores, tmpDir: places.directory };
  for await (const entity of readEntities(parsePathReference(from), options)) {
    const { store, root } = packEntity(entity);
    await newCopier().copy({ from: store, to, root, name: { tag: reference.tag }, image: entity.name });
  }
  await to.commit();
}

describe('what ocl packs', () => {
  it.each<[string, Files, readonly string[]]>([
    ['a design', { 'shop.json': sample(DESIGN) }, ['archive packed 2']],
    ['a design in YAML', { 'shop.yml': sample('designs/meshkit-valid_design.v1beta1.yml') }, ['archive packed 2']],
    ['a model', GOOD_MODEL, ['archive packed 4']],
    ['a component', { 'c.json': sample(COMPONENT) }, ['archive packed 2']],
    ['a relationship', { 'r.json': sample('minimal/relationship.v1beta2.json') }, ['archive packed 2']],
    ['a view', { 'v.json': sample('minimal/view.v1beta2.json') }, ['archive packed 1', 'info no-importer']],
    [
      'an environment',
      { 'e.json': sample('minimal/environment.v1beta3.json') },
      ['archive packed 1', 'info no-importer'],
    ],
    ['a workspace', { 'w.json': sample('minimal/workspace.v1beta3.json') }, ['archive packed 1', 'info no-importer']],
  ])('is in order to Meshery: %s', async (_what, files, expected) => {
    const name = `in-${_what.replaceAll(' ', '-').toLowerCase()}`;
    const from = await put(name, files);
    const target = `${places.host}/x/${name}:1`;
    await pack(from, target);
    expect(await validated(target)).toEqual(expected);
  });

  it('is examined as Meshery reads it, faults and all', async () => {
    const from = await put('faulty', {
      'model.json': sample('minimal/model.json'),
      'components/c.json': altered(COMPONENT, ['status', null]),
    });
    await pack(from, `ocidir://${places.path('faulty-layout')}:1`);
    expect(await validated(places.path('faulty-layout'))).toEqual(['archive packed 2', 'error component-status']);
  });
});

it('reads each file once, and those again in which a part of a package is wrong', async () => {
  const reads: string[] = [];
  const files: Files = {
    ...GOOD_MODEL,
    'v1.0.0/components/Z.json': altered(COMPONENT, ['model.name', 'other'], ['component.kind', 'Z']),
  };
  const { findings } = await validateFiles({
    form: 'directory',
    files: Object.keys(files).map((path) => ({ path })),
    read: (path) => {
      reads.push(path);
      return Promise.resolve(bytesOf(files[path] ?? ''));
    },
    nameOf: (path) => path,
  });
  expect(findings.map(({ rule }) => rule)).toEqual(['component-model']);
  expect(reads.toSorted()).toEqual([...Object.keys(files), 'v1.0.0/components/Z.json'].toSorted());
});

it('tells of the first ten thousand faults of a file', async () => {
  const design = altered(DESIGN, ['components', Array.from({ length: 10_050 }, () => ({ id: 'none' }))]);
  const { findings } = await validateFiles({
    form: 'file',
    files: [{ path: 'd.json' }],
    read: () => Promise.resolve(Buffer.from(JSON.stringify(design))),
    nameOf: (path) => path,
  });
  expect(findings).toHaveLength(10_000);
});

describe('whatever else there is', () => {
  it('is opened by what it is', async () => {
    expect(await validated(GENUINE)).toEqual(['archive packed 2', 'warning additional-properties', 'warning year-one']);
    const file = await put('one', { 'd.json': sample(DESIGN) });
    expect(await validated(`${file}/d.json`)).toEqual(['file on disk 1']);
    expect(await validated(file)).toEqual(['directory on disk 1']);
    await put('mixed', { 'd.json': sample(DESIGN), 'credentials/c.json': '{}' });
    await pack(`${file}/d.json`, `ocidir://${places.path('mixed/store')}:1`);
    expect(await validated(places.path('mixed'))).toEqual(['directory on disk 1', 'archive packed 2']);
    expect(notes).toEqual([expect.stringContaining('credentials')]);
  });
});
