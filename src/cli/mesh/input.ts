import { existsSync } from 'node:fs';
import { OclError } from '../../core/errors.ts';
import { type Emit } from '../../core/events.ts';
import { type Reference } from '../../core/reference.ts';
import { parsePlace } from '../place.ts';

/** What files with entities are called, and no image is. */
const FILE = /\.(?:json|ya?ml|rego|wasm|tgz|zip|tar(?:\.gz)?)$/i;

/**
 * What is there under just that name is a file, also with a colon in its name; all else is a reference.
 * @throws OCL_NOT_FOUND for the name of a file that is not there, which would otherwise be asked of Docker Hub
 */
export function inputReference(text: string): Reference {
  if (existsSync(text)) return { kind: 'path', path: text };
  const reference = parsePlace(text);
  const isHub = reference.kind === 'registry' && reference.registry === 'docker.io' && !/^docker(?:\.io|:)/.test(text);
  if (isHub && FILE.test(text))
    throw new OclError('OCL_NOT_FOUND', `Cannot read ${text}: there is no such file`, {
      hint: `ls ${text.replace(/[^/]*$/, '') || '.'}; write docker.io/${text} for an image of that name`,
    });
  return reference;
}

/** What was left out, or will not work, is worth a line; entities are many, so each says it once. */
export function noteTo(emit: Emit): (message: string) => void {
  return (message) => emit({ type: 'notice', level: 'warning', message });
}

/** Without a line for each copy: where what is copied is told in another way, or not at its place yet. */
export function quietCopies(emit: Emit): Emit {
  return (event) => {
    if (event.type === 'notice' || event.type.startsWith('wait')) emit(event);
  };
}
