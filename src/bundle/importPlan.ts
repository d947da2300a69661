import { type Clock } from '../core/clock.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { entryName } from '../core/names.ts';
import { type LocalSource } from '../core/store.ts';
import { type Copier } from '../copy/copier.ts';
import { type Select } from '../copy/select.ts';
import { requireAllVolumes } from './allVolumes.ts';
import { DeltaImport, type DeltaImportOptions } from './deltaImport.ts';
import { chooseRoots, type NamingOptions, type Planned } from './naming.ts';
import { type ImportTarget, type TargetSinks } from './target.ts';
import { VolumesImport, type AwaitedVolumes } from './volumesImport.ts';

export interface PlanOptions extends Omit<DeltaImportOptions, 'pool' | 'sinks' | 'images'> {
  readonly clock: Clock;
}

/** A bundle that is taken in, and how its images are called in the target. */
export interface GivenBundle {
  readonly source: LocalSource;
  readonly naming: Omit<NamingOptions, 'into'>;
}

/** Its images, and where each of them goes. */
export interface BundlePlan {
  readonly source: LocalSource;
  readonly images: readonly Planned[];
  /** Those and what else has to be whole in the target, after a delta. */
  readonly toFind: readonly Planned[];
  readonly delta: DeltaImport | undefined;
  readonly volumes: VolumesImport | undefined;
}

/** @throws OCL_NOT_FOUND, OCL_AMBIGUOUS, OCL_REFERENCE_INVALID for the names; what volumes throw */
export async function planBundle(
  { source, naming }: GivenBundle,
  all: readonly GivenBundle[],
  sinks: TargetSinks,
  options: PlanOptions,
): Promise<BundlePlan> {
  const { record } = source;
  const unchanged = record?.unchanged?.images ?? [];
  const roots = source.volumes?.roots ?? (await source.roots());
  const beside = await entriesOf(sinks.target);
  const planned = chooseRoots([...roots, ...unchanged], { ...naming, into: sinks.target.kind, beside });
  // What refers to an unchanged image is there, under no name: it is looked for, and not copied.
  const untagged = new Set(unchanged.filter((root) => entryName(root).tag === undefined));
  const images = planned.filter(({ root }) => !untagged.has(root));
  const volumes = await beginVolumes(source, sinks, options);
  if (record?.kind !== 'delta') return { source, images, toFind: images, delta: undefined, volumes };
  const pool = all.map((bundle) => bundle.source).filter((other) => other !== source);
  const delta = new DeltaImport({ source, record }, { ...options, pool, sinks, images: planned });
  return { source, images, toFind: planned, delta, volumes };
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
  { copier, select }: { readonly copier: Copier; readonly select: Select },
): Promise<readonly AwaitedVolumes[]> {
  const awaited: AwaitedVolumes[] = [];
  for (const { source, images, delta, volumes } of plans) {
    if (volumes === undefined) continue;
    for (const planned of images) {
      const { root, repository, name, image } = planned;
      // What refers to an image comes with it.
      if (name.tag === undefined || delta?.incomplete(planned) !== undefined) continue;
      const to = await sinks.open(repository);
      const request = { from: source, to, root, name, image, select, part: volumes.part };
      const { nodes } = await copier.plan({ ...request, ...(await delta?.request(planned)) });
      const missing = nodes.filter(({ descriptor, present }) => !present && volumes.isElsewhere(descriptor.digest));
      volumes.note(planned, { missing: missing.map(({ descriptor }) => descriptor) });
    }
    const rest = await volumes.end(true);
    if (rest !== undefined) awaited.push(rest);
  }
  return awaited;
}
