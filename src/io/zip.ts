import { Readable } from 'node:stream';
import { fromBufferPromise, openPromise, type Entry, type ZipFile } from 'yauzl';
import { OclError, toOclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { safeName, shown } from './tarName.ts';
import { readBounded } from './verify.ts';

/** A zip file whose table of contents was read. */
export interface ZipArchive {
  /** Regular files and their bytes when unpacked, as the table promises. */
  readonly files: ReadonlyMap<string, number>;
  /** Names of links, which are passed over. */
  readonly passed: readonly string[];
  /** @throws OCL_ARCHIVE_INVALID when it is broken, or larger or smaller than the table says; OCL_LIMIT beyond `limit` bytes */
  read(name: string, limit: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

const FILE_TYPE = 0o170000;
const SYMBOLIC_LINK = 0o120000;

/** Whether some bytes begin like a zip file (APPNOTE.TXT, 4.3.7 and 4.3.16). */
export function looksLikeZip(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x4b && ((head[2] === 3 && head[3] === 4) || (head[2] === 5 && head[3] === 6));
}

/**
 * @param from a file, or its bytes
 * @param what names it in errors
 * @throws OCL_ARCHIVE_INVALID, OCL_UNSAFE for names that lead elsewhere, OCL_LIMIT, OCL_UNSUPPORTED for what is encrypted
 */
export async function openZip(from: string | Uint8Array, what: string): Promise<ZipArchive> {
  const options = { autoClose: false, strictFileNames: true };
  const zip = await checked(what, async () =>
    typeof from === 'string'
      ? await openPromise(from, options)
      : await fromBufferPromise(Buffer.from(from.buffer, from.byteOffset, from.length), options),
  );
  try {
    const { entries, passed } = await list(zip, what);
    return {
      files: new Map([...entries].map(([name, { uncompressedSize }]) => [name, uncompressedSize])),
      passed,
      read: async (name, limit) => await readEntry(zip, entries.get(name), { name, limit, what }),
      close: () => closed(zip),
    };
  } catch (error) {
    await closed(zip);
    throw error;
  }
}

async function list(
  zip: ZipFile,
  what: string,
): Promise<{ readonly entries: ReadonlyMap<string, Entry>; readonly passed: readonly string[] }> {
  if (zip.entryCount > LIMITS.archiveEntries)
    throw new OclError('OCL_LIMIT', `Cannot read ${what}: it has more than ${LIMITS.archiveEntries} entries`);
  const entries = new Map<string, Entry>();
  const passed: string[] = [];
  let unpacked = 0;
  await checked(what, async () => {
    for await (const entry of zip.eachEntry()) {
      const name = safeName(entry.fileName);
      if (((entry.externalFileAttributes >>> 16) & FILE_TYPE) === SYMBOLIC_LINK) {
        passed.push(name);
        continue;
      }
      if (entry.fileName.endsWith('/')) continue;
      if (name === '' || entries.has(name))
        throw new OclError('OCL_ARCHIVE_INVALID', `Cannot read ${what}: the entry ${shown(name)} is there twice`);
      if (!entry.canDecodeFileData())
        throw new OclError(
          'OCL_UNSUPPORTED',
          `Cannot read ${what}: the entry ${shown(name)} is encrypted, or compressed in a rare way`,
          { hint: 'unpack it, and name the directory' },
        );
      entries.set(name, entry);
      unpacked += entry.uncompressedSize;
    }
  });
  // Entries may overlap, so that a small file promises much; what is read is held to the same bounds as gzip.
  if (unpacked > LIMITS.decompressionFloor && unpacked > zip.fileSize * LIMITS.decompressionRatio)
    throw new OclError(
      'OCL_LIMIT',
      `Cannot read ${what}: it gives more than ${LIMITS.decompressionRatio} times its own size, like a decompression bomb`,
    );
  return { entries, passed };
}

async function readEntry(
  zip: ZipFile,
  entry: Entry | undefined,
  { name, limit, what }: { readonly name: string; readonly limit: number; readonly what: string },
): Promise<Uint8Array> {
  if (entry === undefined) throw new OclError('OCL_NOT_FOUND', `Cannot read ${shown(name)}: ${what} does not have it`);
  const stream = await checked(what, async () => await zip.openReadStreamPromise(entry));
  return await checked(what, async () => await readBounded(Readable.from(stream), limit, `${shown(name)} in ${what}`));
}

/** Yauzl's own failures are about the content. */
async function checked<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const known = toOclError(error);
    if (known.code !== 'OCL_INTERNAL') throw known;
    throw new OclError('OCL_ARCHIVE_INVALID', `Cannot read ${what}: ${known.message}`, { cause: error });
  }
}

function closed(zip: ZipFile): Promise<void> {
  zip.close();
  return Promise.resolve();
}
