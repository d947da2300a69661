import { OclError } from '../core/errors.ts';
import { isObject } from '../core/json.ts';
import { fullName } from '../core/names.ts';
import { isRepository, isTag, parseImageName } from '../core/reference.ts';
import { parseYaml, YamlScalar } from '../io/yaml.ts';

/** How images are to be called in their target, where that is not what they are called anyway. */
export interface Renaming {
  /** New names by old ones: by full name, or by repository, whose tags stay. */
  readonly map: ReadonlyMap<string, string>;
  /** Applied to full names, one after the other, where the map has nothing. */
  readonly rewrites: readonly ((name: string) => string)[];
}

/** A place in the target: a repository, and a tag where the new name has one. */
export interface Renamed {
  readonly repository: string;
  readonly tag: string | undefined;
}

/**
 * A file with a new name for each old one, as YAML or JSON: `docker.io/library/alpine:3.20: base/alpine:3.20`, or without tags.
 * @throws OCL_CONFIG_INVALID, OCL_LIMIT
 */
export function parseNameMap(text: string, file: string): ReadonlyMap<string, string> {
  const document = parseYaml(text, file);
  const value = document.value ?? {};
  const invalid = (key: string | undefined, why: string): OclError => {
    const { line, column } = document.at(key === undefined ? [] : [key]);
    return new OclError('OCL_CONFIG_INVALID', `Cannot read ${file}:${line}:${column}: ${why}`, {
      hint: 'one line for each image, like  docker.io/library/alpine:3.20: base/alpine:3.20',
    });
  };
  if (!isObject(value) || value instanceof YamlScalar) throw invalid(undefined, 'it maps no names');
  const map = new Map<string, string>();
  for (const [key, name] of Object.entries(value)) {
    if (typeof name !== 'string' || name === '') throw invalid(key, 'the new name must be a text');
    if (parseImageName(key) === undefined) throw invalid(key, `${JSON.stringify(key)} is no image name`);
    const old = fullName(key);
    if (map.has(old)) throw invalid(key, `${old} stands there twice`);
    map.set(old, name);
  }
  return map;
}

/** The new name of an image; undefined: it keeps its own. @param name `docker.io/library/alpine:3.20` */
export function rename(name: string, { map, rewrites }: Renaming): string | undefined {
  const exact = map.get(name);
  if (exact !== undefined) return exact;
  const suffix = /(?::[^/:@]+)?(?:@.+)?$/.exec(name)?.[0] ?? '';
  const repository = map.get(name.slice(0, name.length - suffix.length));
  if (repository !== undefined) return `${repository}${suffix}`;
  const rewritten = rewrites.reduce((text, rewrite) => rewrite(text), name);
  return rewritten === name ? undefined : rewritten;
}

/** A new name in its parts. @throws OCL_REFERENCE_INVALID */
export function placeOf(image: string, name: string): Renamed {
  const [path = ''] = name.split('@');
  const colon = path.lastIndexOf(':');
  const repository = colon < 0 ? path : path.slice(0, colon);
  const tag = colon < 0 ? undefined : path.slice(colon + 1);
  if (isRepository(repository) && (tag === undefined || isTag(tag))) return { repository, tag };
  throw new OclError(
    'OCL_REFERENCE_INVALID',
    `Cannot import ${image} as ${JSON.stringify(name)}: it is no REPOSITORY[:TAG]`,
  );
}
