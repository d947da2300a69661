import { OclError } from '../core/errors.ts';
import { type LocalSource } from '../core/store.ts';

/** @throws OCL_INCOMPLETE for a set of which volumes are not given, where a part is not enough */
export function requireAllVolumes({ name, volumes }: LocalSource, verb: string): void {
  if (volumes === undefined || volumes.absent.length === 0) return;
  throw new OclError(
    'OCL_INCOMPLETE',
    `Cannot ${verb} ${name}: of its ${volumes.count} volumes these are not given: ${volumes.absent.join(', ')}`,
    { hint: 'name all volumes of the set' },
  );
}
