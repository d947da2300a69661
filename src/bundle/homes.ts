import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { type Sink, type Source, type Stores } from '../core/store.ts';
import { makeDirectory } from '../io/atomicFile.ts';
import { isMarkAlive, ownerMark } from '../io/ownerMark.ts';
import { type ImportTarget } from './target.ts';

/** Milliseconds without a change after which nobody of another host is believed to be at work. */
const STALE = 24 * 3_600_000;

/** Where contents of a stream are put before anybody knows which images need them. */
export interface Homes {
  /** @param repository of the target, where one is known that needs the content */
  of(digest: Digest, repository: string | undefined): Promise<Sink & Source>;
  close(): Promise<void>;
}

/**
 * A layout takes everything itself. Beside the layouts of a library there is one more while it lasts, from which the others link. A
 * registry gets contents in the repository that needs them, or in the first of the bundle, from which they are mounted.
 */
export async function openHomes(target: ImportTarget, first: string, stores: Stores): Promise<Homes> {
  if (target.kind === 'layout') {
    const sink = readable(target.sink);
    return { of: () => Promise.resolve(sink), close: () => Promise.resolve() };
  }
  if (target.directory !== undefined) return await besideLayouts(target.directory, stores);
  const opened = new Map<string, Promise<Sink & Source>>();
  return {
    async of(_, repository = first) {
      let home = opened.get(repository);
      if (home === undefined) {
        home = target.open(repository).then(readable);
        opened.set(repository, home);
        // The next content asks again.
        home.catch(() => opened.delete(repository));
      }
      return await home;
    },
    async close() {
      for (const sink of opened.values()) await sink.then((it) => it.close()).catch(() => {});
    },
  };
}

async function besideLayouts(library: string, stores: Stores): Promise<Homes> {
  await makeDirectory(library);
  await removeAbandoned(library);
  const directory = await mkdtemp(join(library, `.ocl-import-${ownerMark()}-`));
  const sink = readable(await stores.sink({ kind: 'layout', path: directory }));
  return {
    of: () => Promise.resolve(sink),
    async close() {
      await sink.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Removes what killed imports left. */
async function removeAbandoned(library: string): Promise<void> {
  for (const name of await readdir(library)) {
    const mark = /^\.ocl-import-(\d+-[0-9a-f]{8}-\d+)-/.exec(name)?.[1];
    if (mark === undefined) continue;
    const path = join(library, name);
    const alive = isMarkAlive(mark) ?? Date.now() - (await lastChange(path)) <= STALE;
    if (!alive) await rm(path, { recursive: true, force: true });
  }
}

/** When something was last added to a layout, or written of what is under way there. Milliseconds since the epoch. */
async function lastChange(layout: string): Promise<number> {
  const under = join(layout, '.ocl', 'tmp');
  const blobs = join(layout, 'blobs');
  const paths = [layout, blobs, under];
  for (const directory of [blobs, under])
    for (const name of await readdir(directory).catch(() => [])) paths.push(join(directory, name));
  const times = paths.map(async (path) => (await stat(path).catch(() => undefined))?.mtimeMs ?? 0);
  return Math.max(...(await Promise.all(times)));
}

function readable(sink: Sink): Sink & Source {
  if ('resolve' in sink) return sink as Sink & Source;
  throw new OclError('OCL_INTERNAL', `Cannot receive into ${sink.name}: it cannot be read from`);
}
