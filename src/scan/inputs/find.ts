import { classify, type Classification } from '../../artifact/kind.ts';
import { Reads } from '../../artifact/reads.ts';
import { type TypeTable } from '../../artifact/types/table.ts';
import { type Descriptor, type Platform } from '../../core/descriptor.ts';
import { isDigest, type Digest } from '../../core/digest.ts';
import { isCode, toOclError } from '../../core/errors.ts';
import { isAttestationEntry } from '../../core/graph.ts';
import { parseImageConfig, platformOf } from '../../core/imageConfig.ts';
import { LIMITS } from '../../core/limits.ts';
import { type Index, type Manifest, type ManifestDocument } from '../../core/manifest.ts';
import { isDocumentType } from '../../core/mediaTypes.ts';
import { entryName, tagOf } from '../../core/names.ts';
import { formatPlatform, matchesPlatform } from '../../core/platform.ts';
import { type Found, type NamedImage } from './found.ts';

export interface FindOptions {
  readonly types: TypeTable;
  /** All when it is not said. */
  readonly platforms?: readonly Platform[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Who a thing belongs to. */
interface Context extends NamedImage {
  readonly tag: string | undefined;
  readonly depth: number;
  /** Of a referrer or attestation: what it tells about. */
  readonly subject?: Digest | undefined;
}

const UNKNOWN = 'unknown';
/** So many platforms are named in a reason. */
const LISTED = 10;

/**
 * Everything in a place that a scanner could take, each content once: images of every platform, also those below nested indexes; what
 * refers to them; and what is left out, with the reason. Referrers are met with their subjects, so named things come first, and tags that
 * name what they tell about after the others.
 * @throws OCL_CANCELLED, and failures of a connection; what cannot be read is found as skipped
 */
export async function* findInputs(images: AsyncIterable<NamedImage>, options: FindOptions): AsyncGenerator<Found> {
  const finder = new Finder(options);
  const later: NamedImage[] = [];
  for await (const image of images) {
    const tag = tagOf(image.root);
    if (tag === undefined || subjectOfTag(tag) !== undefined) later.push(image);
    else yield* finder.named(image);
  }
  for (const image of later) yield* finder.named(image);
}

class Finder {
  readonly #options: FindOptions;
  readonly #seen = new Map<Digest, 'image' | 'other'>();
  /** Images of platforms that were not asked for: what tells about them is left out with them. */
  readonly #unasked = new Map<Digest, { readonly reference: string; readonly platform: string }>();
  #reads: Reads | undefined;

  constructor(options: FindOptions) {
    this.#options = options;
  }

  async *named(image: NamedImage): AsyncGenerator<Found> {
    yield* this.#visit(image.root, { ...image, tag: tagOf(image.root), depth: 0 });
  }

  async *#visit(descriptor: Descriptor, context: Context): AsyncGenerator<Found> {
    this.#options.signal?.throwIfAborted();
    const thing = { ...thingOf(context), descriptor };
    const before = this.#seen.get(descriptor.digest);
    if (before !== undefined) {
      if (before === 'image') yield { ...thing, type: UNKNOWN, kind: 'alias' };
      return;
    }
    if (!isDocumentType(descriptor.mediaType) || context.depth > LIMITS.indexDepth) {
      this.#seen.set(descriptor.digest, 'other');
      yield { ...thing, type: UNKNOWN, kind: 'skipped', reason: 'it is no manifest' };
      return;
    }
    const reads = this.#readsOf(context);
    let document: ManifestDocument;
    let known: Classification;
    try {
      document = await reads.document(descriptor);
      known = await classify(context.source, descriptor, document, {
        types: this.#options.types,
        deep: true,
        tag: context.tag,
        repository: context.repository,
        reads,
      });
    } catch (error) {
      if (isCode(error, 'OCL_CANCELLED') || isCode(error, 'OCL_UNREACHABLE')) throw error;
      // A platform that was left out when the index was copied is nothing to tell of; a name that leads nowhere is.
      if (context.depth > 0 && isCode(error, 'OCL_NOT_FOUND')) return;
      yield { ...thing, type: UNKNOWN, kind: 'skipped', reason: toOclError(error).message };
      return;
    }
    const subject = document.subject?.digest ?? context.subject ?? subjectOfTag(context.tag);
    const unasked = subject === undefined ? undefined : this.#unasked.get(subject);
    if (unasked !== undefined) {
      this.#seen.set(descriptor.digest, 'other');
      const { reference, platform } = unasked;
      const reason = `it tells about the image for ${platform}, which was not asked for`;
      yield { ...thing, reference, type: known.type.id, kind: 'skipped', reason };
      return;
    }
    const isImage = document.kind === 'manifest' && known.scan === 'image';
    this.#seen.set(descriptor.digest, isImage ? 'image' : 'other');
    const typed = { ...thing, type: known.type.id };
    if (document.kind === 'index') {
      if (known.scan === 'image' || known.scan === 'nested') {
        const others = this.#unwanted(document);
        if (others.length > 0)
          yield { ...typed, kind: 'skipped', reason: `it is for ${others.join(', ')}, which was not asked for` };
        yield* this.#entries(document, context);
      } else yield* this.#single(typed, known, subject);
    } else if (isImage) {
      const platform = await this.#platform(descriptor, document, reads);
      if (this.#isWanted(platform)) yield { ...typed, kind: 'image', platform: textOf(platform) };
      else {
        this.#unasked.set(descriptor.digest, { reference: context.reference, platform: textOf(platform) });
        yield { ...typed, kind: 'skipped', reason: `it is for ${textOf(platform)}, which was not asked for` };
      }
    } else yield* this.#single(typed, known, subject);
    yield* this.#referrers(descriptor, context);
  }

  /** What is no image and no index of images. */
  async *#single(
    thing: Omit<Extract<Found, { kind: 'config' }>, 'kind'>,
    { scan, type }: Classification,
    subject: Digest | undefined,
  ): AsyncGenerator<Found> {
    if (scan === 'iac') yield { ...thing, kind: 'config' };
    else if (scan === 'sbom') yield { ...thing, kind: 'document', subject };
    else yield { ...thing, kind: 'skipped', reason: reasonFor(scan, type.name) };
  }

  /** The platforms of an index that has an image for none of those that were asked for: all of it would be missing without a word. */
  #unwanted({ manifests }: Index): readonly string[] {
    const images = manifests.filter((entry) => !isAttestationEntry(entry));
    if (images.some(({ platform }) => this.#isWanted(platform))) return [];
    return [...new Set(images.map(({ platform }) => textOf(platform)))].slice(0, LISTED);
  }

  async *#entries(index: Index, context: Context): AsyncGenerator<Found> {
    for (const entry of index.manifests) {
      if (isAttestationEntry(entry)) continue;
      if (entry.platform !== undefined && !this.#isWanted(entry.platform)) {
        this.#unasked.set(entry.digest, { reference: context.reference, platform: textOf(entry.platform) });
        continue;
      }
      yield* this.#visit(entry, { ...context, tag: undefined, depth: context.depth + 1 });
    }
    for (const entry of index.manifests) {
      if (!isAttestationEntry(entry)) continue;
      const of = entry.annotations?.['vnd.docker.reference.digest'];
      const subject = of !== undefined && isDigest(of) ? of : undefined;
      const below = index.manifests.find(({ digest }) => digest === subject);
      if (below?.platform !== undefined && !this.#isWanted(below.platform)) continue;
      yield* this.#visit(entry, { ...context, tag: undefined, depth: context.depth + 1, subject });
    }
  }

  async *#referrers(subject: Descriptor, context: Context): AsyncGenerator<Found> {
    if (context.depth > LIMITS.indexDepth) return;
    for await (const referrer of context.source.referrers(subject))
      yield* this.#visit(referrer, { ...context, tag: undefined, depth: context.depth + 1, subject: subject.digest });
  }

  async #platform(descriptor: Descriptor, manifest: Manifest, reads: Reads): Promise<Platform | undefined> {
    if (descriptor.platform !== undefined || manifest.config === undefined) return descriptor.platform;
    try {
      const bytes = await reads.config(manifest.config);
      return platformOf(parseImageConfig(bytes, manifest.config.digest));
    } catch (error) {
      if (isCode(error, 'OCL_CANCELLED') || isCode(error, 'OCL_UNREACHABLE')) throw error;
      return undefined;
    }
  }

  /** What does not say its platform is taken: nobody could ask for it otherwise. */
  #isWanted(platform: Platform | undefined): boolean {
    const { platforms } = this.#options;
    if (platforms === undefined || platforms.length === 0 || platform === undefined) return true;
    return platforms.some((wanted) => matchesPlatform(wanted, platform));
  }

  #readsOf({ source }: Context): Reads {
    if (this.#reads?.source !== source) this.#reads = new Reads(source);
    return this.#reads;
  }
}

function thingOf({
  reference,
  repository,
  source,
  root,
}: Context): Pick<Found, 'reference' | 'repository' | 'source' | 'imageName'> {
  return { reference, repository, source, imageName: entryName(root).imageName };
}

function textOf(platform: Platform | undefined): string {
  return platform === undefined ? UNKNOWN : formatPlatform(platform);
}

/** `sha256-<hex>.att` names what it tells about (spec/oci.md 7.1). */
function subjectOfTag(tag: string | undefined): Digest | undefined {
  const match = /^(sha256|sha512)-([0-9a-f]+)(?:\.[a-z]+)?$/.exec(tag ?? '');
  const digest = match === null ? '' : `${match[1]}:${match[2]}`;
  return isDigest(digest) ? digest : undefined;
}

function reasonFor(scan: Classification['scan'], name: string): string {
  if (scan === 'db') return `${name} is what a scanner works with: ocl scan-db place puts it where it belongs`;
  if (scan === 'nested')
    return `${name} holds or names its images in a form of its own: copy those images and scan them`;
  return `${name} is no image`;
}
