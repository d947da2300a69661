import { type Argv } from 'yargs';
import { OclError } from '../../core/errors.ts';
import { Journal } from '../../sync/journal/journal.ts';
import { type PlannedJob } from '../../sync/plan.ts';
import { planPrune, prunes } from '../../sync/prune.ts';
import { type Listed } from '../../sync/list.ts';
import { type SyncConfig } from '../../sync/settings.ts';
import { type Env } from '../env.ts';

/** The options of every action that keeps the journal, or looks at it. */
export function stateOption<T>(cli: Argv<T>) {
  return cli.option('state', {
    type: 'string',
    requiresArg: true,
    describe: 'The journal [default: the name of the file with .journal; none for standard input]',
  });
}

/** For actions that prune, or say what would be. */
export function pruneOption<T>(cli: Argv<T>) {
  return cli.option('allow-empty', {
    type: 'boolean',
    default: false,
    describe: 'prune: a repository may lose all that was mirrored to it',
  });
}

export interface StateArguments {
  readonly config?: string | undefined;
  readonly state?: string | undefined;
}

/** Beside the file, unless it is named. */
function journalPath({ config, state }: StateArguments): string | undefined {
  if (state !== undefined) return state;
  return config === undefined || config === '-' ? undefined : `${config}.journal`;
}

/** Undefined: there is no place for one. @throws OCL_USAGE when the file is something else */
export async function openJournal(
  args: StateArguments,
  { clock, emit }: Pick<Env, 'clock' | 'emit'>,
  options: { readonly readOnly?: boolean } = {},
): Promise<Journal | undefined> {
  const path = journalPath(args);
  return path === undefined ? undefined : await Journal.open(path, { clock, emit, ...options });
}

/** What a run would take away, as lines of a plan. */
export async function prunedLines(
  config: SyncConfig,
  args: StateArguments & { readonly allowEmpty: boolean },
  listed: readonly Listed[],
  env: Env,
): Promise<readonly PlannedJob[]> {
  const { clock, emit, signal, stores } = env;
  const journal = prunes(config.steps) ? await openJournal(args, env, { readOnly: true }) : undefined;
  if (journal === undefined) return [];
  const catalog = (registry: string): AsyncIterable<string> => env.registries.catalog(registry);
  const { remove, failed } = await planPrune(config, stores, {
    clock,
    emit,
    signal,
    catalog,
    journal,
    listed,
    allowEmpty: args.allowEmpty,
  });
  const line = ({ image, target, step, digest }: (typeof remove)[number] | (typeof failed)[number]['tag']) => ({
    image,
    registry: undefined,
    target,
    line: step.place.line,
    sourceDigest: undefined,
    targetDigest: digest,
    bytes: undefined,
    pulls: undefined,
  });
  return [
    ...remove.map((tag) => ({ ...line(tag), action: 'prune' as const, reason: tag.reason, error: undefined })),
    ...failed.map(({ tag, error }) => ({ ...line(tag), action: 'failed' as const, reason: error.message, error })),
  ];
}

/** The journal that a person wants to read. @throws OCL_USAGE, OCL_NOT_FOUND */
export function wantedJournal(args: StateArguments): string {
  const path = journalPath(args);
  if (path !== undefined) return path;
  throw new OclError('OCL_USAGE', 'Cannot tell which journal is meant', {
    hint: 'name the sync file with --config, or the journal with --state',
  });
}
