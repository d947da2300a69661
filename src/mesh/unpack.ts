import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { OclError } from '../core/errors.ts';
import { type Reference } from '../core/reference.ts';
import { makeDirectory, syncDirectory } from '../io/atomicFile.ts';
import { factsOf } from '../io/factsOf.ts';
import { safeName, shown } from '../io/tarName.ts';
import { type Entity, type EntityKind, type MeshFile } from './entity.ts';
import { entityRepository, entityTag } from './naming.ts';
import { readEntities, type ReadOptions } from './read.ts';

export interface UnpackOptions extends ReadOptions {
  /** Files that are there already are replaced. */
  readonly overwrite?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** What is written of an entity in its place. */
  readonly alter?: ((entity: Entity) => Entity) | undefined;
}

export interface Unpacked {
  readonly kind: EntityKind;
  readonly name: string;
  readonly version: string;
  readonly id: string | undefined;
  readonly schemaVersion: string | undefined;
  readonly origin: string;
  /** Where its files lie now. */
  readonly directory: string;
  /** Relative to it. */
  readonly files: readonly string[];
  readonly notes: readonly string[];
}

/** Files of one entity that are written and synced at once. */
const AT_ONCE = 8;

/**
 * Gives back the files of entities as they were: those of one right in the directory, those of several below `designs/NAME/VERSION` and
 * the like. They are written beside their places first; nothing is seen of them before all are whole, and no link is followed.
 * @throws OCL_EXISTS for files that are there, with nothing written; as `readEntities`
 */
export async function unpackEntities(
  input: Reference,
  directory: string,
  options: UnpackOptions,
): Promise<readonly Unpacked[]> {
  await makeDirectory(directory);
  const stage = join(directory, `.ocl-${process.pid}-${randomBytes(6).toString('hex')}`);
  await mkdir(stage, 0o700);
  try {
    const staged: Entity[] = [];
    for await (const read of readEntities(input, options)) {
      options.signal?.throwIfAborted();
      const entity = options.alter?.(read) ?? read;
      await writeFiles(join(stage, String(staged.length)), checkedFiles(entity));
      // The bytes are on the disk: only the names are kept.
      staged.push({ ...entity, files: entity.files.map(({ path }) => ({ path, bytes: NOTHING })) });
    }
    const places = placesOf(staged);
    const moves = staged.flatMap((entity, i) =>
      entity.files.map(({ path }) => ({
        from: join(stage, String(i), path),
        path: places[i] === '' ? path : `${places[i]}/${path}`,
      })),
    );
    const made = new Set<string>();
    for (const { path } of moves) await checkPlace(directory, path, { made, overwrite: options.overwrite === true });
    for (const { from, path } of moves) await moveInto(from, join(directory, path));
    await syncDirectory(directory);
    return staged.map((entity, i) => reportOf(entity, join(directory, places[i] ?? '')));
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

const NOTHING = new Uint8Array();

/** Paths that stay inside, and of which none is a directory of another. */
function checkedFiles({ files, origin }: Entity): readonly MeshFile[] {
  const paths = new Set(files.map(({ path }) => path));
  for (const { path } of files) {
    if (path === '' || safeName(path) !== path)
      throw new OclError('OCL_UNSAFE', `Cannot unpack ${origin}: ${shown(path)} is no plain path`);
    for (let at = dirname(path); at !== '.'; at = dirname(at))
      if (paths.has(at))
        throw new OclError('OCL_UNSAFE', `Cannot unpack ${origin}: ${shown(at)} is a file and a directory`);
  }
  return files;
}

async function writeFiles(stage: string, files: readonly MeshFile[]): Promise<void> {
  const made = new Set<string>();
  for (const { path } of files) {
    const parent = dirname(join(stage, path));
    if (!made.has(parent)) await mkdir(parent, { recursive: true });
    made.add(parent);
  }
  const left = files.toReversed();
  const work = async (): Promise<void> => {
    for (let file = left.pop(); file !== undefined; file = left.pop()) {
      const handle = await open(join(stage, file.path), 'wx', 0o666);
      try {
        await handle.writeFile(file.bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

/** One entity needs no directory of its own. */
function placesOf(entities: readonly Entity[]): readonly string[] {
  if (entities.length === 1) return [''];
  const wanted = entities.map((entity) => `${entityRepository(entity)}/${entityTag(entity)}`);
  // A version may end like a number that is given here: 1.0.0-2. It keeps its own place.
  const taken = new Set<string>();
  const others = new Set(wanted);
  const last = new Map<string, number>();
  return wanted.map((place) => {
    let count = last.get(place) ?? 1;
    let free = place;
    if (taken.has(place))
      do free = `${place}-${++count}`;
      while (taken.has(free) || others.has(free));
    last.set(place, count);
    taken.add(free);
    return free;
  });
}

/** Nothing may be there, and no directory on the way may lead elsewhere. */
async function checkPlace(
  directory: string,
  path: string,
  { made, overwrite }: { readonly made: Set<string>; readonly overwrite: boolean },
): Promise<void> {
  const parts = path.split('/');
  for (let i = 1; i < parts.length; i++) {
    const parent = parts.slice(0, i).join('/');
    if (made.has(parent)) continue;
    made.add(parent);
    const stats = await factsOf(join(directory, parent));
    if (stats === undefined || stats.isDirectory()) continue;
    throw new OclError(
      stats.isSymbolicLink() ? 'OCL_UNSAFE' : 'OCL_EXISTS',
      `Cannot write ${join(directory, path)}: ${shown(parent)} is ${stats.isSymbolicLink() ? 'a link, and may lead elsewhere' : 'a file'}`,
      { hint: 'name an empty directory' },
    );
  }
  const stats = await factsOf(join(directory, path));
  if (stats === undefined || (overwrite && (stats.isFile() || stats.isSymbolicLink()))) return;
  throw new OclError('OCL_EXISTS', `Cannot write ${join(directory, path)}: it is there already`, {
    hint: stats.isDirectory() ? 'name an empty directory' : 'name another directory, or add --overwrite',
  });
}

async function moveInto(from: string, to: string): Promise<void> {
  await makeDirectory(dirname(to));
  await rename(from, to);
}

function reportOf(entity: Entity, directory: string): Unpacked {
  const { kind, name, version, id, schemaVersion, origin, files, notes } = entity;
  return { kind, name, version, id, schemaVersion, origin, directory, files: files.map(({ path }) => path), notes };
}
