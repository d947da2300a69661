import { resolve } from 'node:path';
import { OclError } from '../core/errors.ts';
import {
  formatReference,
  isRegistryHost,
  isRepository,
  isTag,
  parseReference,
  type Reference,
  type RegistryReference,
} from '../core/reference.ts';
import { type SyncStep } from './settings.ts';

/** One end of a repository step: everything but the tag. */
export type RepositoryReference = Reference & { readonly tag?: undefined; readonly digest?: undefined };

/** `sync.yaml:12`, for messages. */
export function stepName(step: SyncStep): string {
  return `${step.place.file}:${step.place.line}`;
}

/** @throws OCL_CONFIG_INVALID when it is missing */
export function sourceOf(step: SyncStep): string {
  return given(step, step.source, 'source');
}

/** @throws OCL_CONFIG_INVALID when there is none */
export function targetsOf(step: SyncStep): readonly string[] {
  return step.targets.map((target) => given(step, target, 'target'));
}

function given(step: SyncStep, end: string, name: string): string {
  const text = end.trim();
  if (text === '')
    throw new OclError('OCL_CONFIG_INVALID', `Cannot run the step at ${stepName(step)}: it has no ${name}`);
  return text;
}

/** An image as source or target of a step: without tag and digest it is `latest`, or the only one of an archive. @throws OCL_REFERENCE_INVALID */
export function imageReference(text: string): Reference {
  const reference = asLayout(parseReference(text));
  if (reference.tag !== undefined && reference.kind === 'layout' && !isTag(reference.tag)) {
    throw new OclError(
      'OCL_REFERENCE_INVALID',
      `Cannot read the reference ${JSON.stringify(text)}: ${JSON.stringify(reference.tag)} is no tag`,
    );
  }
  const named = reference.tag !== undefined || reference.digest !== undefined;
  return named || reference.kind.endsWith('archive') ? reference : { ...reference, tag: 'latest' };
}

/** A repository as source or target of a step. @throws OCL_REFERENCE_INVALID, also when it names one image of the repository */
export function repositoryReference(text: string): RepositoryReference {
  const reference = asLayout(parseReference(text));
  const { tag, digest } = reference;
  if (tag !== undefined || digest !== undefined) {
    throw new OclError(
      'OCL_REFERENCE_INVALID',
      `Cannot use ${JSON.stringify(text)} as a repository: it names ${digest === undefined ? `the tag ${tag}` : 'a digest'}`,
      {
        hint: 'use type: image, or take the tag away and list it under tags.allow',
      },
    );
  }
  return { ...reference, tag: undefined, digest: undefined };
}

/** The source of a registry step: a bare host. Undefined: it is a place on disk. @throws OCL_REFERENCE_INVALID */
export function registryHost(text: string): string | undefined {
  const host = text.replace(/^docker:\/\//, '').replace(/\/+$/, '');
  if (isRegistryHost(host)) return isDockerHub(host) ? 'docker.io' : host;
  const reference = parseReference(text);
  if (reference.kind !== 'registry') return undefined;
  throw new OclError(
    'OCL_REFERENCE_INVALID',
    `Cannot use ${JSON.stringify(text)} as a registry: it is more than a host`,
    { hint: 'use type: repository, or give the host alone' },
  );
}

function isDockerHub(host: string): boolean {
  return host === 'index.docker.io' || host === 'registry-1.docker.io';
}

export function sourceRepository(host: string, repository: string): RepositoryReference & RegistryReference {
  return { kind: 'registry', registry: host, repository: checked(repository) };
}

/** `host/prefix` or `ocidir://mirror` and a repository below it. @throws OCL_REFERENCE_INVALID for a name that could lead elsewhere */
export function repositoryBelow(base: string, repository: string): RepositoryReference {
  return repositoryReference(`${base.replace(/\/+$/, '')}/${checked(repository)}`);
}

function checked(repository: string): string {
  if (isRepository(repository)) return repository;
  throw new OclError(
    'OCL_REFERENCE_INVALID',
    `Cannot copy the repository ${JSON.stringify(repository)}: the catalog names it, but it is no valid name`,
  );
}

/** What a path turns out to be is for other commands; a sync keeps layouts. */
function asLayout(reference: Reference): Reference {
  return reference.kind === 'path' ? { ...reference, kind: 'layout' } : reference;
}

/** The repository of a reference, as a key. Different spellings of one directory are one key. */
export function repositoryKey(reference: Reference): string {
  if (reference.kind === 'registry') return `${reference.registry}/${reference.repository}`;
  return `${reference.kind}:${resolve(reference.path)}`;
}

/** A target as a key. */
export function imageKey(reference: Reference): string {
  return `${repositoryKey(reference)}|${reference.tag ?? reference.digest ?? 'latest'}`;
}

export function withTag(repository: RepositoryReference, tag: string): Reference {
  return { ...repository, tag };
}

export function bareRepository(reference: Reference): RepositoryReference {
  return { ...reference, tag: undefined, digest: undefined };
}

/** @throws OCL_UNSUPPORTED for targets that are written as a whole, such as archives */
export function checkTarget(reference: Reference): void {
  if (reference.kind === 'registry' || reference.kind === 'layout') return;
  throw new OclError(
    'OCL_UNSUPPORTED',
    `Cannot sync to ${formatReference(reference)}: an archive is written as a whole`,
    { hint: 'sync to ocidir://DIR, then ocl export' },
  );
}

/**
 * Steps in groups that run one after another: a step that reads what an earlier one writes comes in a later group.
 * Steps of one group know nothing of each other and run side by side.
 */
export function inWaves(steps: readonly SyncStep[]): readonly (readonly SyncStep[])[] {
  const waves: SyncStep[][] = [];
  const targets = new Set<string>();
  const aboveTargets = new Set<string>();
  for (const step of steps) {
    const source = looseKey(step, step.source);
    const readsTarget = aboveTargets.has(source) || withAncestors(source).some((key) => targets.has(key));
    if (waves.length === 0 || readsTarget) {
      waves.push([]);
      targets.clear();
      aboveTargets.clear();
    }
    waves.at(-1)?.push(step);
    for (const target of step.targets.map((text) => looseKey(step, text))) {
      targets.add(target);
      for (const key of withAncestors(target)) aboveTargets.add(key);
    }
  }
  return waves;
}

/** Whether a step reads what one of these writes: a repository that is a target of theirs, or lies below one. */
export function readsTargetOf(step: SyncStep, others: readonly SyncStep[]): boolean {
  const sources = withAncestors(looseKey(step, step.source));
  return others.some((other) =>
    sources.some(
      (source, i) =>
        (i === 0 || other.type === 'registry') && other.targets.some((text) => looseKey(other, text) === source),
    ),
  );
}

/** Whether a step may write to a repository, given as a key. A step of type registry writes to all below its targets. */
export function covers(step: SyncStep, key: string): boolean {
  return step.targets.some((text) => {
    const base = looseKey(step, text);
    return key === base || (step.type === 'registry' && key.startsWith(`${base}/`));
  });
}

/** The repository of one end, or the text itself where it cannot be read: the step will say so when it runs. */
function looseKey(step: SyncStep, end: string): string {
  const text = end.replace(/\/+$/, '');
  if (step.type === 'registry' && isRegistryHost(text)) return text;
  try {
    return repositoryKey(asLayout(parseReference(text)));
  } catch {
    return text;
  }
}

/** `a/b/c`, `a/b`, `a` */
function withAncestors(key: string): readonly string[] {
  const keys = [key];
  for (let slash = key.lastIndexOf('/'); slash > 0; slash = key.lastIndexOf('/', slash - 1))
    keys.push(key.slice(0, slash));
  return keys;
}
