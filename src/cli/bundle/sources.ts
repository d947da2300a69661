import { type Argv } from 'yargs';
import { type LockFile } from '../../bundle/lock.ts';
import { parseLock } from '../../bundle/lockSchema.ts';
import { parseRequest, type BlobRequest } from '../../bundle/requestSchema.ts';
import { BundleSources } from '../../bundle/sources.ts';
import { Waivers } from '../../bundle/waivers.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { listMirrored } from '../../sync/mirrored.ts';
import { BudgetedSources } from '../../sync/pulls/budgetedSource.ts';
import { type SyncConfig } from '../../sync/settings.ts';
import { type Env, type EnvOptions } from '../env.ts';
import { parsePlace } from '../place.ts';
import { selectOptions, toSelect } from '../select.ts';
import { joinVolumes } from './groups.ts';
import { readSmallFile } from '../../io/smallFile.ts';
import { digestOf } from '../../io/verify.ts';
import { openConfig } from '../sync/file.ts';
import { envOptions } from '../sync/hosts.ts';
import { openJournal } from '../sync/journal.ts';
import { pullBudget } from '../sync/pulls.ts';

/** What goes into a bundle: the same arguments wherever one is written or planned. */
export function sourceOptions(cli: Argv) {
  return selectOptions(cli)
    .positional('references', {
      type: 'string',
      array: true,
      default: [] as string[],
      describe: 'Images, layouts, whole libraries or other bundles',
    })
    .option('from', {
      type: 'string',
      requiresArg: true,
      describe: 'All that this sync file mirrors, from its sources',
    })
    .option('locked', {
      type: 'string',
      requiresArg: true,
      describe: 'Exactly what this lock says, from the places that are named or the registries of its images',
    })
    .option('lock', {
      type: 'string',
      requiresArg: true,
      describe: 'Write to this file what was taken: name, digest, platforms, referrers',
    })
    .option('request', {
      type: 'string',
      requiresArg: true,
      describe:
        'Just what this file of ocl import --request asks for, from the places that are named or the registries',
    })
    .option('allow-missing', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: 'An image, or the digest of a referrer, that may be missing (repeatable); anything else that is fails',
    })
    .option('docker-platform', {
      type: 'string',
      requiresArg: true,
      describe: 'Which image of an index docker load gets  [default: linux/amd64, or what the lock says]',
    });
}

type SourceArguments = Parameters<typeof toSelect>[0] & {
  readonly references: readonly string[];
  readonly from?: string | undefined;
  readonly locked?: string | undefined;
  readonly request?: string | undefined;
  readonly allowMissing: readonly string[];
  readonly dockerPlatform?: string | undefined;
};

/** The files that say what is wanted, read before there is anything to ask. */
export interface SourceFiles {
  readonly config: SyncConfig | undefined;
  readonly lock: LockFile | undefined;
  readonly request: { readonly asks: BlobRequest; readonly id: Digest } | undefined;
  readonly dockerPlatform: string;
  /** How the sync file wants its registries reached. */
  readonly envOptions: EnvOptions;
}

/** @throws OCL_USAGE, OCL_CONFIG_INVALID, OCL_NOT_FOUND */
export async function readSourceFiles(args: SourceArguments): Promise<SourceFiles> {
  const { references, from, locked, request } = args;
  if ([from, locked, request].filter((file) => file !== undefined).length > 1)
    throw new OclError('OCL_USAGE', 'Cannot take more than one of a sync file, a lock and a request', {
      hint: 'leave --from, --locked or --request away',
    });
  if (references.length === 0 && from === undefined && locked === undefined && request === undefined)
    throw new OclError('OCL_USAGE', 'Cannot export: nothing is named', {
      hint: 'name images or a place, or --from sync.yaml',
    });
  const config = from === undefined ? undefined : await openConfig(from);
  const lock =
    locked === undefined
      ? undefined
      : parseLock(await readSmallFile(locked, LIMITS.indexBytes, `the lock ${locked}`), locked);
  return {
    config,
    lock,
    request: request === undefined ? undefined : await readRequest(request),
    dockerPlatform: args.dockerPlatform ?? lock?.dockerPlatform ?? 'linux/amd64',
    envOptions: config === undefined ? {} : envOptions(config),
  };
}

async function readRequest(path: string): Promise<{ readonly asks: BlobRequest; readonly id: Digest }> {
  const what = `the request ${path}`;
  const bytes = await readSmallFile(path, LIMITS.indexBytes, what);
  return { asks: await parseRequest(bytes, what), id: digestOf(bytes) };
}

/** What the command line asks for, found in its sources. */
export async function openSources(args: SourceArguments, files: SourceFiles, env: Env): Promise<BundleSources> {
  const references = await joinVolumes(args.references.map(parsePlace), env.stores);
  const select = toSelect(args);
  const sources = new BundleSources(env.stores, new Waivers(args.allowMissing, env.emit));
  try {
    if (files.lock !== undefined) {
      await sources.addLocked(files.lock, references);
      return sources;
    }
    if (files.request !== undefined) {
      await sources.addRequested(files.request.asks.images, references, select);
      return sources;
    }
    if (files.config !== undefined) await addMirrored(files.config, sources, { args, env });
    for (const reference of references) await sources.add({ reference, select });
    return sources;
  } catch (error) {
    await sources.close();
    throw error;
  }
}

/** The file decides which platforms; what belongs to an image travels unless the command line leaves it. */
async function addMirrored(
  config: SyncConfig,
  sources: BundleSources,
  { args, env }: { readonly args: SourceArguments; readonly env: Env },
): Promise<void> {
  const { clock, emit, signal, stores, registries } = env;
  const { platforms, sparse, referrers, digestTags } = toSelect(args);
  // The journal beside the file knows what earlier runs were told of limits.
  const journal = await openJournal({ config: args.from }, env, { readOnly: true });
  const budgeted = new BudgetedSources(pullBudget(env, journal), signal);
  const mirrored = await listMirrored(config, stores, {
    clock,
    emit,
    signal,
    catalog: (registry) => registries.catalog(registry),
    budgeted,
  });
  let failure: OclError | undefined;
  for (const { image, error } of mirrored.failed) {
    if (sources.waivers.spare(image, error)) continue;
    emit({ type: 'image.failed', image, error });
    failure ??= error;
  }
  if (failure !== undefined) throw failure;
  for (const { image, from, root, select, rateLimit } of mirrored.images) {
    const own = select.platforms === undefined ? { platforms, sparse } : {};
    const filter = select.referrers === undefined || select.referrers === false ? true : select.referrers;
    await sources.add({
      reference: from,
      root,
      by: (source) => budgeted.of(source, { image, from, rateLimit }),
      select: { ...select, ...own, referrers: referrers === false ? false : filter, digestTags },
    });
  }
}
