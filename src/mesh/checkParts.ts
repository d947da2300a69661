import { isObject } from '../core/json.ts';
import { type YamlPath } from '../io/yaml.ts';
import { type Checked } from './checked.ts';
import { textOf } from './detect.ts';
import { secretsIn } from './secrets.ts';

/** What `getEntity` of meshkit's registration takes, and what it is mended to. */
const ACCEPTED: Readonly<
  Record<string, { readonly versions: readonly string[]; readonly mended: Readonly<Record<string, string>> }>
> = {
  'models.meshery.io': { versions: ['v1beta1', 'v1beta2'], mended: {} },
  'components.meshery.io': { versions: ['v1beta1', 'v1beta2'], mended: { v1beta3: 'v1beta2' } },
  'relationships.meshery.io': { versions: ['v1alpha3', 'v1beta2'], mended: { v1beta1: 'v1beta2', v1beta3: 'v1beta2' } },
  'connections.meshery.io': { versions: ['v1beta3'], mended: { v1beta1: 'v1beta3', v1beta2: 'v1beta3' } },
};

const STATUSES: ReadonlySet<string> = new Set(['ignored', 'enabled', 'duplicate', 'resolved', 'open']);
const KINDS: ReadonlySet<string> = new Set(['hierarchical', 'edge', 'sibling']);
const CONNECTION_STATUSES: ReadonlySet<string> = new Set([
  'discovered',
  'registered',
  'connected',
  'ignored',
  'maintenance',
  'disconnected',
  'deleted',
  'not found',
]);

/** Whether the import of models takes the version of the schema; other versions are mended where that is known to work. */
export function checkSchemaVersion(document: Checked): void {
  const schemaVersion = at(document.value, ['schemaVersion']);
  if (typeof schemaVersion !== 'string') return;
  const slash = schemaVersion.lastIndexOf('/');
  const group = schemaVersion.slice(0, Math.max(slash, 0));
  const accepted = Object.hasOwn(ACCEPTED, group) ? ACCEPTED[group] : undefined;
  const version = schemaVersion.slice(slash + 1);
  if (accepted === undefined || accepted.versions.includes(version)) return;
  const mended = Object.hasOwn(accepted.mended, version) ? accepted.mended[version] : undefined;
  const takes = accepted.versions.map((each) => `${group}/${each}`).join(' and ');
  const message = `${schemaVersion} is refused, and the file with it: Meshery takes ${takes}`;
  if (mended === undefined)
    document.add('schema-version', ['schemaVersion'], message, 'bring the document to one of these versions');
  else
    document.add('schema-version', ['schemaVersion'], message, `write ${group}/${mended}`, {
      kind: 'set',
      path: ['schemaVersion'],
      value: `${group}/${mended}`,
    });
}

/** A component of a model: what is registered, and what makes the import crash. */
export function checkComponent(document: Checked): void {
  const { value } = document;
  const status = at(value, ['status']);
  if (status === undefined || status === null)
    document.add(
      'component-status',
      ['status'],
      'a component without status crashes the import',
      'write status: enabled',
      {
        kind: 'set',
        path: ['status'],
        value: 'enabled',
      },
    );
  else if (status === 'ignored')
    document.add(
      'component-ignored',
      ['status'],
      'the component is passed over, for its status is "ignored"',
      'write status: enabled',
    );
  else if (typeof status === 'string' && !STATUSES.has(status))
    document.add(
      'component-ignored',
      ['status'],
      `${JSON.stringify(status)} is no status of a component`,
      'write status: enabled',
    );
  for (const key of ['kind', 'version'])
    if (textOf(at(value, ['component', key])) === undefined)
      document.add(
        'component-kind',
        ['component', key],
        `component.${key} is missing`,
        `write the ${key === 'kind' ? 'kind' : 'apiVersion'} that the component stands for`,
      );
  checkComponentSchema(document);
}

function checkComponentSchema(document: Checked): void {
  if (at(document.value, ['metadata', 'isAnnotation']) === true) return;
  const path = ['component', 'schema'];
  const schema = at(document.value, path);
  if (schema === undefined || schema === null || schema === '') {
    const fix = 'add the JSON Schema of its configuration, or set metadata.isAnnotation';
    document.add('component-schema', path, 'component.schema is empty: the component is dropped without a word', fix);
    return;
  }
  if (typeof schema !== 'string') return;
  const parsed = parsedJson(schema);
  if (isObject(parsed) && isObject(parsed['properties'])) return;
  const why = parsed === undefined ? 'is no JSON' : 'has no properties';
  document.add(
    'component-schema-properties',
    path,
    `component.schema ${why}: nothing of the component can be configured`,
    'write a JSON Schema with properties',
  );
}

export function checkRelationship(document: Checked): void {
  for (const key of ['kind', 'type', 'subType'])
    if (textOf(at(document.value, [key])) === undefined)
      document.add(
        'relationship-kind',
        [key],
        `${key} is missing: kind, type and subType say which relationship it is`,
        `add ${key}`,
      );
  const kind = textOf(at(document.value, ['kind']));
  if (kind !== undefined && !KINDS.has(kind))
    document.add(
      'relationship-kind',
      ['kind'],
      `${JSON.stringify(kind)} is no kind of relationship`,
      `use one of ${[...KINDS].join(', ')}`,
    );
}

export function checkConnection(document: Checked): void {
  checkSecrets(document);
  for (const key of ['name', 'type', 'kind', 'status'])
    if (textOf(at(document.value, [key])) === undefined)
      document.add('connection-field', [key], `${key} is missing`, `add ${key}`);
  if (at(document.value, ['subType']) === undefined)
    document.add('connection-field', ['subType'], 'subType is missing', 'add subType; it may be empty');
  const status = textOf(at(document.value, ['status']));
  if (status !== undefined && !CONNECTION_STATUSES.has(status))
    document.add(
      'connection-status',
      ['status'],
      `${JSON.stringify(status)} is no status of a connection`,
      `use one of ${[...CONNECTION_STATUSES].join(', ')}`,
    );
}

/** A value that is found here is refused by `ocl mesh pack`. */
function checkSecrets(document: Checked): void {
  for (const secret of secretsIn(document.value)) {
    const path = secret.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step));
    const message = `${secret} looks like a credential, and connections are not packed with such`;
    document.add('connection-secret', path, message, 'take it out, and give it where the connection is used');
  }
}

/** What stands at a path of a document; undefined when nothing does. */
export function at(value: unknown, path: YamlPath): unknown {
  let here = value;
  for (const step of path) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step)) return undefined;
    here = (here as Readonly<Record<string | number, unknown>>)[step];
  }
  return here;
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
