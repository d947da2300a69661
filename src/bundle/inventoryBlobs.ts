import { splitDigest, type Digest } from '../core/digest.ts';

/** Bytes of a digest that are kept. */
export const PREFIX_BYTES = 8;

/**
 * Which blobs are somewhere, in eight bytes each: the beginning of a sha256. Another algorithm's digests are kept whole. Two of a million blobs share a
 * beginning once in thirty-seven million sets; whoever is told that a blob is there although it is not finds out before anything is written.
 */
export class BlobSet {
  /** Ascending, each once. */
  readonly #prefixes: BigUint64Array;
  readonly #others: ReadonlySet<Digest>;

  private constructor(prefixes: BigUint64Array, others: ReadonlySet<Digest>) {
    this.#prefixes = prefixes;
    this.#others = others;
  }

  static of(digests: Iterable<Digest>): BlobSet {
    const prefixes: bigint[] = [];
    const others = new Set<Digest>();
    for (const digest of digests) {
      const prefix = prefixOf(digest);
      if (prefix === undefined) others.add(digest);
      else prefixes.push(prefix);
    }
    return new BlobSet(sorted(BigUint64Array.from(prefixes)), others);
  }

  /** Undefined when the bytes are not ascending prefixes, each once. */
  static decode(bytes: Uint8Array, others: Iterable<Digest>): BlobSet | undefined {
    if (bytes.length % PREFIX_BYTES !== 0) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const prefixes = new BigUint64Array(bytes.length / PREFIX_BYTES);
    for (let i = 0; i < prefixes.length; i++) {
      const prefix = view.getBigUint64(i * PREFIX_BYTES);
      if (i > 0 && prefix <= (prefixes[i - 1] as bigint)) return undefined;
      prefixes[i] = prefix;
    }
    return new BlobSet(prefixes, new Set(others));
  }

  static union(sets: readonly BlobSet[]): BlobSet {
    const prefixes = new BigUint64Array(sets.reduce((sum, set) => sum + set.#prefixes.length, 0));
    let at = 0;
    for (const set of sets) {
      prefixes.set(set.#prefixes, at);
      at += set.#prefixes.length;
    }
    return new BlobSet(sorted(prefixes), new Set(sets.flatMap((set) => [...set.#others])));
  }

  get size(): number {
    return this.#prefixes.length + this.#others.size;
  }

  /** Digests of algorithms other than sha256, sorted. */
  get others(): readonly Digest[] {
    return [...this.#others].toSorted();
  }

  has(digest: Digest): boolean {
    const prefix = prefixOf(digest);
    if (prefix === undefined) return this.#others.has(digest);
    let low = 0;
    let high = this.#prefixes.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#prefixes[middle] as bigint) < prefix) low = middle + 1;
      else high = middle;
    }
    return this.#prefixes[low] === prefix;
  }

  /** The prefixes in big-endian bytes, ascending. */
  encode(): Uint8Array {
    const bytes = new Uint8Array(this.#prefixes.length * PREFIX_BYTES);
    const view = new DataView(bytes.buffer);
    for (const [i, prefix] of this.#prefixes.entries()) view.setBigUint64(i * PREFIX_BYTES, prefix);
    return bytes;
  }
}

function prefixOf(digest: Digest): bigint | undefined {
  const { algorithm, encoded } = splitDigest(digest);
  return algorithm === 'sha256' ? BigInt(`0x${encoded.slice(0, 2 * PREFIX_BYTES)}`) : undefined;
}

/** Ascending, each once. */
function sorted(prefixes: BigUint64Array): BigUint64Array {
  prefixes.sort();
  let kept = 0;
  for (const prefix of prefixes) {
    if (kept > 0 && prefixes[kept - 1] === prefix) continue;
    prefixes[kept++] = prefix;
  }
  return prefixes.slice(0, kept);
}
