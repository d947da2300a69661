/** Actions that change something; none is asked for that the request does not need (spec oci.md 8.3, rule 3). */
const WRITES: ReadonlySet<string> = new Set(['push', 'delete', '*']);
/** Scopes of one challenge that are looked at: a token grows with each, and so does the header that carries it. */
const MAX_CHALLENGED = 4;
const SCOPE = /^[\x21-\x7e]{1,400}$/;

interface Scope {
  /** `repository:app` */
  readonly resource: string;
  readonly actions: readonly string[];
}

/**
 * The scopes to ask a token for: what the request needs, in the words of the registry. Where its challenge names the same repository, its
 * actions are added to ours; where it names only others, as behind a proxy or a path of GitLab, those are asked for instead. Never is more
 * written or deleted by that than the request itself would.
 * @param own what the request needs (`repository:app:pull`)
 * @param challenged the scopes of its challenge
 */
export function wantedScopes(own: readonly string[], challenged: readonly string[]): readonly string[] {
  const mine = own.map(read);
  const needed = new Set(mine.flatMap(({ actions }) => actions));
  const theirs = challenged
    .filter((scope) => SCOPE.test(scope))
    .slice(0, MAX_CHALLENGED)
    .map(read)
    .map(({ resource, actions }) => ({
      resource,
      actions: actions.filter((action) => action !== '' && (needed.has(action) || !WRITES.has(action))),
    }))
    .filter(({ resource, actions }) => resource !== '' && actions.length > 0);
  const shared = theirs.some(({ resource }) => mine.some((scope) => scope.resource === resource));
  const all = theirs.length > 0 && !shared ? theirs : [...mine, ...theirs];
  const merged = new Map<string, Set<string>>();
  for (const { resource, actions } of all) {
    const known = merged.get(resource) ?? new Set();
    for (const action of actions) known.add(action);
    merged.set(resource, known);
  }
  return [...merged].map(([resource, actions]) => `${resource}:${[...actions].join(',')}`);
}

/** A name may hold a colon, as `host:port/app` does; actions do not. */
function read(scope: string): Scope {
  const at = scope.lastIndexOf(':');
  return { resource: scope.slice(0, Math.max(at, 0)), actions: scope.slice(at + 1).split(',') };
}
