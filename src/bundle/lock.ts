import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { isAttestationEntry } from '../core/graph.ts';
import { isIndexType } from '../core/mediaTypes.ts';
import { formatPlatform } from '../core/platform.ts';
import { isTag, parseImageName } from '../core/reference.ts';
import { type RootName } from '../core/store.ts';
import { type Copier, type Surveyed } from '../copy/copier.ts';
import { configPlatform } from '../copy/otherPlatform.ts';
import { type Select } from '../copy/select.ts';
import { inOrder, type Graph, type Node } from '../copy/walk.ts';

/** One image of a lock: everything that decides which bytes it brings into a bundle. */
export interface LockedImage {
  readonly root: Descriptor;
  /** The tag, where the name does not show it. */
  readonly tag: string | undefined;
  /** What the index was written as, where only some of its platforms were taken and it was written anew. */
  readonly rewritten: Digest | undefined;
  readonly foreign: boolean;
  /** What was taken of its indexes. */
  readonly entries: readonly Digest[];
  /** For people, and for who compares: which image serves which platform. */
  readonly platforms: ReadonlyMap<string, Digest>;
  readonly referrers: readonly Descriptor[];
  readonly digestTags: readonly { readonly tag: string; readonly root: Descriptor }[];
}

export interface LockFile {
  /** Which image of an index `docker load` gets; it stands in the archive. */
  readonly dockerPlatform: string;
  /** By full name; by tag or digest where there is none. */
  readonly images: ReadonlyMap<string, LockedImage>;
}

/** The lock of what was surveyed: no dates, everything sorted, so that equal exports give equal locks. */
export async function makeLock(
  surveyed: readonly Surveyed[],
  { copier, dockerPlatform }: { readonly copier: Copier; readonly dockerPlatform: string },
): Promise<LockFile> {
  const images = new Map<string, LockedImage>();
  for (const { request, graph } of surveyed) {
    const { name, root, select = {} } = request;
    const key = name.imageName ?? name.tag ?? root.digest;
    images.set(key, {
      root: withoutNames(root),
      tag: nameOf(key).tag === name.tag ? undefined : name.tag,
      rewritten: graph.root.descriptor.digest === root.digest ? undefined : graph.root.descriptor.digest,
      foreign: select.foreign === true,
      entries: entriesOf(graph),
      platforms: await platformsOf(graph.root, { copier, request }),
      referrers: sorted(graph.referrers.map(({ descriptor }) => withoutNames(descriptor))),
      digestTags: graph.digestTags
        .map(({ tag, node }) => ({ tag, root: withoutNames(node.descriptor) }))
        .toSorted((a, b) => compare(a.tag, b.tag)),
    });
  }
  return { dockerPlatform, images: new Map([...images].toSorted(([a], [b]) => compare(a, b))) };
}

/** The lock as the text of its file. */
export function formatLock({ dockerPlatform, images }: LockFile): string {
  const plain = Object.fromEntries([...images].map(([name, image]) => [name, plainImage(image)]));
  return `${JSON.stringify({ lockVersion: 1, dockerPlatform, images: plain }, undefined, 2)}\n`;
}

/** What an image of a lock is called in a bundle. */
export function lockedName(key: string, { tag }: LockedImage): RootName {
  const name = nameOf(key);
  return tag === undefined ? name : { ...name, tag };
}

/** What of a locked image is copied: that, and nothing else. */
export function lockedSelect({ rewritten, foreign, entries, referrers, digestTags }: LockedImage): Select {
  return {
    sparse: rewritten === undefined ? 'keep' : 'rewrite',
    foreign,
    pinned: { entries: new Set(entries), referrers, digestTags },
  };
}

function plainImage(image: LockedImage): object {
  const { root, tag, rewritten, foreign, entries, platforms, referrers, digestTags } = image;
  return {
    ...plainDescriptor(root),
    ...(tag === undefined ? {} : { tag }),
    ...(rewritten === undefined ? {} : { rewritten }),
    ...(foreign ? { foreign } : {}),
    ...(platforms.size === 0 ? {} : { platforms: Object.fromEntries(platforms) }),
    ...(entries.length === 0 ? {} : { entries }),
    ...(referrers.length === 0 ? {} : { referrers: referrers.map(plainDescriptor) }),
    ...(digestTags.length === 0
      ? {}
      : { digestTags: Object.fromEntries(digestTags.map((each) => [each.tag, plainDescriptor(each.root)])) }),
  };
}

/** In one order of its members, whatever order they came in. */
function plainDescriptor({ mediaType, digest, size, platform, artifactType, annotations }: Descriptor): object {
  const notes = Object.entries(annotations ?? {}).toSorted(([a], [b]) => compare(a, b));
  return {
    digest,
    mediaType,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(platform === undefined
      ? {}
      : { platform: Object.fromEntries(Object.entries(platform).toSorted(([a], [b]) => compare(a, b))) }),
    ...(notes.length === 0 ? {} : { annotations: Object.fromEntries(notes) }),
  };
}

/** The parts of all indexes that were taken, those of referrers and digest tags included. */
function entriesOf(graph: Graph): readonly Digest[] {
  const found = new Set<Digest>();
  for (const { descriptor, children } of inOrder(graph))
    if (isIndexType(descriptor.mediaType)) for (const child of children) found.add(child.descriptor.digest);
  return [...found].toSorted(compare);
}

async function platformsOf(
  { descriptor, children }: Node,
  { copier, request }: { readonly copier: Copier; readonly request: Surveyed['request'] },
): Promise<ReadonlyMap<string, Digest>> {
  const found = new Map<string, Digest>();
  const add = (entry: Descriptor): void => {
    if (entry.platform === undefined || isAttestationEntry(entry)) return;
    const platform = formatPlatform(entry.platform);
    if (!found.has(platform)) found.set(platform, entry.digest);
  };
  if (isIndexType(descriptor.mediaType)) for (const child of children) add(child.descriptor);
  else {
    const { document } = await copier.read(descriptor, request);
    add({ ...descriptor, platform: descriptor.platform ?? (await configPlatform(document, request.from)) });
  }
  return new Map([...found].toSorted(([a], [b]) => compare(a, b)));
}

/** The names stand elsewhere in a lock; whatever else an entry says belongs to the bytes of the bundle. */
function withoutNames(descriptor: Descriptor): Descriptor {
  const { mediaType, digest, size, platform, artifactType, annotations = {} } = descriptor;
  const { [ANNOTATION.refName]: _ref, [ANNOTATION.imageName]: _image, ...others } = annotations;
  return {
    mediaType,
    digest,
    size,
    ...(platform === undefined ? {} : { platform }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(others).length === 0 ? {} : { annotations: others }),
  };
}

function nameOf(key: string): RootName {
  if (isDigest(key)) return {};
  const parsed = parseImageName(key);
  const isFull = parsed?.tag !== undefined || parsed?.digest !== undefined;
  if (isFull && !isTag(key)) return { ...(parsed.tag === undefined ? {} : { tag: parsed.tag }), imageName: key };
  return { tag: key };
}

function sorted(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  return descriptors.toSorted((a, b) => compare(a.digest, b.digest));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
