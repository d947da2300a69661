import { Readable } from 'node:stream';
import { plainDescriptor, type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { isDigest, verifiableAlgorithm, type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { toJsonBytes } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseDescriptor } from '../../core/manifest.ts';
import { MEDIA } from '../../core/mediaTypes.ts';
import { composeEntry, findEntry, listNames, severalRepositories } from '../../core/names.ts';
import { formatReference, parseImageName } from '../../core/reference.ts';
import { type ByteRange, type RootName } from '../../core/store.ts';
import { COMPRESSION_HEAD, detectCompression } from '../../io/compression.ts';
import { type Tarball } from '../../io/tarball.ts';
import { type TarEntry } from '../../io/tarScan.ts';
import { shown } from '../../io/tarName.ts';
import { blobPath, createHasher, describe, readBounded } from '../../io/verify.ts';
import { parseConfigFacts, parseDockerManifest, type ConfigFacts, type DockerEntry } from './schema.ts';
import { type Contents } from './source.ts';

interface Config {
  readonly facts: ConfigFacts;
  readonly descriptor: Descriptor;
}

interface Image {
  readonly entry: DockerEntry;
  readonly names: readonly RootName[];
  readonly facts: ConfigFacts;
  readonly config: Descriptor;
  /** The manifest that stands for it; made at its first use, because layers may have to be hashed for it. */
  manifest: Promise<Descriptor> | undefined;
}

/** `docker load` tells the layers of an archive apart by nothing but their first bytes. */
const LAYER_TYPES = {
  none: MEDIA.ociLayer,
  gzip: MEDIA.ociLayerGzip,
  zstd: MEDIA.ociLayerZstd,
  bzip2: undefined,
  xz: undefined,
} as const;

/** What `docker save` writes, seen as OCI images: configs and layers stay as they are, the manifests are made up. */
export class DockerContents implements Contents {
  readonly #tarball: Tarball;
  readonly #path: string;
  readonly #images: Image[] = [];
  readonly #documents = new Map<Digest, Uint8Array>();
  readonly #blobs = new Map<Digest, TarEntry>();
  /** Which diffID the file of a layer was given for. */
  readonly #diffIds = new Map<string, string>();
  readonly #layers = new Map<string, Promise<Descriptor>>();
  readonly #configs = new Map<string, Promise<Config>>();
  #several: boolean | undefined;
  #roots: Promise<readonly Descriptor[]> | undefined;

  private constructor(tarball: Tarball, path: string) {
    this.#tarball = tarball;
    this.#path = path;
  }

  /** @throws OCL_ARCHIVE_INVALID, OCL_DOCUMENT_INVALID, OCL_LIMIT */
  static async read(tarball: Tarball, path: string): Promise<DockerContents> {
    const contents = new DockerContents(tarball, path);
    const bytes = await tarball.bytes(
      contents.#file('manifest.json'),
      LIMITS.dockerManifestBytes,
      `manifest.json in ${path}`,
    );
    for (const entry of parseDockerManifest(bytes, path)) contents.#images.push(await contents.#image(entry));
    return contents;
  }

  /** The same list each time: manifests are made up once. */
  roots(): Promise<readonly Descriptor[]> {
    this.#roots ??= this.#composeRoots();
    return this.#roots;
  }

  async #composeRoots(): Promise<readonly Descriptor[]> {
    const roots: Descriptor[] = [];
    for (const image of this.#images) {
      const manifest = await this.#manifest(image);
      roots.push(...this.#entries(image, manifest));
    }
    return roots;
  }

  async names(): Promise<readonly string[]> {
    return listNames(this.#stand().map(({ entry }) => entry));
  }

  async resolve(wanted: string): Promise<Descriptor> {
    if (isDigest(wanted)) return findEntry(await this.roots(), wanted);
    const stand = this.#stand();
    const found = this.#choose(
      stand.map(({ entry }) => entry),
      wanted,
    );
    const image = stand.find(({ entry }) => entry === found)?.image;
    // Not found, or ambiguous: said with the digests of manifests in place of those of configs.
    if (found === undefined || image === undefined) return findEntry(await this.roots(), wanted);
    return { ...found, ...(await this.#manifest(image)) };
  }

  async stream(digest: Digest, range: ByteRange | undefined): Promise<Readable | undefined> {
    if (!this.#documents.has(digest) && !this.#blobs.has(digest)) await this.roots();
    const document = this.#documents.get(digest);
    if (document !== undefined)
      return Readable.from(
        [document.subarray(range?.start ?? 0, range?.end === undefined ? undefined : range.end + 1)],
        { objectMode: false },
      );
    const entry = this.#blobs.get(digest);
    return entry === undefined ? undefined : this.#tarball.stream(entry, range);
  }

  /** The entries under the digests of their configs: enough to choose one by its name, and cheap. */
  #stand(): readonly { readonly image: Image; readonly entry: Descriptor }[] {
    return this.#images.flatMap((image) => this.#entries(image, image.config).map((entry) => ({ image, entry })));
  }

  #choose(entries: readonly Descriptor[], wanted: string): Descriptor | undefined {
    try {
      return findEntry(entries, wanted);
    } catch (error) {
      if (isCode(error, 'OCL_AMBIGUOUS') || isCode(error, 'OCL_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  async size(digest: Digest): Promise<number | undefined> {
    await this.roots();
    return this.#documents.get(digest)?.length ?? this.#blobs.get(digest)?.size;
  }

  async *blobs(): AsyncIterable<StoredBlob> {
    await this.roots();
    for (const [digest, bytes] of this.#documents) yield { digest, size: bytes.length };
    for (const [digest, { size }] of this.#blobs) yield { digest, size };
  }

  #entries(image: Image, descriptor: Descriptor): readonly Descriptor[] {
    this.#several ??= severalRepositories(this.#images.flatMap(({ names }) => names));
    const several = this.#several;
    const { platform } = image.facts;
    const base = { ...plainDescriptor(descriptor), ...(platform === undefined ? {} : { platform }) };
    const names: readonly RootName[] = image.names.length === 0 ? [{}] : image.names;
    return names.map((name) => composeEntry(base, name, { several }));
  }

  #file(name: string): TarEntry {
    const entry = this.#tarball.find(name.startsWith('./') ? name.slice(2) : name);
    if (entry === undefined) throw this.#invalid(`there is no file ${shown(name)}`);
    return entry;
  }

  async #image(entry: DockerEntry): Promise<Image> {
    // Many images may have one config.
    const known = this.#configs.get(entry.config) ?? this.#readConfig(entry.config);
    this.#configs.set(entry.config, known);
    const { facts, descriptor: config } = await known;
    if (facts.diffIds.length !== entry.layers.length) {
      throw this.#invalid(
        `the config ${shown(entry.config)} names ${facts.diffIds.length} layers, and manifest.json ${entry.layers.length}`,
      );
    }
    return { entry, names: entry.repoTags.map((tag) => this.#repoTag(tag)), facts, config, manifest: undefined };
  }

  async #readConfig(path: string): Promise<Config> {
    const what = `the image config ${shown(path)} in ${this.#path}`;
    const entry = this.#file(path);
    const bytes = await this.#tarball.bytes(entry, LIMITS.configBytes, what);
    const facts = parseConfigFacts(bytes, what);
    const descriptor = describe(bytes, MEDIA.ociConfig);
    this.#blobs.set(descriptor.digest, entry);
    return { facts, descriptor };
  }

  #repoTag(text: string): RootName {
    const parsed = parseImageName(text);
    if (parsed?.tag === undefined || parsed.digest !== undefined)
      throw this.#invalid(`the RepoTag ${shown(text)} is no name with a tag`);
    return { tag: parsed.tag, imageName: formatReference(parsed) };
  }

  #manifest(image: Image): Promise<Descriptor> {
    image.manifest ??= this.#makeManifest(image);
    return image.manifest;
  }

  async #makeManifest(image: Image): Promise<Descriptor> {
    const layers: Descriptor[] = [];
    for (const [i, path] of image.entry.layers.entries())
      layers.push(await this.#layer(path, image.facts.diffIds[i] ?? '', image.entry));
    const bytes = toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config: image.config, layers });
    const descriptor = describe(bytes, MEDIA.ociManifest);
    this.#documents.set(descriptor.digest, bytes);
    return descriptor;
  }

  async #layer(path: string, diffId: string, image: DockerEntry): Promise<Descriptor> {
    const entry = this.#file(path);
    const name = this.#tarball.realName(path.startsWith('./') ? path.slice(2) : path) ?? path;
    const other = this.#diffIds.get(name);
    if (other !== undefined && other !== diffId)
      throw this.#invalid(`the layer ${shown(path)} stands for two different contents`);
    this.#diffIds.set(name, diffId);
    const known = this.#layers.get(name) ?? this.#describeLayer(name, entry, diffId, image.layerSources.get(diffId));
    this.#layers.set(name, known);
    return known;
  }

  async #describeLayer(name: string, entry: TarEntry, diffId: string, source: unknown): Promise<Descriptor> {
    const head = await readBounded(
      this.#tarball.stream(entry, { start: 0, end: COMPRESSION_HEAD - 1 }),
      COMPRESSION_HEAD,
      name,
    );
    const compression = detectCompression(head);
    const mediaType = LAYER_TYPES[compression];
    if (mediaType === undefined) {
      throw new OclError(
        'OCL_UNSUPPORTED',
        `Cannot use the layer ${shown(name)} in ${this.#path}: no OCI layer is compressed with ${compression}`,
      );
    }
    const digest = claimedDigest(name, entry, diffId, compression === 'none', source) ?? (await this.#hash(entry));
    this.#blobs.set(digest, entry);
    return { mediaType, digest, size: entry.size };
  }

  async #hash(entry: TarEntry): Promise<Digest> {
    const hasher = createHasher('sha256');
    for await (const chunk of this.#tarball.stream(entry) as AsyncIterable<Uint8Array>) hasher.update(chunk);
    return hasher.digest();
  }

  #invalid(why: string): OclError {
    return new OclError('OCL_ARCHIVE_INVALID', `Cannot read the docker archive ${this.#path}: ${why}`);
  }
}

/**
 * The digest that the archive itself gives a layer. It need not be computed: who copies the layer verifies it, and when it is
 * wrong the image is broken in any case, because the config gives the same digest.
 */
function claimedDigest(
  name: string,
  entry: TarEntry,
  diffId: string,
  plain: boolean,
  source: unknown,
): Digest | undefined {
  if (plain) return isDigest(diffId) && verifiableAlgorithm(diffId) !== undefined ? diffId : undefined;
  if (source === undefined) return undefined;
  const original = parseDescriptor(source, `the LayerSources of ${diffId}`);
  const fits =
    original.size === entry.size &&
    name === blobPath(original.digest) &&
    verifiableAlgorithm(original.digest) !== undefined;
  return fits ? original.digest : undefined;
}
