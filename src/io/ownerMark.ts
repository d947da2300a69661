import { createHash } from 'node:crypto';
import { isAlive, thisOwner, type Owner } from './lock.ts';

/** How names of temporary files say who made them. */
const MARK = /^(\d+)-([0-9a-f]{8})-(\d+)$/;

/** This process as a part of a file's name: its number, the machine where that counts, and since when it runs. */
export function ownerMark(): string {
  const owner = thisOwner();
  return `${owner.pid}-${machineOf(owner)}-${owner.started || '0'}`;
}

/** Whether the process of a mark still runs; undefined when that cannot be known from here, or when it is no mark. */
function isMarkAlive(mark: string): boolean | undefined {
  const [, pid, machine, started = ''] = MARK.exec(mark) ?? [];
  const self = thisOwner();
  if (pid === undefined || machine !== machineOf(self)) return undefined;
  return isAlive({ ...self, pid: Number(pid), started: started === '0' ? '' : started });
}

/**
 * Whether nobody works any more on what bears a mark.
 * @param patience milliseconds without a change after which a process that cannot be asked is believed to be gone
 * @param lastChange milliseconds since the epoch; asked for only where it counts
 */
export async function isAbandoned(
  mark: string,
  patience: number,
  lastChange: () => Promise<number | undefined>,
): Promise<boolean> {
  const alive = isMarkAlive(mark);
  if (alive !== undefined) return !alive;
  const changed = await lastChange();
  return changed !== undefined && Date.now() - changed > patience;
}

function machineOf({ host, space }: Owner): string {
  return createHash('sha256').update(`${host} ${space}`).digest('hex').slice(0, 8);
}
