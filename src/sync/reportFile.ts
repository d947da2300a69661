import { readFile, stat } from 'node:fs/promises';
import * as z from 'zod';
import { OclError, toOclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { writeFileAtomic } from '../io/atomicFile.ts';
import { sum, type Counts, type Failure, type Item, type RegistryCounts, type Tally } from './report.ts';
import { type SyncJob } from './list.ts';
import { imageKey } from './references.ts';
import { type SyncConfig, type SyncStep } from './settings.ts';
import { parseReference } from '../core/reference.ts';
import { stepKey } from './stepKey.ts';

const Count = z.number().nonnegative();
const CountsSchema = z.object({
  copied: Count,
  current: Count,
  skipped: Count,
  failed: Count,
  pruned: Count,
  bytes: Count,
  ms: Count,
});
const ItemSchema = z.object({
  step: z.string(),
  line: Count,
  image: z.string().optional(),
  target: z.string().optional(),
});
const ReportSchema = z.object({
  version: z.literal(1),
  config: z.string(),
  started: z.iso.datetime(),
  ended: z.iso.datetime(),
  /** Nothing failed, and nothing is left. */
  complete: z.boolean(),
  summary: CountsSchema,
  registries: z.array(CountsSchema.extend({ registry: z.string() })),
  failures: z.array(
    ItemSchema.extend({
      code: z.string(),
      message: z.string(),
      hint: z.string().optional(),
      side: z.string().optional(),
    }),
  ),
  left: z.array(ItemSchema),
});

/** What a run came to, for scripts and for `retry`. */
export interface ReportFile {
  readonly version: 1;
  /** The path of the sync file. */
  readonly config: string;
  /** ISO 8601. */
  readonly started: string;
  readonly ended: string;
  readonly complete: boolean;
  readonly summary: Counts;
  readonly registries: readonly RegistryCounts[];
  readonly failures: readonly Failure[];
  /** What was not tried: the run was stopped, or stopped itself at the first failure. */
  readonly left: readonly Item[];
}

/** @param times milliseconds since the epoch */
export function makeReport(
  config: string,
  tally: Tally,
  times: { readonly started: number; readonly ended: number },
): ReportFile {
  const { total, registries, failures, left } = tally;
  return {
    version: 1,
    config,
    started: new Date(times.started).toISOString(),
    ended: new Date(times.ended).toISOString(),
    complete: failures.length === 0 && left.length === 0,
    summary: { ...total, ms: times.ended - times.started },
    registries,
    failures,
    left,
  };
}

/** The report of a run together with that of its retry: what the retry tried, it answers for. */
export function mergeReports(first: ReportFile, retried: ReportFile): ReportFile {
  const registries = new Map<string, Counts>();
  const failedAgain = new Map<string, number>();
  for (const { registry, ...counts } of first.registries) registries.set(registry, counts);
  for (const { registry, ...counts } of retried.registries) {
    failedAgain.set(registry, counts.failed);
    const before = registries.get(registry);
    registries.set(registry, before === undefined ? counts : sum(before, counts));
  }
  return {
    ...retried,
    started: first.started,
    summary: sum({ ...first.summary, failed: 0 }, retried.summary),
    registries: [...registries]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([registry, counts]) => ({ registry, ...counts, failed: failedAgain.get(registry) ?? 0 })),
  };
}

/** Replaces the file as a whole. @throws OCL_IO, OCL_NO_SPACE */
export async function writeReport(path: string, report: ReportFile): Promise<void> {
  try {
    await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(report, undefined, 2)}\n`));
  } catch (error) {
    throw toOclError(error);
  }
}

/** @throws OCL_NOT_FOUND; OCL_LIMIT; OCL_USAGE when it is no report */
export async function readReport(path: string): Promise<ReportFile> {
  try {
    if ((await stat(path)).size > LIMITS.configFile)
      throw new OclError('OCL_LIMIT', `Cannot read ${path}: it is larger than ${LIMITS.configFile} bytes`);
    const result = ReportSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
    if (result.success) return result.data;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw toOclError(error);
  }
  throw new OclError('OCL_USAGE', `Cannot read ${path}: it is no report of ocl sync`, {
    hint: 'name the file that --report wrote',
  });
}

/** What is to be done again: the steps that it takes, and which of their images. */
export interface Retry {
  readonly config: SyncConfig;
  readonly only: (job: SyncJob) => boolean;
  /** Failures that no step of the file answers for any more. */
  readonly dropped: number;
}

export function retryOf({ failures, left }: ReportFile, config: SyncConfig): Retry {
  const items: readonly Item[] = [...failures, ...left];
  const whole = new Set<string>();
  const single = new Set<string>();
  for (const { step, target } of items) {
    if (target === undefined) whole.add(step);
    else single.add(`${step} ${keyOf(target)}`);
  }
  const wanted = new Set(items.map(({ step }) => step));
  const keys = new Map<SyncStep, string>(config.steps.map((step) => [step, stepKey(step)]));
  const known = new Set(keys.values());
  return {
    config: { ...config, steps: config.steps.filter((step) => wanted.has(keys.get(step) ?? '')) },
    only: ({ step, to }) => {
      const key = keys.get(step) ?? '';
      return whole.has(key) || single.has(`${key} ${imageKey(to)}`);
    },
    dropped: items.filter(({ step }) => !known.has(step)).length,
  };
}

function keyOf(target: string): string {
  try {
    return imageKey(parseReference(target));
  } catch {
    return target;
  }
}
