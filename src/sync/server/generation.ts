import { type SyncObserver } from '../outcome.ts';
import { type Places } from '../limit.ts';
import { type SyncReport } from '../run.ts';
import { type SyncConfig, type SyncStep } from '../settings.ts';

/** What a registry still allows, as it was last told. */
export interface HostLimit {
  readonly host: string;
  readonly remaining: number;
  readonly limit: number | undefined;
  /** Milliseconds since the epoch. */
  readonly resetAt: number | undefined;
}

export interface RunReport extends SyncReport {
  /** Tags that were taken away. */
  readonly pruned?: number | undefined;
}

export interface RunHow {
  /** Only what is not at the target yet. */
  readonly missing: boolean;
  readonly abortOnError: boolean;
  readonly observer: SyncObserver;
  /** Images at a time, shared with all other runs. */
  readonly places: Places;
  /** No other image is begun. */
  readonly stop: AbortSignal;
  /** All that is under way ends. */
  readonly signal: AbortSignal;
}

/** One reading of the file: its steps, and the ways to registries that its `creds` name. Runs that began with it end with it. */
export interface Generation {
  readonly config: SyncConfig;
  /** Runs some of its steps once. @throws as runSync */
  run(steps: readonly SyncStep[], how: RunHow): Promise<RunReport>;
  /** When a step ran last, in this process or an earlier one, in milliseconds since the epoch. */
  lastRun?(step: SyncStep): number | undefined;
  /** Of the registries that were asked. */
  limits(): readonly HostLimit[];
  close(): Promise<void>;
}
