import * as z from 'zod';
import { type Descriptor, type StoredBlob } from './descriptor.ts';
import { isDigest, type Digest } from './digest.ts';
import { OclError } from './errors.ts';
import { isObject, parseJson, toJsonBytes } from './json.ts';
import { LIMITS } from './limits.ts';
import { parseDescriptor } from './manifest.ts';
import { parseWith } from './parseWith.ts';

/** Where a bundle that is more than a plain archive says so. Other tools do not look below `ocl/`. */
export const RECORD_ENTRY = 'ocl/bundle.json';
/** One line for each other entry of the archive, as `sha256sum -c` reads them. */
export const SUMS_ENTRY = 'ocl/SHA256SUMS';

/** What a delta was measured against. Further members tell people more, and are kept. */
export interface Basis {
  readonly kind: 'inventory' | 'receipt' | 'bundle' | 'ledger' | 'request';
  /** A digest of it, or a name. */
  readonly id: string;
  /** Nobody asked the far side: it is believed to have what was sent before. */
  readonly assumed: boolean;
  readonly [more: string]: unknown;
}

/** A part of a content that was too large for one volume. It is a blob of its own, named by its own digest. */
export interface Slice extends StoredBlob {
  /** From 1. */
  readonly volume: number;
}

export interface Placement {
  /** In each of the volumes. */
  readonly everywhere: readonly StoredBlob[];
  readonly blobs: readonly (StoredBlob & { readonly volume: number })[];
  /** In as many slices as it takes; one after the other they are the content. */
  readonly cut: readonly (StoredBlob & { readonly slices: readonly Slice[] })[];
}

/** Images that the far side has whole, with what refers to them: their names come in a delta, and nothing else of them. */
export interface Unchanged {
  /** Entries as in `index.json`. */
  readonly images: readonly Descriptor[];
  /** The first eight bytes of the sha256 of all that they reach, ascending, in base64. */
  readonly has: string;
  /** What of that has digests of other algorithms. */
  readonly others: readonly Digest[];
}

/** What a name of a delta stood for before, as far as it is known where the delta was made. */
export interface NameHistory {
  /** In full. */
  readonly name: string;
  /** The latest last. */
  readonly before: readonly Digest[];
  /** Everything that was ever sent under that name is among them: a target that has something else there has something newer, or of its own. */
  readonly all: boolean;
}

/** What `ocl/bundle.json` says. It has no dates: the same contents give the same bytes. */
export interface BundleRecord {
  readonly kind: 'full' | 'delta';
  /** The archive is one volume of several. */
  readonly set?: { readonly id: Digest; readonly volume: number; readonly volumes: number } | undefined;
  /** Entries of the whole set's `index.json`: a volume's own names only what is complete in it. */
  readonly roots?: readonly Descriptor[] | undefined;
  /** Which volume has what. */
  readonly placement?: Placement | undefined;
  readonly basis?: Basis | undefined;
  /** Contents that belong to its images and are not in it: the far side has them already. */
  readonly requires?: readonly StoredBlob[] | undefined;
  /** Contents that a delta brings. In a set the placement says it. */
  readonly provides?: readonly StoredBlob[] | undefined;
  readonly unchanged?: Unchanged | undefined;
  /** Of the names of a delta, those that stood for something else before. */
  readonly names?: readonly NameHistory[] | undefined;
  readonly tool?: { readonly name: string; readonly version: string } | undefined;
}

const BUNDLE_VERSION = 1;
/** Of a digest in a set. */
const PREFIX_BYTES = 8;
/** What one name stood for before. */
const MAX_BEFORE = 10_000;

const DigestSchema = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is no digest');
const SizeSchema = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
const VolumeSchema = z.int().min(1).max(LIMITS.volumes);
const BlobSchema = z.object({ digest: DigestSchema, size: SizeSchema });
const PlacedSchema = z.object({ digest: DigestSchema, size: SizeSchema, volume: VolumeSchema });
const blobs = <T extends z.ZodType>(item: T): z.ZodArray<T> => z.array(item).max(LIMITS.graphNodes);

const RecordSchema = z.looseObject({
  bundleVersion: z.literal(BUNDLE_VERSION),
  kind: z.enum(['full', 'delta']),
  set: z.object({ id: DigestSchema, volume: VolumeSchema, volumes: VolumeSchema }).optional(),
  roots: z.array(z.unknown()).max(LIMITS.descriptors).optional(),
  placement: z
    .object({
      everywhere: blobs(BlobSchema),
      blobs: blobs(PlacedSchema),
      cut: blobs(z.object({ digest: DigestSchema, size: SizeSchema, slices: blobs(PlacedSchema).min(1) })),
    })
    .optional(),
  basis: z
    .looseObject({
      kind: z.enum(['inventory', 'receipt', 'bundle', 'ledger', 'request']),
      id: z.string().max(4096),
      assumed: z.boolean(),
    })
    .optional(),
  requires: blobs(BlobSchema).optional(),
  provides: blobs(BlobSchema).optional(),
  unchanged: z
    .object({
      images: z.array(z.unknown()).max(LIMITS.descriptors),
      has: z.base64().max(2 * PREFIX_BYTES * LIMITS.graphNodes),
      others: z.array(DigestSchema).max(LIMITS.graphNodes),
    })
    .optional(),
  names: blobs(
    z.object({ name: z.string().max(4096), before: z.array(DigestSchema).max(MAX_BEFORE), all: z.boolean() }),
  ).optional(),
  tool: z.object({ name: z.string().max(256), version: z.string().max(256) }).optional(),
});

/**
 * @param what names the record in errors
 * @throws OCL_ARCHIVE_INVALID, OCL_DOCUMENT_INVALID, OCL_LIMIT; OCL_UNSUPPORTED for one of a later version of the format
 */
export function parseBundleRecord(bytes: Uint8Array, what: string): BundleRecord {
  const value = parseJson(bytes, what);
  const version = isObject(value) ? value['bundleVersion'] : undefined;
  if (typeof version === 'number' && version > BUNDLE_VERSION)
    throw new OclError('OCL_UNSUPPORTED', `Cannot read ${what}: its format is version ${version}`, {
      hint: 'a newer ocl wrote it, and reads it',
    });
  const read = parseWith(
    RecordSchema,
    value,
    (why) => new OclError('OCL_ARCHIVE_INVALID', `Cannot read ${what}: ${why}`),
  );
  return {
    ...read,
    roots: read.roots?.map((root) => parseDescriptor(root, what)),
    unchanged:
      read.unchanged === undefined
        ? undefined
        : { ...read.unchanged, images: read.unchanged.images.map((root) => parseDescriptor(root, what)) },
  };
}

/** The bytes of a record: members in one order, whatever order they came in. */
export function encodeBundleRecord(record: BundleRecord): Uint8Array {
  const { kind, set, roots, placement, basis, requires, provides, unchanged, names, tool } = record;
  return toJsonBytes({
    bundleVersion: BUNDLE_VERSION,
    kind,
    set,
    roots,
    placement,
    basis,
    requires,
    provides,
    unchanged,
    names,
    tool,
  });
}
