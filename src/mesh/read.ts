import { randomBytes } from 'node:crypto';
import { rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Digest } from '../core/digest.ts';
import { OclError, toOclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { formatReference, wantedName, type Reference } from '../core/reference.ts';
import { type LocalSource, type Source, type Stores } from '../core/store.ts';
import { openFile } from './archiveTree.ts';
import { type Entity, type EntityKind, type MeshFile } from './entity.ts';
import { originOf, readArtifact, rootsOf } from './fromArtifact.ts';
import { groupSightings, type Group } from './group.ts';
import { shortHash } from './naming.ts';
import { sortFiles } from './originals.ts';
import { packageOf } from './packageFile.ts';
import { placeOf, survey } from './survey.ts';
import { directoryTree, type Tree } from './tree.ts';

export interface ReadOptions {
  readonly stores: Stores;
  /** Where archives are unpacked to while they are read. */
  readonly tmpDir: string;
  /** A part of the input that cannot be read, while others can. Without it the first such part ends the reading. */
  readonly onBroken?: ((error: OclError, place: string) => void) | undefined;
  /** Image layouts in a directory are passed over. */
  readonly filesAlone?: boolean | undefined;
  /** What was left out on the way. */
  readonly onNote?: ((note: string) => void) | undefined;
}

/** What Meshery gives an entity that has no version yet (meshkit `GetNextVersion`). */
const FIRST_VERSION = '0.0.1';

/**
 * The entities of an input, one after the other: a file, a directory with any number of them, whatever Meshery exports, or artifacts in a
 * layout, archive or registry. What they are is told by their contents. Of each only its own files are in memory.
 * @throws OCL_NOT_FOUND when there is none in it; OCL_DOCUMENT_INVALID, OCL_ARCHIVE_INVALID, OCL_LIMIT, OCL_UNSAFE; what the stores throw
 */
export async function* readEntities(input: Reference, options: ReadOptions): AsyncGenerator<Entity> {
  let found = 0;
  const reader = new Reader(options);
  for await (const entity of reader.read(input)) {
    found++;
    yield entity;
  }
  if (found > 0 || reader.broken > 0) return;
  const files =
    reader.files === 0 ? '' : `: none of ${reader.files === 1 ? 'its files' : `its ${reader.files} files`} is one`;
  throw new OclError('OCL_NOT_FOUND', `Cannot find an entity of Meshery in ${formatReference(input)}${files}`, {
    hint: 'entities are known by their schemaVersion, like designs.meshery.io/v1beta3',
  });
}

class Reader {
  readonly #options: ReadOptions;
  /** Files that were looked at. */
  files = 0;
  /** Parts that could not be read. */
  broken = 0;

  constructor(options: ReadOptions) {
    this.#options = options;
  }

  async *read(input: Reference): AsyncGenerator<Entity> {
    if (input.kind === 'path' && wantedName(input) === undefined) yield* this.#path(input.path, 0);
    else yield* this.#store(input);
  }

  async *#path(path: string, depth: number): AsyncGenerator<Entity> {
    if ((await stat(path)).isDirectory()) {
      yield* this.#tree(await directoryTree(path), depth);
      return;
    }
    const opened = await openFile(path, this.#options.tmpDir);
    if (opened.kind === 'tree') yield* this.#tree(opened.tree, depth);
    else yield* this.#store({ kind: opened.kind === 'docker' ? 'docker-archive' : 'archive', path });
  }

  async *#tree(tree: Tree, depth: number): AsyncGenerator<Entity> {
    try {
      this.files += tree.paths.length;
      const { groups, broken, archives } = groupSightings(await survey(tree));
      for (const note of tree.notes) this.#options.onNote?.(`${tree.name}: ${note}`);
      for (const { path, error } of broken) this.#fail(placeOf(tree, path), error);
      for (const group of groups) yield* this.#tried(placeOf(tree, group.main), () => one(entityOf(tree, group)));
      for (const path of archives) yield* this.#tried(placeOf(tree, path), () => this.#nested(tree, path, depth + 1));
      for (const path of this.#options.filesAlone === true ? [] : tree.layouts)
        yield* this.#tried(path, () => this.#store({ kind: 'layout', path }));
    } finally {
      await tree.close();
    }
  }

  /** An archive in a directory is read where it lies; one in an archive has to lie somewhere first. */
  async *#nested(tree: Tree, path: string, depth: number): AsyncGenerator<Entity> {
    if (depth > LIMITS.meshNesting) {
      this.#options.onNote?.(
        `${placeOf(tree, path)} is not opened: archives lie ${LIMITS.meshNesting} deep in each other`,
      );
      return;
    }
    const place = tree.locate(path);
    if (place !== undefined) {
      yield* this.#path(place, depth);
      return;
    }
    const spooled = join(
      this.#options.tmpDir,
      `ocl-${process.pid}-${randomBytes(8).toString('hex')}-${basename(path)}`,
    );
    try {
      await writeFile(spooled, await tree.read(path), { mode: 0o600, flag: 'wx' });
      yield* this.#path(spooled, depth);
    } finally {
      await rm(spooled, { force: true });
    }
  }

  async *#store(input: Reference): AsyncGenerator<Entity> {
    const source = await this.#options.stores.source(input);
    try {
      const name = wantedName(input);
      const local = isLocal(source) ? source : undefined;
      const roots =
        name === undefined && local !== undefined ? await rootsOf(local) : [await source.resolve(name ?? 'latest')];
      const wanted = name !== undefined || roots.length === 1;
      const seen = new Set<Digest>();
      for (const root of roots) {
        const only = input.kind === 'registry' || name !== undefined ? formatReference(input) : input.path;
        const origin = wanted ? only : originOf(source, root);
        for await (const found of readArtifact(source, root, { origin, wanted, seen })) {
          if (found.type === 'entity') yield found.entity;
          else yield* this.#layers(found.tree, found.kind);
        }
      }
    } finally {
      await source.close();
    }
  }

  /** What the artifact says of itself counts where its files say nothing. */
  async *#layers(tree: Tree, kind: EntityKind | undefined): AsyncGenerator<Entity> {
    const entities: Entity[] = [];
    for await (const entity of this.#tree(tree, 0)) entities.push(entity);
    const own = entities.filter((entity) => entity.kind === kind);
    const [main] = tree.paths;
    if (own.length > 0) yield* own;
    else if (entities.length > 0 || kind === undefined || main === undefined) yield* severalDesigns(entities);
    else yield await entityOf(tree, { kind, base: '', main, paths: tree.paths, facts: undefined, notes: [] });
  }

  /** A part that fails ends the reading only where nobody wants to know of it. */
  async *#tried(place: string, action: () => AsyncGenerator<Entity>): AsyncGenerator<Entity> {
    const parts = action();
    try {
      for (;;) {
        let next: IteratorResult<Entity, void>;
        try {
          next = await parts.next();
        } catch (error) {
          this.#fail(place, toOclError(error));
          return;
        }
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      await parts.return(undefined);
    }
  }

  #fail(place: string, error: OclError): void {
    this.broken++;
    if (this.#options.onBroken === undefined) throw error;
    this.#options.onBroken(error, place);
  }
}

async function* one(entity: Promise<Entity>): AsyncGenerator<Entity> {
  yield await entity;
}

/** Meshery reads one design of a layer: the last `design.yml` on its walk. */
function severalDesigns(entities: readonly Entity[]): readonly Entity[] {
  const designs = entities.filter(({ kind }) => kind === 'design');
  if (designs.length < 2) return entities;
  const note = `${designs.length} designs lie in one layer, of which Meshery takes the last design.yml`;
  return entities.map((entity) => (entity.kind === 'design' ? { ...entity, notes: [...entity.notes, note] } : entity));
}

function isLocal(source: Source): source is LocalSource {
  return 'roots' in source;
}

async function entityOf(tree: Tree, group: Group): Promise<Entity> {
  const { kind, base, facts, notes } = group;
  const start = base === '' ? 0 : base.length + 1;
  const files: MeshFile[] = [];
  let size = 0;
  for (const path of group.paths) {
    const bytes = await tree.read(path);
    size += bytes.length;
    if (size > LIMITS.meshEntity)
      throw new OclError(
        'OCL_LIMIT',
        `Cannot read ${placeOf(tree, base)}: its files are more than ${LIMITS.meshEntity} bytes together`,
      );
    files.push({ path: path.slice(start), bytes });
  }
  const main = group.main.slice(start);
  const sorted = sortFiles(files);
  const description = packageOf(sorted);
  const hash = kind === 'relationship' ? `-${identityOf(facts?.id, sorted)}` : '';
  return {
    kind,
    name:
      facts?.name === undefined ? (description?.displayName ?? description?.name ?? stemOf(main)) : facts.name + hash,
    version: versionOf(facts?.version, description?.version),
    modelVersion: facts?.modelVersion,
    id: facts?.id,
    schemaVersion: facts?.schemaVersion,
    files: sorted,
    main,
    origin: placeOf(tree, group.main),
    notes,
  };
}

/** Many relationships of a model share kind, type and subtype: eight digits tell them apart. */
function identityOf(id: string | undefined, files: readonly MeshFile[]): string {
  const own = id?.replaceAll('-', '').slice(0, 8) ?? '';
  return /^[0-9a-f]{8}$/.test(own) && own !== '00000000' ? own : shortHash(files[0]?.bytes ?? '');
}

/** The catalog counts versions of its own. Meshery writes 0.0.1 for what was never published there. */
function versionOf(own: string | undefined, ofPackage: string | undefined): string {
  if (ofPackage !== undefined && (own === undefined || ofPackage !== FIRST_VERSION)) return ofPackage;
  return own ?? FIRST_VERSION;
}

function stemOf(path: string): string {
  return basename(path).replace(/\.[^.]+$/, '') || path;
}
