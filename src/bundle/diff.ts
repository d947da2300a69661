import { type Digest } from '../core/digest.ts';
import { type Tags } from './collection.ts';

/** What one side of a comparison is known to have. */
export interface DiffSide {
  readonly name: string;
  readonly tags: Tags;
  /** Bytes of every blob; undefined where they are not known. */
  readonly sizes: ReadonlyMap<Digest, number> | undefined;
  /** Whether a blob is there; undefined where only names are known. */
  readonly has: ((digest: Digest) => boolean) | undefined;
}

export interface TagChange {
  /** `REPOSITORY:TAG`; the tag alone where no repository is known. */
  readonly name: string;
  readonly from: Digest | undefined;
  readonly to: Digest | undefined;
}

export interface DiffReport {
  readonly from: string;
  readonly to: string;
  /** In the other side alone. All lists by name. */
  readonly added: readonly TagChange[];
  /** The same name, another content. */
  readonly moved: readonly TagChange[];
  readonly removed: readonly TagChange[];
  readonly same: number;
  /** What would have to flow, so that the first has what the second has; undefined where a side does not tell. */
  readonly flow: { readonly blobs: number; readonly bytes: number } | undefined;
}

/** What has to happen to the first so that it is like the second. */
export function diffSides(from: DiffSide, to: DiffSide): DiffReport {
  const [before, after] = [byName(from, to), byName(to, from)];
  const changes: TagChange[] = [...new Set([...before.keys(), ...after.keys()])]
    .toSorted()
    .map((name) => ({ name, from: before.get(name), to: after.get(name) }));
  return {
    from: from.name,
    to: to.name,
    added: changes.filter((change) => change.from === undefined),
    moved: changes.filter(
      (change) => change.from !== undefined && change.to !== undefined && change.from !== change.to,
    ),
    removed: changes.filter((change) => change.to === undefined),
    same: changes.filter((change) => change.from === change.to).length,
    flow: flowOf(from, to),
  };
}

function flowOf({ has }: DiffSide, { sizes }: DiffSide): DiffReport['flow'] {
  if (has === undefined || sizes === undefined) return undefined;
  const missing = [...sizes].filter(([digest]) => !has(digest));
  return { blobs: missing.length, bytes: missing.reduce((sum, [, size]) => sum + size, 0) };
}

function byName(side: DiffSide, other: DiffSide): ReadonlyMap<string, Digest> {
  const found = new Map<string, Digest>();
  for (const [repository, tags] of withoutHosts(side.tags)) {
    const name = repository === '' ? onlyRepository(other.tags) : repository;
    for (const [tag, digest] of tags) found.set(name === '' ? tag : `${name}:${tag}`, digest);
  }
  return found;
}

/** A layout whose entries say no repository is held against the one that the other side has. */
function onlyRepository(tags: Tags): string {
  const [only = '', ...others] = withoutHosts(tags).keys();
  return others.length === 0 ? only : '';
}

/** `library/alpine` for `docker.io/library/alpine`, which is how a mirror calls it, unless two registries have the same path. */
function withoutHosts(tags: Tags): Tags {
  const shortened = new Map<string, string[]>();
  for (const repository of tags.keys()) {
    const path = pathOf(repository);
    shortened.set(path, [...(shortened.get(path) ?? []), repository]);
  }
  return new Map(
    [...tags].map(([repository, named]) => {
      const path = pathOf(repository);
      return [(shortened.get(path)?.length ?? 0) > 1 ? repository : path, named];
    }),
  );
}

function pathOf(repository: string): string {
  const [host = '', ...rest] = repository.split('/');
  return rest.length > 0 && (/[.:]/.test(host) || host === 'localhost') ? rest.join('/') : repository;
}
