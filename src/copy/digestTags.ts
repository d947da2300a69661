import { onSide } from '../core/errors.ts';
import { type Source } from '../core/store.ts';

/** Tags that name a digest (`sha256-….sig`), by what they begin with: `referrersTag` of the digest. */
export type DigestTags = ReadonlyMap<string, ReadonlySet<string>>;

/** Sorted once, for all images of a run: a repository may have as many tags as there are things to look for. */
export async function listDigestTags(from: Source): Promise<DigestTags> {
  const byStem = new Map<string, Set<string>>();
  try {
    for await (const tag of from.tags()) {
      // Whatever can be verified has at least 64 digits, and the stem has no more.
      const stem = /^[a-z0-9]+-[0-9a-f]{64}/.exec(tag)?.[0];
      if (stem === undefined) continue;
      const same = byStem.get(stem);
      if (same === undefined) byStem.set(stem, new Set([tag]));
      else same.add(tag);
    }
  } catch (error) {
    throw onSide(error, 'source');
  }
  return byStem;
}
