import { Readable } from 'node:stream';
import { ANNOTATION, EMPTY_BLOB, plainDescriptor, type Descriptor, type Platform } from '../../src/core/descriptor.ts';
import { type Algorithm } from '../../src/core/digest.ts';
import { OclError } from '../../src/core/errors.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { type LocalSource, type Open, type RootName, type Sink, type Source } from '../../src/core/store.ts';
import { digestOf, readVerified } from '../../src/io/verify.ts';

export interface Piece {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** A graph as plain values: its root, and its pieces with children before parents. */
export interface Graph {
  readonly root: Descriptor;
  readonly pieces: readonly Piece[];
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

export function opening(bytes: Uint8Array): Open {
  return () => Promise.resolve(Readable.from(bytes.length === 0 ? [] : [bytes], { objectMode: false }));
}

/** Bytes that look random and are the same for the same seed. */
export function noise(size: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

export function piece(bytes: Uint8Array | string, mediaType: string, algorithm: Algorithm = 'sha256'): Piece {
  const raw = typeof bytes === 'string' ? bytesOf(bytes) : bytes;
  return { bytes: raw, descriptor: { mediaType, digest: digestOf(raw, algorithm), size: raw.length } };
}

export function jsonPiece(value: unknown, mediaType: string, algorithm: Algorithm = 'sha256'): Piece {
  return piece(toJsonBytes(value), mediaType, algorithm);
}

export interface ImageOptions {
  /** Told apart by it: images of different names share nothing but what is given in `layers`. */
  readonly name?: string;
  readonly platform?: Platform;
  readonly layers?: readonly Piece[];
  /** Digests of the layers as plain tar files; those of the layers themselves when they are not said. */
  readonly diffIds?: readonly string[];
  readonly docker?: boolean;
  readonly algorithm?: Algorithm;
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
  /** When it was made, as its config tells. */
  readonly created?: string;
}

/** A single-platform image with a config and, unless layers are given, two layers. */
export function image(options: ImageOptions = {}): Graph {
  const { name = 'app', platform = AMD64, docker = false, algorithm } = options;
  const layerType = docker ? MEDIA.dockerLayerGzip : MEDIA.ociLayerGzip;
  const layers = options.layers ?? [
    piece(`base layer of ${name}`, layerType, algorithm),
    piece(`upper layer of ${name} for ${platform.architecture}`, layerType, algorithm),
  ];
  const config = jsonPiece(
    {
      ...platform,
      ...(options.created === undefined ? {} : { created: options.created }),
      config: { Env: [`NAME=${name}`] },
      rootfs: { type: 'layers', diff_ids: options.diffIds ?? layers.map(({ descriptor }) => descriptor.digest) },
    },
    docker ? MEDIA.dockerConfig : MEDIA.ociConfig,
    algorithm,
  );
  const mediaType = docker ? MEDIA.dockerManifest : MEDIA.ociManifest;
  const manifest = jsonPiece(
    {
      schemaVersion: 2,
      mediaType,
      config: config.descriptor,
      layers: layers.map(({ descriptor }) => descriptor),
      ...(options.subject === undefined ? {} : { subject: plainDescriptor(options.subject) }),
      ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
    },
    mediaType,
    algorithm,
  );
  return { root: { ...manifest.descriptor, platform }, pieces: [...layers, config, manifest] };
}

export interface IndexOptions {
  readonly docker?: boolean;
  readonly algorithm?: Algorithm;
  readonly subject?: Descriptor;
  /** Members of the document besides. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export function index(parts: readonly Graph[], options: IndexOptions = {}): Graph {
  const mediaType = options.docker === true ? MEDIA.dockerIndex : MEDIA.ociIndex;
  const document = jsonPiece(
    {
      schemaVersion: 2,
      mediaType,
      manifests: parts.map(({ root }) => root),
      ...(options.subject === undefined ? {} : { subject: plainDescriptor(options.subject) }),
      ...options.extra,
    },
    mediaType,
    options.algorithm,
  );
  return { root: document.descriptor, pieces: [...parts.flatMap(({ pieces }) => pieces), document] };
}

export const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
export const ARM64: Platform = { os: 'linux', architecture: 'arm64', variant: 'v8' };
export const ARMV7: Platform = { os: 'linux', architecture: 'arm', variant: 'v7' };

/** The platforms of one image under an index, with BuildKit's attestation for each. */
export function multiPlatform(name = 'app', platforms: readonly Platform[] = [AMD64, ARM64]): Graph {
  const images = platforms.map((platform) => image({ name, platform }));
  return index([...images, ...images.map(({ root }) => attestation(root))]);
}

/** What BuildKit puts beside an image: platform unknown/unknown, tied to it by annotations. */
export function attestation(of: Descriptor): Graph {
  const statement = jsonPiece(
    { predicateType: 'https://slsa.dev/provenance/v1', of: of.digest },
    'application/vnd.in-toto+json',
  );
  const made = image({ name: `attestation of ${of.digest}`, layers: [statement] });
  return {
    ...made,
    root: {
      ...plainDescriptor(made.root),
      platform: { os: 'unknown', architecture: 'unknown' },
      annotations: { 'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': of.digest },
    },
  };
}

/** An artifact with the empty config: a signature or SBOM when it has a subject. */
export function artifact(
  artifactType: string,
  body: string,
  options: { readonly subject?: Descriptor; readonly annotations?: Readonly<Record<string, string>> } = {},
): Graph {
  const layer = piece(body, 'application/octet-stream');
  const empty: Piece = { bytes: EMPTY_BLOB.bytes, descriptor: plainDescriptor(EMPTY_BLOB.descriptor) };
  const manifest = jsonPiece(
    {
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      artifactType,
      config: empty.descriptor,
      layers: [layer.descriptor],
      ...(options.subject === undefined ? {} : { subject: plainDescriptor(options.subject) }),
      ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
    },
    MEDIA.ociManifest,
  );
  return { root: { ...manifest.descriptor, artifactType }, pieces: [layer, empty, manifest] };
}

export const signature = (subject: Descriptor, body = 'signed'): Graph =>
  artifact('application/vnd.example.signature', body, { subject });
export const sbom = (subject: Descriptor, body = 'parts'): Graph =>
  artifact('application/spdx+json', body, { subject, annotations: { 'org.example.format': 'spdx' } });

/** A Windows image: its first layer may not be redistributed, lives at an address of its own, and is not among the pieces. */
export function foreignImage(docker = true): Graph {
  const hidden = piece(
    'what only its maker may give away',
    docker ? MEDIA.dockerForeignLayerGzip : 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  );
  const own = piece('what may be given away', docker ? MEDIA.dockerLayerGzip : MEDIA.ociLayerGzip);
  const made = image({
    name: 'windows',
    docker,
    platform: { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' },
    layers: [{ ...hidden, descriptor: { ...hidden.descriptor, urls: ['https://example.invalid/layer'] } }, own],
  });
  return { ...made, pieces: made.pieces.filter(({ descriptor }) => descriptor.digest !== hidden.descriptor.digest) };
}

/** Puts a whole graph and, when a name is given, makes its root known under it. */
export async function put(sink: Sink, graph: Graph, name?: RootName | string): Promise<void> {
  for (const { descriptor, bytes } of graph.pieces)
    if (!(await sink.has(descriptor))) await sink.put(descriptor, opening(bytes));
  if (name === undefined) return;
  await sink.tag(graph.root, typeof name === 'string' ? { tag: name } : name, opening(rootBytes(graph)));
  await sink.commit();
}

export function rootBytes(graph: Graph): Uint8Array {
  const root = graph.pieces.find(({ descriptor }) => descriptor.digest === graph.root.digest);
  if (root === undefined) throw new Error('the graph lacks its root');
  return root.bytes;
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** The whole, verified content. */
export async function bytesIn(store: Source, descriptor: Descriptor): Promise<Uint8Array> {
  return await readVerified(await store.open(descriptor), descriptor, 1 << 30);
}

/** Bytes of all that a store holds. */
export async function sizeOf(store: Pick<LocalSource, 'blobs'>): Promise<number> {
  let sum = 0;
  for await (const { size } of store.blobs()) sum += size;
  return sum;
}

/** The digests of all that a store holds, sorted. */
export async function digestsIn(store: LocalSource): Promise<readonly string[]> {
  return (await all(store.blobs())).map(({ digest }) => digest).toSorted();
}

/** Names and digests of the roots, sorted: what two stores of equal content have in common. */
export async function namesIn(store: LocalSource): Promise<readonly string[]> {
  return (await store.roots())
    .map(({ annotations, digest }) => `${annotations?.[ANNOTATION.refName] ?? ''} ${digest}`)
    .toSorted();
}

/** The code of the failure; 'none' when there is none. Other errors go on. */
export async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof OclError) return error.code;
    throw error;
  }
  return 'none';
}
