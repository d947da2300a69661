import { randomBytes } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { OclError } from '../core/errors.ts';
import { COMPRESSION_HEAD, decompressStream, detectCompression } from './compression.ts';
import { FileRange } from './fileRange.ts';
import { looksLikeTar, openRegularFile, Tarball } from './tarball.ts';
import { TAR_BLOCK } from './tarHeader.ts';
import { type ScanOptions } from './tarScan.ts';

export interface OpenTar {
  readonly tarball: Tarball;
  /** Closes the file, and removes the decompressed copy if there is one. */
  close(): Promise<void>;
}

/**
 * Opens a tar file. A gzip or zstd file is decompressed once into a temporary file, because nothing can be read from its middle.
 * @param tmpDir exists; holds the decompressed copy until the archive is closed
 * @throws OCL_NOT_FOUND, OCL_ARCHIVE_INVALID, OCL_UNSAFE, OCL_LIMIT, OCL_UNSUPPORTED
 */
export async function openTar(path: string, tmpDir: string, options: ScanOptions = {}): Promise<OpenTar> {
  const file = await openRegularFile(path);
  const head = Buffer.alloc(Math.max(COMPRESSION_HEAD, TAR_BLOCK));
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  if (bytesRead === 0) {
    await file.close();
    throw new OclError('OCL_ARCHIVE_INVALID', `Cannot open the archive ${path}: it is empty`);
  }
  const kind = detectCompression(head.subarray(0, bytesRead));
  if (kind === 'none') {
    if (isNoTar(head.subarray(0, bytesRead))) {
      await file.close();
      throw new OclError('OCL_ARCHIVE_INVALID', `Cannot open the archive ${path}: it is no tar file`, {
        hint: 'ocl inventory --show reads inventories and receipts, ocl diff locks and ledgers too',
      });
    }
    const tarball = await Tarball.read(file, options).catch((error: unknown) => {
      throw naming(error, path);
    });
    return { tarball, close: () => tarball.close() };
  }
  const copyPath = join(tmpDir, `ocl-${process.pid}-${randomBytes(8).toString('hex')}.tar`);
  try {
    const copy = await open(copyPath, 'wx+', 0o600);
    // Where the system allows it the name goes at once, so that not even a crash leaves the copy behind.
    await rm(copyPath).catch(() => {});
    await fill(
      copy,
      decompressStream(new FileRange(file, { start: 0, length: (await file.stat()).size, owned: false }), kind, {
        what: `the archive ${path}`,
      }),
    );
    const tarball = await Tarball.read(copy, options).catch((error: unknown) => {
      throw naming(error, path);
    });
    return {
      tarball,
      async close(): Promise<void> {
        await tarball.close();
        await rm(copyPath, { force: true });
      },
    };
  } catch (error) {
    await rm(copyPath, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** Whether that is something else altogether, and not a tar file that was damaged or cut off. */
function isNoTar(head: Buffer): boolean {
  if (head.length < TAR_BLOCK) return !head.includes(0);
  return !looksLikeTar(head) && head.toString('latin1', 257, 262) !== 'ustar';
}

/** A failure of reading, with the file that it is about: there may be several. */
function naming(error: unknown, path: string): unknown {
  if (!(error instanceof OclError)) return error;
  const { code, message, hint, cause } = error;
  return new OclError(code, message.replace(/^Cannot read the archive:/, `Cannot read the archive ${path}:`), {
    hint,
    cause,
  });
}

async function fill(copy: FileHandle, content: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    let position = 0;
    for await (const chunk of content) {
      for (let at = 0; at < chunk.length;) {
        const { bytesWritten } = await copy.write(chunk, at, chunk.length - at, position);
        at += bytesWritten;
        position += bytesWritten;
      }
    }
  } catch (error) {
    await copy.close();
    throw error;
  }
}
