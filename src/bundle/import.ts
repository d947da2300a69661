import { type Clock } from '../core/clock.ts';
import { type Digest } from '../core/digest.ts';
import { isCode, toOclError, type OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { MEDIA } from '../core/mediaTypes.ts';
import { type LocalSource, type Sink } from '../core/store.ts';
import { requireSpace } from '../io/space.ts';
import { type Copier, type CopyResult } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';
import { requireAllVolumes } from './allVolumes.ts';
import { DeltaImport, type Kept } from './deltaImport.ts';
import { missingBlobs, type Incomplete } from './deltaCheck.ts';
import { chooseRoots, type NamingOptions, type Planned } from './naming.ts';
import { TargetSinks, type ImportTarget } from './target.ts';
import { VolumesImport, type AwaitedVolumes } from './volumesImport.ts';

export { type ImportTarget };

/** A bundle that is taken in, and how its images are called in the target. */
export interface GivenBundle {
  readonly source: LocalSource;
  readonly naming: Omit<NamingOptions, 'into'>;
}

export interface ImportOptions {
  readonly copier: Copier;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
  readonly select: Select;
  /** Takes the images of a delta that can be completed, when others cannot. Otherwise nothing is written then. */
  readonly keepGoing?: boolean | undefined;
  /** Names get what a delta has under them, also where the target seems to have something newer. */
  readonly moveTags?: boolean | undefined;
  /** Nothing is written, in no case. */
  readonly checkOnly?: boolean | undefined;
  /** Told what is missing, before anything is written or refused. */
  readonly missing?: ((incomplete: readonly Incomplete[]) => Promise<void>) | undefined;
  /** Looks beforehand, without a word, how much the target lacks, and whether its disk has room for that. Without it nobody asks. */
  readonly measure?: Copier | undefined;
}

export interface ImportReport {
  readonly results: readonly CopyResult[];
  readonly failed: readonly { readonly image: string; readonly error: OclError }[];
  /** Images that arrived without their names, because the target has something there that the delta does not replace. */
  readonly kept: readonly Kept[];
  /** Images of which the answer to a request has brought what was missing, and that wait for the bundle that was refused. Bytes that flowed. */
  readonly waiting: readonly { readonly image: string; readonly bytes: number }[];
  readonly incomplete: readonly Incomplete[];
  /** Sets of volumes of which more has to come. */
  readonly awaited: readonly AwaitedVolumes[];
}

/**
 * Takes what is in bundles into a layout, a library or a registry. No host but the target is ever asked for anything.
 * One image that cannot be taken does not stop the others; it is in the report. What a delta leaves out is looked for first, in the bundles beside it and
 * in the target.
 * @throws OCL_MISSING_BLOBS before anything is written, when images of a delta cannot be completed and nobody said to go on
 * @throws OCL_NO_SPACE before anything is written; OCL_NOT_FOUND, OCL_AMBIGUOUS, OCL_REFERENCE_INVALID for the names
 */
export async function importBundles(
  bundles: readonly GivenBundle[],
  target: ImportTarget,
  options: ImportOptions,
): Promise<ImportReport> {
  const sinks = new TargetSinks(target);
  try {
    const planned = await Promise.all(bundles.map(async (bundle) => await planBundle(bundle, bundles, sinks, options)));
    const incomplete: Incomplete[] = [];
    for (const plan of planned) incomplete.push(...((await plan.delta?.check(plan.images)) ?? []));
    if (incomplete.length > 0) await options.missing?.(incomplete);
    if (options.checkOnly === true) return { results: [], failed: [], kept: [], waiting: [], awaited: [], incomplete };
    // The answer to a request is a part of the bundle that was refused: what it brings is taken, and waits for that.
    const isAnswer = planned.every(({ source }) => source.record?.basis?.kind === 'request');
    if (incomplete.length > 0 && options.keepGoing !== true && !isAnswer)
      throw missingBlobs(incomplete, planned[0]?.source.name ?? '', sinks.name);
    await requireRoom(planned, sinks, options);
    const importer = new Importer(sinks, options);
    for (const plan of planned) await importer.run(plan);
    return { ...importer.report, incomplete };
  } finally {
    await sinks.close();
  }
}

interface BundlePlan {
  readonly source: LocalSource;
  readonly images: readonly Planned[];
  readonly delta: DeltaImport | undefined;
  readonly volumes: VolumesImport | undefined;
}

async function planBundle(
  { source, naming }: GivenBundle,
  all: readonly GivenBundle[],
  sinks: TargetSinks,
  options: ImportOptions,
): Promise<BundlePlan> {
  const { record } = source;
  const unchanged = record?.unchanged?.images ?? [];
  const roots = source.volumes?.roots ?? (await source.roots());
  const images = chooseRoots([...roots, ...unchanged], { ...naming, into: sinks.target.kind });
  const volumes = await beginVolumes(source, sinks, options);
  if (record?.kind !== 'delta') return { source, images, delta: undefined, volumes };
  const pool = all.map((bundle) => bundle.source).filter((other) => other !== source);
  return { source, images, delta: new DeltaImport({ source, record }, { ...options, pool, sinks, images }), volumes };
}

async function beginVolumes(
  source: LocalSource,
  { target }: TargetSinks,
  { clock, emit, signal }: ImportOptions,
): Promise<VolumesImport | undefined> {
  if (source.volumes === undefined) return undefined;
  if (target.state === undefined) {
    requireAllVolumes(source, 'import');
    return undefined;
  }
  return await VolumesImport.begin(source, target.state, { clock, emit, signal });
}

/** Bytes that a file takes on a disk beyond its own, at most as a rule. */
const FILE_SLACK = 4096;

async function requireRoom(
  plans: readonly BundlePlan[],
  sinks: TargetSinks,
  { measure, select }: ImportOptions,
): Promise<void> {
  const { directory } = sinks.target;
  if (directory === undefined || measure === undefined) return;
  const missing = new Map<string, number>();
  for (const { source, images, delta, volumes } of plans) {
    // What lies in files of its own is linked.
    if (images.some(({ root }) => source.place(root).kind === 'file')) continue;
    for (const planned of images) {
      const { root, repository, name, image } = planned;
      try {
        const to = await sinks.open(repository);
        const { part } = volumes ?? {};
        const request = { from: source, to, root, name, image, select, part, ...(await delta?.request(planned)) };
        const { nodes } = await measure.plan(request);
        for (const { descriptor, present } of nodes)
          if (
            !present &&
            volumes?.isElsewhere(descriptor.digest) !== true &&
            request.from.place(descriptor).kind !== 'file'
          )
            missing.set(`${sinks.keyOf(repository)} ${descriptor.digest}`, descriptor.size + FILE_SLACK);
      } catch (error) {
        // What is wrong with an image is told when it is copied.
        if (isCode(error, 'OCL_CANCELLED')) throw error;
      }
    }
  }
  await requireSpace([{ path: directory, bytes: [...missing.values()].reduce((sum, size) => sum + size, 0) }]);
}

class Importer {
  readonly #sinks: TargetSinks;
  readonly #options: ImportOptions;
  readonly #results = new Map<Planned, CopyResult>();
  readonly #awaited: AwaitedVolumes[] = [];
  readonly #failed: { image: string; error: OclError }[] = [];
  readonly #kept: Kept[] = [];
  readonly #waiting: { image: string; bytes: number }[] = [];

  constructor(sinks: TargetSinks, options: ImportOptions) {
    this.#sinks = sinks;
    this.#options = options;
  }

  get report(): Omit<ImportReport, 'incomplete'> {
    return {
      results: [...this.#results.values()],
      failed: this.#failed,
      kept: this.#kept,
      waiting: this.#waiting,
      awaited: this.#awaited,
    };
  }

  async run(bundle: BundlePlan): Promise<void> {
    /** Where an image has arrived: elsewhere there is nothing to commit, and what fails there has been told. */
    const received = new Set<string>();
    const failedBefore = this.#failed.length;
    try {
      const { images } = bundle;
      const named = images.filter(({ name }) => name.tag !== undefined);
      for (const image of named.filter(({ follows }) => follows === undefined))
        await this.#copy(image, bundle, received);
      for (const image of named) if (image.follows !== undefined) await this.#follow(image, bundle, received);
      const nameless = images.filter(({ name }) => name.tag === undefined);
      await this.#copyNameless(nameless, bundle, received);
      await this.#completeVolumes(bundle, received, failedBefore);
    } finally {
      // Also after Ctrl-C: what has arrived whole gets its name.
      for (const key of received) await this.#commit(key, bundle.source);
    }
    const awaited = await bundle.volumes?.end(this.#failed.length > failedBefore);
    if (awaited !== undefined) this.#awaited.push(awaited);
  }

  /** What the volumes before have left and these complete, arrives now. */
  async #completeVolumes(bundle: BundlePlan, received: Set<string>, failedBefore: number): Promise<void> {
    const { volumes } = bundle;
    if (volumes === undefined) return;
    try {
      for (const image of await volumes.keep()) await this.#copy(image, bundle, received);
    } catch (error) {
      const known = toOclError(error);
      if (known.code === 'OCL_CANCELLED') throw known;
      this.#failed.push({ image: bundle.source.name, error: known });
    }
    this.#failed.push(...volumes.broken());
    if (this.#failed.length > failedBefore) return;
    for (const key of received) await volumes.release((await this.#sinks.at(key)) as Sink);
  }

  /** Nameless roots are mostly referrers, which came with their subjects; what is left goes where its repository is clear. */
  async #copyNameless(nameless: readonly Planned[], bundle: BundlePlan, received: Set<string>): Promise<void> {
    for (const image of nameless) {
      const sinks = [...received].map(async (key) => await this.#sinks.at(key));
      const there = await Promise.all(sinks.map(async (sink) => await (await sink)?.has(image.root)));
      if (there.includes(true) || bundle.volumes?.isLeft(image.root.digest) === true) continue;
      const [only] = received;
      await this.#copy(
        received.size === 1 && only !== undefined ? { ...image, repository: only } : image,
        bundle,
        received,
      );
    }
  }

  /** A signature of a part of an image goes wherever that part has arrived. */
  async #follow(signature: Planned, bundle: BundlePlan, received: Set<string>): Promise<void> {
    const digest = signature.follows as Digest;
    const size = await bundle.source.size(digest);
    const homes: string[] = [];
    if (size !== undefined && this.#sinks.target.kind === 'repositories')
      for (const key of received)
        if (await (await this.#sinks.at(key))?.has({ mediaType: MEDIA.ociManifest, digest, size })) homes.push(key);
    for (const repository of homes.length === 0 ? [signature.repository] : homes)
      await this.#copy({ ...signature, repository }, bundle, received);
  }

  async #copy(image: Planned, { source, delta, volumes }: BundlePlan, received: Set<string>): Promise<void> {
    const { root, name, repository } = image;
    try {
      const to = await this.#sinks.open(repository);
      const missing = delta?.incomplete(image);
      if (missing !== undefined) {
        if (source.record?.basis?.kind !== 'request') throw missing;
        await this.#bring(image, to, { source, delta });
        received.add(this.#sinks.keyOf(repository));
        return;
      }
      const kept = await delta?.keeps(image, to);
      const { select } = this.#options;
      const request = { from: source, to, root, name, image: image.image, select, part: volumes?.part };
      const result = await this.#options.copier.copy(
        delta === undefined ? request : { ...request, ...(await delta.request(image)), unnamed: kept !== undefined },
      );
      this.#results.set(image, result);
      volumes?.note(image, result);
      if (kept !== undefined) this.#kept.push(kept);
      received.add(this.#sinks.keyOf(repository));
    } catch (error) {
      const known = toOclError(error);
      if (known.code === 'OCL_CANCELLED') throw known;
      this.#failed.push({ image: image.image, error: known });
    }
  }

  /** Contents alone: the names come with the bundle that was refused. */
  async #bring(planned: Planned, to: Sink, { source, delta }: Pick<BundlePlan, 'source' | 'delta'>): Promise<void> {
    const { root, name, image } = planned;
    const request = {
      from: source,
      to,
      root,
      name,
      image,
      select: this.#options.select,
      ...(await delta?.request(planned)),
    };
    const bytes = await this.#options.copier.bring(
      request,
      async ({ digest }) => (await source.size(digest)) !== undefined,
    );
    this.#waiting.push({ image, bytes });
  }

  async #commit(key: string, source: LocalSource): Promise<void> {
    try {
      await (await this.#sinks.at(key))?.commit();
    } catch (error) {
      this.#failed.push({ image: key === '' ? source.name : key, error: toOclError(error) });
    }
  }
}
