import { existsSync } from 'node:fs';
import { type Emit } from '../../core/events.ts';
import { type Reference } from '../../core/reference.ts';
import { parsePlace } from '../place.ts';

/** What is there under just that name is a file, also with a colon in its name; all else is a reference. */
export function inputReference(text: string): Reference {
  return existsSync(text) ? { kind: 'path', path: text } : parsePlace(text);
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
