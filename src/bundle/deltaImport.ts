import { createdAt } from '../artifact/created.ts';
import { type BundleRecord, type NameHistory } from '../core/bundleRecord.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { shortDigest, type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { entryName } from '../core/names.ts';
import { type LocalSource, type Sink, type Source } from '../core/store.ts';
import { type Copier, type CopyRequest } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';
import { findMissing, missingBlobs, type Candidate, type Incomplete } from './deltaCheck.ts';
import { Elsewhere } from './deltaElsewhere.ts';
import { DeltaSource } from './deltaSource.ts';
import { type Planned } from './naming.ts';
import { type TargetSinks } from './target.ts';

/** A name that the target keeps as it is. */
export interface Kept {
  readonly image: string;
  /** What the target has under the name. */
  readonly has: Digest;
  /** What the delta has under it; the content arrived. */
  readonly brings: Digest;
}

export interface DeltaImportOptions {
  readonly copier: Copier;
  /** Looks without a word: what is worth a warning is told when it is copied. The copier itself, when it is not given. */
  readonly measure?: Copier | undefined;
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
  readonly select: Select;
  /** The file to type for the same import once more, where that alone is imported. */
  readonly file?: string | undefined;
  /** Bundles that are imported with it. */
  readonly pool: readonly LocalSource[];
  readonly sinks: TargetSinks;
  readonly images: readonly Planned[];
  /** Names get what the delta has under them, whatever the target has. */
  readonly moveTags?: boolean | undefined;
}

/** What is different about a bundle that leaves out what its target has. */
export class DeltaImport {
  readonly #source: LocalSource;
  readonly #options: DeltaImportOptions;
  readonly #elsewhere: Elsewhere;
  readonly #unchanged: ReadonlySet<Descriptor>;
  readonly #histories: ReadonlyMap<string, NameHistory>;
  readonly #placed: ReadonlySet<Digest>;
  #incomplete = new Map<Planned, { readonly error: OclError; readonly missing: ReadonlySet<Digest> }>();

  constructor(
    { source, record }: { readonly source: LocalSource; readonly record: BundleRecord },
    options: DeltaImportOptions,
  ) {
    const { sinks, images, emit, signal } = options;
    this.#source = source;
    this.#options = options;
    const holds = sinks.target.kind === 'layout' ? undefined : sinks.target.holds;
    this.#elsewhere = new Elsewhere(holds, [...new Set(images.map(({ repository }) => repository))], { emit, signal });
    this.#unchanged = new Set(record.unchanged?.images);
    this.#histories = new Map((record.names ?? []).map((history) => [history.name, history]));
    const { everywhere = [], blobs = [], cut = [] } = record.placement ?? {};
    this.#placed = new Set([...everywhere, ...blobs, ...cut].map(({ digest }) => digest));
  }

  /** The images that cannot be completed. Nothing is written. */
  async check(images: readonly Planned[]): Promise<readonly Incomplete[]> {
    const { sinks, copier, measure = copier, file } = this.#options;
    const candidates: Candidate[] = [];
    for (const planned of images) {
      const to = await sinks.open(planned.repository);
      candidates.push({ planned, to, unchanged: this.#unchanged.has(planned.root), ...(await this.request(planned)) });
    }
    const brings = async (digest: Digest): Promise<boolean> =>
      this.#placed.has(digest) || (await this.#isBrought(digest));
    const found = await findMissing(candidates, { copier: measure, elsewhere: this.#elsewhere, brings });
    const incomplete = found.map(({ planned, missing }) => {
      const { image, root, repository } = planned;
      return { planned, told: { image, root, repository, history: this.#histories.get(fullNameOf(root)), missing } };
    });
    this.#incomplete = new Map(
      incomplete.map(({ planned, told }) => [
        planned,
        {
          error: missingBlobs([told], { name: this.#source.name, file }, sinks.name),
          missing: new Set(told.missing.map(({ digest }) => digest)),
        },
      ]),
    );
    return incomplete.map(({ told }) => told);
  }

  /** Why an image is not whole, and what it lacks, after `check`. */
  incomplete(image: Planned): { readonly error: OclError; readonly missing: ReadonlySet<Digest> } | undefined {
    return this.#incomplete.get(image);
  }

  /** Where an image is read, and what of it is copied. */
  async request({
    root,
    repository,
  }: Pick<Planned, 'root' | 'repository'>): Promise<
    Pick<CopyRequest, 'from'> & { readonly from: LocalSource; readonly select: Select }
  > {
    const { pool, sinks, select } = this.#options;
    const unchanged = this.#unchanged.has(root);
    const own = unchanged ? await sinks.source(repository) : undefined;
    const from = new DeltaSource(this.#source, { pool, own, elsewhere: this.#elsewhere, documentsOfTarget: unchanged });
    // What refers to it is unchanged as well, and is named beside it.
    return { from, select: unchanged ? { ...select, referrers: false, digestTags: false } : select };
  }

  /**
   * Whether the name stays with what the target has. Deltas may come in any order: an older one must not take back the name that a newer one has set.
   */
  async keeps(image: Planned, to: Sink): Promise<{ readonly found: CopyRequest['found']; readonly kept?: Kept }> {
    const { tag } = image.name;
    const there = tag === undefined ? undefined : await to.find(tag);
    const kept = there === undefined || this.#options.moveTags === true ? undefined : await this.#keeps(there, image);
    return { found: { root: there }, ...(kept === undefined ? {} : { kept }) };
  }

  async #keeps(there: Descriptor, image: Planned): Promise<Kept | undefined> {
    const { root } = image;
    if (there.digest === root.digest) return undefined;
    const fullName = fullNameOf(root);
    if (this.#histories.get(fullName)?.before.includes(there.digest) === true) return undefined;
    const [brings, has] = [shortDigest(root.digest), shortDigest(there.digest)];
    const why = await this.#whyNewer(there, image);
    const message =
      why === undefined
        ? `moved ${image.image} to ${brings} from ${has}, which the delta does not know`
        : `kept ${image.image} at ${has} instead of ${brings}: ${why} (--move-tags sets it nevertheless)`;
    this.#options.emit({ type: 'notice', level: 'warning', message });
    return why === undefined ? undefined : { image: image.image, has: there.digest, brings: root.digest };
  }

  /**
   * Where the delta was made all may be known that was ever sent under a name; a delta beside this one may say that it replaces it; and images tell when
   * they were made. Where nothing is known, the last import wins.
   */
  async #whyNewer(there: Descriptor, { root, repository }: Planned): Promise<string | undefined> {
    const { sinks, pool } = this.#options;
    const fullName = fullNameOf(root);
    if (this.#histories.get(fullName)?.all === true)
      return 'it is nothing that was sent before, so it is newer, or somebody else put it there';
    const replaced = pool.some(({ record }) =>
      record?.names?.some(({ name, before }) => name === fullName && before.includes(root.digest)),
    );
    if (replaced) return 'a delta that is imported with this one has something newer';
    const source = await sinks.source(repository);
    const [mine, theirs] = await Promise.all([
      this.#createdAt(root, (await this.request({ root, repository })).from),
      source === undefined ? undefined : this.#createdAt(there, source),
    ]);
    return mine !== undefined && theirs !== undefined && theirs > mine ? 'it was made later' : undefined;
  }

  /** Undefined where an image does not tell, also because it is damaged. */
  async #createdAt(root: Descriptor, source: Source): Promise<number | undefined> {
    try {
      return await createdAt(root, source);
    } catch (error) {
      if (error instanceof OclError) return undefined;
      throw error;
    }
  }

  async #isBrought(digest: Digest): Promise<boolean> {
    for (const source of [this.#source, ...this.#options.pool])
      if ((await source.size(digest)) !== undefined) return true;
    return false;
  }
}

/** As the names of a record are written. */
function fullNameOf(root: Descriptor): string {
  const { tag, imageName } = entryName(root);
  return imageName ?? tag ?? '';
}
