import { ANNOTATION, EMPTY_BLOB, type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { toJsonBytes } from '../core/json.ts';
import { MEDIA } from '../core/mediaTypes.ts';
import { gzipSteady } from '../io/gzip.ts';
import { TAR_END, tarDirectoryHeader, tarFile } from '../io/tarball.ts';
import { digestOf } from '../io/verify.ts';
import { createMemory, type MemoryStore } from '../stores/memory/store.ts';

export interface LayerSpec {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  /** The file name under which tools such as oras write it down. */
  readonly title?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface ArtifactSpec {
  /** Needed where the config says nothing (image-spec manifest.md, "Guidelines for Artifact Usage"). */
  readonly artifactType?: string | undefined;
  /** The empty config when it is not given. */
  readonly config?: { readonly mediaType: string; readonly bytes: Uint8Array } | undefined;
  readonly layers: readonly LayerSpec[];
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly subject?: Descriptor | undefined;
}

export interface BuiltArtifact {
  readonly store: MemoryStore;
  /** The manifest, with its artifactType and annotations as a listing of referrers shows them. */
  readonly root: Descriptor;
}

/**
 * An image manifest with all that it names, in memory: the same spec always gives the same digest.
 * @param store gets the contents; a new one when it is not given
 */
export function buildArtifact(spec: ArtifactSpec, store: MemoryStore = createMemory({ name: 'pack' })): BuiltArtifact {
  const { artifactType, subject } = spec;
  const config =
    spec.config === undefined ? emptyBlob(store) : store.putBytes(spec.config.bytes, spec.config.mediaType);
  // A manifest has at least one layer, if it is the empty one.
  const layers = spec.layers.length === 0 ? [emptyBlob(store)] : spec.layers.map((layer) => putLayer(layer, store));
  const annotations = sorted(spec.annotations ?? {});
  const bytes = toJsonBytes({
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    ...(artifactType === undefined ? {} : { artifactType }),
    config,
    layers,
    ...(subject === undefined
      ? {}
      : { subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size } }),
    ...(annotations === undefined ? {} : { annotations }),
  });
  const root = store.putBytes(bytes, MEDIA.ociManifest);
  return {
    store,
    root: {
      ...root,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(annotations === undefined ? {} : { annotations }),
    },
  };
}

function emptyBlob(store: MemoryStore): Descriptor {
  store.putBytes(EMPTY_BLOB.bytes, EMPTY_BLOB.descriptor.mediaType);
  return EMPTY_BLOB.descriptor;
}

function putLayer({ mediaType, bytes, title, annotations }: LayerSpec, store: MemoryStore): Descriptor {
  const all = sorted({ ...annotations, ...(title === undefined ? {} : { [ANNOTATION.title]: title }) });
  return { ...store.putBytes(bytes, mediaType), ...(all === undefined ? {} : { annotations: all }) };
}

function sorted(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  const entries = Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

export interface TarFile {
  /** `/`-separated and relative. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface TarOptions {
  /** The mode of the root's entry `.`; without it the root has none. */
  readonly rootMode?: number | undefined;
}

export interface TarLayer {
  /** gzip */
  readonly bytes: Uint8Array;
  /** The digest of the tar file within, as image configs name it. */
  readonly diffId: Digest;
}

const DIRECTORY_MODE = 0o755;

/**
 * Files as a compressed layer that depends on nothing but them: sorted as Go's `filepath.Walk` goes, owner 0, time 0, ustar, directories
 * before what is in them and without a slash at the end.
 */
export function tarLayer(files: readonly TarFile[], options: TarOptions = {}): TarLayer {
  const parts: Uint8Array[] = [];
  if (options.rootMode !== undefined) parts.push(tarDirectoryHeader('.', options.rootMode));
  const made = new Set<string>();
  for (const { path, bytes } of files.toSorted((a, b) => compareWalk(a.path, b.path))) {
    for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) {
      const directory = path.slice(0, at);
      if (made.has(directory)) continue;
      made.add(directory);
      parts.push(tarDirectoryHeader(directory, DIRECTORY_MODE));
    }
    parts.push(tarFile(path, bytes));
  }
  const tar = Buffer.concat([...parts, TAR_END]);
  return { bytes: gzipSteady(tar), diffId: digestOf(tar) };
}

/** Names of one directory in the order of their bytes, a directory with all that is in it in its place. */
function compareWalk(a: string, b: string): number {
  const [left, right] = [a.split('/'), b.split('/')];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const order = Buffer.compare(Buffer.from(left[i] ?? ''), Buffer.from(right[i] ?? ''));
    if (order !== 0) return order;
  }
  return left.length - right.length;
}
