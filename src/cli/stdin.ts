import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Standard input as a file: an archive is read at many places, a pipe only once. */
export async function spoolStdin(
  tmpDir: string,
  signal: AbortSignal,
  input: AsyncIterable<Uint8Array> = process.stdin,
): Promise<{ readonly path: string; readonly isEmpty: boolean; remove(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpDir, 'ocl-stdin-'));
  const path = join(directory, 'archive');
  const remove = async (): Promise<void> => {
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await pipeline(input, createWriteStream(path, { mode: 0o600, highWaterMark: 1 << 20 }), { signal });
  } catch (error) {
    await remove();
    throw error;
  }
  return { path, isEmpty: (await stat(path)).size === 0, remove };
}
