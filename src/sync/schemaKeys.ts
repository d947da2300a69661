/**
 * What every key of a sync file does: the descriptions of the JSON Schema and the table of `docs/regsync-compatibility.md` are made from this.
 * A test holds it against `schema.ts`. Facts about regsync: spec/regsync.md 1.3, 1.4 and 2.
 */
export interface KeyNote {
  /** What `ocl` does with it, for people who write a file. */
  readonly does: string;
  /** What regsync does, where it is something else; `same` and `new` stand for themselves. */
  readonly regsync: string;
}

export type KeyNotes = Readonly<Record<string, KeyNote>>;

function same(does: string): KeyNote {
  return { does, regsync: 'same' };
}

function added(does: string): KeyNote {
  return { does, regsync: 'new' };
}

function other(does: string, regsync: string): KeyNote {
  return { does, regsync };
}

const FILE: KeyNotes = {
  version: same('The version of the format: 1, or absent.'),
  creds: same('How registries are reached and with which logins.'),
  defaults: same('What steps have that do not say otherwise, and settings of the whole run.'),
  sync: other(
    'The steps. Those that share nothing run side by side; one that reads what an earlier one writes runs after it.',
    'one after the other, or all at once where `parallel` is set',
  ),
};

const HOST: KeyNotes = {
  registry: same(
    'The registry as references name it, host or host:port; all names of Docker Hub are docker.io. Templates are expanded.',
  ),
  hostname: same('The host[:port] that is really asked.'),
  tls: same('enabled (default), insecure (any certificate), or disabled (http).'),
  regcert: same('PEM text of one more certificate authority. Templates are expanded.'),
  clientCert: same('PEM text of the client certificate. Templates are expanded.'),
  clientKey: same('PEM text of its key. Templates are expanded.'),
  user: same('The name of the login. Templates are expanded.'),
  pass: same('Its password or access token; better a template than in clear. Templates are expanded.'),
  token: other(
    'An OAuth2 identity token instead of name and password. Templates are expanded.',
    'its templates are not expanded',
  ),
  credHelper: same('A program that knows the login, such as docker-credential-ecr-login.'),
  credExpire: other('How long an answer of the program is used, such as 1h.', 'a duration fails to load'),
  credHost: same('The name under which helpers and login files keep the login, when it is another.'),
  pathPrefix: same('Stands before every repository, for proxies that keep registries in projects.'),
  mirrors: other(
    'Registries that are asked first for what is read. One that fails is asked last for 30 s.',
    'one that fails is asked again at the next request',
  ),
  priority: other(
    'Among a registry and its mirrors lower numbers are asked first.',
    'the same, though its documentation says the reverse',
  ),
  uploadHosts: other(
    'Hosts beyond the domain of the registry, host or host:port, that it may send uploads on to. They get no login.',
    'an unknown key, which is ignored: uploads go wherever the registry sends them',
  ),
  repoAuth: other(
    'Changes nothing: tokens are always kept for each repository.',
    'keeps tokens apart where it is true',
  ),
  api: other('Changes nothing: there is one API.', 'a warning'),
  apiOpts: same('disableHead: true asks with GET where HEAD would be asked; other keys are ignored.'),
  blobChunk: same('Bytes of one piece of an upload in pieces.'),
  blobMax: same('Contents larger than so many bytes are uploaded in pieces at once.'),
  reqPerSec: same('At most so many requests begin in a second; may be a fraction.'),
  reqConcurrent: same('Requests to this registry at a time.'),
  scheme: other('Changes nothing; `tls: disabled` asks for http.', 'a warning'),
};

const OVERRIDABLE: KeyNotes = {
  backup: other(
    'Where the old image of a target goes before it is overwritten: a tag, or a reference. A template of .Ref, .Sync and .Step.',
    'same; when it fails a warning, and the image is overwritten',
  ),
  backupRequired: added('An image whose backup fails is not overwritten.'),
  interval: same(
    'ocl sync server: how often the step runs, such as 60m. A step that has one takes no schedule of the defaults.',
  ),
  schedule: same(
    'ocl sync server: when the step runs, as cron has it: "15 3 * * *", @daily, TZ=Europe/Berlin 0 4 * * *.',
  ),
  ratelimit: other(
    'How many pulls of the source registry are left to others. Pulls are counted for a registry, over all steps.',
    'looked at once an image, which may cost several pulls',
  ),
  digestTags: same('Tags that are named after a digest (sha256-….sig) come along: cosign keeps signatures there.'),
  referrers: same('What refers to an image comes along: signatures, SBOMs, provenance, and what refers to those.'),
  referrerFilters: same('Only referrers that fit one of these. An empty list takes the filters of the defaults away.'),
  referrerSource: same('Another repository in which referrers are looked for. Templates are expanded.'),
  referrerTarget: same('Another repository to which referrers go. Templates are expanded.'),
  referrerSlow: other('Changes nothing: referrers in layouts are always found.', 'without effect'),
  fastCheck: same('An image whose digest is the same at both ends is done; nothing beside or below it is looked at.'),
  fastCopy: other('Read as fastCheck, with a warning.', 'in its documentation only; ignored'),
  forceRecursive: same('All that an image has is looked for at the target, although the digest is the same.'),
  includeExternal: same('Layers that are kept elsewhere (urls) are copied too.'),
  mediaTypes: same('Kinds of manifests that are copied; others are skipped. Docker schema 1 has to be asked for here.'),
  hooks: other('What runs before and after an image.', 'read and never run'),
  prune: added(
    'Tags that this file mirrored, and that are gone from the source or the filter, are taken away from the target.',
  ),
  sparse: added(
    'With `platforms`: keep leaves the index as it is (default); rewrite writes one of the chosen platforms, with another digest.',
  ),
  maxAge: added('For feeds: how old the newest may be, such as 36h or 7d.'),
  onStale: added('For feeds: when it is older, warn (default) or fail.'),
};

const DEFAULTS: KeyNotes = {
  parallel: other('Images at a time; 4 when absent.', '1 when absent, and tags of one repository always one by one'),
  blobLimit: other(
    'Changes nothing: contents flow through, and no piece is held for longer than it is sent.',
    'bounds pieces in memory',
  ),
  cacheCount: other('Changes nothing: a run asks for nothing twice.', 'manifests that are kept in memory'),
  cacheTime: other('Changes nothing: a run asks for nothing twice.', 'how long they are kept'),
  skipDockerConfig: same('The logins and certificates of docker are not used.'),
  userAgent: same('What requests name as their program.'),
};

const STEP: KeyNotes = {
  source: same(
    'What is copied: an image, a repository, or the host of a registry; ocidir://DIR too. Templates are expanded.',
  ),
  target: same('Where it goes, in the same form. Templates are expanded.'),
  targets: added('More targets of the same source, which is read once.'),
  type: other('image, repository, registry, or feed (a database of a scanner).', 'image, repository or registry'),
  feed: added('For feeds: trivy-db, trivy-java-db or trivy-checks, where no source is given.'),
  tags: same('Which tags of a repository are copied; absent: all.'),
  tagSets: same('Several filters of tags; what passes one of them is copied.'),
  repos: same('For type registry: which of its repositories are copied.'),
  platform: same('One platform of an index: the target is that platform’s own manifest.'),
  platforms: other(
    'Only these platforms of an index are copied. Change the list, and the next run copies what is missing.',
    'a changed list is not noticed',
  ),
};

const TAG_FILTER: KeyNotes = {
  allow: same('Regular expressions (RE2) of which one must fit the whole tag.'),
  deny: same('Regular expressions of which none may fit.'),
  semverRange: other(
    'Ranges of versions; a space means and, several entries mean or. Looked at before allow.',
    'takes some prereleases for equal',
  ),
  newest: added('So many of what is left, the newest first.'),
  newestBy: added('What newest goes by: semver (default), or date, when the image was made.'),
  since: added('Images made since then: a date, a time, or how long ago, such as 90d.'),
};

/** Sections by the names under which `schema.ts` has their shapes. */
export const KEYS = {
  file: FILE,
  creds: HOST,
  defaults: { ...OVERRIDABLE, ...DEFAULTS },
  step: { ...STEP, ...OVERRIDABLE },
  tags: TAG_FILTER,
  repos: {
    allow: same('Regular expressions of which one must fit the whole name.'),
    deny: same('Regular expressions of which none may fit.'),
  },
  ratelimit: {
    min: other(
      'Pulls that are left to others: a copy that would go below waits. 0: it waits only when none are left.',
      'waits while fewer are left, and then goes below; 0 never waits',
    ),
    retry: other(
      'How long to wait where the registry does not say until when; 5m at least.',
      'always waits so long, 5m at least',
    ),
  },
  referrerFilters: {
    artifactType: same('The kind of artifact, exactly.'),
    annotations: same('Annotations that it must have; an empty value asks only for the key.'),
  },
  hooks: {
    pre: other('Before an image is copied; when it fails, the image is not copied.', 'never run'),
    post: other('After an image was copied.', 'never run'),
    unchanged: other('When there was nothing to copy.', 'never run'),
    failed: added('When an image could not be copied.'),
  },
  hook: {
    type: other('exec runs a program without a shell; webhook posts to a URL. Both get JSON.', 'never run'),
    params: other('exec: the program and its arguments; webhook: the URL.', 'never run'),
    timeout: added('When it has not ended by then, it has failed; 1m when absent.'),
    env: added('Names and values that the program finds in its environment, beside OCL_….'),
  },
  prune: {
    keep: added('So many of the gone stay, the newest first.'),
    grace: added('How long a tag stays after it was first found gone, such as 7d.'),
  },
} as const satisfies Readonly<Record<string, KeyNotes>>;

/** Where the keys of a section stand in a file. */
const SECTION_PLACES: Readonly<Record<keyof typeof KEYS, string>> = {
  file: '',
  creds: 'creds[]',
  defaults: 'defaults',
  step: 'sync[]',
  tags: 'tags, tagSets[]',
  repos: 'repos',
  ratelimit: 'ratelimit',
  referrerFilters: 'referrerFilters[]',
  hooks: 'hooks',
  hook: 'hooks.pre, …',
  prune: 'prune',
};

/** The table of `docs/regsync-compatibility.md`, a part for each section; what steps and defaults share stands with the steps. */
export function keyTable(): string {
  return Object.entries(KEYS)
    .map(([name, notes]) => {
      const section = name as keyof typeof KEYS;
      const rows = Object.entries(notes as KeyNotes)
        .filter(([key]) => section !== 'defaults' || Object.hasOwn(DEFAULTS, key))
        .map(([key, { does, regsync }]) => `| ${keyCell(section, key)} | ${cell(does)} | ${cell(regsync)} |`);
      const place = SECTION_PLACES[section];
      return [
        place === '' ? '### The top of the file' : `### \`${place}\``,
        '',
        '| key | `ocl` | regsync |',
        '| --- | --- | --- |',
        ...rows,
      ].join('\n');
    })
    .join('\n\n');
}

function keyCell(section: keyof typeof KEYS, key: string): string {
  return section === 'step' && Object.hasOwn(OVERRIDABLE, key) ? `\`${key}\` (D)` : `\`${key}\``;
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}
