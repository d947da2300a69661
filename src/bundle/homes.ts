import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { type Sink, type Source, type Stores } from '../core/store.ts';
import { makeOwnedDirectory } from '../io/ownedDirectory.ts';
import { type ImportTarget } from './target.ts';

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
  const directory = await makeOwnedDirectory(library, '.ocl-import', ['blobs', join('.ocl', 'tmp')]);
  const sink = readable(await stores.sink({ kind: 'layout', path: directory }));
  return {
    of: () => Promise.resolve(sink),
    async close() {
      await sink.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function readable(sink: Sink): Sink & Source {
  if ('resolve' in sink) return sink as Sink & Source;
  throw new OclError('OCL_INTERNAL', `Cannot receive into ${sink.name}: it cannot be read from`);
}
