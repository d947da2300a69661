import { ANNOTATION, plainDescriptor, type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { toJsonBytes } from '../../core/json.ts';
import { MEDIA } from '../../core/mediaTypes.ts';
import { printable } from '../../core/redact.ts';
import { fullName } from '../../core/names.ts';
import { type Sink, type Source } from '../../core/store.ts';
import { type Copier } from '../../copy/copier.ts';
import { createMemory } from '../../stores/memory/store.ts';
import { Reads } from '../reads.ts';
import { CNAB_ANNOTATION, CNAB_TYPE } from './find.ts';
import { type OpenBundle, type Part, type Strangers } from './open.ts';
import { extentOf, ForeignSource, PartedSource } from './parts.ts';
import { canonicalBundle } from './schema.ts';

export interface Relocated {
  /** The index at the target. */
  readonly root: Descriptor;
  readonly images: readonly RelocatedImage[];
  /** Bytes that flowed. */
  readonly streamed: number;
}

export interface RelocatedImage {
  readonly part: Part;
  readonly digest: Digest;
}

/** How a bundle that is no index yet is written: as tools write it, or as registries that know images alone take it. */
export type BundleForm = 'cnab' | 'oci';

export interface RelocateOptions {
  readonly copier: Copier;
  readonly to: Sink;
  readonly tag: string | undefined;
  /** As events and errors call it. */
  readonly image: string;
  readonly form: BundleForm;
  /** Foreign layers and images in other registries are fetched; undefined: layers stay where they are, images are refused. */
  readonly strangers?: Strangers | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Media type of the config that released tools write. The specification has `…cnab.bundle.config.v1+json`, which they read as well. */
const BUNDLE_CONFIG = 'application/vnd.cnab.config.v1+json';
const RUNTIME_VERSION = 'v1.0.0';

/**
 * Copies a bundle with all its images into one repository. What is an index already stays as it is, so its digest and signatures hold; else
 * an index is made (CNAB 201). The sink's `commit` is the caller's.
 * @throws OCL_NOT_FOUND when images are missing, before anything is written; as the engine
 */
export async function relocateBundle(open: OpenBundle, options: RelocateOptions): Promise<Relocated> {
  const images = allHere(open);
  const { root, source, inside } =
    open.index === undefined ? await composed(open, images, options) : indexed(open.index, images);
  const owners = await ownersOf(images, source);
  const parted = new PartedSource(options.image, source, owners);
  const from = readable(parted, options);
  const select = selection(options);
  const { copier, to, tag, image } = options;
  let streamed = 0;
  // What its index does not list goes before it.
  for (const { descriptor } of images)
    if (!inside.has(descriptor.digest))
      streamed += (await copier.copy({ from, to, root: descriptor, name: {}, image, select })).streamed;
  const name = tag === undefined ? {} : { tag };
  const result = await copier.copy({ from, to, root, name, image, select });
  return {
    root,
    images: images.map(({ part, descriptor }) => ({ part, digest: descriptor.digest })),
    streamed: streamed + result.streamed,
  };
}

/**
 * Copies the images of a bundle into a layout, for a thick bundle.
 * @returns the entries that the layout of the archive has: images under the names that the bundle has for them, and what refers to them
 * @throws as `relocateBundle`
 */
export async function gatherImages(
  open: OpenBundle,
  layout: { readonly to: Sink; roots(): Promise<readonly Descriptor[]> },
  options: Omit<RelocateOptions, 'to' | 'tag' | 'form'>,
): Promise<{ readonly entries: readonly Descriptor[]; readonly streamed: number }> {
  const images = allHere(open);
  let streamed = 0;
  for (const [i, { descriptor, source }] of images.entries()) {
    const from = readable(source, options);
    const request = {
      from,
      to: layout.to,
      root: descriptor,
      name: { tag: String(i) },
      image: options.image,
      select: selection(options),
    };
    streamed += (await options.copier.copy(request)).streamed;
  }
  await layout.to.commit();
  const names = new Map(images.map(({ part }, i) => [String(i), fullName(part.image.reference)]));
  const entries = (await layout.roots()).map((entry) => {
    const name = names.get(entry.annotations?.[ANNOTATION.refName] ?? '');
    return name === undefined ? entry : { ...plainDescriptor(entry), annotations: { [ANNOTATION.refName]: name } };
  });
  return { entries, streamed };
}

/** Original reference → where the image is now, as the runtime of a bundle gets it (`/cnab/app/relocation-mapping.json`). */
export function relocationMap(
  images: readonly RelocatedImage[],
  nameOf: (digest: Digest) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(images.map(({ part, digest }) => [part.image.reference, nameOf(digest)]));
}

interface Placed {
  readonly part: Part;
  readonly source: Source;
  readonly descriptor: Descriptor;
}

function allHere({ parts, bundle }: OpenBundle): readonly Placed[] {
  const missing = parts.filter(({ at }) => at === undefined).map(({ image }) => printable(image.reference));
  if (missing.length > 0)
    throw new OclError(
      'OCL_NOT_FOUND',
      `Cannot relocate ${printable(bundle.name ?? 'the bundle')}: ${missing.length} of its ${parts.length} images live in other registries: ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''}`,
      { hint: '--include-foreign fetches them there, without logins' },
    );
  return parts.flatMap((part) => (part.at === undefined ? [] : [{ part, ...part.at }]));
}

interface Root {
  readonly root: Descriptor;
  readonly source: Source;
  /** What the index lists. */
  readonly inside: ReadonlySet<Digest>;
}

function indexed({ root, source }: NonNullable<OpenBundle['index']>, images: readonly Placed[]): Root {
  return {
    root,
    source,
    inside: new Set(images.filter((each) => each.source === source).map(({ descriptor }) => descriptor.digest)),
  };
}

/** The index of a bundle that has none: the bundle file as a config, then the images. */
async function composed({ bundle }: OpenBundle, images: readonly Placed[], { form }: RelocateOptions): Promise<Root> {
  const memory = createMemory({ name: 'bundle' });
  const config = memory.putBytes(canonicalBundle(bundle), form === 'cnab' ? BUNDLE_CONFIG : MEDIA.ociConfig);
  const manifest = memory.putBytes(
    toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [] }),
    MEDIA.ociManifest,
  );
  const { name, version, description, authors, keywords } = bundle;
  const annotations = {
    [CNAB_ANNOTATION.keywords]: JSON.stringify(keywords),
    [CNAB_ANNOTATION.runtimeVersion]: RUNTIME_VERSION,
    [CNAB_ANNOTATION.artifactType]: CNAB_TYPE,
    ...(authors.length === 0 ? {} : { 'org.opencontainers.image.authors': JSON.stringify(authors) }),
    ...(description === undefined ? {} : { 'org.opencontainers.image.description': description }),
    ...(name === undefined ? {} : { [ANNOTATION.title]: name }),
    ...(version === undefined ? {} : { 'org.opencontainers.image.version': version }),
  };
  const manifests = [
    { ...manifest, annotations: { [CNAB_ANNOTATION.manifestType]: 'config' } },
    ...images.map(({ part: { image }, descriptor }) => ({
      ...plainDescriptor(descriptor),
      annotations: {
        [CNAB_ANNOTATION.manifestType]: image.role,
        ...(image.role === 'component' ? { [CNAB_ANNOTATION.component]: image.name } : {}),
      },
    })),
  ];
  const index = { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests, annotations };
  const root = memory.putBytes(toJsonBytes(index), MEDIA.ociIndex);
  return { root, source: memory, inside: new Set(images.map(({ descriptor }) => descriptor.digest)) };
}

/** Whose each part is, where it is not the source's own. */
async function ownersOf(images: readonly Placed[], source: Source): Promise<ReadonlyMap<Digest, Source>> {
  const owners = new Map<Digest, Source>();
  for (const image of images) {
    if (image.source === source) continue;
    const { nodes } = await extentOf(new Reads(image.source), image.descriptor);
    for (const digest of nodes.keys()) if (!owners.has(digest)) owners.set(digest, image.source);
  }
  return owners;
}

function readable(source: Source, { strangers, signal }: Pick<RelocateOptions, 'strangers' | 'signal'>): Source {
  return strangers === undefined ? source : new ForeignSource(source, strangers.http, signal);
}

function selection({ strangers }: Pick<RelocateOptions, 'strangers'>) {
  return { referrers: true, digestTags: true, foreign: strangers !== undefined };
}
