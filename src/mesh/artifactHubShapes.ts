import { parseYaml, YamlScalar } from '../io/yaml.ts';

/** What Go's yaml.v2 takes for a field of that type. Texts may be any scalar; a boolean never stands between quotes. */
export type Shape =
  | 'text'
  | 'flag'
  | { readonly list: Shape }
  | { readonly map: Readonly<Record<string, Shape>> }
  | { readonly texts: true }
  /** A text or a map: what `changes` holds. */
  | { readonly either: Readonly<Record<string, Shape>> };

const NAMED_LINKS: Shape = { list: { map: { name: 'text', url: 'text' } } };

/** https://artifacthub.io/docs/topics/repositories/: unknown and repeated keys refuse the whole package. */
export const PACKAGE: Readonly<Record<string, Shape>> = {
  version: 'text',
  name: 'text',
  alternativeName: 'text',
  category: 'text',
  displayName: 'text',
  createdAt: 'text',
  description: 'text',
  logoPath: 'text',
  logoURL: 'text',
  digest: 'text',
  license: 'text',
  homeURL: 'text',
  appVersion: 'text',
  publisherID: 'text',
  containersImages: {
    list: { map: { name: 'text', image: 'text', whitelisted: 'flag', platforms: { list: 'text' } } },
  },
  containsSecurityUpdates: 'flag',
  operator: 'flag',
  deprecated: 'flag',
  prerelease: 'flag',
  keywords: { list: 'text' },
  links: NAMED_LINKS,
  readme: 'text',
  install: 'text',
  changes: { list: { either: { kind: 'text', description: 'text', links: NAMED_LINKS } } },
  maintainers: { list: { map: { name: 'text', email: 'text' } } },
  provider: { map: { name: 'text' } },
  ignore: { list: 'text' },
  recommendations: { list: { map: { url: 'text' } } },
  screenshots: { list: { map: { title: 'text', url: 'text' } } },
  annotations: { texts: true },
};

export const REPOSITORY: Readonly<Record<string, Shape>> = {
  repositoryID: 'text',
  owners: { list: { map: { name: 'text', email: 'text' } } },
  ignore: { list: { map: { name: 'text', version: 'text' } } },
};

/**
 * What of an `artifacthub-pkg.yml` Artifact Hub would read: known members of the right type, booleans that stand between quotes as booleans,
 * versions and times as they are written.
 * @throws OCL_CONFIG_INVALID for a text that is no YAML; OCL_LIMIT
 */
export function readPackageFile(
  text: string,
  file: string,
): {
  readonly value: Readonly<Record<string, unknown>>;
  /** Paths of what is left out. */
  readonly dropped: readonly string[];
} {
  const { value } = parseYaml(text, file, { scalars: 'source' });
  const dropped: string[] = [];
  const kept = isMap(value) ? knownOf(value, { map: PACKAGE }, '', dropped) : {};
  return { value: kept as Readonly<Record<string, unknown>>, dropped };
}

/** Undefined where the value is none of that shape. */
function knownOf(value: unknown, shape: Shape, path: string, dropped: string[]): unknown {
  const text = value instanceof YamlScalar ? value.text : typeof value === 'string' ? value : undefined;
  const drop = (): undefined => void dropped.push(path);
  if (value === null || value === undefined) return undefined;
  if (shape === 'text') return text ?? drop();
  if (shape === 'flag') return text !== undefined && BOOLEANS.test(text) ? /^(?:true|yes|on)$/i.test(text) : drop();
  if ('list' in shape) {
    if (!Array.isArray(value)) return drop();
    return value.flatMap((item, index) => knownOf(item, shape.list, `${path}.${index}`, dropped) ?? []);
  }
  if ('either' in shape && text !== undefined) return text;
  if (!isMap(value)) return drop();
  const members = 'either' in shape ? shape.either : 'map' in shape ? shape.map : undefined;
  const known: [string, unknown][] = [];
  for (const [key, member] of Object.entries(value)) {
    const at = path === '' ? key : `${path}.${key}`;
    const of = members === undefined ? 'text' : Object.hasOwn(members, key) ? members[key] : undefined;
    const kept = of === undefined ? void dropped.push(at) : knownOf(member, of, at, dropped);
    if (kept !== undefined) known.push([key, kept]);
  }
  return Object.fromEntries(known);
}

/** YAML 1.1's, as yaml.v2 reads them. */
export const BOOLEANS = /^(?:true|True|TRUE|false|False|FALSE|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/;

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof YamlScalar);
}
