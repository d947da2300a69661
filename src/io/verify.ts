import { createHash, type Hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { blake3 } from '@noble/hashes/blake3.js';
import { type Descriptor } from '../core/descriptor.ts';
import { splitDigest, verifiableAlgorithm, type Algorithm, type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { isShared, ThreadHasher } from './hashThread.ts';
import { givePiece, handOver, lendPiece, retireSlab, SLAB_BYTES, takeShared } from './slabPool.ts';

export interface Hasher {
  update(chunk: Uint8Array): void;
  /** May be called once. */
  digest(): Digest;
}

/** OpenSSL for the SHA-2 family; noble for blake3, which OpenSSL lacks. */
export function createHasher(algorithm: Algorithm): Hasher {
  if (algorithm === 'blake3') {
    const hash = blake3.create({});
    return {
      update: (chunk) => void hash.update(chunk),
      digest: () => `blake3:${Buffer.from(hash.digest()).toString('hex')}`,
    };
  }
  const hash: Hash = createHash(algorithm);
  return {
    update: (chunk) => void hash.update(chunk),
    digest: () => `${algorithm}:${hash.digest('hex')}`,
  };
}

export function digestOf(bytes: Uint8Array, algorithm: Algorithm = 'sha256'): Digest {
  const hasher = createHasher(algorithm);
  hasher.update(bytes);
  return hasher.digest();
}

/** The descriptor of some bytes. */
export function describe(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/**
 * Counts and hashes what flows by: fails at the first byte too many, and at the end when bytes are missing or differ.
 * A digest of an algorithm that nobody here knows is held to its size alone.
 */
class Verifier {
  readonly #descriptor: Descriptor;
  readonly #hasher: Hasher | undefined;
  #bytes = 0;

  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
    const algorithm = verifiableAlgorithm(descriptor.digest);
    this.#hasher = algorithm === undefined ? undefined : createHasher(algorithm);
  }

  /** Bytes seen so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws OCL_SIZE_MISMATCH as soon as there is more than promised */
  update(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#descriptor.size)
      throw sizeMismatch(this.#descriptor, `more than ${this.#descriptor.size} bytes came`);
    this.#hasher?.update(chunk);
  }

  /** @throws OCL_SIZE_MISMATCH, OCL_DIGEST_MISMATCH */
  end(): void {
    checkEnd(this.#descriptor, this.#bytes, this.#hasher?.digest());
  }
}

function checkEnd(descriptor: Descriptor, bytes: number, actual: Digest | undefined): void {
  const { digest, size } = descriptor;
  if (bytes !== size) throw sizeMismatch(descriptor, `${bytes} of ${size} bytes came`);
  if (actual !== undefined && actual !== digest) {
    throw new OclError('OCL_DIGEST_MISMATCH', `Cannot accept ${digest}: the content is ${actual}`);
  }
}

function sizeMismatch(descriptor: Descriptor, why: string): OclError {
  return new OclError('OCL_SIZE_MISMATCH', `Cannot accept ${descriptor.digest}: ${why}`);
}

/** Contents of this size and more are hashed in another thread, where their memory allows it. */
const LARGE = 8 << 20;

/** A Verifier that may hash beside this thread. What it was asked has to be awaited before the next question. */
class StreamVerifier {
  readonly #descriptor: Descriptor;
  readonly #thread: Algorithm | undefined;
  #inline: Verifier | undefined;
  #hasher: ThreadHasher | undefined;
  #bytes = 0;

  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
    const algorithm = verifiableAlgorithm(descriptor.digest);
    this.#thread = descriptor.size >= LARGE && algorithm !== 'blake3' ? algorithm : undefined;
  }

  /** @throws OCL_SIZE_MISMATCH as soon as there is more than promised */
  update(chunk: Uint8Array): Promise<void> | undefined {
    this.#bytes += chunk.length;
    if (this.#bytes === chunk.length) this.#choose(chunk);
    if (this.#inline !== undefined) {
      this.#inline.update(chunk);
      return undefined;
    }
    if (this.#bytes > this.#descriptor.size)
      throw sizeMismatch(this.#descriptor, `more than ${this.#descriptor.size} bytes came`);
    if (isShared(chunk)) return this.#hasher?.update(chunk);
    const copy = sharedCopy(chunk);
    const behind = this.#hasher?.update(copy);
    // The hasher holds it for as long as it needs it.
    givePiece(copy);
    return behind;
  }

  /** @throws OCL_SIZE_MISMATCH, OCL_DIGEST_MISMATCH */
  async end(): Promise<void> {
    const hasher = this.#hasher;
    if (hasher === undefined) {
      (this.#inline ?? new Verifier(this.#descriptor)).end();
      return;
    }
    this.#hasher = undefined;
    const actual = await hasher.digest();
    checkEnd(this.#descriptor, this.#bytes, actual);
  }

  /** After a failure: nobody will ask for the digest. */
  drop(): void {
    this.#hasher?.drop();
    this.#hasher = undefined;
  }

  #choose(first: Uint8Array): void {
    if (this.#thread !== undefined && isShared(first)) this.#hasher = new ThreadHasher(this.#thread);
    else this.#inline = new Verifier(this.#descriptor);
  }
}

function sharedCopy(chunk: Uint8Array): Uint8Array {
  if (chunk.length > SLAB_BYTES) {
    const copy = new Uint8Array(new SharedArrayBuffer(chunk.length));
    copy.set(chunk);
    return copy;
  }
  const slab = takeShared();
  slab.set(chunk);
  const piece = lendPiece(slab, 0, chunk.length);
  retireSlab(slab);
  return piece;
}

/**
 * Drains a stream, handing each verified-so-far chunk to `write`; returns when the whole content proved right.
 * On any failure the stream is destroyed and the error thrown, so that what was written can be dropped.
 */
export async function verifyInto(
  stream: Readable,
  descriptor: Descriptor,
  write?: (chunk: Uint8Array) => Promise<void> | void,
): Promise<void> {
  const verifier = new StreamVerifier(descriptor);
  try {
    await drain(stream, verifier, write);
    await verifier.end();
  } finally {
    verifier.drop();
  }
}

/**
 * The same for a content whose beginning is here already: that is hashed first, and only then the rest is asked for.
 * @param start the beginning, as it was written before
 * @param rest opens what follows it; handed to `write` as it comes
 */
export async function verifyRest(
  start: Readable,
  rest: () => Promise<Readable>,
  descriptor: Descriptor,
  write: (chunk: Uint8Array) => Promise<void> | void,
): Promise<void> {
  const verifier = new StreamVerifier(descriptor);
  try {
    await drain(start, verifier, givePiece);
    await drain(await rest(), verifier, write);
    await verifier.end();
  } finally {
    verifier.drop();
  }
}

async function drain(
  stream: Readable,
  verifier: StreamVerifier,
  write: ((chunk: Uint8Array) => Promise<void> | void) | undefined,
): Promise<void> {
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      const behind = verifier.update(chunk);
      if (write !== undefined) await write(chunk);
      if (behind !== undefined) await behind;
    }
  } finally {
    stream.destroy();
  }
}

/**
 * The same stream, failing before its end when the content is not what the descriptor promises.
 * @param forConnection its pieces are handed over to the connection that sends them, unchanged and each once
 */
export function verifying(stream: Readable, descriptor: Descriptor, forConnection = false): Readable {
  const verifier = new StreamVerifier(descriptor);
  async function* pass(): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of stream as AsyncIterable<Uint8Array>) {
        const behind = verifier.update(chunk);
        // Others do not tell when they are done with a piece: they get one of their own, and the slab goes back.
        yield forConnection ? handOver(chunk) : isShared(chunk) ? copyOf(chunk) : chunk;
        if (behind !== undefined) await behind;
      }
      await verifier.end();
    } finally {
      verifier.drop();
      stream.destroy();
    }
  }
  // A generator that was never started does not reach its own end.
  return Readable.from(pass(), { highWaterMark: 1 }).once('close', () => stream.destroy());
}

function copyOf(chunk: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(chunk.length);
  copy.set(chunk);
  givePiece(chunk);
  return copy;
}

/**
 * The whole verified content of a small blob.
 * @param limit bytes that are accepted at most
 * @throws OCL_LIMIT, OCL_SIZE_MISMATCH, OCL_DIGEST_MISMATCH
 */
export async function readVerified(stream: Readable, descriptor: Descriptor, limit: number): Promise<Uint8Array> {
  if (descriptor.size > limit) {
    stream.destroy();
    throw new OclError(
      'OCL_LIMIT',
      `Cannot read ${descriptor.digest}: its ${descriptor.size} bytes are more than the ${limit} that are accepted here`,
    );
  }
  const chunks: Uint8Array[] = [];
  await verifyInto(stream, descriptor, (chunk) => void chunks.push(chunk));
  return joined(chunks);
}

/** Everything that a stream gives, up to a bound. @throws OCL_LIMIT */
export async function readBounded(stream: Readable, limit: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > limit)
        throw new OclError('OCL_LIMIT', `Cannot read ${what}: it is larger than the ${limit} bytes that are accepted`);
      chunks.push(chunk);
    }
  } finally {
    stream.destroy();
  }
  return joined(chunks);
}

/** All of it in memory of its own; the pieces go back. */
function joined(chunks: readonly Uint8Array[]): Buffer {
  const whole = Buffer.concat(chunks);
  for (const chunk of chunks) givePiece(chunk);
  return whole;
}

/** `data` of a descriptor, checked against its size and digest. @throws OCL_DIGEST_MISMATCH, OCL_SIZE_MISMATCH */
export function embeddedData(descriptor: Descriptor): Uint8Array | undefined {
  if (descriptor.data === undefined) return undefined;
  const bytes = Buffer.from(descriptor.data, 'base64');
  const verifier = new Verifier(descriptor);
  verifier.update(bytes);
  verifier.end();
  return bytes;
}

/** The path of a blob inside a layout, from a digest whose grammar was checked. */
export function blobPath(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `blobs/${algorithm}/${encoded}`;
}
