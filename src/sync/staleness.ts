import { type Descriptor } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { type Sink, type Source } from '../core/store.ts';
import { createdAt } from '../artifact/created.ts';
import { type SyncJob } from './list.ts';
import { stepName } from './references.ts';

const HOUR = 3_600_000;

/**
 * What is wrong with the age of a feed; undefined when it is young enough or no step asks.
 * @param now milliseconds since the epoch
 */
export async function staleness(
  { step, image }: SyncJob,
  root: Descriptor,
  ends: { readonly source: Source; readonly sink: Sink },
  now: number,
): Promise<OclError | undefined> {
  if (step.type !== 'feed' || step.maxAge === 0) return undefined;
  const made = await createdAt(root, ends.source, ends.sink);
  const why =
    made === undefined
      ? 'it does not tell when it was made'
      : now - made > step.maxAge
        ? `it was made ${hours(now - made)} ago, at ${new Date(made).toISOString()}, and ${stepName(step)} wants it no older than ${hours(step.maxAge)}`
        : undefined;
  if (why === undefined) return undefined;
  return new OclError('OCL_INCOMPLETE', `Cannot call the feed ${image} new: ${why}`, {
    hint: 'ask its maker whether it is still published there',
  });
}

function hours(ms: number): string {
  const whole = Math.floor(ms / HOUR);
  return whole < 48 ? `${whole} h` : `${Math.floor(whole / 24)} days`;
}
