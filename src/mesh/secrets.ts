import { isObject } from '../core/json.ts';

/** Members that hold a credential when they hold a text. References to one kept elsewhere, and schemas of forms, are none. */
const SECRET =
  /^(?:credentials?|.*(?:secret|password|passwd|passphrase|token|(?:api|access|secret|private|client)[_-]?key(?:[_-]?data)?))$/i;
const HARMLESS = /^(?:credential[_-]?(?:id|schema|kind)|connection[_-]?schema)$/i;

/** The places in a connection where the value of a credential stands, as paths like `metadata.auth.password`. */
export function secretsIn(connection: unknown): readonly string[] {
  const found: string[] = [];
  visit(connection, [], false, found);
  return found;
}

function visit(value: unknown, path: readonly string[], secret: boolean, found: string[]): void {
  if (Array.isArray(value)) for (const [i, item] of value.entries()) visit(item, [...path, String(i)], secret, found);
  else if (isObject(value)) {
    for (const [key, member] of Object.entries(value))
      if (!HARMLESS.test(key)) visit(member, [...path, key], secret || SECRET.test(key), found);
  } else if (secret && ((typeof value === 'string' && value !== '') || typeof value === 'number'))
    found.push(path.join('.'));
}
