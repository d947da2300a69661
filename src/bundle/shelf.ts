import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest } from '../core/digest.ts';

/** Bytes of documents that are kept in memory. */
const IN_MEMORY = 32 << 20;

/** Documents that have flowed by and are needed later: in memory, and beyond that in files. */
export class Shelf {
  readonly #tmpDir: string;
  readonly #kept = new Map<Digest, Uint8Array | string>();
  #bytes = 0;
  #directory: string | undefined;

  /** @param tmpDir exists */
  constructor(tmpDir: string) {
    this.#tmpDir = tmpDir;
  }

  get digests(): Iterable<Digest> {
    return this.#kept.keys();
  }

  /** @param bytes have the digest */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    if (this.#kept.has(digest)) return;
    if (this.#bytes + bytes.length <= IN_MEMORY) {
      this.#bytes += bytes.length;
      this.#kept.set(digest, bytes);
      return;
    }
    this.#directory ??= await mkdtemp(join(this.#tmpDir, 'ocl-import-'));
    const path = join(this.#directory, digest.replace(':', '-'));
    await writeFile(path, bytes, { mode: 0o600 });
    this.#kept.set(digest, path);
  }

  async get(digest: Digest): Promise<Uint8Array | undefined> {
    const kept = this.#kept.get(digest);
    return typeof kept === 'string' ? await readFile(kept) : kept;
  }

  async close(): Promise<void> {
    this.#kept.clear();
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
  }
}
