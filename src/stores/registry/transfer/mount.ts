import { type Digest } from '../../../core/digest.ts';
import { OclError } from '../../../core/errors.ts';
import { discard } from '../../../io/httpMessages.ts';
import { type Answer } from '../answer.ts';
import { type RegistryClient } from '../client.ts';
import { type RepositoryPaths } from '../paths.ts';
import { sessionOf, type Session } from './session.ts';

export interface MountOptions {
  readonly client: RegistryClient;
  readonly paths: RepositoryPaths;
  readonly digest: Digest;
  /** The repository that has the blob. */
  readonly from: string;
}

/**
 * Asks the registry to take a blob from another of its repositories (spec oci.md 2.4).
 * A mount is a favour: whatever goes wrong, the blob is sent instead (ggcr#1679), and what is really wrong shows there.
 * @returns `mounted`; the session that a registry opens instead; undefined: nothing came of it
 * @throws the reason of a run that was stopped
 */
export async function mountBlob({
  client,
  paths,
  digest,
  from,
}: MountOptions): Promise<'mounted' | Session | undefined> {
  const action = `mount ${digest} from ${from} into ${paths.name}`;
  const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(paths.wireName(from))}`;
  let answer: Answer;
  try {
    answer = await client.send({
      method: 'POST',
      to: `${paths.uploads}?${query}`,
      need: paths.mountNeed(from),
      action,
      ok: [201, 202],
      // One try: sending the blob is the second one.
      repeatable: false,
    });
    await discard(answer);
    return answer.status === 201 ? 'mounted' : sessionOf(client, answer, action);
  } catch (error) {
    client.signal?.throwIfAborted();
    if (error instanceof OclError) return undefined;
    throw error;
  }
}
