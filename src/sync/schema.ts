import * as z from 'zod';
import { Count, Decimal, Duration, Flag, Integer, Text, Tls } from './fields.ts';

/**
 * The keys of a sync file, as regsync reads them (spec/regsync.md 1.3, 1.4 and 2). Every key may be absent or null, which are the same.
 * What a key means when it is absent is decided in `config.ts`, once.
 */

const TextList = z.array(Text, 'must be a list of texts').nullish();

export const TagFilterSchema = z.object(
  { allow: TextList, deny: TextList, semverRange: TextList },
  'must be a map with allow, deny or semverRange',
);
const RepoFilterSchema = z.object({ allow: TextList, deny: TextList }, 'must be a map with allow or deny');
const ReferrerFilterSchema = z.object(
  { artifactType: Text.nullish(), annotations: z.record(z.string(), Text, 'must be a map of texts').nullish() },
  'must be a map with artifactType or annotations',
);
const HookSchema = z.object({ type: Text.nullish(), params: TextList }, 'must be a map with type and params').nullish();

/** What `defaults` may give to every step. */
export const OverridableSchema = z.object(
  {
    backup: Text.nullish(),
    /** New in ocl: refuse to overwrite what could not be backed up. */
    backupRequired: Flag.nullish(),
    interval: Duration.nullish(),
    schedule: Text.nullish(),
    ratelimit: z
      .object({ min: Integer.nullish(), retry: Duration.nullish() }, 'must be a map with min or retry')
      .nullish(),
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
    hooks: z
      .object({ pre: HookSchema, post: HookSchema, unchanged: HookSchema }, 'must be a map with pre, post or unchanged')
      .nullish(),
  },
  'must be a map',
);

export const SyncSchema = OverridableSchema.extend({
  source: Text.nullish(),
  target: Text.nullish(),
  type: Text.nullish(),
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
