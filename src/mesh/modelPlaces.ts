import { type Descriptor } from '../core/descriptor.ts';
import { isCode } from '../core/errors.ts';
import { formatReference, type FileReference } from '../core/reference.ts';
import { type Source, type Stores } from '../core/store.ts';
import { loadDocument } from '../copy/documents.ts';
import { entityRepository } from './naming.ts';
import { packEntity } from './pack.ts';
import { packedFacts } from './packed.ts';
import { readEntities, type ReadOptions } from './read.ts';
import { releasesOf } from './release.ts';
import { type RequiredModel } from './requires.ts';
import { flatRepository, type ShelvesPlace } from './shelves.ts';
import { compareVersions, parseLooseVersion, parseVersion } from './version.ts';

/** A model as it lies somewhere. */
export interface FoundModel {
  readonly from: Source;
  readonly root: Descriptor;
  readonly name: string;
  readonly modelVersion: string | undefined;
  readonly version: string;
}

export interface ModelPlace {
  readonly name: string;
  /** The model of that name and software version, of several definitions the newest; else the versions that are there. */
  find(model: RequiredModel): Promise<FoundModel | { readonly there: readonly string[] }>;
}

interface Candidate {
  readonly name: string;
  readonly modelVersion: string | undefined;
  readonly version: string;
  take(): Promise<{ readonly from: Source; readonly root: Descriptor }>;
}

/**
 * A registry's namespace, a library, layout or archive with packed models, or a directory of models as Meshery lays them out.
 * @param names of the models that will be asked for: of a directory nothing else is kept
 */
export function openModelPlace(place: ShelvesPlace, names: ReadonlySet<string>, options: ReadOptions): ModelPlace {
  if (place.kind === 'registry') return registryPlace(place, options.stores);
  let all: Promise<readonly Candidate[]> | undefined;
  return {
    name: formatReference(place.reference),
    async find(model) {
      all ??= candidatesIn(place, names, options);
      return await choose(await all, model);
    },
  };
}

function registryPlace({ registry, prefix }: Extract<ShelvesPlace, { kind: 'registry' }>, stores: Stores): ModelPlace {
  const name = prefix === '' ? registry : `${registry}/${prefix}`;
  return {
    name,
    async find(model) {
      const own = entityRepository({ kind: 'model', name: model.name });
      const repository = registry === 'docker.io' ? flatRepository(own) : own;
      const path = prefix === '' ? repository : `${prefix}/${repository}`;
      const from = await stores.source({ kind: 'registry', registry, repository: path });
      const tags: string[] = [];
      try {
        for await (const tag of from.tags()) tags.push(tag);
      } catch (error) {
        if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
      }
      const candidates = releasesOf(tags, true).map((release): Candidate => ({
        name: model.name,
        modelVersion: release.model?.text,
        version: release.version.text,
        take: async () => ({ from, root: await from.resolve(release.tag) }),
      }));
      return await choose(candidates, model);
    },
  };
}

async function candidatesIn(
  { reference, form }: Extract<ShelvesPlace, { kind: 'disk' }>,
  names: ReadonlySet<string>,
  options: ReadOptions,
): Promise<readonly Candidate[]> {
  const packed: Candidate[] = [];
  const library = await options.stores.library(reference);
  for (const repository of await library.repositories()) {
    const source = await library.source(repository);
    if (source === undefined) continue;
    for (const root of await source.roots()) {
      const candidate = await packedCandidate(source, root);
      if (candidate !== undefined) packed.push(candidate);
    }
  }
  return packed.length > 0 || form !== 'library' ? packed : await looseCandidates(reference, names, options);
}

async function packedCandidate(from: Source, root: Descriptor): Promise<Candidate | undefined> {
  const facts = packedFacts((await loadDocument(root, from)).document);
  if (facts?.kind !== 'model' || facts.version === undefined) return undefined;
  const { name, version, modelVersion } = facts;
  return { name, version, modelVersion, take: () => Promise.resolve({ from, root }) };
}

/** Files that are no artifacts yet are packed, those that may be wanted. */
async function looseCandidates(
  reference: FileReference,
  names: ReadonlySet<string>,
  options: ReadOptions,
): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  try {
    for await (const entity of readEntities(reference, options)) {
      if (entity.kind !== 'model' || !names.has(entity.name)) continue;
      const { store, root } = packEntity(entity);
      const { name, version, modelVersion } = entity;
      found.push({ name, version, modelVersion, take: () => Promise.resolve({ from: store, root }) });
    }
  } catch (error) {
    if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
  }
  return found;
}

async function choose(
  candidates: readonly Candidate[],
  model: RequiredModel,
): Promise<FoundModel | { readonly there: readonly string[] }> {
  const named = candidates.filter(({ name }) => name === model.name);
  const wanted = named.filter(
    ({ modelVersion }) => model.modelVersion === undefined || isSameVersion(modelVersion, model.modelVersion),
  );
  const exact = wanted.filter(({ version }) => isSameVersion(version, model.version));
  const [best] = (exact.length > 0 ? exact : wanted).toSorted(newestFirst);
  if (best === undefined)
    return { there: [...new Set(named.map(({ modelVersion, version }) => modelVersion ?? version))] };
  const { name, modelVersion, version } = best;
  return { ...(await best.take()), name, modelVersion, version };
}

/** `v1.25.2` is `1.25.2`. */
function isSameVersion(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a.replace(/^v/, '') === b.replace(/^v/, '');
}

function newestFirst(a: Candidate, b: Candidate): number {
  return (
    compareTexts(b.modelVersion ?? '', a.modelVersion ?? '', parseLooseVersion) ||
    compareTexts(b.version, a.version, parseVersion)
  );
}

function compareTexts(a: string, b: string, parse: typeof parseVersion): number {
  const [left, right] = [parse(a), parse(b)];
  if (left !== undefined && right !== undefined) return compareVersions(left, right);
  if (left !== undefined || right !== undefined) return left === undefined ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
