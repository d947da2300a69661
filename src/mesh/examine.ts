import { isObject } from '../core/json.ts';
import { checkAdditionalProperties, checkYearOne } from './additional.ts';
import { looksLikeArchive } from './archiveTree.ts';
import { lintPackageFile, lintRepositoryFile } from './artifactHubLint.ts';
import { checkDesign, type DesignPlace } from './checkDesign.ts';
import { checkGoYaml } from './checkGoYaml.ts';
import { checkOther, isOtherKind } from './checkOthers.ts';
import { at, checkComponent, checkConnection, checkRelationship, checkSchemaVersion } from './checkParts.ts';
import { checkShape } from './checkShape.ts';
import { Checked } from './checked.ts';
import { isRego, isWasm, kindOfDocument, textOf } from './detect.ts';
import { type EntityKind } from './entity.ts';
import { type MeshFinding } from './finding.ts';
import { levelOf } from './rules.ts';
import { COMPONENT, CONNECTION, MODEL, RELATIONSHIP, type Shape } from './shapes.ts';
import { baseName } from './survey.ts';

/** What is kept of a file when its text is gone. */
export interface Examined {
  readonly path: string;
  /** The name in findings. */
  readonly file: string;
  /** `other`: readable and no entity. `skipped`: a name that the import of models passes over. `archive`: what it looks into. */
  readonly what:
    | EntityKind
    | 'package'
    | 'repository'
    | 'rego'
    | 'wasm'
    | 'unreadable'
    | 'skipped'
    | 'archive'
    | 'other';
  readonly found: readonly MeshFinding[];
  readonly syntax: 'json' | 'yaml' | undefined;
  /** Bytes. */
  readonly size: number;
  /** Of a model: its own name; of its parts: the model that they name. */
  readonly model: string | undefined;
  /** Of a component: `kind` and apiVersion. Of a model: the kind of its registrant, and its status. */
  readonly kind: string | undefined;
  readonly version: string | undefined;
  readonly status: string | undefined;
  /** Of a model. */
  readonly hasRegistrant: boolean;
}

const PACKAGE = /^artifacthub-pkg\.ya?ml$/;
const REPOSITORY = /^artifacthub-repo\.ya?ml$/;
/** meshkit's `processDir`. */
const SKIPPED = /\.(?:rego|template|svg|png|md)$/i;
const SHAPES: Partial<Record<EntityKind, Shape>> = {
  model: MODEL,
  component: COMPONENT,
  relationship: RELATIONSHIP,
  connection: CONNECTION,
};

/** What can be said of one file by itself. @throws OCL_LIMIT */
export function examine(path: string, file: string, bytes: Uint8Array, place: DesignPlace): Examined {
  const base = { path, file, size: bytes.length, syntax: undefined, ...NOTHING };
  const text = (): string => Buffer.from(bytes).toString('utf8');
  const name = baseName(path);
  if (PACKAGE.test(name)) return { ...base, what: 'package', found: lintPackageFile(text(), file) };
  if (REPOSITORY.test(name)) return { ...base, what: 'repository', found: lintRepositoryFile(text(), file) };
  if (isWasm(bytes)) return { ...base, what: 'wasm', found: [] };
  if (name.toLowerCase().endsWith('.rego'))
    return { ...base, what: 'rego', found: isRego(bytes) ? [] : [noPackage(file)] };
  if (SKIPPED.test(name)) return { ...base, what: 'skipped', found: [] };
  if (looksLikeArchive(bytes)) return { ...base, what: 'archive', found: [] };
  if (isRego(bytes)) return { ...base, what: 'rego', found: [] };
  if (bytes.subarray(0, 8192).includes(0)) return { ...base, what: 'other', found: [] };
  return examineDocument(new Checked(file, bytes), path, place);
}

const NOTHING = {
  model: undefined,
  kind: undefined,
  version: undefined,
  status: undefined,
  hasRegistrant: false,
} as const;

function examineDocument(document: Checked, path: string, place: DesignPlace): Examined {
  const { file, size, value, syntax, found } = document;
  const base = { path, file, size, syntax, found };
  if (!document.readable) return { ...base, ...NOTHING, what: 'unreadable' };
  const kind = kindOfDocument(value);
  if (kind === undefined) return { ...base, ...NOTHING, what: 'other', found: [] };
  if (kind === 'design') checkDesign(document, place, path);
  else if (isOtherKind(kind)) checkOther(document, kind);
  else checkPart(document, kind);
  return { ...base, what: kind, ...factsOf(kind, value) };
}

/** Go's reader is given 512 bytes to tell what a file is, with zeros behind a shorter one, and zeros are no text to it. */
export const SNIFFED = 512;

function checkPart(document: Checked, kind: EntityKind): void {
  if (document.size >= SNIFFED) checkGoYaml(document);
  checkSchemaVersion(document);
  const shape = SHAPES[kind];
  if (shape !== undefined) checkShape(document, shape, 'json-or-yaml');
  if (!isObject(document.value)) return;
  if (kind === 'component') checkComponent(document);
  if (kind === 'relationship') checkRelationship(document);
  if (kind === 'connection') checkConnection(document);
  checkAdditionalProperties(document);
  checkYearOne(document);
}

function factsOf(kind: EntityKind, value: unknown): Pick<Examined, keyof typeof NOTHING> {
  const text = (...path: readonly string[]): string | undefined => textOf(at(value, path));
  if (kind === 'model')
    return {
      ...NOTHING,
      model: text('name'),
      kind: text('registrant', 'kind'),
      status: text('status'),
      hasRegistrant: isObject(at(value, ['registrant'])),
    };
  const model = text('model', 'name') ?? text('modelReference', 'name');
  if (kind !== 'component') return { ...NOTHING, model };
  return { ...NOTHING, model, kind: text('component', 'kind'), version: text('component', 'version') };
}

function noPackage(file: string): MeshFinding {
  const rule = 'policy-package';
  const message = 'the policy does not begin with its package';
  return { rule, level: levelOf(rule), file, line: 1, column: 1, message, fix: 'write package NAME before all else' };
}
