import { Readable } from 'node:stream';
import { type Clock } from '../../core/clock.ts';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { children, isForeign } from '../../core/graph.ts';
import { parseManifest } from '../../core/manifest.ts';
import { isManifestType } from '../../core/mediaTypes.ts';

/** Digests that are remembered. */
const MAX_DIGESTS = 50_000;
/** Repositories that are remembered for each. */
const MAX_REPOSITORIES = 4;
/** Mounts in a row that a registry declines before it is left alone for a while. */
const PATIENCE = 3;
/** Milliseconds of that: settings of a registry change, and a server runs for months. */
const WHILE = 60 * 60_000;

/**
 * Which repositories of one registry have which blob, as far as a run has seen: what can be mounted need not be sent.
 * It is a hint and no promise: content may go, and rights differ.
 */
export class Holders {
  /** The repositories of a digest, the latest last; the digests in the order in which they were last seen. */
  readonly #repositories = new Map<Digest, readonly string[]>();
  readonly #clock: Clock;
  readonly #maxDigests: number;
  #declined = 0;
  /** Milliseconds since the epoch. */
  #declinedAt = 0;

  constructor(clock: Clock, maxDigests: number = MAX_DIGESTS) {
    this.#clock = clock;
    this.#maxDigests = maxDigests;
  }

  /** False: it said no so often that asking costs more than it saves. */
  get worthAsking(): boolean {
    return this.#declined < PATIENCE || this.#clock.now() - this.#declinedAt >= WHILE;
  }

  add(digest: Digest, repository: string): void {
    const others = this.#repositories.get(digest)?.filter((known) => known !== repository) ?? [];
    this.#repositories.delete(digest);
    this.#repositories.set(digest, [...others, repository].slice(-MAX_REPOSITORIES));
    if (this.#repositories.size <= this.#maxDigests) return;
    const oldest = this.#repositories.keys().next();
    if (oldest.done !== true) this.#repositories.delete(oldest.value);
  }

  forget(digest: Digest, repository: string): void {
    const rest = this.#repositories.get(digest)?.filter((known) => known !== repository);
    if (rest === undefined) return;
    if (rest.length === 0) this.#repositories.delete(digest);
    else this.#repositories.set(digest, rest);
  }

  /** A repository that has the blob, other than the one that wants it. */
  find(digest: Digest, wanting: string): string | undefined {
    return this.#repositories.get(digest)?.findLast((known) => known !== wanting);
  }

  /** How a mount ended. */
  tell(
    digest: Digest,
    { from, to, mounted }: { readonly from: string; readonly to: string; readonly mounted: boolean },
  ): void {
    if (mounted) {
      this.#declined = 0;
      this.add(digest, to);
    } else {
      this.#declined++;
      this.#declinedAt = this.#clock.now();
      this.forget(digest, from);
    }
  }
}

/** The blobs that whoever has a manifest has as well. What is no readable manifest teaches nothing. */
export function blobsOf(bytes: Uint8Array, mediaType: string): readonly Descriptor[] {
  if (!isManifestType(mediaType)) return [];
  try {
    return children(parseManifest(bytes, mediaType, 'the manifest'))
      .filter((child) => !isForeign(child))
      .map(({ descriptor }) => descriptor);
  } catch {
    return [];
  }
}

/** The same stream; `tell` gets all of it once it has passed, when it is not longer than `size` bytes. */
export function listening(stream: Readable, size: number, tell: (bytes: Uint8Array) => void): Readable {
  async function* pass(): AsyncGenerator<Uint8Array> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        bytes += chunk.length;
        // Senders may use their memory again once a piece was taken.
        if (bytes <= size) chunks.push(Buffer.from(chunk));
        yield chunk;
      }
      if (bytes === size) tell(Buffer.concat(chunks));
    } finally {
      stream.destroy();
    }
  }
  return Readable.from(pass(), { objectMode: false }).once('close', () => stream.destroy());
}
