import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Enough for every magic number and the first header of a tar file. */
export const HEAD_BYTES = 4096;

/** The first bytes of a regular file; of anything else none. @throws the system's error when it cannot be opened */
export async function readHead(path: string): Promise<Uint8Array> {
  // Without O_NONBLOCK the opening of a named pipe would wait for a writer, forever.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if (!(await handle.stat()).isFile()) return new Uint8Array();
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
