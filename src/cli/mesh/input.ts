import { existsSync } from 'node:fs';
import { type Reference } from '../../core/reference.ts';
import { parsePlace } from '../place.ts';

/** An input of `ocl mesh`: a file may have a colon in its name. */
export function inputReference(text: string): Reference {
  return existsSync(text) ? { kind: 'path', path: text } : parsePlace(text);
}
