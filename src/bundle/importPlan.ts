import { type Clock } from '../core/clock.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { entryName } from '../core/names.ts';
import { type LocalSource } from '../core/store.ts';
import { type Copier } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';
import { requireAllVolumes } from './allVolumes.ts';
import { DeltaImport, type DeltaImportOptions } from './deltaImport.ts';
import { chooseRoots, type NamingOptions, type Planned } from './naming.ts';
import { type ImportTarget, type TargetSinks } from './target.ts';
import { VolumesImport, type AwaitedVolumes } from './volumesImport.ts';

export interface PlanOptions extends Omit<DeltaImportOptions, 'pool' | 'sinks' | 'images' | 'file'> {
  readonly clock: Clock;
}

/** A bundle that is taken in, and how its images are called in the target. */
export interface GivenBundle {
  readonly source: LocalSource;
  readonly naming: Omit<NamingOptions, 'into'>;
  /** What one types for it; undefined for what came through a pipe, and for several volumes. */
  readonly file?: string | undefined;
}

/** Its images, and where each of them goes. */
export interface BundlePlan {
  readonly source: LocalSource;
  /** What one types for the same import once more, where this bundle is all of it. */
  readonly file: string | undefined;
  readonly images: readonly Planned[];
  /** Those and what else has to be whole in the target, after a delta. */
  readonly toFind: readonly Planned[];
  readonly delta: DeltaImport | undefined;
  readonly volumes: VolumesImport | undefined;
}

/** @throws OCL_NOT_FOUND, OCL_AMBIGUOUS, OCL_REFERENCE_INVALID for the names; what volumes throw */
export async function planBundle(
  { source, naming, file: own }: GivenBundle,
  all: readonly GivenBundle[],
  sinks: TargetSinks,
  options: PlanOptions,
): Promise<BundlePlan> {
  const { record } = source;
  const file = all.length === 1 ? own : undefined;
  const unchanged = record?.unchanged?.images ?? [];
  const roots = source.volumes?.roots ?? (await source.roots());
  const beside = await entriesOf(sinks.target);
  const planned = chooseRoots([...roots, ...unchanged], { ...naming, into: sinks.target.kind, beside });
  // What refers to an unchanged image is there, under no name: it is looked for, and not copied.
  const untagged = new Set(unchanged.filter((root) => entryName(root).tag === undefined));
  const images = planned.filter(({ root }) => !untagged.has(root));
  const volumes = await beginVolumes(source, sinks, options);
  if (record?.kind !== 'delta') return { source, file, images, toFind: images, delta: undefined, volumes };
  const pool = all.map((bundle) => bundle.source).filter((other) => other !== source);
  const delta = new DeltaImport({ source, record }, { ...options, file, pool, sinks, images: planned });
  return { source, file, images, toFind: planned, delta, volumes };
}

/** What one layout has already. */
async function entriesOf(target: ImportTarget): Promise<readonly Descriptor[]> {
  if (target.kind !== 'layout' || !('roots' in target.sink)) return [];
  return await (target.sink as unknown as LocalSource).roots();
}

async function beginVolumes(
  source: LocalSource,
  { target }: TargetSinks,
  { clock, emit, signal }: PlanOptions,
): Promise<VolumesImport | undefined> {
  if (source.volumes === undefined) return undefined;
  if (target.state === undefined) {
    requireAllVolumes(source, 'import');
    return undefined;
  }
  return await VolumesImport.begin(source, target.state, { clock, emit, signal });
}

/** Which volumes would still be missing after an import of those that are given. Nothing is written. @throws as the target */
export async function volumesToCome(
  plans: readonly BundlePlan[],
  sinks: TargetSinks,
  options: LookOptions,
): Promise<readonly AwaitedVolumes[]> {
  const awaited: AwaitedVolumes[] = [];
  for (const { source, images, delta, volumes } of plans) {
    if (volumes === undefined) continue;
    const look = new VolumesLook({ source, delta, volumes }, sinks, options);
    for (const planned of images) if (planned.name.tag !== undefined) await look.at(planned);
    for (const planned of images) if (planned.name.tag === undefined) await look.atNameless(planned);
    const rest = await volumes.end(true);
    if (rest !== undefined) awaited.push(rest);
  }
  return awaited;
}

interface LookOptions {
  readonly copier: Copier;
  readonly select: Select;
}

type GivenSet = Pick<BundlePlan, 'source' | 'delta'> & { readonly volumes: VolumesImport };

/** Looks at the images of a set of volumes in the order in which an import takes them. */
class VolumesLook {
  readonly #bundle: GivenSet;
  readonly #sinks: TargetSinks;
  readonly #options: LookOptions;
  /** What came with the images so far. */
  readonly #reached = new Set<Digest>();
  /** Repositories that the images so far go to. */
  readonly #received = new Set<string>();

  constructor(bundle: GivenSet, sinks: TargetSinks, options: LookOptions) {
    this.#bundle = bundle;
    this.#sinks = sinks;
    this.#options = options;
  }

  async at(planned: Planned): Promise<void> {
    const { source, delta, volumes } = this.#bundle;
    const { copier, select } = this.#options;
    if (delta?.incomplete(planned) !== undefined) return;
    const { root, repository, name, image } = planned;
    const to = await this.#sinks.open(repository);
    const request = { from: source, to, root, name, image, select, part: volumes.part };
    const { nodes } = await copier.plan({ ...request, ...(await delta?.request(planned)) });
    for (const { descriptor } of nodes) this.#reached.add(descriptor.digest);
    this.#received.add(this.#sinks.keyOf(repository));
    const missing = nodes.filter(({ descriptor, present }) => !present && volumes.isElsewhere(descriptor.digest));
    volumes.note(planned, { missing: missing.map(({ descriptor }) => descriptor) });
  }

  /** What refers to an image comes with it; what is left is an image that is named by its digest, or refers to what is in another volume. */
  async atNameless(planned: Planned): Promise<void> {
    if (this.#reached.has(planned.root.digest)) return;
    for (const key of this.#received) if ((await (await this.#sinks.at(key))?.has(planned.root)) === true) return;
    const [only] = this.#received;
    await this.at(this.#received.size === 1 && only !== undefined ? { ...planned, repository: only } : planned);
  }
}
