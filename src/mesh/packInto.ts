import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { OclError, toOclError } from '../core/errors.ts';
import { type RootName, type Sink } from '../core/store.ts';
import { type Copier } from '../copy/copier.ts';
import { loadDocument } from '../copy/documents.ts';
import { type Entity, type EntityKind } from './entity.ts';
import { importNotes } from './importNotes.ts';
import { entityRepository, entityTag } from './naming.ts';
import { packEntity, type PackedEntity, type PackOptions } from './pack.ts';
import { chainAnnotations, chainOf } from './publish.ts';
import { type Shelf, type Shelves } from './shelves.ts';
import { parseVersion } from './version.ts';

export interface Packed {
  readonly kind: EntityKind;
  readonly name: string;
  readonly version: string;
  readonly origin: string;
  /** Where it is now, with its tag. */
  readonly target: string;
  readonly digest: Digest;
  /** `unchanged`: it was there already. */
  readonly outcome: 'packed' | 'unchanged' | 'replaced';
  readonly notes: readonly string[];
}

export interface PackIntoOptions {
  readonly copier: Copier;
  readonly pack?: PackOptions | undefined;
  /** A version that is there with another content is replaced. */
  readonly force?: boolean | undefined;
  /** An entity that could not be packed; others go on. Without it the first one ends it. */
  readonly onFailed?: ((origin: string, error: OclError) => void) | undefined;
}

/** Entities under way at once. */
const AT_ONCE = 4;

/**
 * Packs entities and puts each where its kind, name and version say, or under the one name that the target has. They become visible
 * together at the end; in a registry one by one.
 * @throws OCL_EXISTS when a version is there with another content, OCL_AMBIGUOUS when two entities would get one name; as `packEntity`
 */
export async function* packEntities(
  entities: AsyncIterable<Entity>,
  shelves: Shelves,
  options: PackIntoOptions,
): AsyncGenerator<Packed> {
  const packer = new Packer(shelves, options);
  const running: Promise<Packed | undefined>[] = [];
  const next = async (): Promise<readonly Packed[]> => {
    const packed = await running.shift();
    return packed === undefined ? [] : [packed];
  };
  try {
    for await (const entity of shelves.single === true ? onlyOne(entities, shelves.name) : entities) {
      const packing = packer.add(entity);
      // Its failure is met when its turn comes.
      packing.catch(() => {});
      running.push(packing);
      if (running.length >= AT_ONCE) yield* await next();
    }
    while (running.length > 0) yield* await next();
  } finally {
    // Nobody waits for what is under way when the first failure ends it.
    await Promise.allSettled(running);
  }
  await packer.finish();
}

/** Nothing is packed where more than one would have to share a name. */
async function* onlyOne(entities: AsyncIterable<Entity>, place: string): AsyncGenerator<Entity> {
  let first: Entity | undefined;
  for await (const entity of entities) {
    if (first !== undefined)
      throw new OclError(
        'OCL_USAGE',
        `Cannot pack several entities into ${place}: ${first.origin} and ${entity.origin}`,
        {
          hint: 'leave the tag away, and each gets a name of its own; an archive in the legacy form has room for one',
        },
      );
    first = entity;
  }
  if (first !== undefined) yield first;
}

class Packer {
  readonly #shelves: Shelves;
  readonly #options: PackIntoOptions;
  readonly #uncommitted = new Set<Sink>();
  readonly #taken = new Map<string, { readonly origin: string; readonly digest: Digest }>();
  /** Names are taken in the order of the entities, however long each takes: a clash is then always told of the later one. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(shelves: Shelves, options: PackIntoOptions) {
    this.#shelves = shelves;
    this.#options = options;
  }

  /** Undefined: it failed, and others go on. */
  async add(entity: Entity): Promise<Packed | undefined> {
    try {
      return await this.#put(entity);
    } catch (error) {
      const failure = toOclError(error);
      if (this.#options.onFailed === undefined || failure.code === 'OCL_CANCELLED') throw failure;
      this.#options.onFailed(entity.origin, failure);
      return undefined;
    }
  }

  async finish(): Promise<void> {
    for (const sink of this.#uncommitted) await sink.commit();
    if (this.#taken.size > 0) await this.#shelves.finish();
  }

  async #put(entity: Entity): Promise<Packed> {
    const { kind, name, version, origin } = entity;
    const { pack, force } = this.#options;
    const built = packEntity(entity, pack);
    const tag = entityTag(entity);
    const { digest } = built.root;
    const { place, free } = await this.#inTurn(async () => {
      const opened = await this.#place(entity, tag);
      return { place: opened, free: this.#take(opened.target, { origin, digest }) };
    });
    const { shelf } = place;
    const notes = [...built.notes, ...(await importNotes(built.imported))];
    const facts = { kind, name, version, origin, target: place.target, notes };
    if (!free) return { ...facts, digest, outcome: 'unchanged' };
    const before = place.name.tag === undefined ? undefined : await shelf.sink.find(place.name.tag);
    const same = before === undefined ? undefined : await sameAs(before, { entity, pack, shelf, digest });
    if (same !== undefined) return { ...facts, digest: same, outcome: 'unchanged' };
    if (before !== undefined && force !== true && isVersion(tag))
      throw new OclError(
        'OCL_EXISTS',
        `Cannot pack ${origin}: ${place.target} is ${before.digest}, and this is ${digest}`,
        {
          hint: 'give it a version of its own: ocl mesh bump FILE; or replace what is there with --force',
        },
      );
    await this.#copy(built, place);
    return { ...facts, digest, outcome: before === undefined ? 'packed' : 'replaced' };
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const acting = this.#turn.then(act);
    this.#turn = acting.catch(() => {});
    return acting;
  }

  async #place(entity: Entity, tag: string): Promise<Place> {
    const shelf = await this.#shelves.open(entityRepository(entity));
    return { shelf, name: shelf.nameOf(tag), target: shelf.labelOf?.(tag) ?? `${shelf.name}:${tag}` };
  }

  /** False: the very same is there by an earlier entity of this run. */
  #take(target: string, own: { readonly origin: string; readonly digest: Digest }): boolean {
    const other = this.#taken.get(target);
    if (other === undefined) this.#taken.set(target, own);
    else if (other.digest !== own.digest)
      throw new OclError('OCL_AMBIGUOUS', `Cannot pack ${own.origin}: ${target} is ${other.origin} already`, {
        hint: 'give one of them a version or name of its own, or pack it by itself with a tag behind the target',
      });
    return other === undefined;
  }

  async #copy({ store, root }: PackedEntity, { shelf, name, target }: Place): Promise<void> {
    const { sink } = shelf;
    const { copier } = this.#options;
    // What the manifest says need not stand in an index again.
    const { annotations: _inManifest, ...entry } = root;
    const request = { from: store, to: sink, root: entry, name, image: target };
    if (sink.reserve === undefined) await copier.copy(request);
    else await copier.copyReserved([request], sink);
    // What all of them share is written once; a thousand entries would be written a thousand times otherwise.
    if (this.#shelves.together) this.#uncommitted.add(sink);
    else await sink.commit();
  }
}

interface Place {
  readonly shelf: Shelf;
  readonly name: RootName;
  readonly target: string;
}

/** What is there when it is this entity, also as a release that says which one it follows. */
async function sameAs(
  before: Descriptor,
  {
    entity,
    pack,
    shelf,
    digest,
  }: {
    readonly entity: Entity;
    readonly pack: PackOptions | undefined;
    readonly shelf: Shelf;
    readonly digest: Digest;
  },
): Promise<Digest | undefined> {
  if (before.digest === digest) return digest;
  const source = await shelf.source();
  if (source === undefined) return undefined;
  const chain = chainOf((await loadDocument(before, source)).document.annotations);
  if (chain === undefined) return undefined;
  const annotations = { ...pack?.annotations, ...chainAnnotations(chain) };
  return packEntity(entity, { ...pack, annotations }).root.digest === before.digest ? before.digest : undefined;
}

/** Whether a tag stands for one content for ever: a full version, also that of a model behind the version of its software. */
function isVersion(tag: string): boolean {
  return [tag, tag.slice(tag.indexOf('-') + 1)].some((text) => parseVersion(text.replaceAll('_', '+')) !== undefined);
}
