import { redact } from '../core/redact.ts';
import { formatYaml } from '../io/yaml.ts';
import { SECRETS } from './lintSecrets.ts';
import { type Hook, type HostSettings, type SyncConfig, type SyncStep } from './settings.ts';
import { type TagSet } from './tagFilter.ts';
import { goDuration } from './template/time.ts';

export interface PrintOptions {
  readonly showSecrets: boolean;
}

type Entries = Readonly<Record<string, unknown>>;

const HIDDEN = '***';

/**
 * A file that means what a loaded one does: defaults are merged into the steps, templates are expanded, durations are like `1h0m0s`.
 * Read again it gives the same steps, and with `showSecrets` the same logins.
 */
export function formatConfig(config: SyncConfig, options: PrintOptions): string {
  const note = options.showSecrets ? '' : '# Secrets are ***; --show-secrets prints them.\n';
  return note + formatYaml(printedConfig(config, options));
}

/** The same as a value. */
export function printedConfig(config: SyncConfig, options: PrintOptions): Entries {
  const { parallel, skipDockerConfig, userAgent } = config;
  return {
    version: 1,
    creds: config.creds.map((host) => printHost(host, options)),
    defaults: given({ parallel, skipDockerConfig, userAgent }),
    sync: config.steps.map((step) => printStep(step, options)),
  };
}

function printHost(host: HostSettings, { showSecrets }: PrintOptions): Entries {
  const { disableHead, credExpire, repoAuth, ...rest } = host;
  const printed: Record<string, unknown> = given({
    ...rest,
    repoAuth: repoAuth || undefined,
    credExpire: credExpire === undefined ? undefined : duration(credExpire),
    apiOpts: disableHead === true ? { disableHead: 'true' } : undefined,
  });
  for (const key of TEMPLATES) {
    const text = printed[key];
    if (typeof text === 'string') printed[key] = plain(text);
  }
  if (!showSecrets) for (const key of SECRETS) if (printed[key] !== undefined) printed[key] = HIDDEN;
  return printed;
}

const TEMPLATES = ['user', 'pass', 'token', 'regcert', 'clientCert', 'clientKey'] as const;

/** How each part of a step is written. A part that is added to steps must be added here. */
const PARTS: { readonly [K in Exclude<keyof SyncStep, 'place'>]: (step: SyncStep, options: PrintOptions) => Entries } =
  {
    type: ({ type }) => ({ type }),
    source: ({ source }) => ({ source: plain(source) }),
    feed: ({ feed }) => ({ feed }),
    targets: ({ targets: [target = '', ...more] }) => ({ target: plain(target), targets: more.map(plain) }),
    tagSets: ({ tagSets }) => ({ tagSets: tagSets.map(printTagSet) }),
    repos: ({ repos }) => ({ repos: given({ allow: repos.allow, deny: repos.deny }) }),
    platform: ({ platform }) => ({ platform }),
    platforms: ({ platforms }) => ({ platforms }),
    digestTags: ({ digestTags }) => ({ digestTags }),
    referrers: ({ referrers }) => ({ referrers }),
    referrerFilters: ({ referrerFilters }) => ({
      referrerFilters: referrerFilters.map(({ artifactType, annotations }) => given({ artifactType, annotations })),
    }),
    referrerSource: ({ referrerSource }) => ({ referrerSource: plain(referrerSource) }),
    referrerTarget: ({ referrerTarget }) => ({ referrerTarget: plain(referrerTarget) }),
    fastCheck: ({ fastCheck }) => ({ fastCheck }),
    forceRecursive: ({ forceRecursive }) => ({ forceRecursive }),
    includeExternal: ({ includeExternal }) => ({ includeExternal }),
    mediaTypes: ({ mediaTypes }) => ({ mediaTypes }),
    backup: ({ backup }) => ({ backup }),
    backupRequired: ({ backupRequired }) => ({ backupRequired }),
    sparse: ({ sparse }) => ({ sparse }),
    prune: ({ prune }) => (prune === undefined ? {} : { prune: { keep: prune.keep, grace: duration(prune.grace) } }),
    maxAge: ({ maxAge }) => (maxAge === 0 ? {} : { maxAge: duration(maxAge) }),
    onStale: ({ onStale }) => ({ onStale }),
    interval: ({ interval }) => (interval === 0 ? {} : { interval: duration(interval) }),
    schedule: ({ schedule }) => ({ schedule }),
    rateLimit: ({ rateLimit: { min, retry } }) => ({ ratelimit: { min, retry: duration(retry) } }),
    hooks: ({ hooks }, options) => ({
      hooks: Object.fromEntries(Object.entries(hooks).map(([name, hook]) => [name, printHook(hook, options)])),
    }),
  };

function printStep(step: SyncStep, options: PrintOptions): Entries {
  return given(Object.assign({}, ...Object.values(PARTS).map((part) => part(step, options))) as Entries);
}

/** `{}` takes every tag, and stays. */
function printTagSet({ allow, deny, semverRange, newest, newestBy, since }: TagSet): Entries {
  return given({
    allow,
    deny,
    semverRange,
    newest: newest || undefined,
    newestBy: newestBy === 'date' ? newestBy : undefined,
    since: since === undefined ? undefined : 'at' in since ? new Date(since.at).toISOString() : duration(since.ago),
  });
}

/** What a hook is given may hold secrets: URLs of webhooks are secrets by their path. */
function printHook(hook: Hook, { showSecrets }: PrintOptions): Entries {
  const { type, params, timeout, env } = hook;
  const shown = given({ type, params, timeout: duration(timeout), env });
  if (showSecrets) return shown;
  return {
    ...shown,
    ...(params.length === 0 ? {} : { params: params.map(type === 'webhook' ? originOf : redact) }),
    ...(shown['env'] === undefined ? {} : { env: Object.fromEntries(Object.keys(env).map((name) => [name, HIDDEN])) }),
  };
}

function originOf(url: string): string {
  return URL.canParse(url) ? `${new URL(url).origin}/${HIDDEN}` : HIDDEN;
}

/** A text that is not expanded once more where it is read. */
function plain(text: string): string {
  return text.replaceAll('{{', '{{"{{"}}');
}

function duration(ms: number): string {
  return goDuration(ms).name;
}

/** Without what is empty, which means what is absent. */
function given(entries: Entries): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === '') return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
