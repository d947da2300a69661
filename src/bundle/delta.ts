import { type Basis, type BundleRecord, type NameHistory, type Unchanged } from '../core/bundleRecord.ts';
import { plainDescriptor, type Descriptor, type StoredBlob } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { composeEntry, entryName } from '../core/names.ts';
import { parseImageName } from '../core/reference.ts';
import { type LocalSource, type NamedRoot, type RootName } from '../core/store.ts';
import { rootsOf, type Surveyed } from '../copy/copier.ts';
import { digestOf } from '../io/verify.ts';
import { inOrder } from '../copy/walk.ts';
import { BlobSet } from './inventoryBlobs.ts';

/** What one file tells of the far side. */
export interface Known {
  readonly basis: Basis;
  readonly has: (digest: Digest) => boolean;
  /** What a full name stood for there, or was sent as, the latest last. */
  readonly before: (name: string) => readonly Digest[];
  /** All that was ever sent under a name is known. */
  readonly remembers: (name: string) => boolean;
}

/** Digests of one name that a record keeps: an importer wants the last few, and a nightly tag has a new one each day. */
const MAX_BEFORE = 1000;

/** What is left out of a bundle because the far side has it, and what the bundle says about that. Handed to the archive that is written. */
export class Delta {
  readonly basis: Basis;
  readonly #known: readonly Known[];
  #unchanged: Unchanged | undefined;
  #names: readonly NameHistory[] = [];

  /** @param known what was told of one far side: what any of it has is left out */
  constructor(known: readonly Known[]) {
    const [first, ...others] = known;
    if (first === undefined) throw new OclError('OCL_INTERNAL', 'Cannot make a delta: it has no basis');
    this.#known = known;
    this.basis =
      others.length === 0
        ? first.basis
        : {
            ...first.basis,
            assumed: known.some(({ basis }) => basis.assumed),
            with: others.map(({ basis }) => basis),
          };
  }

  has({ digest }: Pick<StoredBlob, 'digest'>): boolean {
    return this.#known.some((each) => each.has(digest));
  }

  /** The images that bring something. The others are remembered: only their names travel. */
  settle(surveyed: readonly Surveyed[]): readonly Surveyed[] {
    const unchanged = surveyed.filter(({ graph }) => [...inOrder(graph)].every((node) => this.has(node.descriptor)));
    this.#unchanged = unchanged.length === 0 ? undefined : describeUnchanged(unchanged);
    this.#names = this.#histories(surveyed.flatMap(rootsOf));
    const left = new Set(unchanged);
    return surveyed.filter((image) => !left.has(image));
  }

  more(): Pick<BundleRecord, 'unchanged' | 'names'> {
    return {
      ...(this.#unchanged === undefined ? {} : { unchanged: this.#unchanged }),
      ...(this.#names.length === 0 ? {} : { names: this.#names }),
    };
  }

  #histories(roots: readonly NamedRoot[]): readonly NameHistory[] {
    const found = new Map<string, NameHistory>();
    for (const { root, name } of roots) {
      const full = name.imageName ?? name.tag;
      if (full === undefined || found.has(full)) continue;
      const all = this.#known.some((each) => each.remembers(full));
      const digests = new Set(this.#known.flatMap((each) => each.before(full)));
      digests.delete(root.digest);
      if (digests.size > 0 || all) found.set(full, { name: full, before: [...digests].slice(-MAX_BEFORE), all });
    }
    return sorted([...found.values()]);
  }
}

function describeUnchanged(images: readonly Surveyed[]): Unchanged {
  const entries = new Map<string, Descriptor>();
  for (const image of images) {
    for (const { root, name } of rootsOf(image)) {
      const full = name.imageName ?? name.tag ?? besideName(image.request.name, root);
      const entry = composeEntry(plainDescriptor(root), full === undefined ? name : { ...name, imageName: full }, {
        several: true,
      });
      entries.set(`${full ?? ''} ${root.digest}`, entry);
    }
  }
  const blobs = BlobSet.of(images.flatMap(({ graph }) => [...inOrder(graph)].map((node) => node.descriptor.digest)));
  return {
    images: sorted([...entries].map(([name, entry]) => ({ name, entry }))).map(({ entry }) => entry),
    has: Buffer.from(blobs.encode()).toString('base64'),
    others: blobs.others,
  };
}

/** What refers to an image has no name of its own; this tells the repository that it is in. */
function besideName({ imageName }: RootName, { digest }: Descriptor): string | undefined {
  const parsed = imageName === undefined ? undefined : parseImageName(imageName);
  return parsed === undefined ? undefined : `${parsed.registry}/${parsed.repository}@${digest}`;
}

function sorted<T extends { readonly name: string }>(items: readonly T[]): readonly T[] {
  return items.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/**
 * What a bundle that was sent before tells: its own contents, and those that it said the far side had.
 * @throws OCL_ARCHIVE_INVALID for a record that makes no sense
 */
export function knownOfBundle(
  roots: readonly Descriptor[],
  contents: readonly Digest[],
  record: BundleRecord | undefined,
): Omit<Known, 'basis'> {
  const { placement, requires = [], unchanged } = record ?? {};
  const placed = [...(placement?.everywhere ?? []), ...(placement?.blobs ?? []), ...(placement?.cut ?? [])];
  const blobs = new Set([...contents, ...[...requires, ...placed].map(({ digest }) => digest)]);
  const whole = unchanged === undefined ? undefined : readUnchanged(unchanged);
  const names = new Map<string, Digest[]>();
  for (const { name, before } of record?.names ?? []) names.set(name, [...before]);
  for (const root of [...roots, ...(record?.roots ?? []), ...(unchanged?.images ?? [])]) {
    const { tag, imageName } = entryName(root);
    const name = imageName ?? tag;
    if (name === undefined) continue;
    names.set(name, [...(names.get(name) ?? []).filter((digest) => digest !== root.digest), root.digest]);
  }
  const remembered = new Set((record?.names ?? []).filter(({ all }) => all).map(({ name }) => name));
  return {
    has: (digest) => blobs.has(digest) || whole?.has(digest) === true,
    before: (name) => names.get(name) ?? [],
    remembers: (name) => remembered.has(name),
  };
}

function readUnchanged({ has, others }: Unchanged): BlobSet {
  const blobs = BlobSet.decode(Buffer.from(has, 'base64'), others);
  if (blobs !== undefined) return blobs;
  throw new OclError('OCL_ARCHIVE_INVALID', 'Cannot read the record of the bundle: unchanged.has is no ascending list');
}

/** What a bundle is known by: its set of volumes; else a digest of what it names and brings. */
export function bundleId(
  record: BundleRecord | undefined,
  roots: readonly Digest[],
  contents: readonly Digest[],
): Digest {
  if (record?.set !== undefined) return record.set.id;
  const lines = [...roots.map((digest) => `root ${digest}`), ...contents.map((digest) => `blob ${digest}`)];
  return digestOf(Buffer.from([...new Set(lines)].toSorted().join('\n')));
}

/** The same of a bundle that is open. */
export async function idOf(bundle: LocalSource): Promise<Digest> {
  const contents: Digest[] = [];
  for await (const { digest } of bundle.blobs()) contents.push(digest);
  const roots = await bundle.roots();
  return bundleId(
    bundle.record,
    roots.map(({ digest }) => digest),
    contents,
  );
}
