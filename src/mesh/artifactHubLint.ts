import { parseYaml, YamlError, YamlScalar, type YamlDocument, type YamlPath } from '../io/yaml.ts';
import { CATEGORIES, CHANGE_KINDS, isPackageVersion, isTime } from './artifactHub.ts';
import { BOOLEANS, isMap, PACKAGE, REPOSITORY, type Shape } from './artifactHubShapes.ts';
import { type MeshFinding } from './finding.ts';
import { levelOf, type RuleId } from './rules.ts';

const REQUIRED = ['version', 'name', 'displayName', 'createdAt', 'description'] as const;

/**
 * What Artifact Hub would say of an `artifacthub-pkg.yml`. @param file names the text in what is found
 * @throws OCL_LIMIT for a text beyond the bounds
 */
export function lintPackageFile(text: string, file: string): readonly MeshFinding[] {
  const lint = new Lint(text, file);
  const top = lint.check(PACKAGE);
  if (top === undefined) return lint.found;
  for (const key of REQUIRED)
    if (lint.text([key]) === '')
      lint.add(
        'artifacthub-required',
        [key],
        `${key} is missing`,
        `add ${key}: …; Artifact Hub refuses the package without it`,
      );
  lint.value(['version'], isPackageVersion, 'is no semantic version', 'write it as 1.2.3');
  lint.value(['createdAt'], isTime, 'is not a time as RFC 3339 writes it', 'write it as 2025-01-31T12:00:00Z');
  const categories: readonly string[] = CATEGORIES;
  lint.value(['category'], (it) => categories.includes(it), 'is no category', `use one of ${CATEGORIES.join(', ')}`);
  const [name, other] = [lint.text(['name']), lint.text(['alternativeName'])];
  lint.value(
    ['alternativeName'],
    () => name.includes(other) || other.includes(name),
    `is neither a part of ${JSON.stringify(name)} nor holds it`,
    'shorten or lengthen the name, or leave alternativeName out',
  );
  for (const [index] of lint.list(['maintainers']))
    if (lint.text(['maintainers', index, 'email']) === '')
      lint.add(
        'artifacthub-required',
        ['maintainers', index],
        'a maintainer has no email',
        'add email: …, or take the maintainer away',
      );
  for (const [index, change] of lint.list(['changes'])) checkChange(lint, ['changes', index], change);
  for (const [index] of lint.list(['containersImages']))
    if (!/^\S+$/.test(lint.text(['containersImages', index, 'image'])))
      lint.add(
        'artifacthub-value',
        ['containersImages', index],
        'a container image has no reference',
        'add image: HOST/NAME:TAG',
      );
  if (name !== '' && !/^[A-Za-z0-9-]+$/.test(name))
    lint.add(
      'artifacthub-name',
      ['name'],
      `the name ${JSON.stringify(name)} has other characters than letters, digits and dashes`,
      'use dashes alone',
    );
  return lint.found;
}

/** What Artifact Hub would say of an `artifacthub-repo.yml`. */
export function lintRepositoryFile(text: string, file: string): readonly MeshFinding[] {
  const lint = new Lint(text, file);
  if (lint.check(REPOSITORY) === undefined) return lint.found;
  lint.value(
    ['repositoryID'],
    (it) => UUID.test(it),
    'is no UUID',
    'copy it from the repository card in the control panel of Artifact Hub',
  );
  for (const [index] of lint.list(['ignore']))
    if (lint.text(['ignore', index, 'name']) === '')
      lint.add(
        'artifacthub-required',
        ['ignore', index],
        'an entry of ignore has no name',
        'add name: …, the exact name of the package',
      );
  return lint.found;
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

function checkChange(lint: Lint, path: YamlPath, change: unknown): void {
  if (!isMap(change)) return;
  const kinds: readonly string[] = CHANGE_KINDS;
  lint.value(
    [...path, 'kind'],
    (it) => kinds.includes(it.toLowerCase()),
    'is no kind of change',
    `use one of ${CHANGE_KINDS.join(', ')}`,
  );
  if (lint.text([...path, 'description']) === '')
    lint.add('artifacthub-required', path, 'a change has no description', 'add description: …');
  for (const [index] of lint.list([...path, 'links']))
    for (const key of ['name', 'url'])
      if (lint.text([...path, 'links', index, key]) === '')
        lint.add(
          'artifacthub-required',
          [...path, 'links', index],
          `a link of a change has no ${key}`,
          `add ${key}: …`,
        );
}

class Lint {
  readonly found: MeshFinding[] = [];
  readonly #file: string;
  readonly #document: YamlDocument | undefined;

  constructor(text: string, file: string) {
    this.#file = file;
    try {
      this.#document = parseYaml(text, file, { scalars: 'source' });
    } catch (error) {
      if (!(error instanceof YamlError)) throw error;
      this.#push('text-unreadable', error.at, `this is no YAML: ${error.why}`, 'mend it there');
    }
    for (const { line, column, message, about } of this.#document?.warnings ?? [])
      if (about === 'duplicate-key')
        this.#push(
          'artifacthub-duplicate-key',
          { line, column },
          message,
          'take one of them away: Artifact Hub refuses both',
        );
  }

  /** The top map, when the file has one. */
  check(shape: Readonly<Record<string, Shape>>): object | undefined {
    if (this.#document === undefined) return undefined;
    const { value } = this.#document;
    if (!isMap(value)) {
      this.add('artifacthub-type', [], 'the file holds no map', 'write KEY: VALUE, one a line');
      return undefined;
    }
    this.#map(value, shape, []);
    return value;
  }

  /** The text at the path; empty when there is none. */
  text(path: YamlPath): string {
    const value = this.#get(path);
    if (value instanceof YamlScalar) return value.text;
    return typeof value === 'string' ? value : '';
  }

  list(path: YamlPath): readonly (readonly [number, unknown])[] {
    const value = this.#get(path);
    return Array.isArray(value) ? [...value.entries()] : [];
  }

  /** Says so when a text that is there is not what is allowed. */
  value(path: YamlPath, allowed: (text: string) => boolean, why: string, fix: string): void {
    const text = this.text(path);
    if (text === '' || allowed(text)) return;
    this.add('artifacthub-value', path, `${String(path.at(-1))}: ${JSON.stringify(text)} ${why}`, fix);
  }

  add(rule: RuleId, path: YamlPath, message: string, fix: string): void {
    this.#push(rule, this.#document?.at(path) ?? { line: 1, column: 1 }, message, fix);
  }

  #push(rule: RuleId, at: { readonly line: number; readonly column: number }, message: string, fix: string): void {
    this.found.push({ rule, level: levelOf(rule), file: this.#file, ...at, message, fix });
  }

  #get(path: YamlPath): unknown {
    let here = this.#document?.value;
    for (const step of path) {
      if (typeof here !== 'object' || here === null || here instanceof YamlScalar) return undefined;
      here = (here as Record<string | number, unknown>)[step];
    }
    return here;
  }

  #map(value: object, shape: Readonly<Record<string, Shape>>, path: YamlPath): void {
    for (const [key, member] of Object.entries(value)) {
      const at = [...path, key];
      const expected = Object.hasOwn(shape, key) ? shape[key] : undefined;
      if (expected === undefined)
        this.add(
          'artifacthub-key',
          at,
          `Artifact Hub knows no ${at.join('.')}`,
          `take it away${nearest(key, Object.keys(shape))}`,
        );
      else this.#shape(member, expected, at);
    }
  }

  #shape(value: unknown, shape: Shape, path: YamlPath): void {
    if (value === null || value === undefined) return;
    const wrong = (expected: string): void =>
      this.add('artifacthub-type', path, `${path.join('.')} must be ${expected}`, `write ${expected}`);
    if (shape === 'text') {
      if (!isScalar(value)) wrong('a text');
    } else if (shape === 'flag') {
      if (!(value instanceof YamlScalar) || !BOOLEANS.test(value.text)) wrong('true or false, without quotes');
    } else if ('list' in shape) {
      if (!Array.isArray(value)) wrong('a list');
      else for (const [index, item] of value.entries()) this.#shape(item, shape.list, [...path, index]);
    } else if ('texts' in shape) {
      if (!isMap(value)) wrong('a map of texts');
      else for (const [key, text] of Object.entries(value)) this.#shape(text, 'text', [...path, key]);
    } else if ('either' in shape) {
      if (isMap(value)) this.#map(value, shape.either, path);
      else if (!isScalar(value)) wrong('a text or a map');
    } else if (!isMap(value)) wrong('a map');
    else this.#map(value, shape.map, path);
  }
}

function isScalar(value: unknown): boolean {
  return value instanceof YamlScalar || typeof value !== 'object';
}

/** `, or write NAME`, where a known key differs in case or separators alone. */
function nearest(key: string, known: readonly string[]): string {
  const bare = (text: string): string => text.toLowerCase().replaceAll(/[^a-z]/g, '');
  const near = known.find(
    (each) => bare(each) === bare(key) || `${bare(each)}s` === bare(key) || bare(each) === `${bare(key)}s`,
  );
  return near === undefined ? '' : `, or write ${near}`;
}
