import { resolve } from 'node:path';
import { createHookRunner } from '../../sync/hooks.ts';
import { runJournaled, type JournaledReport } from '../../sync/journaled.ts';
import { Tally, type RegistryCounts } from '../../sync/report.ts';
import { makeReport, writeReport, type ReportFile } from '../../sync/reportFile.ts';
import { type SyncOptions } from '../../sync/run.ts';
import { type SyncConfig } from '../../sync/settings.ts';
import { printable } from '../../core/redact.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { formatBytes, formatDuration, formatTable } from '../render/format.ts';
import { surroundings } from './file.ts';
import { openJournal } from './journal.ts';
import { pullBudget } from './pulls.ts';

export interface MirrorArguments {
  readonly config: string;
  readonly state?: string | undefined;
  /** Where the report goes. */
  readonly report?: string | undefined;
  readonly concurrency: number;
  readonly abortOnError?: boolean | undefined;
  readonly missing?: boolean | undefined;
  readonly allowEmpty?: boolean | undefined;
}

export interface MirrorOptions extends Pick<SyncOptions, 'only'> {
  /** What to write instead of the run's own report. */
  readonly merge?: ((report: ReportFile) => ReportFile) | undefined;
}

/** Runs the steps once, with journal and report, and tells what it came to. The answer is the exit status. */
export async function mirror(
  config: SyncConfig,
  args: MirrorArguments,
  env: Env,
  { only, merge }: MirrorOptions = {},
): Promise<number> {
  const { clock, emit, signal, stores } = env;
  const { report: path, concurrency, abortOnError, missing, allowEmpty } = args;
  const tally = new Tally(config.steps);
  const started = clock.now();
  const write = async (): Promise<void> => {
    if (path === undefined) return;
    const place = args.config === '-' ? '-' : resolve(args.config);
    const own = makeReport(place, tally, { started, ended: clock.now() });
    await writeReport(path, merge?.(own) ?? own);
  };
  // A place that cannot be written to is told before the work, and a run that is killed leaves what is left of it.
  if (merge === undefined) await write();
  const journal = await openJournal(args, env);
  try {
    const report = await runJournaled(config, stores, {
      clock,
      emit,
      signal,
      journal,
      tally,
      only,
      concurrency,
      abortOnError,
      missing,
      allowEmpty,
      surroundings,
      mayPull: pullBudget(env, journal),
      catalog: (registry) => env.registries.catalog(registry),
      runHook: createHookRunner({ clock, http: env.http, env: process.env, signal }),
    });
    return tell(report, tally.registries, env);
  } finally {
    await journal?.flush();
    await write();
  }
}

function tell(report: JournaledReport, registries: readonly RegistryCounts[], env: Env): number {
  const { copied, current, skipped, failed, untried, pruned, bytes, ms } = report;
  if (env.json) {
    const plain = failed.map(({ image, error }) => ({
      image,
      error: { code: error.code, message: error.message, hint: error.hint, side: error.side },
    }));
    const counts = { copied, current, skipped, failed: plain, untried, pruned, bytes, ms, registries };
    env.print(JSON.stringify({ type: 'summary', ...counts }));
  } else {
    const more = `${untried > 0 ? `, ${untried} not tried` : ''}${pruned > 0 ? `, ${pruned} pruned` : ''}`;
    env.say(
      `${copied} copied, ${current} unchanged, ${skipped} skipped, ${failed.length} failed${more}; ${formatBytes(bytes)} in ${formatDuration(ms)}`,
    );
    if (registries.length > 1) env.say(byRegistry(registries));
  }
  for (const { image, error } of failed) env.sayFailed(image, error);
  return failed.length > 0 || untried > 0 ? EXIT.failed : EXIT.done;
}

/** Times are those of images, of which several are under way at once. */
function byRegistry(registries: readonly RegistryCounts[]): string {
  const rows = registries.map(({ registry, copied, current, skipped, failed, pruned, bytes, ms }) => [
    printable(registry),
    ...[copied, current, skipped, failed, pruned].map(String),
    formatBytes(bytes),
    formatDuration(ms),
  ]);
  return formatTable(['REGISTRY', 'COPIED', 'UNCHANGED', 'SKIPPED', 'FAILED', 'PRUNED', 'BYTES', 'TIME'], rows);
}
