import { type Checked } from './checked.ts';
import { isWasm, textOf } from './detect.ts';
import { type EntityKind } from './entity.ts';
import { at } from './checkParts.ts';

/** What the REST API of each wants; under each name, the names that it also has had. */
const FIELDS = {
  filter: [['id'], ['name']],
  view: [['id'], ['name'], ['visibility'], ['userId', 'user_id']],
  environment: [['id'], ['schemaVersion'], ['name'], ['organizationId', 'organization_id']],
  workspace: [['id'], ['name'], ['organizationId', 'organization_id']],
  policy: [['kind'], ['expression']],
} as const satisfies Partial<Record<EntityKind, readonly (readonly string[])[]>>;

type OtherKind = keyof typeof FIELDS;

/** Whether it is an entity that Meshery takes by its REST API alone. */
export function isOtherKind(kind: EntityKind): kind is OtherKind {
  return Object.hasOwn(FIELDS, kind);
}

export function checkOther(document: Checked, kind: OtherKind): void {
  for (const names of FIELDS[kind])
    if (names.every((name) => at(document.value, [name]) === undefined))
      document.add('entity-field', [names[0]], `${names[0]} is missing`, `add ${names[0]}`);
  const file = at(document.value, ['filterFile']) ?? at(document.value, ['filter_file']);
  const content = kind === 'filter' ? textOf(file) : undefined;
  if (content !== undefined && !isWasm(Buffer.from(content, 'base64'))) {
    const message = 'filterFile is no WebAssembly module in base64';
    document.add(
      'filter-wasm',
      [at(document.value, ['filterFile']) === undefined ? 'filter_file' : 'filterFile'],
      message,
      'encode the .wasm file: base64 -w0 FILE',
    );
  }
}
