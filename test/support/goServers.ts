import { spawnSync } from 'node:child_process';

/** The program of distribution 3, as `go install` names it. */
export const DISTRIBUTION_3 = 'registry';

/** Why distribution 3 is left out; undefined where it is. A `registry` of version 2 is another one. */
export function distribution3(): string | undefined {
  const { status, stdout } = spawnSync(DISTRIBUTION_3, ['--version'], { encoding: 'utf8' });
  return status === 0 && /\bv3\./.test(stdout) ? undefined : 'distribution 3 is not installed';
}
