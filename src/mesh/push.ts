import { OclError } from '../core/errors.ts';
import { type Reference } from '../core/reference.ts';
import { type Stores } from '../core/store.ts';
import { type Copier } from '../copy/copier.ts';
import { factsOf } from './detect.ts';
import { parseDocument } from './document.ts';
import { type Entity, type EntityKind } from './entity.ts';
import { entityRepository } from './naming.ts';
import { packEntity, type PackOptions } from './pack.ts';
import { packageOf } from './packageFile.ts';
import { packedRoots } from './packed.ts';
import { chainAnnotations, publish, type Publishable, type Published } from './publish.ts';
import { readEntities, type ReadOptions } from './read.ts';
import { parseLooseVersion } from './version.ts';
import { type Shelves } from './shelves.ts';

export interface PushOptions extends Pick<ReadOptions, 'onNote' | 'tmpDir'> {
  readonly stores: Stores;
  readonly copier: Copier;
  /** A version that is there with another content is replaced. */
  readonly force: boolean;
  /** How files are packed. */
  readonly pack?: PackOptions | undefined;
  /** An entity that could not be published; others go on. Without it the first one ends it. */
  readonly onFailed?: ((entity: string, error: OclError) => void) | undefined;
}

interface Item extends Publishable {
  readonly repository: string;
}

/**
 * Publishes the entities of an input, each in a repository of its own. Files are packed; what was packed before keeps its digest, and so its
 * signatures and all else that refers to it. `finish` of the shelves is the caller's.
 */
export async function* pushEntities(
  input: Reference,
  shelves: Shelves,
  options: PushOptions,
): AsyncGenerator<Published> {
  for await (const item of itemsOf(input, options)) {
    try {
      const shelf = await shelves.open(item.repository);
      yield await publish(item, shelf, options);
    } catch (error) {
      if (!(error instanceof OclError) || options.onFailed === undefined || error.code === 'OCL_CANCELLED') throw error;
      options.onFailed(item.name, error);
    }
  }
}

async function* itemsOf(input: Reference, options: PushOptions): AsyncGenerator<Item> {
  let packed = 0;
  for await (const { kind, name, version, modelVersion, from, root } of packedRoots(input, options.stores)) {
    packed++;
    yield {
      name: `the ${kind} ${name}`,
      repository: entityRepository({ kind, name }),
      version,
      modelVersion: pairedVersion(kind, modelVersion),
      build: () => ({ from, root }),
    };
  }
  if (packed > 0) return;
  const { stores, tmpDir, onNote, onFailed } = options;
  const onBroken =
    onFailed === undefined ? undefined : (error: OclError, place: string): void => onFailed(place, error);
  for await (const entity of readEntities(input, { stores, tmpDir, onNote, onBroken }))
    yield entityItem(entity, options.pack);
}

function entityItem(entity: Entity, pack: PackOptions = {}): Item {
  const { kind, name, modelVersion } = entity;
  return {
    name: `the ${kind} ${name}`,
    repository: entityRepository(entity),
    version: saidVersion(entity),
    modelVersion: pairedVersion(kind, modelVersion),
    build({ version, previous }) {
      const { store, root } = packEntity({ ...entity, version }, { ...pack, annotations: chainAnnotations(previous) });
      return { from: store, root };
    },
  };
}

/** A model's tag has the version of its software when that can be compared. */
export function pairedVersion(kind: EntityKind, modelVersion: string | undefined): string | undefined {
  return kind === 'model' && parseLooseVersion(modelVersion ?? '') !== undefined ? modelVersion : undefined;
}

/** The version that the document has, or its package; the reader gives the first one where both say none. */
function saidVersion({ kind, files, main, origin }: Entity): string | undefined {
  const file = files.find(({ path }) => path === main);
  if (file === undefined || kind === 'filter' || main.endsWith('.rego')) return undefined;
  return factsOf(kind, parseDocument(file.bytes, origin).value).version ?? packageOf(files)?.version;
}
