import { parseReference } from '../../core/reference.ts';
import { printable } from '../../core/redact.ts';
import { askRateLimit } from '../../stores/registry/askRateLimit.ts';
import { keptLimits } from '../../sync/keptLimits.ts';
import { type PlannedJob } from '../../sync/plan.ts';
import { type PullCount, type RegistryTotals } from '../../sync/planTotals.ts';
import { stillHolds, type PullLimit } from '../../sync/pulls/limit.ts';
import { measuredRate } from '../../sync/rate.ts';
import { type Env } from '../env.ts';
import { formatBytes, formatDuration, formatTable, formatTime } from '../render/format.ts';
import { openJournal, type StateArguments } from './journal.ts';

/** What a plan asks of one registry, beside what that has to give. */
export interface PlannedRegistry extends RegistryTotals {
  /** Undefined: it does not tell. */
  readonly limit: PullLimit | undefined;
  /** Milliseconds that the bytes take at the rate of the last runs; undefined: bytes or rate are not known. */
  readonly ms: number | undefined;
}

/** Registries that have told nothing yet are asked for their limits, which costs no pull. */
export async function plannedRegistries(
  totals: readonly RegistryTotals[],
  jobs: readonly PlannedJob[],
  args: StateArguments,
  env: Env,
): Promise<readonly PlannedRegistry[]> {
  if (totals.length === 0) return [];
  const journal = await openJournal(args, env, { readOnly: true });
  const remembered = journal === undefined ? undefined : keptLimits(journal, env.clock).remembered;
  const rate = journal === undefined ? undefined : await measuredRate(journal.records());
  const planned: PlannedRegistry[] = [];
  for (const total of totals) {
    const { registry, bytes, pulls } = total;
    const image = jobs.find((job) => job.registry === registry && job.action === 'copy')?.image;
    const told =
      env.registries.rateLimit(registry) ?? (pulls.count === 0 ? undefined : await ask(registry, image, env));
    const kept = remembered?.get(registry);
    const limit = told ?? (kept !== undefined && stillHolds(kept, env.clock.now()) ? kept : undefined);
    const ms = bytes === undefined || rate === undefined ? undefined : Math.round((bytes / rate) * 1000);
    planned.push({ ...total, limit, ms });
  }
  return planned;
}

/** A limit that cannot be found out makes no plan fail; a registry behind mirrors may not be reachable at all. */
async function ask(registry: string, image: string | undefined, env: Env): Promise<PullLimit | undefined> {
  const settings = env.reach.hosts.get(registry) ?? {};
  const reference = image === undefined ? undefined : parseReference(image);
  if (reference?.kind !== 'registry' || (settings.mirrors ?? []).length > 0) return undefined;
  const { repository, tag, digest } = reference;
  try {
    const question = { repository, name: tag ?? digest ?? 'latest' };
    return await askRateLimit({ ...env.reach, registry, settings, image: question });
  } catch {
    return undefined;
  }
}

/** Both lists in one object. Dates as ISO 8601; null: unknown. */
export function plainPlan(jobs: readonly PlannedJob[], registries: readonly PlannedRegistry[]): object {
  return {
    type: 'plan',
    images: jobs.map(({ error, ...job }) => ({
      ...job,
      ...(error === undefined ? {} : { error: { code: error.code, message: error.message, hint: error.hint } }),
    })),
    registries: registries.map(({ registry, copies, pulls, bytes, limit, ms }) => ({
      registry,
      copies,
      pulls,
      remaining: limit?.remaining ?? null,
      limit: limit?.limit ?? null,
      resetAt: limit?.resetAt === undefined ? null : new Date(limit.resetAt).toISOString(),
      bytes: bytes ?? null,
      ms: ms ?? null,
    })),
  };
}

/** Images, then what they cost by registry. */
export function planTables(jobs: readonly PlannedJob[], registries: readonly PlannedRegistry[]): readonly string[] {
  const images = jobs.map(({ action, image, target, pulls, bytes, reason }) => [
    action,
    printable(image),
    printable(target),
    pulls === undefined || pulls.count === 0 ? '-' : countText(pulls),
    bytes === undefined ? '-' : formatBytes(bytes),
    printable(reason),
  ]);
  const costs = registries.map(({ registry, copies, pulls, limit, bytes, ms }) => [
    printable(registry),
    String(copies),
    countText(pulls),
    limitText(limit),
    bytes === undefined ? '-' : formatBytes(bytes),
    ms === undefined ? '-' : formatDuration(ms),
  ]);
  return [
    ...(images.length === 0 ? [] : [formatTable(['ACTION', 'IMAGE', 'TARGET', 'PULLS', 'BYTES', 'WHY'], images)]),
    ...(costs.length === 0 ? [] : ['', formatTable(['REGISTRY', 'COPIES', 'PULLS', 'LEFT', 'BYTES', 'TIME'], costs)]),
  ];
}

function countText({ count, exact }: PullCount): string {
  return exact ? String(count) : `${count} or more`;
}

function limitText(limit: PullLimit | undefined): string {
  if (limit === undefined) return '-';
  const of = limit.limit === undefined ? '' : ` of ${limit.limit}`;
  return `${limit.remaining}${of}${limit.resetAt === undefined ? '' : ` until ${formatTime(limit.resetAt)}`}`;
}
