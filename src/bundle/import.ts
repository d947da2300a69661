import { type Clock } from '../core/clock.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { isDigest, splitDigest, type Digest } from '../core/digest.ts';
import { isCode, toOclError, type OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { MEDIA } from '../core/mediaTypes.ts';
import { type LocalSource, type RootName, type Sink } from '../core/store.ts';
import { type Copier, type CopyRequest, type CopyResult } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';
import { targetSide } from '../copy/transfer.ts';
import { idOf } from './delta.ts';
import { type Kept } from './deltaImport.ts';
import { missingBlobs, type Incomplete } from './deltaCheck.ts';
import { planBundle, volumesToCome, type BundlePlan, type GivenBundle } from './importPlan.ts';
import { requireRoom } from './importRoom.ts';
import { type Planned } from './naming.ts';
import { ReceivedBundle } from './received.ts';
import { SharedContents, type SharedView } from './shared.ts';
import { TargetSinks, type ImportTarget } from './target.ts';
import { type AwaitedVolumes } from './volumesImport.ts';

export { type GivenBundle, type ImportTarget };

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
  /** Bytes that flowed: those of the results, of what came through a pipe, and of slices that were put aside. */
  readonly streamed: number;
  readonly failed: readonly { readonly image: string; readonly error: OclError }[];
  /** Images that are in the target, and where. */
  readonly arrived: readonly Arrived[];
  /** Images that arrived without their names, because the target has something there that the delta does not replace. */
  readonly kept: readonly Kept[];
  /** Images of which the answer to a request has brought what was missing, and that wait for the bundle that was refused. Bytes that flowed. */
  readonly waiting: readonly { readonly image: string; readonly bytes: number }[];
  readonly incomplete: readonly Incomplete[];
  /** Sets of volumes of which more has to come. */
  readonly awaited: readonly AwaitedVolumes[];
}

/** The report of an import that did nothing. */
export const NOTHING: ImportReport = {
  results: [],
  streamed: 0,
  failed: [],
  arrived: [],
  kept: [],
  waiting: [],
  incomplete: [],
  awaited: [],
};

export interface Arrived {
  /** As the bundle calls it. */
  readonly image: string;
  /** What the target has: another than the bundle's only where an index was written anew. */
  readonly root: Descriptor;
  /** Empty in one layout or archive. */
  readonly repository: string;
  /** Undefined without a name, and where the target keeps something else under it. */
  readonly tag: string | undefined;
  /** The full name that goes with the tag. */
  readonly imageName: string | undefined;
  readonly outcome: CopyResult['outcome'];
}

/**
 * Takes what is in bundles into a layout, a library or a registry. No host but the target is ever asked for anything.
 * One image that cannot be taken does not stop the others; it is in the report. What a delta leaves out is looked for first, in the bundles beside it and
 * in the target.
 * @throws OCL_UNREACHABLE when the target did not answer the first question; OCL_MISSING_BLOBS before anything is written, when images of a delta cannot be completed and nobody said to go on
 * @throws OCL_NO_SPACE before anything is written; OCL_NOT_FOUND, OCL_AMBIGUOUS, OCL_REFERENCE_INVALID for the names
 */
export async function importBundles(
  bundles: readonly GivenBundle[],
  target: ImportTarget,
  options: ImportOptions,
): Promise<ImportReport> {
  const sinks = new TargetSinks(target);
  const report = await importInto(sinks, bundles, options).catch(async (error: unknown) => {
    await sinks.close().catch(() => {}); // the failure before tells more
    throw error;
  });
  await sinks.close();
  return report;
}

async function importInto(
  sinks: TargetSinks,
  bundles: readonly GivenBundle[],
  options: ImportOptions,
): Promise<ImportReport> {
  const planned = await Promise.all(bundles.map(async (bundle) => await planBundle(bundle, bundles, sinks, options)));
  const incomplete: Incomplete[] = [];
  let refused: BundlePlan | undefined;
  for (const plan of planned) {
    const found = (await plan.delta?.check(plan.toFind)) ?? [];
    if (found.length > 0) refused ??= plan;
    incomplete.push(...found);
  }
  if (incomplete.length > 0) await options.missing?.(incomplete);
  if (options.checkOnly === true)
    return { ...NOTHING, incomplete, awaited: await volumesToCome(planned, sinks, options) };
  // The answer to a request is a part of the bundle that was refused: what it brings is taken, and waits for that.
  const onlyAnswers = planned.every(({ source }) => isAnswer(source));
  if (refused !== undefined && options.keepGoing !== true && !onlyAnswers)
    throw missingBlobs(incomplete, { name: refused.source.name, file: refused.file }, sinks.name);
  await requireRoom(planned, sinks, { measure: options.measure, select: options.select });
  const importer = new Importer(sinks, options);
  for (const plan of planned) await importer.run(plan);
  return { ...importer.report, incomplete };
}

class Importer {
  readonly #sinks: TargetSinks;
  readonly #options: ImportOptions;
  readonly #results = new Map<Planned, CopyResult>();
  /** The target has answered. */
  #isReached = false;
  /** Bytes that flowed and are in no result. */
  #streamedBesides = 0;
  readonly #awaited: AwaitedVolumes[] = [];
  readonly #failed: { image: string; error: OclError }[] = [];
  readonly #arrived = new Map<Planned, Pick<Arrived, 'root' | 'outcome'>>();
  readonly #kept = new Map<Planned, Kept>();
  /** Bytes that flowed. */
  readonly #waiting = new Map<Planned, number>();
  /** What has arrived in a repository since that was committed, and changes something there. */
  readonly #uncommitted = new Map<string, Planned[]>();
  readonly #shared: SharedContents | undefined;
  /** Of the bundle whose turn it is. */
  #view: SharedView | undefined;

  constructor(sinks: TargetSinks, options: ImportOptions) {
    this.#sinks = sinks;
    this.#options = options;
    const { kind, directory } = sinks.target;
    this.#shared = kind === 'repositories' && directory !== undefined ? new SharedContents() : undefined;
  }

  get report(): Omit<ImportReport, 'incomplete'> {
    const results = [...this.#results.values()];
    return {
      results,
      streamed: results.reduce((sum, { streamed }) => sum + streamed, this.#streamedBesides),
      failed: this.#failed,
      arrived: [...this.#arrived].map(([planned, { root, outcome }]) => {
        const { image, repository, name } = planned;
        const { tag, imageName }: RootName = this.#kept.has(planned) ? {} : name;
        return { image, root, repository, tag, imageName, outcome };
      }),
      kept: [...this.#kept.values()],
      waiting: [...this.#waiting].map(([{ image }, bytes]) => ({ image, bytes })),
      awaited: this.#awaited,
    };
  }

  async run(bundle: BundlePlan): Promise<void> {
    /** Where an image has arrived: elsewhere there is nothing to commit, and what fails there has been told. */
    const received = new Set<string>();
    const failedBefore = this.#failed.length;
    const { source, delta, volumes } = bundle;
    if (source instanceof ReceivedBundle) this.#streamedBesides += source.streamed;
    this.#view = delta === undefined && volumes === undefined ? this.#shared?.view(source) : undefined;
    try {
      const { images } = bundle;
      const named = images.filter(({ name }) => name.tag !== undefined);
      for (const image of named.filter(({ follows }) => follows === undefined))
        await this.#copy(image, bundle, received);
      for (const image of named) if (image.follows !== undefined) await this.#follow(image, bundle, received);
      const nameless = images.filter(({ name }) => name.tag === undefined);
      await this.#copyNameless(nameless, bundle, received);
      await this.#completeVolumes(bundle, received, failedBefore);
      await this.#release(bundle, received, failedBefore);
    } finally {
      // Also after Ctrl-C: what has arrived whole gets its name.
      for (const key of received) await this.#commit(key, bundle.source);
    }
    this.#streamedBesides += volumes?.keptBytes ?? 0;
    const awaited = await volumes?.end(this.#failed.length > failedBefore);
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
      const incomplete = delta?.incomplete(image);
      const waits = incomplete === undefined ? undefined : answering(source, incomplete.missing);
      if (incomplete !== undefined && waits === undefined) throw incomplete.error;
      const named = waits === undefined ? await delta?.keeps(image, to) : undefined;
      const kept = named?.kept;
      const found = named?.found ?? (this.#isReached ? undefined : await whatIsThere(image, to));
      this.#isReached = true;
      const { select } = this.#options;
      const request = {
        from: this.#view ?? source,
        to,
        root,
        name,
        image: image.image,
        select,
        part: waits ?? volumes?.part,
      };
      const result = await this.#options.copier.copy(
        delta === undefined
          ? { ...request, found }
          : { ...request, ...(await delta.request(image)), found, unnamed: kept !== undefined },
      );
      this.#view?.settle(to);
      // One that waited for a content has come a first time without it.
      const before = this.#results.get(image)?.streamed ?? 0;
      this.#results.set(image, { ...result, streamed: before + result.streamed });
      volumes?.note(image, result);
      if (result.missing === undefined) this.#arrived.set(image, { root: result.root, outcome: result.outcome });
      if (waits !== undefined) this.#waiting.set(image, result.streamed);
      if (kept !== undefined) this.#kept.set(image, kept);
      const key = this.#sinks.keyOf(repository);
      received.add(key);
      if (result.outcome !== 'current') {
        const others = this.#uncommitted.get(key);
        if (others === undefined) this.#uncommitted.set(key, [image]);
        else others.push(image);
      }
    } catch (error) {
      this.#view?.giveUp();
      const known = toOclError(error);
      if (known.code === 'OCL_CANCELLED') throw known;
      // Who never answered is not asked once more for each of the others; what failed before is not lost for that.
      if (known.code === 'OCL_UNREACHABLE' && !this.#isReached && this.#failed.length === 0) throw known;
      this.#failed.push({ image: image.image, error: known });
    }
  }

  /** Lets go of what answers to requests brought before the bundle itself could come. Takes effect with the commit. */
  async #release({ source, delta }: BundlePlan, received: ReadonlySet<string>, failedBefore: number): Promise<void> {
    if (delta === undefined || this.#failed.length > failedBefore || isAnswer(source)) return;
    const key = splitDigest(await idOf(source)).encoded;
    for (const each of received) await (await this.#sinks.at(each))?.release?.(key);
  }

  async #commit(key: string, source: LocalSource): Promise<void> {
    try {
      await (await this.#sinks.at(key))?.commit();
    } catch (error) {
      const known = toOclError(error);
      const lost = this.#uncommitted.get(key) ?? [];
      if (lost.length === 0) this.#failed.push({ image: key === '' ? source.name : key, error: known });
      for (const image of lost) {
        this.#failed.push({ image: image.image, error: known });
        for (const told of [this.#results, this.#arrived, this.#kept, this.#waiting]) told.delete(image);
      }
    }
    this.#uncommitted.delete(key);
  }
}

/** What a name points at in the target. Without a name only whether the target answers is learnt. @throws OCL_UNREACHABLE */
async function whatIsThere({ root, name }: Planned, to: Sink): Promise<CopyRequest['found']> {
  const { tag } = name;
  try {
    if (tag !== undefined) return { root: await targetSide(() => to.find(tag)) };
    await targetSide(() => to.has(root));
  } catch (error) {
    // All else is an answer. The copy will be given the same, and tells it.
    if (isCode(error, 'OCL_UNREACHABLE')) throw error;
  }
  return undefined;
}

function isAnswer({ record }: LocalSource): boolean {
  return record?.basis?.kind === 'request';
}

/** What an answer to a request cannot complete by itself is kept until the bundle comes that was refused. Undefined for all other bundles. */
function answering({ record }: LocalSource, missing: ReadonlySet<Digest>): CopyRequest['part'] {
  const { basis } = record ?? {};
  if (basis?.kind !== 'request') return undefined;
  const bundle = basis['bundle'];
  const key = typeof bundle === 'string' && isDigest(bundle) ? splitDigest(bundle).encoded : undefined;
  if (key === undefined || !/^[0-9a-f]{64}$/.test(key)) return undefined;
  return { key, lacks: (digest) => missing.has(digest) };
}
