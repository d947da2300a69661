import { type TlsMode } from './fields.ts';
import { type NameFilter, type TagSet } from './tagFilter.ts';

/** Where in the file something stands; line and column count from 1. */
export interface ConfigPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ConfigWarning extends ConfigPlace {
  /** `info`: all is well, and worth knowing. */
  readonly level: 'warning' | 'info';
  readonly message: string;
}

/** How one registry is reached; the entries of `creds`, those for one registry merged. */
export interface HostSettings {
  /** As references name it: `host[:port]`; Docker Hub is `docker.io`. */
  readonly registry: string;
  /** `host[:port]` that is really dialled, when it is another. */
  readonly hostname?: string | undefined;
  /** https; https without checking the certificate; http. Undefined: https. */
  readonly tls?: TlsMode | undefined;
  /** PEM text of one more certificate authority. */
  readonly regcert?: string | undefined;
  /** PEM text. */
  readonly clientCert?: string | undefined;
  /** PEM text. */
  readonly clientKey?: string | undefined;
  readonly user?: string | undefined;
  readonly pass?: string | undefined;
  /** OAuth2 identity token. */
  readonly token?: string | undefined;
  /** The whole name of a program, such as `docker-credential-ecr-login`. */
  readonly credHelper?: string | undefined;
  /** Milliseconds that a helper's answer is used. */
  readonly credExpire?: number | undefined;
  /** The name under which helpers and files keep the login, when it is another. */
  readonly credHost?: string | undefined;
  /** Tokens are kept apart for each repository. */
  readonly repoAuth: boolean;
  /** Stands between `/v2/` and the repository, without slashes at its ends. */
  readonly pathPrefix?: string | undefined;
  /** Requests at a time. */
  readonly reqConcurrent?: number | undefined;
  /** Bytes of one piece of a chunked upload. */
  readonly blobChunk?: number | undefined;
  /** Blobs beyond so many bytes are uploaded in chunks at once; undefined: whole, where the registry takes that. */
  readonly blobMax?: number | undefined;
  /** At most so many requests begin in a second; may be a fraction. */
  readonly reqPerSec?: number | undefined;
  /** Other registries that are asked first for what is read here. */
  readonly mirrors?: readonly string[] | undefined;
  /** Hosts of other domains that the registry may send uploads on to. */
  readonly uploadHosts?: readonly string[] | undefined;
  /** Among a registry and its mirrors lower ones go first; undefined: 0. */
  readonly priority?: number | undefined;
  /** HEAD is not asked. */
  readonly disableHead?: boolean | undefined;
}

export interface ReferrerFilter {
  readonly artifactType: string | undefined;
  /** An empty value asks only that the key is there. */
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Hook {
  /** `exec` or `webhook`; anything else fails when it is run. */
  readonly type: string;
  readonly params: readonly string[];
  /** Milliseconds. */
  readonly timeout: number;
  readonly env: Readonly<Record<string, string>>;
}

export const HOOK_NAMES = ['pre', 'post', 'unchanged', 'failed'] as const;
export type HookName = (typeof HOOK_NAMES)[number];

/** What is taken away from a target again: tags that this file mirrored and that are gone from the source or the filter. */
export interface Prune {
  /** So many of the gone stay, the newest first. */
  readonly keep: number;
  /** Milliseconds for which a tag stays after it was first found gone. */
  readonly grace: number;
}

/** One step with the defaults merged in. Texts are empty when neither gave them. */
export interface SyncStep {
  readonly place: ConfigPlace;
  /** `image`, `repository`, `registry` or `feed`; anything else fails when the step runs, as in regsync. */
  readonly type: string;
  readonly source: string;
  /** For feeds: the name of a known one. */
  readonly feed: string;
  /** The first is regsync's `target`; each gets the same. */
  readonly targets: readonly string[];
  /** `tagSets`, then `tags` when it is not empty. No sets: all tags. */
  readonly tagSets: readonly TagSet[];
  readonly repos: NameFilter;
  readonly platform: string;
  readonly platforms: readonly string[];
  readonly digestTags: boolean;
  readonly referrers: boolean;
  readonly referrerFilters: readonly ReferrerFilter[];
  readonly referrerSource: string;
  readonly referrerTarget: string;
  readonly fastCheck: boolean;
  readonly forceRecursive: boolean;
  readonly includeExternal: boolean;
  readonly mediaTypes: readonly string[];
  readonly backup: string;
  readonly backupRequired: boolean;
  readonly sparse: 'keep' | 'rewrite';
  readonly prune: Prune | undefined;
  /** Milliseconds that the newest of a feed may be old; 0: no bound. */
  readonly maxAge: number;
  readonly onStale: 'warn' | 'fail';
  /** Milliseconds; 0 is none. At most one of interval and schedule is set. */
  readonly interval: number;
  readonly schedule: string;
  readonly rateLimit: {
    /** 0 is off. */
    readonly min: number;
    /** Milliseconds. */
    readonly retry: number;
  };
  readonly hooks: Readonly<Partial<Record<HookName, Hook>>>;
}

export interface SyncConfig {
  readonly file: string;
  readonly creds: readonly HostSettings[];
  /** Images at a time. */
  readonly parallel: number;
  readonly skipDockerConfig: boolean;
  /** What requests name as their program; empty: ocl itself. */
  readonly userAgent: string;
  readonly steps: readonly SyncStep[];
}
