import { type Copier } from '../copy/copier.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { OclError, toOclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { formatReference, isTag, type Reference } from '../core/reference.ts';
import { expandBackup } from './expand.ts';
import { type SyncJob } from './list.ts';
import { type OpenRepositories } from './openStores.ts';
import { imageReference, stepName } from './references.ts';
import { type Surroundings } from './template/template.ts';

export interface BackupContext {
  readonly open: OpenRepositories;
  readonly copier: Copier;
  readonly emit: Emit;
  readonly surroundings: Surroundings;
}

/**
 * Copies what stands at a target to where its step keeps backups (spec/regsync.md 1.9): a tag beside it, or another place.
 * A copy that fails is a warning, unless the step has `backupRequired`.
 * @throws OCL_CONFIG_INVALID for a name that cannot be used; what the copy threw, with `backupRequired`
 */
export async function backUp(job: SyncJob, before: Descriptor, context: BackupContext): Promise<void> {
  const { step, to } = job;
  const { open, copier, emit } = context;
  const place = backupPlace(job, context.surroundings);
  try {
    const [from, sink] = await Promise.all([open.source(to), open.sink(place)]);
    const name = place.tag === undefined ? {} : { tag: place.tag };
    await copier.copy({ from, to: sink, root: before, name, image: `${formatReference(to)} (backup)` });
    await sink.commit();
  } catch (error) {
    const known = toOclError(error);
    if (step.backupRequired || known.code === 'OCL_CANCELLED') throw known;
    emit({
      type: 'notice',
      level: 'warning',
      message: `${stepName(step)}: ${formatReference(to)} is overwritten without a backup: ${known.message}`,
    });
  }
}

/** What has a `:` or a `/` is a whole name, anything else a tag beside the target. @throws OCL_CONFIG_INVALID, OCL_REFERENCE_INVALID */
function backupPlace({ step, to }: SyncJob, surroundings: Surroundings): Reference {
  const text = expandBackup(step, to, surroundings).trim();
  if (/[:/]/.test(text)) return imageReference(text);
  if (isTag(text)) return { ...to, tag: text, digest: undefined };
  throw new OclError(
    'OCL_CONFIG_INVALID',
    `Cannot back up ${formatReference(to)}: ${stepName(step)} makes ${JSON.stringify(text)} of its backup, which is no tag`,
  );
}
