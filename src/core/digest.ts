import { OclError } from './errors.ts';

/** `algorithm:encoded` in the grammar of the image specification (descriptor.md, "Digests"). */
export type Digest = `${string}:${string}`;

/** The algorithms whose content `ocl` can verify. */
export const ALGORITHMS = ['sha256', 'sha384', 'sha512', 'blake3'] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

const GRAMMAR = /^[a-z0-9]+(?:[+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;
const HEX_LENGTH: Readonly<Record<Algorithm, number>> = { sha256: 64, sha384: 96, sha512: 128, blake3: 64 };
const LOWER_HEX = /^[0-9a-f]+$/;
const MAX_LENGTH = 512;

export interface DigestParts {
  readonly algorithm: string;
  readonly encoded: string;
}

export function splitDigest(digest: Digest): DigestParts {
  const colon = digest.indexOf(':');
  return { algorithm: digest.slice(0, colon), encoded: digest.slice(colon + 1) };
}

function isAlgorithm(name: string): name is Algorithm {
  return (ALGORITHMS as readonly string[]).includes(name);
}

/** The algorithm when it is one that can be verified; undefined for a digest that is only carried along. */
export function verifiableAlgorithm(digest: Digest): Algorithm | undefined {
  const { algorithm } = splitDigest(digest);
  return isAlgorithm(algorithm) ? algorithm : undefined;
}

/** Whether a text is a digest: the grammar, and for registered algorithms the exact count of lower-case hex digits. */
export function isDigest(text: string): text is Digest {
  if (text.length > MAX_LENGTH || !GRAMMAR.test(text)) return false;
  const { algorithm, encoded } = splitDigest(text as Digest);
  if (!isAlgorithm(algorithm)) return true;
  return encoded.length === HEX_LENGTH[algorithm] && LOWER_HEX.test(encoded);
}

/** @throws OCL_DOCUMENT_INVALID when the text is no digest; nothing may become a path or URL before this. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new OclError(
    'OCL_DOCUMENT_INVALID',
    `Cannot read the digest ${JSON.stringify(text.slice(0, 100))}: it must be like sha256:<64 lower-case hex digits>`,
  );
}

/** The first twelve characters of the encoded part, for people. */
export function shortDigest(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `${algorithm}:${encoded.slice(0, 12)}`;
}

/** The tag under which a registry without the referrers API keeps the referrers of a digest (distribution-spec, "Referrers tag schema"). */
export function referrersTag(digest: Digest): string {
  const { algorithm, encoded } = splitDigest(digest);
  return `${algorithm.slice(0, 32)}-${encoded.slice(0, 64)}`.replaceAll(/[^A-Za-z0-9._-]/g, '-');
}

/** Whether a tag is such a list of referrers. */
export function isReferrersTag(tag: string): boolean {
  return /^[a-z0-9-]{1,32}-[0-9a-f]{64}$/.test(tag);
}
