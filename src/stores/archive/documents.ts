import { type Descriptor, type Platform } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { isCode } from '../../core/errors.ts';
import { isAttestationEntry, isImage } from '../../core/graph.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseManifest, type Index, type Manifest, type ManifestDocument } from '../../core/manifest.ts';
import { isDocumentType, isImageConfigType } from '../../core/mediaTypes.ts';
import { formatPlatform, matchesPlatform } from '../../core/platform.ts';
import { parseConfigFacts, type ConfigFacts } from './schema.ts';

export interface FoundImage {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
}

/** The documents that go into an archive, each read once. */
export class Documents {
  readonly #nodes: ReadonlyMap<Digest, Descriptor>;
  readonly #read: (descriptor: Descriptor) => Promise<Uint8Array>;
  readonly #documents = new Map<Digest, Promise<ManifestDocument>>();
  readonly #images = new Map<string, Promise<FoundImage | undefined>>();
  readonly #facts = new Map<Digest, Promise<ConfigFacts | undefined>>();

  constructor(nodes: ReadonlyMap<Digest, Descriptor>, read: (descriptor: Descriptor) => Promise<Uint8Array>) {
    this.#nodes = nodes;
    this.#read = read;
  }

  has(descriptor: Descriptor): boolean {
    return this.#nodes.has(descriptor.digest);
  }

  /** What the config of an image says, when it is in the archive and can be understood. */
  async facts({ config }: Manifest): Promise<ConfigFacts | undefined> {
    if (config === undefined || !isImageConfigType(config.mediaType) || !this.has(config)) return undefined;
    const known = this.#facts.get(config.digest) ?? this.#readFacts(config);
    this.#facts.set(config.digest, known);
    return known;
  }

  /** The manifest of a root that is one and in the archive. */
  async manifest(descriptor: Descriptor): Promise<Manifest | undefined> {
    if (!this.has(descriptor) || !isDocumentType(descriptor.mediaType)) return undefined;
    const document = await this.document(descriptor);
    return document.kind === 'manifest' ? document : undefined;
  }

  /** The verified bytes of a config or document among the nodes. */
  async read(descriptor: Descriptor): Promise<Uint8Array> {
    return await this.#read(descriptor);
  }

  /** What a document in the archive says. */
  document(descriptor: Descriptor): Promise<ManifestDocument> {
    const known = this.#documents.get(descriptor.digest) ?? this.#readDocument(descriptor);
    this.#documents.set(descriptor.digest, known);
    return known;
  }

  /** The manifest itself, or of an index the first that is for the platform and in the archive. */
  async image(descriptor: Descriptor, platform: Platform, depth = 0): Promise<FoundImage | undefined> {
    if (!this.has(descriptor) || !isDocumentType(descriptor.mediaType) || depth > LIMITS.indexDepth) return undefined;
    const document = await this.document(descriptor);
    if (document.kind === 'manifest') return { descriptor, manifest: document };
    // Indexes may name the same one again and again, on every level: each is searched once.
    const key = `${descriptor.digest} ${formatPlatform(platform)}`;
    const known = this.#images.get(key) ?? this.#search(document, platform, depth);
    this.#images.set(key, known);
    return known;
  }

  async #search(document: Index, platform: Platform, depth: number): Promise<FoundImage | undefined> {
    for (const entry of document.manifests) {
      if (isAttestationEntry(entry)) continue;
      if (entry.platform !== undefined && !matchesPlatform(platform, entry.platform)) continue;
      const found = await this.image(entry, platform, depth + 1);
      if (found === undefined || !isImage(found.manifest)) continue;
      const offered = entry.platform ?? (await this.facts(found.manifest))?.platform;
      if (matchesPlatform(platform, offered)) return found;
    }
    return undefined;
  }

  async #readDocument(descriptor: Descriptor): Promise<ManifestDocument> {
    return parseManifest(await this.#read(descriptor), descriptor.mediaType, descriptor.digest);
  }

  /** A config that makes no sense is carried along like any other; it just tells nothing (image-spec manifest.md). */
  async #readFacts(config: Descriptor): Promise<ConfigFacts | undefined> {
    if (config.size > LIMITS.configBytes) return undefined;
    const bytes = await this.#read(config);
    try {
      return parseConfigFacts(bytes, `the image config ${config.digest}`);
    } catch (error) {
      if (isCode(error, 'OCL_DOCUMENT_INVALID') || isCode(error, 'OCL_ARCHIVE_INVALID') || isCode(error, 'OCL_LIMIT'))
        return undefined;
      throw error;
    }
  }
}
