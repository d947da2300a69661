import { createHash } from 'node:crypto';
import { SUMS_ENTRY } from '../../core/bundleRecord.ts';
import { splitDigest, type Digest } from '../../core/digest.ts';
import { tarFileHeader, tarFileHeaderLength, tarPadding } from '../../io/tarball.ts';

const HEX = 64;
const MODE = 0o644;

/** Bytes of the line of a name, which is ASCII. */
export function lineLength(name: string): number {
  return HEX + 2 + name.length + 1;
}

/** Bytes of `ocl/SHA256SUMS` in the archive, with its header and filling. */
export function sumsSize(names: readonly string[]): number {
  const length = names.reduce((sum, name) => sum + lineLength(name), 0);
  return tarFileHeaderLength(SUMS_ENTRY, length) + length + tarPadding(length);
}

/**
 * `ocl/SHA256SUMS` with its header and filling, the last entry of an archive: with it `sha256sum -c` proves what was unpacked. How
 * long it is is known before the contents are.
 */
export function sumsEntry(lines: readonly (readonly [name: string, sha256: string])[]): Uint8Array {
  const bytes = Buffer.from(lines.map(([name, sha256]) => `${sha256}  ${name}\n`).join(''));
  return Buffer.concat([tarFileHeader(SUMS_ENTRY, bytes.length, MODE), bytes, Buffer.alloc(tarPadding(bytes.length))]);
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The sha256 in hex that a digest is, if it is one. */
export function hexOf(digest: Digest): string | undefined {
  const { algorithm, encoded } = splitDigest(digest);
  return algorithm === 'sha256' ? encoded : undefined;
}
