import { ANNOTATION, type Descriptor } from '../../core/descriptor.ts';
import { OclError } from '../../core/errors.ts';
import { isObject, parseJson, toJsonBytes, type JsonObject } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseDescriptor, parseManifest } from '../../core/manifest.ts';
import { MEDIA } from '../../core/mediaTypes.ts';
import { entryName, severalRepositories } from '../../core/names.ts';
import { parseImageName } from '../../core/reference.ts';
import { type Digest } from '../../core/digest.ts';
import { type RootName } from '../../core/store.ts';

/** `index.json` as it stands: what `ocl` understands of it, and all that it does not. */
export interface IndexFile {
  readonly raw: JsonObject;
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly descriptor: Descriptor;
  /** With the members that `ocl` does not know. */
  readonly raw: JsonObject;
}

/** One change of the list of roots. A commit applies them in order to the file as it is at that moment. */
export type Change =
  | { readonly type: 'tag'; readonly descriptor: Descriptor; readonly name: RootName }
  | { readonly type: 'keep'; readonly descriptor: Descriptor }
  | { readonly type: 'untag'; readonly tag: string }
  | { readonly type: 'remove'; readonly digest: Digest };

export const EMPTY_INDEX: IndexFile = {
  raw: { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [] },
  entries: [],
};

/** @throws OCL_LAYOUT_INVALID: a file that cannot be read is never taken for an empty one */
export function parseIndexFile(bytes: Uint8Array, path: string): IndexFile {
  if (bytes.length > LIMITS.indexBytes)
    throw new OclError('OCL_LIMIT', `Cannot read ${path}: it is larger than ${LIMITS.indexBytes} bytes`);
  try {
    const raw = parseJson(bytes, path);
    const document = parseManifest(bytes, MEDIA.ociIndex, path);
    if (!isObject(raw) || document.kind !== 'index')
      throw new OclError('OCL_LAYOUT_INVALID', `Cannot read ${path}: it is no image index`);
    const list = (raw['manifests'] ?? []) as readonly JsonObject[];
    return { raw, entries: document.manifests.map((descriptor, i) => ({ descriptor, raw: list[i] ?? {} })) };
  } catch (error) {
    if (!(error instanceof OclError) || error.code === 'OCL_LIMIT') throw error;
    throw new OclError('OCL_LAYOUT_INVALID', error.message, {
      cause: error,
      hint: 'restore index.json from a backup, or write into a new directory; ocl never replaces an index that it cannot read',
    });
  }
}

export function encodeIndexFile(file: IndexFile): Uint8Array {
  return toJsonBytes({ ...file.raw, manifests: file.entries.map((entry) => entry.raw) });
}

/** The file after the changes, and whether anything is different. */
export function applyChanges(file: IndexFile, changes: readonly Change[]): { file: IndexFile; changed: boolean } {
  let entries = file.entries;
  for (const change of changes) entries = applyChange(entries, change);
  return { file: { raw: file.raw, entries }, changed: entries !== file.entries };
}

function applyChange(entries: readonly Entry[], change: Change): readonly Entry[] {
  switch (change.type) {
    case 'tag':
      return setTag(entries, change.descriptor, change.name);
    case 'keep':
      return entries.some((entry) => entry.descriptor.digest === change.descriptor.digest)
        ? entries
        : [...entries, toEntry(change.descriptor, {})];
    case 'untag':
      return untag(entries, change.tag);
    case 'remove':
      return filtered(entries, (entry) => entry.descriptor.digest !== change.digest);
  }
}

function filtered(entries: readonly Entry[], keep: (entry: Entry) => boolean): readonly Entry[] {
  const rest = entries.filter(keep);
  return rest.length === entries.length ? entries : rest;
}

/**
 * The entries that a name stands for, in a store where no two roots share one: as it is written comes first; the bare tag of a
 * full name counts where all full names belong to one repository, as `listNames` lists it.
 */
export function entriesNamed<T extends { readonly descriptor: Descriptor }>(
  entries: readonly T[],
  { tag, imageName }: RootName,
): readonly T[] {
  const exact = entries.filter(({ descriptor }) => descriptor.annotations?.[ANNOTATION.refName] === tag);
  if (exact.length > 0) return exact;
  const whole = entries.filter(({ descriptor }) => descriptor.annotations?.[ANNOTATION.imageName] === tag);
  if (whole.length > 0) return whole;
  if (!entries.some(({ descriptor }) => mayEndIn(descriptor, tag))) return [];
  const names = entries.map(({ descriptor }) => entryName(descriptor));
  if (severalRepositories(names)) return [];
  return entries.filter(
    (_, i) => names[i]?.tag === tag && (imageName === undefined || names[i]?.imageName === imageName),
  );
}

/** Whether a full name may have the tag: looked at before all names are taken apart, which a run would do for each of its images. */
function mayEndIn({ annotations }: Descriptor, tag: string | undefined): boolean {
  return [annotations?.[ANNOTATION.imageName], annotations?.[ANNOTATION.refName]].some(
    (name) => name !== undefined && (name.endsWith(`:${tag}`) || name.includes(`:${tag}@`)),
  );
}

/** The first entry of that name is replaced where it stands; further ones, and a nameless one of the same content, go. */
function setTag(entries: readonly Entry[], descriptor: Descriptor, name: RootName): readonly Entry[] {
  const tag = name.tag ?? shortName(name.imageName);
  if (tag === undefined) return applyChange(entries, { type: 'keep', descriptor });
  const named = entriesNamed(entries, { ...name, tag });
  const [first] = named;
  const before = first === undefined ? {} : entryName(first.descriptor);
  const imageName = name.imageName ?? before.imageName;
  const same =
    first !== undefined &&
    first.descriptor.digest === descriptor.digest &&
    first.descriptor.annotations?.[ANNOTATION.refName] === tag &&
    (name.imageName === undefined || first.descriptor.annotations[ANNOTATION.imageName] === imageName);
  const fresh = same ? first : toEntry(descriptor, { tag, imageName });
  const redundant = (entry: Entry): boolean =>
    (entry !== first && named.includes(entry)) ||
    (entry !== first && entry.descriptor.digest === descriptor.digest && !isNamed(entry.descriptor));
  if (same && !entries.some(redundant)) return entries;
  const rest = entries.filter((entry) => !redundant(entry));
  return first === undefined ? [...rest, fresh] : rest.map((entry) => (entry === first ? fresh : entry));
}

function shortName(imageName: string | undefined): string | undefined {
  return imageName === undefined ? undefined : (parseImageName(imageName)?.tag ?? imageName);
}

function isNamed(descriptor: Descriptor): boolean {
  return (
    descriptor.annotations?.[ANNOTATION.refName] !== undefined ||
    descriptor.annotations?.[ANNOTATION.imageName] !== undefined
  );
}

/** Takes the names away; content that no other name holds becomes garbage for `ocl gc`. */
function untag(entries: readonly Entry[], tag: string): readonly Entry[] {
  const named = new Set(entriesNamed(entries, { tag }));
  return filtered(entries, (entry) => !named.has(entry));
}

function toEntry(descriptor: Descriptor, name: RootName): Entry {
  const { annotations: given, ...rest } = descriptor;
  const annotations = keptAnnotations(given);
  if (name.tag !== undefined) annotations[ANNOTATION.refName] = name.tag;
  if (name.imageName !== undefined) annotations[ANNOTATION.imageName] = name.imageName;
  const raw = Object.keys(annotations).length === 0 ? { ...rest } : { ...rest, annotations };
  return { raw, descriptor: parseDescriptor(raw, 'an entry of index.json') };
}

/** The names of another place, or of the author of a manifest, do not belong to an entry here; all other annotations do. */
function keptAnnotations(annotations: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations ?? {}).filter(([key]) => key !== ANNOTATION.refName && key !== ANNOTATION.imageName),
  );
}
