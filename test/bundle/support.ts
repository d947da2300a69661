import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exportImages } from '../../src/bundle/export.ts';
import { type GivenBundle } from '../../src/bundle/import.ts';
import { formatLock, makeLock, type LockFile } from '../../src/bundle/lock.ts';
import { parseLock } from '../../src/bundle/lockSchema.ts';
import { BundleSources, type Wanted } from '../../src/bundle/sources.ts';
import { Waivers } from '../../src/bundle/waivers.ts';
import { silent, type OclEvent } from '../../src/core/events.ts';
import { parsePathReference, parseReference, type Reference } from '../../src/core/reference.ts';
import { type Library } from '../../src/core/store.ts';
import { createHttp } from '../../src/io/http.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { anonymous } from '../../src/stores/registry/auth/credentials.ts';
import { createRegistries } from '../../src/stores/registry/registries.ts';
import { createStores, type AllStores } from '../../src/stores.ts';
import { type Select } from '../../src/copy/select.ts';
import { putRoots, type Shop } from '../support/shop.ts';
import { newCopier } from '../support/worlds.ts';

/** Each image under the name that the bundle has for it. */
export const NAMING: GivenBundle['naming'] = {
  scoped: false,
  repository: 'images',
  only: [],
  prefix: '',
  renaming: { map: new Map(), rewrites: [] },
};

export const EVERYTHING: Select = { referrers: true, digestTags: true };

/** Stores as the command has them. */
export function openStores(tmpDir: string): { readonly stores: AllStores; close(): Promise<void> } {
  const http = createHttp({ userAgent: 'ocl-test' });
  const registries = createRegistries({ http, clock: systemClock, credentials: anonymous, emit: silent });
  const stores = createStores({ clock: systemClock, emit: silent, registries, tmpDir, overwrite: true });
  return {
    stores,
    async close() {
      await stores.close();
      await http.close();
    },
  };
}

/** Does something with stores, and closes them. */
export async function withStores<T>(tmpDir: string, action: (stores: AllStores) => Promise<T>): Promise<T> {
  const opened = openStores(tmpDir);
  try {
    return await action(opened.stores);
  } finally {
    await opened.close();
  }
}

/** The shop in memory, to be served. */
export async function stockedLibrary({ content, repositories }: Shop): Promise<Library> {
  const library = createMemoryLibrary();
  for (const { repository, roots } of repositories) await putRoots(await library.sink(repository), content, roots);
  return library;
}

export interface Exported {
  readonly bytes: Buffer;
  readonly lock: LockFile;
  readonly missing: readonly string[];
  readonly notices: readonly string[];
}

/** What is wanted, or what a lock says, as the bytes of a bundle. */
export async function exported(
  directory: string,
  what: readonly Wanted[] | { readonly lock: LockFile; readonly places: readonly Reference[] },
  allowMissing: readonly string[] = [],
): Promise<Exported> {
  const opened = openStores(directory);
  const { stores } = opened;
  const notices: string[] = [];
  const emit = (event: OclEvent): void => void (event.type === 'notice' && notices.push(event.message));
  const sources = new BundleSources(stores, new Waivers(allowMissing, emit));
  const path = join(directory, 'exported.tar');
  const copier = newCopier();
  let lock: LockFile | undefined;
  try {
    if ('lock' in what) await sources.addLocked(what.lock, what.places);
    else for (const wanted of what) await sources.add(wanted);
    await exportImages(sources.images, await stores.archive({ path }), {
      copier,
      waivers: sources.waivers,
      before: async (surveyed) => {
        lock = await makeLock(surveyed, { copier, dockerPlatform: 'linux/amd64' });
      },
    });
  } finally {
    await sources.close();
    await opened.close();
  }
  if (lock === undefined) throw new Error('an export surveys before it writes');
  return { bytes: await readFile(path), lock: reread(lock), missing: sources.waivers.missing, notices };
}

/** As it comes back from its file. */
function reread(lock: LockFile): LockFile {
  return parseLock(Buffer.from(formatLock(lock)), 'a lock');
}

export function image(text: string, select: Select = EVERYTHING): Wanted {
  return { reference: parseReference(text), select };
}

export function place(path: string, select: Select = EVERYTHING): Wanted {
  return { reference: parsePathReference(path), select };
}
