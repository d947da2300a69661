import { createHash } from 'node:crypto';
import { type Descriptor } from '../../core/descriptor.ts';
import { SUMS_ENTRY } from '../../core/bundleRecord.ts';
import { splitDigest, type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { tarFileHeader, tarPadding } from '../../io/tarball.ts';
import { blobPath } from '../../io/verify.ts';

/** sha256 in hex of contents whose own digest is of another algorithm. */
export type Sha256s = ReadonlyMap<Digest, string>;

const HEX = 64;

interface Line {
  readonly name: string;
  /** Undefined: known when the content has flowed. */
  readonly sha256: string | undefined;
  readonly digest?: Digest;
}

/**
 * `ocl/SHA256SUMS`, the last entry of an archive: with it `sha256sum -c` proves what was unpacked. How long it will be is known
 * before the contents are.
 */
export class Sums {
  readonly #lines: readonly Line[];

  constructor(files: readonly (readonly [name: string, bytes: Uint8Array])[], blobs: readonly Descriptor[]) {
    this.#lines = [
      ...files.map(([name, bytes]) => ({ name, sha256: createHash('sha256').update(bytes).digest('hex') })),
      ...blobs.map(({ digest }) => ({
        name: blobPath(digest),
        digest,
        sha256: needsSum(digest) ? undefined : splitDigest(digest).encoded,
      })),
    ];
  }

  /** Bytes of the entry with its header and filling. */
  get size(): number {
    const header = tarFileHeader(SUMS_ENTRY, this.#length, MODE).length;
    return header + this.#length + tarPadding(this.#length);
  }

  /** The entry with its header and filling. */
  entry(known: Sha256s): Uint8Array {
    const text = this.#lines.map(({ name, sha256, digest }) => {
      const hex = sha256 ?? (digest === undefined ? undefined : known.get(digest));
      if (hex === undefined) throw new OclError('OCL_INTERNAL', `Cannot sum up the archive: ${name} was not hashed`);
      return `${hex}  ${name}\n`;
    });
    const bytes = Buffer.from(text.join(''));
    return Buffer.concat([
      tarFileHeader(SUMS_ENTRY, bytes.length, MODE),
      bytes,
      Buffer.alloc(tarPadding(bytes.length)),
    ]);
  }

  get #length(): number {
    return this.#lines.reduce((sum, { name }) => sum + lineLength(name), 0);
  }
}

const MODE = 0o644;

/** Bytes of the line of a name, which is ASCII. */
function lineLength(name: string): number {
  return HEX + 2 + name.length + 1;
}

/** Whether the sha256 of a content has to be computed beside its own digest. */
export function needsSum(digest: Digest): boolean {
  return splitDigest(digest).algorithm !== 'sha256';
}
