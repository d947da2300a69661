import { type Descriptor } from '../../core/descriptor.ts';
import { type JsonObject, isObject } from '../../core/json.ts';
import { type ManifestDocument } from '../../core/manifest.ts';
import { isImageConfigType, MEDIA, normalMediaType } from '../../core/mediaTypes.ts';
import { type ArtifactType, type Condition, type Rule } from './schema.ts';

/** What is known of a thing. */
export interface Facts {
  readonly descriptor: Descriptor;
  readonly document: ManifestDocument | undefined;
  /** The content of its config, where that was read. */
  readonly config?: JsonObject | undefined;
  readonly tag?: string | undefined;
  readonly repository?: string | undefined;
}

/** One thing that a type was told by. */
export interface Clue {
  readonly by: keyof Condition | 'child' | 'nothing';
  /** Which annotation, label or platform; undefined where `by` says it all. */
  readonly name?: string | undefined;
  readonly value: string;
}

/** The order of evidence: what its maker says outright counts more than what looks like it. */
const STAGES: Readonly<Record<keyof Condition, number>> = {
  artifactType: 0,
  config: 1,
  layers: 2,
  entries: 2,
  annotations: 3,
  layerAnnotations: 3,
  labels: 4,
  os: 4,
  history: 4,
  configHas: 4,
  tag: 5,
  repository: 5,
  mediaType: 6,
};
/** Nothing but what it looks like. */
export const WEAK_STAGE = 6;
/** From here on the config's content counts, which has to be read. */
export const DEEP_STAGE = 4;
const NAMES = Object.keys(STAGES) as readonly (keyof Condition)[];

/** Types that say little: an image config also stands under things that are no images. */
const UNKNOWN_CONFIG = 'application/vnd.unknown.config.v1+json';
const UNKNOWN_ARTIFACT = 'application/vnd.unknown.artifact.v1';

interface Ranked {
  readonly type: ArtifactType;
  readonly rule: Rule;
  readonly stage: number;
  readonly conditions: readonly (keyof Condition)[];
}

export interface Match {
  readonly type: ArtifactType;
  readonly clues: readonly Clue[];
  readonly stage: number;
}

/** Rules in the order in which they are tried. Of equals the later type wins, so that those of users go before those that are built in. */
export function rankRules(types: readonly ArtifactType[]): readonly Ranked[] {
  const ranked = types.toReversed().flatMap((type) =>
    type.match.map((rule): Ranked => {
      const stageOf = (name: keyof Condition): number => (isWeak(name, rule) ? WEAK_STAGE : STAGES[name]);
      const conditions = NAMES.filter((name) => rule[name] !== undefined).toSorted((a, b) => stageOf(a) - stageOf(b));
      const stage = Math.min(...conditions.map(stageOf));
      return { type, rule: { ...rule, ...normalTypes(rule) }, stage, conditions };
    }),
  );
  return ranked.toSorted(
    (a, b) =>
      a.stage - b.stage || (b.rule.priority ?? 0) - (a.rule.priority ?? 0) || b.conditions.length - a.conditions.length,
  );
}

/** Media types differ neither in case nor by their parameters. */
function normalTypes(rule: Condition): Condition {
  return Object.fromEntries(MEDIA_TYPES.map((name) => [name, rule[name]?.map(normalMediaType)]));
}

const MEDIA_TYPES = ['artifactType', 'config', 'layers', 'entries', 'mediaType'] as const;

function isWeak(name: keyof Condition, rule: Rule): boolean {
  if (name === 'config') return rule.config?.every((type) => isWeakConfig(type)) === true;
  if (name === 'layers') return rule.layers?.every((type) => normalMediaType(type) === MEDIA.ociEmpty) === true;
  return name === 'artifactType' && rule.artifactType?.every(isWeakArtifactType) === true;
}

function isWeakConfig(mediaType: string): boolean {
  const type = normalMediaType(mediaType);
  return isImageConfigType(type) || type === MEDIA.ociEmpty || type === UNKNOWN_CONFIG;
}

/** Some tools put the type of a layer here. */
function isWeakArtifactType(text: string): boolean {
  const type = normalMediaType(text);
  return type === UNKNOWN_ARTIFACT || type === MEDIA.ociEmpty || type.startsWith(MEDIA.ociLayer);
}

export function firstMatch(rules: readonly Ranked[], facts: Facts): Match | undefined {
  for (const { type, rule, stage, conditions } of rules) {
    const clues = cluesOf(rule, conditions, facts);
    if (clues !== undefined) return { type, clues, stage };
  }
  return undefined;
}

export function holds(given: Condition, facts: Facts): boolean {
  const condition = { ...given, ...normalTypes(given) };
  return (
    cluesOf(
      condition,
      NAMES.filter((name) => condition[name] !== undefined),
      facts,
    ) !== undefined
  );
}

/** What meets each of the conditions, in the order of evidence; undefined when one is not met. */
function cluesOf(rule: Condition, conditions: readonly (keyof Condition)[], facts: Facts): readonly Clue[] | undefined {
  const clues: Clue[] = [];
  for (const name of conditions) {
    const clue = CHECKS[name](rule, facts);
    if (clue === undefined) return undefined;
    clues.push({ by: name, ...clue });
  }
  return clues;
}

type Found = { readonly name?: string; readonly value: string } | undefined;
type Check = (rule: Condition, facts: Facts) => Found;

const CHECKS: Readonly<Record<keyof Condition, Check>> = {
  artifactType: ({ artifactType }, { descriptor, document }) =>
    ofMediaType(artifactType, [document === undefined ? descriptor.artifactType : document.artifactType]),
  config: ({ config }, { document }) =>
    // With an artifactType, an image config is there for registries that want one.
    document?.kind !== 'manifest' ? undefined : ofMediaType(config, [document.config?.mediaType]),
  layers: ({ layers }, { document }) =>
    document?.kind !== 'manifest'
      ? undefined
      : ofMediaType(
          layers,
          document.layers.map((layer) => layer.mediaType),
        ),
  entries: ({ entries }, { document }) =>
    document?.kind !== 'index'
      ? undefined
      : ofMediaType(
          entries,
          document.manifests.map((entry) => entry.mediaType),
        ),
  annotations: ({ annotations }, { descriptor, document }) =>
    pairs(annotations, [document?.annotations, descriptor.annotations]),
  layerAnnotations: ({ layerAnnotations }, { document }) => {
    if (document?.kind !== 'manifest') return undefined;
    for (const layer of document.layers) {
      const found = pairs(layerAnnotations, [layer.annotations]);
      if (found !== undefined) return found;
    }
    return undefined;
  },
  labels: ({ labels }, { config }) => pairs(labels, [labelsOf(config)]),
  os: ({ os }, { descriptor, config }) => anyText([os], [config?.['os'], descriptor.platform?.os]),
  history: ({ history }, { config }) =>
    anyText([history], Array.isArray(config?.['history']) ? config['history'].map(createdBy) : []),
  configHas: ({ configHas }, { config }) =>
    configHas?.every((name) => config !== undefined && Object.hasOwn(config, name)) === true
      ? { value: configHas.join(', ') }
      : undefined,
  tag: ({ tag }, facts) => anyText(tag, [facts.tag]),
  repository: ({ repository }, facts) => anyText(repository, [facts.repository]),
  mediaType: (rule, { descriptor, document }) =>
    ofMediaType(rule.mediaType, [document?.mediaType ?? descriptor.mediaType]),
};

function labelsOf(config: JsonObject | undefined): Readonly<Record<string, unknown>> | undefined {
  const run = config?.['config'];
  const labels = isObject(run) ? run['Labels'] : undefined;
  return isObject(labels) ? labels : undefined;
}

function createdBy(entry: unknown): unknown {
  return isObject(entry) ? entry['created_by'] : undefined;
}

/** The value is told as it stands there. */
function ofMediaType(patterns: readonly string[] | undefined, values: readonly (string | undefined)[]): Found {
  return anyText(patterns, values, normalMediaType);
}

function anyText(
  patterns: readonly (string | undefined)[] | undefined,
  values: readonly unknown[],
  normal: (value: string) => string = (value) => value,
): Found {
  if (patterns === undefined) return undefined;
  for (const value of values) {
    if (typeof value !== 'string') continue;
    const text = normal(value);
    if (patterns.some((pattern) => pattern !== undefined && matchesPattern(pattern, text))) return { value };
  }
  return undefined;
}

function pairs(
  wanted: Readonly<Record<string, string>> | undefined,
  maps: readonly (Readonly<Record<string, unknown>> | undefined)[],
): Found {
  let first: Found;
  for (const [key, pattern] of Object.entries(wanted ?? {})) {
    const found = pair(key, pattern, maps);
    if (found === undefined) return undefined;
    first ??= found;
  }
  return first;
}

function pair(key: string, pattern: string, maps: readonly (Readonly<Record<string, unknown>> | undefined)[]): Found {
  for (const map of maps) {
    if (map === undefined) continue;
    const names = /[*?]/.test(key) ? Object.keys(map).filter((name) => matchesPattern(key, name)) : [key];
    for (const name of names) {
      const value = Object.hasOwn(map, name) ? map[name] : undefined;
      if (typeof value === 'string' && matchesPattern(pattern, value)) return { name, value };
    }
  }
  return undefined;
}

/** `*` is any text, `?` one character. Takes time in the length of the text alone for each piece between two stars. */
export function matchesPattern(pattern: string, value: string): boolean {
  if (pattern === value) return true;
  if (!/[*?]/.test(pattern)) return false;
  const pieces = pattern.split('*');
  const head = pieces.shift() ?? '';
  if (!fits(head, value, 0)) return false;
  const tail = pieces.pop();
  if (tail === undefined) return value.length === head.length;
  let at = head.length;
  const end = value.length - tail.length;
  for (const piece of pieces) {
    if (!piece.includes('?')) at = value.indexOf(piece, at);
    else while (at + piece.length <= end && !fits(piece, value, at)) at++;
    if (at < 0 || at + piece.length > end) return false;
    at += piece.length;
  }
  return at <= end && fits(tail, value, end);
}

function fits(piece: string, value: string, at: number): boolean {
  if (at + piece.length > value.length) return false;
  if (!piece.includes('?')) return value.startsWith(piece, at);
  for (let i = 0; i < piece.length; i++) if (piece[i] !== '?' && piece[i] !== value[at + i]) return false;
  return true;
}
