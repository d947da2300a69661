import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { parseReference, type Reference } from '../../src/core/reference.ts';
import { type Entity, type EntityKind, type MeshFile } from '../../src/mesh/entity.ts';
import { type PackOptions } from '../../src/mesh/pack.ts';
import { packEntities, type Packed } from '../../src/mesh/packInto.ts';
import { readEntities, type ReadOptions } from '../../src/mesh/read.ts';
import { singleShelf } from '../../src/mesh/shelves.ts';
import { unpackEntities, type Unpacked } from '../../src/mesh/unpack.ts';
import { newCopier } from '../support/worlds.ts';
import { type Places } from './places.ts';

export const SAMPLES = new URL('../../testdata/meshery/', import.meta.url).pathname;
export const GENUINE = join(SAMPLES, 'oci/meshery-genuine-design-export-2025-02.tar');

export async function sample(path: string): Promise<Buffer> {
  return await readFile(join(SAMPLES, path));
}

/** A sample with a member that nobody knows. */
async function withUnknown(path: string): Promise<Uint8Array> {
  const value = JSON.parse((await sample(path)).toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify({ ...value, xUnknown: { kept: [1, 2.5, 'é'] } }, undefined, 2));
}

/** A WebAssembly module with nothing in it. */
export const WASM = Buffer.from('AGFzbQEAAAA=', 'base64');
export const REGO = Buffer.from('# why\npackage meshmodel_policy\n\ndefault allow = false\n');

export type Files = Readonly<Record<string, Uint8Array | string>>;

/** One entity of each kind, as files of a directory. */
export async function kindFiles(kind: EntityKind): Promise<Files> {
  switch (kind) {
    case 'design':
      return { 'my design.json': await withUnknown('minimal/design.v1beta1.one-component.json') };
    case 'model':
      return {
        'model.json': await withUnknown('minimal/model.json'),
        'components/Widget.json': await withUnknown('minimal/component.v1beta1.json'),
        'relationships/edge.json': await withUnknown('minimal/relationship.v1beta2.json'),
        'connections/registry.json': await withUnknown('minimal/connection.v1beta3.json'),
        'policies/network.rego': REGO,
        'README.md': '# Widgets\n',
        LICENSE: 'Apache-2.0\n',
      };
    case 'component':
      return { 'widget.json': await withUnknown('minimal/component.v1beta1.json') };
    case 'relationship':
      return { 'edge.json': await withUnknown('minimal/relationship.v1beta2.json') };
    case 'connection':
      return { 'connection.json': await withUnknown('minimal/connection.v1beta3.json') };
    case 'policy':
      return { 'network.rego': REGO };
    case 'filter':
      return { 'basic-auth.wasm': WASM, 'about.json': await withUnknown('minimal/filter.v1beta3.json') };
    case 'view':
      return { 'view.json': await withUnknown('minimal/view.v1beta2.json') };
    case 'environment':
      return { 'environment.json': await withUnknown('minimal/environment.v1beta3.json') };
    case 'workspace':
      return { 'workspace.json': await withUnknown('minimal/workspace.v1beta3.json') };
  }
}

export async function writeFiles(directory: string, files: Files): Promise<string> {
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), bytes);
  }
  return directory;
}

/** All files below a directory, as texts that can be compared. */
export async function filesBelow(directory: string): Promise<Readonly<Record<string, string>>> {
  const entries = await readdir(directory, { withFileTypes: true, recursive: true });
  const found = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const pairs = found
    .toSorted()
    .map(async (path) => [relative(directory, path), (await readFile(path)).toString('latin1')]);
  return Object.fromEntries((await Promise.all(pairs)) as [string, string][]);
}

export function latin1(files: Files): Readonly<Record<string, string>> {
  const pairs = Object.entries(files).map(([path, bytes]) => [path, Buffer.from(bytes).toString('latin1')] as const);
  return Object.fromEntries(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export function asReference(text: string): Reference {
  return parseReference(text);
}

type Kit = Pick<Places, 'stores' | 'directory'>;

/** The entities of a place. */
export async function readAll(kit: Kit, input: string, more: Partial<ReadOptions> = {}): Promise<readonly Entity[]> {
  const entities: Entity[] = [];
  const options = { stores: kit.stores, tmpDir: kit.directory, ...more };
  for await (const entity of readEntities(asReference(input), options)) entities.push(entity);
  return entities;
}

/** Packs the one entity of an input to a reference. */
export async function packOne(kit: Kit, input: string, target: string, pack: PackOptions = {}): Promise<Packed> {
  const entities = readEntities(asReference(input), { stores: kit.stores, tmpDir: kit.directory });
  const shelves = singleShelf(asReference(target), { stores: kit.stores });
  const packed: Packed[] = [];
  for await (const one of packEntities(entities, shelves, { copier: newCopier(), pack })) packed.push(one);
  if (packed.length !== 1 || packed[0] === undefined) throw new Error(`${packed.length} entities were packed`);
  return packed[0];
}

export async function unpackTo(
  kit: Kit,
  input: string,
  directory: string,
  overwrite = false,
): Promise<readonly Unpacked[]> {
  const options = { stores: kit.stores, tmpDir: kit.directory, overwrite };
  return await unpackEntities(asReference(input), directory, options);
}

export function fileOf(files: readonly MeshFile[], path: string): string | undefined {
  const file = files.find((each) => each.path === path);
  return file === undefined ? undefined : Buffer.from(file.bytes).toString();
}
