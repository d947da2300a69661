import * as z from 'zod';
import { Age, Count, Decimal, Duration, Flag, Integer, oneOf, Since, Text, Tls } from './fields.ts';

/**
 * The keys of a sync file, as regsync reads them (spec/regsync.md 1.3, 1.4 and 2). Every key may be absent or null, which are the same.
 * What a key means when it is absent is decided in `config.ts`, once.
 */

const TextList = z.array(Text, 'must be a list of texts').nullish();

export const TagFilterSchema = z.object(
  {
    allow: TextList,
    deny: TextList,
    semverRange: TextList,
    /** New in ocl: so many of what the filters leave, the newest first; 0 is all. */
    newest: Count.nullish(),
    /** New in ocl: what `newest` goes by. */
    newestBy: oneOf('semver', 'date').nullish(),
    /** New in ocl: images made since then, by the date that they carry. */
    since: Since.nullish(),
  },
  'must be a map with allow, deny, semverRange, newest or since',
);
export const RepoFilterSchema = z.object({ allow: TextList, deny: TextList }, 'must be a map with allow or deny');
export const ReferrerFilterSchema = z.object(
  { artifactType: Text.nullish(), annotations: z.record(z.string(), Text, 'must be a map of texts').nullish() },
  'must be a map with artifactType or annotations',
);
export const HookSchema = z.object(
  {
    /** `exec` runs a program, `webhook` posts to a URL. */
    type: Text.nullish(),
    params: TextList,
    /** New in ocl: when it has not ended by then, it has failed. */
    timeout: Duration.nullish(),
    /** New in ocl: names and values that the program gets beside its own environment. */
    env: z.record(z.string(), Text, 'must be a map of texts').nullish(),
  },
  'must be a map with type and params',
);
export const HooksSchema = z.object(
  {
    pre: HookSchema.nullish(),
    post: HookSchema.nullish(),
    unchanged: HookSchema.nullish(),
    /** New in ocl. */
    failed: HookSchema.nullish(),
  },
  'must be a map with pre, post, unchanged or failed',
);
export const PruneMapSchema = z.object({ keep: Count.nullish(), grace: Age.nullish() });
const PruneSchema = z.union([Flag, PruneMapSchema], 'must be true, false, or a map with keep and grace');
export const RateLimitSchema = z.object(
  { min: Integer.nullish(), retry: Duration.nullish() },
  'must be a map with min or retry',
);

/** What `defaults` may give to every step. */
export const OverridableSchema = z.object(
  {
    backup: Text.nullish(),
    /** New in ocl: refuse to overwrite what could not be backed up. */
    backupRequired: Flag.nullish(),
    interval: Duration.nullish(),
    schedule: Text.nullish(),
    ratelimit: RateLimitSchema.nullish(),
    digestTags: Flag.nullish(),
    referrers: Flag.nullish(),
    referrerFilters: z.array(ReferrerFilterSchema.nullish(), 'must be a list').nullish(),
    referrerSource: Text.nullish(),
    referrerTarget: Text.nullish(),
    referrerSlow: Flag.nullish(),
    fastCheck: Flag.nullish(),
    /** In documentation and in people's files, but regsync never had it. */
    fastCopy: Flag.nullish(),
    forceRecursive: Flag.nullish(),
    includeExternal: Flag.nullish(),
    mediaTypes: TextList,
    hooks: HooksSchema.nullish(),
    /** New in ocl: take away from the target what this file mirrored and what is gone from the source or the filter. */
    prune: PruneSchema.nullish(),
    /** New in ocl: whether an index keeps its bytes when only some of its `platforms` are copied, or is written anew. */
    sparse: oneOf('keep', 'rewrite').nullish(),
    /** New in ocl, for feeds: how old the newest may be. */
    maxAge: Age.nullish(),
    /** New in ocl, for feeds: what happens when it is older. */
    onStale: oneOf('warn', 'fail').nullish(),
  },
  'must be a map',
);

export const SyncSchema = OverridableSchema.extend({
  source: Text.nullish(),
  target: Text.nullish(),
  /** New in ocl: more targets of the same source. */
  targets: TextList,
  type: Text.nullish(),
  /** New in ocl, for feeds: which one, when `source` does not say where. */
  feed: Text.nullish(),
  tags: TagFilterSchema.nullish(),
  tagSets: z.array(TagFilterSchema.nullish(), 'must be a list').nullish(),
  repos: RepoFilterSchema.nullish(),
  platform: Text.nullish(),
  platforms: TextList,
});

export const DefaultsSchema = OverridableSchema.extend({
  parallel: Count.nullish(),
  blobLimit: Integer.nullish(),
  cacheCount: Integer.nullish(),
  cacheTime: Duration.nullish(),
  skipDockerConfig: Flag.nullish(),
  userAgent: Text.nullish(),
});

export const HostSchema = z.object(
  {
    registry: Text.nullish(),
    hostname: Text.nullish(),
    tls: Tls.nullish(),
    regcert: Text.nullish(),
    clientCert: Text.nullish(),
    clientKey: Text.nullish(),
    user: Text.nullish(),
    pass: Text.nullish(),
    token: Text.nullish(),
    credHelper: Text.nullish(),
    credExpire: Duration.nullish(),
    credHost: Text.nullish(),
    pathPrefix: Text.nullish(),
    mirrors: TextList,
    uploadHosts: TextList,
    priority: Count.nullish(),
    repoAuth: Flag.nullish(),
    api: Text.nullish(),
    apiOpts: z.record(z.string(), Text, 'must be a map of texts').nullish(),
    blobChunk: Integer.nullish(),
    blobMax: Integer.nullish(),
    reqPerSec: Decimal.nullish(),
    reqConcurrent: Integer.nullish(),
    scheme: Text.nullish(),
  },
  'must be a map',
);

export const FileSchema = z.object(
  {
    version: Decimal.nullish(),
    creds: z.array(HostSchema.nullish(), 'must be a list').nullish(),
    defaults: DefaultsSchema.nullish(),
    sync: z.array(SyncSchema.nullish(), 'must be a list of steps').nullish(),
  },
  'must be a map with creds, defaults and sync',
);

export type TagFilterInput = z.infer<typeof TagFilterSchema>;
export type OverridableInput = z.infer<typeof OverridableSchema>;
export type SyncInput = z.infer<typeof SyncSchema>;
export type DefaultsInput = z.infer<typeof DefaultsSchema>;
export type HostInput = z.infer<typeof HostSchema>;
export type FileInput = z.infer<typeof FileSchema>;
