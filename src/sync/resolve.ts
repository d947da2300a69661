import { type Loaded } from '../copy/documents.ts';
import { rewriteIndex, selectEntries, type Select } from '../copy/select.ts';
import { type Descriptor, type Platform } from '../core/descriptor.ts';
import { onSide, OclError, toOclError } from '../core/errors.ts';
import { type Index } from '../core/manifest.ts';
import { isIndexType, normalMediaType } from '../core/mediaTypes.ts';
import { formatReference } from '../core/reference.ts';
import { type Sink, type Source } from '../core/store.ts';
import { type SyncJob } from './list.ts';
import { type OpenRepositories } from './openStores.ts';
import { choosePlatform, readPlatform } from './platformChoice.ts';
import { stepName } from './references.ts';
import { type SyncStep } from './settings.ts';

/** What is to be done about one image, and why. */
export type ResolvedJob =
  | {
      readonly action: 'copy' | 'current' | 'skip';
      readonly reason: string;
      /** What belongs at the target: the source's root, or the one platform that the step wants of it. */
      readonly root: Descriptor;
      /** What is there now. */
      readonly before: Descriptor | undefined;
      readonly select: Select;
      /** The root is there already: only looking tells whether something beside or below it is missing. */
      readonly again?: true | undefined;
    }
  | { readonly action: 'failed'; readonly reason: string; readonly error: OclError };

/** Reads an index as a copy would: from the target when it has it, since reading one at a public source counts as a pull. */
export type ReadIndex = (descriptor: Descriptor, ends: { readonly from: Source; readonly to: Sink }) => Promise<Loaded>;

interface LoadedIndex extends Loaded {
  readonly document: Index;
}

/** Looks at both ends: one HEAD each where nothing has changed (spec/regsync.md 1.8). Never throws. */
export async function resolveJob(job: SyncJob, open: OpenRepositories, read: ReadIndex): Promise<ResolvedJob> {
  try {
    return await decide(job, open, read);
  } catch (error) {
    const known = toOclError(error);
    return { action: 'failed', reason: known.message, error: known };
  }
}

async function decide(job: SyncJob, open: OpenRepositories, read: ReadIndex): Promise<ResolvedJob> {
  const { step } = job;
  const select = selectOf(step);
  // Registries are asked side by side; a place on disk is not even opened for what its source does not have.
  const early = job.to.kind === 'registry' ? findTag(job, open) : undefined;
  early?.catch(() => undefined);
  const source = await open.resolve(job.from);
  const { sink, tagged } = await (early ?? findTag(job, open));
  const before = tagged ?? (await findDigest(job, sink, source));
  const readIndex = async (): Promise<LoadedIndex> => {
    const { bytes, document } = await read(source, { from: await open.source(job.from), to: sink });
    if (document.kind === 'index') return { bytes, document };
    throw new OclError('OCL_DOCUMENT_INVALID', `Cannot read the index of ${job.image}: it is a manifest`);
  };
  const whole = { root: source, before, select };
  const extra = reasonToLookAgain(step);
  if (before?.digest === source.digest && extra === undefined && step.platforms.length === 0)
    return { ...whole, action: 'current', reason: 'same digest' };
  if (!step.mediaTypes.some((type) => normalMediaType(type) === normalMediaType(source.mediaType))) {
    return { ...whole, action: 'skip', reason: `its type ${source.mediaType} is not among mediaTypes` };
  }
  if (step.platform !== '' && isIndexType(source.mediaType)) {
    const { document: index } = await readIndex();
    const root = choosePlatform(index.manifests, readPlatform(step.platform), job.image);
    return settle(job, { root, before, select }, extra);
  }
  const isSparse = step.platforms.length > 0 && isIndexType(source.mediaType);
  if (isSparse && step.sparse === 'rewrite' && before !== undefined && before.digest !== source.digest) {
    const root = rewrittenRoot(job, source, await readIndex());
    if (root.digest === before.digest) return settle(job, { root, before, select }, extra);
  }
  if (
    isSparse &&
    before?.digest === source.digest &&
    extra === undefined &&
    !(await hasPlatforms(job, sink, readIndex))
  ) {
    return { ...whole, select: { ...select, force: true }, action: 'copy', reason: 'platforms are missing' };
  }
  return settle(job, whole, extra);
}

function settle(
  job: SyncJob,
  found: { readonly root: Descriptor; readonly before: Descriptor | undefined; readonly select: Select },
  extra: string | undefined,
): ResolvedJob {
  const { root, before } = found;
  if (job.to.digest !== undefined && job.to.digest !== root.digest) {
    throw new OclError(
      'OCL_DIGEST_MISMATCH',
      `Cannot copy ${job.image} to ${formatReference(job.to)}: the source is ${root.digest}`,
    );
  }
  if (before?.digest === root.digest)
    return extra === undefined
      ? { ...found, action: 'current', reason: 'same digest' }
      : { ...found, action: 'copy', reason: extra, again: true };
  if (before !== undefined && job.step.backupRequired && job.step.backup === '') {
    throw new OclError(
      'OCL_CONFIG_INVALID',
      `Cannot overwrite ${formatReference(job.to)}: ${stepName(job.step)} wants a backup and does not say where (backup)`,
    );
  }
  return { ...found, action: 'copy', reason: before === undefined ? 'not there yet' : 'changed' };
}

/** Why an image with the right digest is gone through all the same. */
function reasonToLookAgain(step: SyncStep): string | undefined {
  if (step.fastCheck) return undefined;
  if (step.forceRecursive) return 'forceRecursive';
  if (wantsReferrers(step)) return step.digestTags ? 'looking for referrers and digest tags' : 'looking for referrers';
  return step.digestTags ? 'looking for digest tags' : undefined;
}

/** Referrers that come from, or go to, another place are copied by themselves. */
function wantsReferrers(step: SyncStep): boolean {
  return step.referrers && step.referrerSource === '' && step.referrerTarget === '';
}

/** What of an image a step copies. */
export function selectOf(step: SyncStep): Select {
  return {
    ...(step.platforms.length === 0 ? {} : { platforms: step.platforms.map(sparsePlatform), sparse: step.sparse }),
    referrers: wantsReferrers(step) && (step.referrerFilters.length === 0 || step.referrerFilters),
    digestTags: step.digestTags,
    foreign: step.includeExternal,
    force: step.forceRecursive && !step.fastCheck,
    fast: step.fastCheck,
  };
}

function sparsePlatform(text: string): Platform {
  if (text.trim() !== '') return readPlatform(text);
  throw new OclError(
    'OCL_UNSUPPORTED',
    'Cannot select entries without a platform: an empty entry of platforms is not supported',
    { hint: 'name the platforms, or take platforms away to copy all' },
  );
}

async function openTarget(job: SyncJob, open: OpenRepositories): Promise<Sink> {
  try {
    return await open.sink(job.to);
  } catch (error) {
    throw onSide(error, 'target');
  }
}

/** Only "not found" means that nothing is there: a target that cannot be asked fails the image instead of being overwritten. */
async function findTag(job: SyncJob, open: OpenRepositories): Promise<{ sink: Sink; tagged: Descriptor | undefined }> {
  const sink = await openTarget(job, open);
  const { tag } = job.to;
  try {
    return { sink, tagged: tag === undefined ? undefined : await sink.find(tag) };
  } catch (error) {
    throw onSide(error, 'target');
  }
}

/** A target without a tag is there when it is the source, and arrived. */
async function findDigest({ to }: SyncJob, sink: Sink, source: Descriptor): Promise<Descriptor | undefined> {
  if (to.tag !== undefined || to.digest !== source.digest) return undefined;
  try {
    return (await sink.has(source)) ? source : undefined;
  } catch (error) {
    throw onSide(error, 'target');
  }
}

/** A target that has the index may lack a platform that was added to the step since. A store that vouches for single nodes is gone through anyway. */
async function hasPlatforms(job: SyncJob, sink: Sink, readIndex: () => Promise<LoadedIndex>): Promise<boolean> {
  if (job.step.fastCheck || sink.presence === 'node') return true;
  const { document: index } = await readIndex();
  const entries = selectEntries(index, job.step.platforms.map(sparsePlatform), job.image);
  const present = await Promise.all(entries.map((entry) => sink.has(entry)));
  return present.every(Boolean);
}

/** What an index becomes that is written anew for the platforms of its step: it is by this digest that the target has it. */
function rewrittenRoot(job: SyncJob, root: Descriptor, index: LoadedIndex): Descriptor {
  const entries = selectEntries(index.document, job.step.platforms.map(sparsePlatform), job.image);
  return rewriteIndex(root, index, entries).descriptor;
}
