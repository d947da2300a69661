import { type Descriptor, type Platform } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { isAttestationEntry } from '../core/graph.ts';
import { parseJson, toJsonBytes, isObject, type JsonObject } from '../core/json.ts';
import { type Index } from '../core/manifest.ts';
import { isIndexType } from '../core/mediaTypes.ts';
import { formatPlatform, matchesPlatform } from '../core/platform.ts';
import { describe } from '../io/verify.ts';
import { type Loaded } from './documents.ts';

/** OR between filters, AND inside one; an empty annotation value asks only that the key is there. */
export interface ReferrerFilter {
  readonly artifactType?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** What a lock says of an image: exactly this is copied, and its source is not asked what else there may be. */
export interface Pinned {
  /** Of every index these entries. */
  readonly entries: ReadonlySet<Digest>;
  readonly referrers: readonly Descriptor[];
  readonly digestTags: readonly { readonly tag: string; readonly root: Descriptor }[];
}

/** What of an image is copied. All platforms and no referrers, when nothing is said. */
export interface Select {
  readonly platforms?: readonly Platform[] | undefined;
  /** What becomes of an index of which only some platforms are taken: its bytes stay (default), or it is written anew with another digest. */
  readonly sparse?: 'keep' | 'rewrite' | undefined;
  /** Signatures, SBOMs and all else that refers to the image or a part of it, and what refers to those. */
  readonly referrers?: boolean | readonly ReferrerFilter[] | undefined;
  /** Tags that name a digest of the image (`sha256-….sig`). */
  readonly digestTags?: boolean | undefined;
  /** Layers that their makers forbid to redistribute; `held`: those that a source on disk has. */
  readonly foreign?: boolean | 'held' | undefined;
  /** Asks for every node although the target has the root. */
  readonly force?: boolean | undefined;
  /** The document alone: what it names comes by other requests of the run, which have to be done before. */
  readonly shallow?: boolean | undefined;
  /** An equal digest ends it: referrers and digest tags are not looked for. */
  readonly fast?: boolean | undefined;
  /** Decides instead of platforms, referrers and digest tags. */
  readonly pinned?: Pinned | undefined;
  /** Parts of an index and referrers that may be missing at the source: they are left out, and a warning says so. */
  readonly allowMissing?: ReadonlySet<string> | undefined;
}

export function wantsReferrers({ referrers }: Select): boolean {
  return referrers !== undefined && referrers !== false;
}

export function matchesFilter(descriptor: Descriptor, referrers: Select['referrers']): boolean {
  if (referrers === undefined || typeof referrers === 'boolean') return referrers === true;
  return referrers.some(({ artifactType, annotations }) => {
    if (artifactType !== undefined && artifactType !== '' && descriptor.artifactType !== artifactType) return false;
    return Object.entries(annotations ?? {}).every(([key, value]) => {
      const actual = descriptor.annotations?.[key];
      return value === '' ? actual !== undefined : actual === value;
    });
  });
}

/**
 * The entries of an index that belong to the wanted platforms, with their attestations.
 * An entry without a platform that is an index itself is kept: what is wanted may be below it.
 * @throws OCL_NOT_FOUND naming the platforms that are there
 */
export function selectEntries(index: Index, platforms: readonly Platform[], what: string): readonly Descriptor[] {
  const wanted = index.manifests.filter(
    (entry) =>
      !isAttestationEntry(entry) &&
      (platforms.some((platform) => matchesPlatform(platform, entry.platform)) ||
        (entry.platform === undefined && isIndexType(entry.mediaType))),
  );
  if (wanted.length === 0) {
    const there = index.manifests
      .filter((entry) => entry.platform !== undefined && !isAttestationEntry(entry))
      .map((entry) => formatPlatform(entry.platform as Platform));
    throw new OclError(
      'OCL_NOT_FOUND',
      `Cannot copy ${what}: it has none of the platforms ${platforms.map(formatPlatform).join(', ')}`,
      {
        hint: there.length === 0 ? 'its index names no platforms' : `it has ${[...new Set(there)].join(', ')}`,
      },
    );
  }
  const digests = new Set<Digest>(wanted.map((entry) => entry.digest));
  return index.manifests.filter(
    (entry) => digests.has(entry.digest) || digests.has(entry.annotations?.['vnd.docker.reference.digest'] as Digest),
  );
}

/** The entries of an index that a lock names. @throws OCL_NOT_FOUND when it names none of them */
export function pinnedEntries(index: Index, { entries }: Pinned, what: string): readonly Descriptor[] {
  const wanted = index.manifests.filter(({ digest }) => entries.has(digest));
  if (wanted.length > 0 || index.manifests.length === 0) return wanted;
  throw new OclError('OCL_NOT_FOUND', `Cannot copy ${what}: the lock names none of the parts of its index`);
}

/** The index with only these entries: all other members stay as they are, the digest becomes another. */
export function rewriteIndex(
  root: Descriptor,
  loaded: Loaded,
  entries: readonly Descriptor[],
): { descriptor: Descriptor; bytes: Uint8Array } {
  const raw = parseJson(loaded.bytes, root.digest) as JsonObject;
  const kept = new Set<Digest>(entries.map((entry) => entry.digest));
  const manifests = (raw['manifests'] as readonly unknown[]).filter(
    (entry) => isObject(entry) && kept.has(entry['digest'] as Digest),
  );
  const bytes = toJsonBytes({ ...raw, manifests });
  return { bytes, descriptor: { ...root, ...describe(bytes, root.mediaType), data: undefined } };
}
