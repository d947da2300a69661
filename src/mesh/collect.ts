import { toOclError } from '../core/errors.ts';
import { type Reference } from '../core/reference.ts';
import { type BundleContents, type BundlePart, type MissingPart } from './bundle.ts';
import { type Entity } from './entity.ts';
import { openImagePlace, ownRegistries, type ImagePlace } from './imagePlaces.ts';
import { openModelPlace, type FoundModel, type ModelPlace } from './modelPlaces.ts';
import { entityRepository, entityTag } from './naming.ts';
import { packEntity, type PackOptions } from './pack.ts';
import { packedRoots } from './packed.ts';
import { readEntities, type ReadOptions } from './read.ts';
import { requiredImages, requiredModels, type RequiredModel } from './requires.ts';
import { localName, type ShelvesPlace } from './shelves.ts';

export interface CollectOptions extends ReadOptions {
  /** Where models are looked for, in this order. Empty: they are not carried. */
  readonly models: readonly ShelvesPlace[];
  /** Where images are looked for before their own registries. */
  readonly images: readonly ShelvesPlace[];
  /** How files are packed. */
  readonly pack?: PackOptions | undefined;
  /** False: images are not carried. */
  readonly withImages: boolean;
  /** False: nothing is asked of the registries that images name. */
  readonly ownRegistries: boolean;
  readonly signal?: AbortSignal | undefined;
}

interface Input {
  readonly entity: Entity;
  readonly part: BundlePart;
}

/**
 * All that a bundle carries: what is given, the models that it refers to, and the container images that its components run.
 * Nothing but manifests is read of models in stores and of images. What is not found is told, and is the caller's to judge.
 */
export async function collectBundle(inputs: readonly Reference[], options: CollectOptions): Promise<BundleContents> {
  const given: Input[] = [];
  for (const input of inputs)
    for await (const each of read(input, options))
      if (!given.some(({ part }) => isSame(part, each.part))) given.push(each);
  const models = await collectModels(given, options);
  const images = options.withImages ? await collectImages(given, options) : { parts: [], missing: [] };
  const lead = (
    given.find(({ entity }) => entity.kind === 'workspace') ??
    given.find(({ entity }) => entity.kind === 'design') ??
    given[0]
  )?.entity;
  return {
    title: lead?.name ?? 'bundle',
    version: lead?.version ?? '0.0.1',
    parts: [...given.map(({ part }) => part), ...models.parts, ...images.parts],
    missing: [...models.missing, ...images.missing],
  };
}

async function* read(input: Reference, options: CollectOptions): AsyncGenerator<Input> {
  let packed = 0;
  for await (const { from, root, kind, name, version, modelVersion, reference } of packedRoots(input, options.stores)) {
    for await (const entity of readEntities(reference, options)) {
      packed++;
      const part = partName({ kind, name, version: version ?? entity.version, modelVersion });
      yield { entity, part: { role: kind, name: part, from, root } };
    }
  }
  if (packed > 0) return;
  for await (const entity of readEntities(input, options)) {
    const { store, root } = packEntity(entity, options.pack);
    yield { entity, part: { role: entity.kind, name: partName(entity), from: store, root } };
  }
}

function partName(entity: Pick<Entity, 'kind' | 'name' | 'version' | 'modelVersion'>): string {
  return localName(entityRepository(entity), entityTag(entity));
}

function isSame(a: BundlePart, b: BundlePart): boolean {
  return a.role === b.role && a.root.digest === b.root.digest;
}

interface Collected {
  readonly parts: readonly BundlePart[];
  readonly missing: readonly MissingPart[];
}

async function collectModels(given: readonly Input[], options: CollectOptions): Promise<Collected> {
  const required = new Map<string, { readonly model: RequiredModel; readonly neededBy: string[] }>();
  for (const { entity } of given) {
    if (entity.kind === 'model') continue;
    for (const model of requiredModels(entity)) {
      if (given.some((other) => isModel(other.entity, model))) continue;
      const key = `${model.name} ${model.modelVersion ?? ''}`;
      const known = required.get(key) ?? { model, neededBy: [] };
      known.neededBy.push(`${model.uses} ${model.uses === 1 ? 'part' : 'parts'} of the ${entity.kind} ${entity.name}`);
      required.set(key, known);
    }
  }
  if (options.models.length === 0) return { parts: [], missing: [] };
  const names = new Set([...required.values()].map(({ model }) => model.name));
  const places = options.models.map((place) => openModelPlace(place, names, options));
  const parts: BundlePart[] = [];
  const missing: MissingPart[] = [];
  for (const { model, neededBy } of required.values()) {
    options.signal?.throwIfAborted();
    const found = await findModel(model, places);
    if ('asked' in found) missing.push({ role: 'model', name: called(model), asked: found.asked, neededBy });
    else {
      const { from, root, name, version, modelVersion } = found;
      const part: BundlePart = {
        role: 'model',
        name: partName({ kind: 'model', name, version, modelVersion }),
        from,
        root,
      };
      if (!parts.some((other) => isSame(other, part))) parts.push(part);
    }
  }
  return { parts, missing };
}

function isModel({ kind, name, modelVersion }: Entity, model: RequiredModel): boolean {
  return (
    kind === 'model' && name === model.name && (model.modelVersion === undefined || model.modelVersion === modelVersion)
  );
}

function called({ name, modelVersion }: RequiredModel): string {
  return modelVersion === undefined ? name : `${name} ${modelVersion}`;
}

async function findModel(
  model: RequiredModel,
  places: readonly ModelPlace[],
): Promise<FoundModel | { readonly asked: readonly string[] }> {
  const asked: string[] = [];
  for (const place of places) {
    try {
      const found = await place.find(model);
      if ('root' in found) return found;
      asked.push(
        found.there.length === 0 ? place.name : `${place.name} (which has ${found.there.slice(0, 5).join(', ')})`,
      );
    } catch (error) {
      const { code, message } = toOclError(error);
      if (code === 'OCL_CANCELLED') throw error;
      asked.push(`${place.name} (${message})`);
    }
  }
  return { asked };
}

async function collectImages(given: readonly Input[], options: CollectOptions): Promise<Collected> {
  const required = new Map<string, { readonly usable: boolean; readonly neededBy: string[] }>();
  for (const { entity } of given)
    for (const { image, usable, places } of requiredImages(entity)) {
      const known = required.get(image) ?? { usable, neededBy: [] };
      known.neededBy.push(...places.map(({ component }) => `${component} of the ${entity.kind} ${entity.name}`));
      required.set(image, known);
    }
  const places = options.images.map((place) => openImagePlace(place, options.stores));
  if (options.ownRegistries) places.push(ownRegistries(options.stores));
  const parts: BundlePart[] = [];
  const missing: MissingPart[] = [];
  for (const [name, { usable, neededBy }] of [...required].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    options.signal?.throwIfAborted();
    const needed = [...new Set(neededBy)];
    if (!usable) {
      missing.push({ role: 'image', name, asked: [], neededBy: needed });
      continue;
    }
    const asked: string[] = [];
    const found = await findImage(name, places, asked);
    if (found === undefined) missing.push({ role: 'image', name, asked, neededBy: needed });
    else parts.push({ role: 'image', name, ...found });
  }
  return { parts, missing };
}

async function findImage(
  image: string,
  places: readonly ImagePlace[],
  asked: string[],
): Promise<Pick<BundlePart, 'from' | 'root'> | undefined> {
  for (const place of places) {
    try {
      const found = await place.find(image);
      if (found !== undefined) return found;
      asked.push(place.nameFor(image));
    } catch (error) {
      const { code, message } = toOclError(error);
      if (code === 'OCL_CANCELLED') throw error;
      asked.push(`${place.nameFor(image)} (${message})`);
    }
  }
  return undefined;
}
