import { isObject } from '../core/json.ts';
import { textOf } from './detect.ts';
import { parseDocument } from './document.ts';
import { type MeshFile } from './entity.ts';

/** What `artifacthub-pkg.yml` says of a package, as far as it is of use here. */
export interface PackageDescription {
  readonly name: string | undefined;
  readonly displayName: string | undefined;
  readonly version: string | undefined;
  readonly createdAt: string | undefined;
  readonly description: string | undefined;
  readonly license: string | undefined;
  readonly homeURL: string | undefined;
  readonly logoURL: string | undefined;
  readonly category: string | undefined;
  readonly keywords: readonly string[];
  readonly provider: string | undefined;
  readonly maintainers: readonly { readonly name: string; readonly email: string }[];
  readonly deprecated: boolean;
  readonly prerelease: boolean;
}

export const PACKAGE_FILE = 'artifacthub-pkg.yml';

/** The description that lies beside an entity; undefined where there is none, or none that can be read. */
export function packageOf(files: readonly MeshFile[]): PackageDescription | undefined {
  const file = files.find(({ path }) => path === PACKAGE_FILE || path === 'artifacthub-pkg.yaml');
  if (file === undefined) return undefined;
  let value: unknown;
  try {
    value = parseDocument(file.bytes, file.path).value;
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  const text = (name: string): string | undefined => textOf(value[name]);
  const { provider, keywords, maintainers } = value;
  return {
    name: text('name'),
    displayName: text('displayName'),
    version: text('version'),
    createdAt: text('createdAt'),
    description: text('description'),
    license: text('license'),
    homeURL: text('homeURL'),
    logoURL: text('logoURL'),
    category: text('category'),
    keywords: listOf(keywords).flatMap((keyword) => textOf(keyword) ?? []),
    provider: isObject(provider) ? textOf(provider['name']) : undefined,
    maintainers: listOf(maintainers).flatMap((each) => {
      const name = isObject(each) ? textOf(each['name']) : undefined;
      const email = isObject(each) ? textOf(each['email']) : undefined;
      return email === undefined ? [] : [{ name: name ?? email, email }];
    }),
    deprecated: isTrue(value['deprecated']),
    prerelease: isTrue(value['prerelease']),
  };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

/** Meshery's own type has texts here. */
function isTrue(value: unknown): boolean {
  return value === true || value === 'true';
}
