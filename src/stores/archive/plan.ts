import { encodeBundleRecord, RECORD_ENTRY, type Basis, type BundleRecord } from '../../core/bundleRecord.ts';
import { LAYOUT_FILE } from '../../core/layoutFile.ts';
import { type Descriptor, type Platform } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { isImage } from '../../core/graph.ts';
import { toJsonBytes } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { isDocumentType, isIndexType, MEDIA } from '../../core/mediaTypes.ts';
import { composeEntry, fullName, severalRepositories } from '../../core/names.ts';
import { isTag, parseImageName } from '../../core/reference.ts';
import { type NamedRoot, type RootName, type StoredBlob } from '../../core/store.ts';
import { TAR_END, tarFileHeader, tarPadding } from '../../io/tarball.ts';
import { shown } from '../../io/tarName.ts';
import { blobPath } from '../../io/verify.ts';
import { composeDockerFiles } from './dockerFiles.ts';
import { Documents } from './documents.ts';
import { Sums } from './sums.ts';

/** Where a blob goes. */
export interface Slot {
  readonly descriptor: Descriptor;
  /** Its turn, from 0. */
  readonly turn: number;
  /** Bytes from the start of the archive to its header. */
  readonly offset: number;
}

/** An archive, known to the last byte but for the bodies of its blobs. */
export interface ArchivePlan {
  /** Everything before the first blob. */
  readonly head: Uint8Array;
  readonly slots: ReadonlyMap<Digest, Slot>;
  /** The sums after the last blob, at an offset from the start. Plain archives have none. */
  readonly sums: { readonly offset: number; readonly list: Sums } | undefined;
  /** What the archive says of itself. Plain archives say nothing. */
  readonly record: BundleRecord | undefined;
  /** Bytes of the whole archive. */
  readonly size: number;
  readonly names: ReadonlySet<string>;
  /** Names under which `docker load` will find nothing. */
  readonly notForDocker: readonly string[];
}

const DOCUMENT_MODE = 0o644;
const BLOB_MODE = 0o444;

/** What the far side of a delta has, going by its basis. */
export interface DeltaOptions {
  readonly basis: Basis;
  /** Whether a content may be left out. Not asked for manifests and indexes, which always travel. */
  readonly has: (blob: StoredBlob) => boolean;
}

export interface PlanOptions {
  /** The verified bytes of a document or config among the nodes. */
  readonly read: (descriptor: Descriptor) => Promise<Uint8Array>;
  readonly dockerPlatform: Platform;
  readonly delta?: DeltaOptions | undefined;
  readonly tool?: BundleRecord['tool'];
}

/**
 * Lays the archive out: the same nodes and names always give the same bytes, in whatever order they are told.
 * @throws OCL_AMBIGUOUS when two contents have one name; OCL_LIMIT; OCL_SIZE_MISMATCH; what `read` throws
 */
export async function planArchive(
  nodes: readonly Descriptor[],
  names: readonly NamedRoot[],
  options: PlanOptions,
): Promise<ArchivePlan> {
  const all = nodesByDigest(nodes);
  const { known, left } = leaveOut(all, options.delta);
  const documents = new Documents(known, options.read);
  const roots = sortRoots(names);
  for (const { root } of roots) {
    if (!known.has(root.digest))
      throw new OclError(
        'OCL_INTERNAL',
        `Cannot lay out the archive: its root ${root.digest} is not among its contents`,
      );
  }
  const several = severalRepositories(roots.map(({ name }) => name));
  const entries: Descriptor[] = [];
  for (const { root, name } of roots)
    entries.push(
      indexEntry(composeEntry(root, name, { several }), await platformOf(root, documents, options.dockerPlatform)),
    );
  const docker = await composeDockerFiles(roots, documents, options.dockerPlatform);
  const record = describeBundle(known, left, options);
  const files: (readonly [string, Uint8Array])[] = [
    ['oci-layout', LAYOUT_FILE],
    ['index.json', toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: entries })],
  ];
  if (docker.manifest !== undefined) files.push(['manifest.json', docker.manifest]);
  if (docker.repositories !== undefined) files.push(['repositories', docker.repositories]);
  if (record !== undefined) files.push([RECORD_ENTRY, encodeBundleRecord(record)]);
  const head = Buffer.concat(files.flatMap(([name, bytes]) => file(name, bytes)));
  const { slots, end } = placeBlobs([...known.values()], head.length);
  const sums =
    record === undefined
      ? undefined
      : new Sums(
          files,
          [...slots.values()].map((slot) => slot.descriptor),
        );
  return {
    head,
    slots,
    sums: sums === undefined ? undefined : { offset: end, list: sums },
    record,
    size: end + (sums?.size ?? 0) + TAR_END.length,
    names: new Set(names.map(({ root, name }) => nameKey(root, name))),
    notForDocker: docker.left,
  };
}

/** What a promised name is known by. */
export function nameKey(root: Descriptor, name: RootName): string {
  return JSON.stringify([root.digest, name.imageName ?? null, name.tag ?? null]);
}

/** The header of a blob's entry. */
export function blobHeader(descriptor: Descriptor): Uint8Array {
  return tarFileHeader(blobPath(descriptor.digest), descriptor.size, BLOB_MODE);
}

function file(name: string, bytes: Uint8Array): Uint8Array[] {
  return [tarFileHeader(name, bytes.length, DOCUMENT_MODE), bytes, new Uint8Array(tarPadding(bytes.length))];
}

/** What a delta brings, and what it leaves to the far side, each sorted. */
function leaveOut(
  all: ReadonlyMap<Digest, Descriptor>,
  delta: DeltaOptions | undefined,
): { readonly known: ReadonlyMap<Digest, Descriptor>; readonly left: readonly StoredBlob[] } {
  if (delta === undefined) return { known: all, left: [] };
  const known = new Map<Digest, Descriptor>();
  const left: StoredBlob[] = [];
  for (const descriptor of all.values()) {
    const { digest, size } = descriptor;
    if (!isDocumentType(descriptor.mediaType) && delta.has({ digest, size })) left.push({ digest, size });
    else known.set(digest, descriptor);
  }
  return { known, left: left.toSorted((a, b) => compare(a.digest, b.digest)) };
}

function describeBundle(
  known: ReadonlyMap<Digest, Descriptor>,
  left: readonly StoredBlob[],
  { delta, tool }: PlanOptions,
): BundleRecord | undefined {
  if (delta === undefined) return undefined;
  const provides = [...known.values()]
    .map(({ digest, size }) => ({ digest, size }))
    .toSorted((a, b) => compare(a.digest, b.digest));
  return { kind: 'delta', basis: delta.basis, requires: left, provides, tool };
}

function nodesByDigest(nodes: readonly Descriptor[]): ReadonlyMap<Digest, Descriptor> {
  const known = new Map<Digest, Descriptor>();
  for (const node of nodes) {
    const other = known.get(node.digest);
    if (other !== undefined && other.size !== node.size) {
      throw new OclError(
        'OCL_SIZE_MISMATCH',
        `Cannot accept ${node.digest}: it is given with ${other.size} bytes and with ${node.size}`,
      );
    }
    known.set(node.digest, node);
  }
  if (known.size > LIMITS.graphNodes)
    throw new OclError('OCL_LIMIT', `Cannot lay out the archive: it would have more than ${LIMITS.graphNodes} blobs`);
  return known;
}

function placeBlobs(
  blobs: readonly Descriptor[],
  start: number,
): { readonly slots: ReadonlyMap<Digest, Slot>; readonly end: number } {
  const byPath = blobs
    .map((descriptor) => ({ descriptor, path: blobPath(descriptor.digest) }))
    .toSorted((a, b) => compare(a.path, b.path));
  const slots = new Map<Digest, Slot>();
  let offset = start;
  for (const [turn, { descriptor }] of byPath.entries()) {
    slots.set(descriptor.digest, { descriptor, turn, offset });
    offset += blobHeader(descriptor).length + descriptor.size + tarPadding(descriptor.size);
  }
  if (!Number.isSafeInteger(offset))
    throw new OclError('OCL_LIMIT', 'Cannot lay out the archive: its contents are larger than any disk');
  return { slots, end: offset };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A full name that came as the tag is a full name all the same. */
function withImageName(name: RootName): RootName {
  if (name.imageName !== undefined) return { ...name, imageName: fullName(name.imageName) };
  const isFull = name.tag !== undefined && !isTag(name.tag) && parseImageName(name.tag)?.tag !== undefined;
  return isFull && name.tag !== undefined ? { tag: name.tag, imageName: fullName(name.tag) } : name;
}

/** Each name once, those without a name last and only where nothing else names them. */
function sortRoots(names: readonly NamedRoot[]): readonly NamedRoot[] {
  const found = new Map<string, NamedRoot>();
  const named = new Set<Digest>();
  for (const { root, name: given } of names) {
    const name = withImageName(given);
    const key = name.imageName ?? name.tag;
    if (key === undefined) continue;
    const other = found.get(key);
    if (other !== undefined && other.root.digest !== root.digest) {
      throw new OclError(
        'OCL_AMBIGUOUS',
        `Cannot give two images the name ${shown(key)}: ${other.root.digest} and ${root.digest}`,
      );
    }
    if (other === undefined) found.set(key, { root, name });
    named.add(root.digest);
  }
  const unnamed = new Map<Digest, NamedRoot>(
    names.filter(({ root }) => !named.has(root.digest)).map(({ root }) => [root.digest, { root, name: {} }]),
  );
  const last = '\u{10ffff}';
  return [...found.values(), ...unnamed.values()].toSorted(
    (a, b) =>
      compare(a.name.imageName ?? last, b.name.imageName ?? last) ||
      compare(a.name.tag ?? last, b.name.tag ?? last) ||
      compare(a.root.digest, b.root.digest),
  );
}

/** Readers choose by the platform of an entry; a root that comes from a registry has none yet (image-spec descriptor.md: SHOULD be set). */
async function platformOf(root: Descriptor, documents: Documents, wanted: Platform): Promise<Platform | undefined> {
  if (root.platform !== undefined || isIndexType(root.mediaType)) return root.platform;
  const image = await documents.image(root, wanted);
  if (image === undefined || image.descriptor.digest !== root.digest || !isImage(image.manifest)) return undefined;
  return (await documents.facts(image.manifest))?.platform;
}

/** Keys in one order, whatever order they came in. */
function indexEntry(entry: Descriptor, platform: Platform | undefined): Descriptor {
  const { mediaType, digest, size, annotations, artifactType } = entry;
  return {
    mediaType,
    digest,
    size,
    ...(annotations === undefined ? {} : { annotations }),
    ...(platform === undefined ? {} : { platform: inOrder(platform) }),
    ...(artifactType === undefined ? {} : { artifactType }),
  };
}

function inOrder(platform: Platform): Platform {
  return {
    architecture: platform.architecture,
    os: platform.os,
    'os.version': platform['os.version'],
    'os.features': platform['os.features'],
    variant: platform.variant,
  };
}
