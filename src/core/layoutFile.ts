import { OclError, type ErrorCode } from './errors.ts';
import { isObject, parseJson, toJsonBytes } from './json.ts';

/** Content of the `oci-layout` file (image-spec image-layout.md). */
export const LAYOUT_FILE: Uint8Array = toJsonBytes({ imageLayoutVersion: '1.0.0' });

/** @param code what a wrong file is, in the kind of store that has it */
export function checkLayoutFile(bytes: Uint8Array, what: string, code: ErrorCode): void {
  let value: unknown;
  try {
    value = parseJson(bytes, what);
  } catch (error) {
    throw new OclError(code, (error as Error).message, { cause: error });
  }
  const version = isObject(value) ? value['imageLayoutVersion'] : undefined;
  if (version === '1.0.0') return;
  const found = JSON.stringify(version)?.slice(0, 100) ?? 'missing';
  throw new OclError(code, `Cannot use ${what}: imageLayoutVersion must be the text "1.0.0", not ${found}`);
}
