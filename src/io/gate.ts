import { type Gate } from '../core/store.ts';

/**
 * A door through which `width` may pass at a time, first come, first served.
 *
 * @param id what the door belongs to, a host as a rule; transfers enter several doors in the order of their ids
 * @returns a gate whose `enter` rejects with the signal's reason; leaving twice counts once
 */
export function createGate(id: string, width: number): Gate {
  if (!Number.isInteger(width) || width < 1) throw new RangeError(`a gate is at least 1 wide, not ${width}`);
  const waiting = new Set<() => void>();
  let inside = 0;

  function leave(): void {
    inside--;
    const [next] = waiting;
    if (next === undefined) return;
    waiting.delete(next);
    next();
  }

  function pass(): () => void {
    inside++;
    let left = false;
    return () => {
      if (left) return;
      left = true;
      leave();
    };
  }

  async function enter(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    if (inside < width && waiting.size === 0) return pass();
    return new Promise((resolve, reject) => {
      function turn(): void {
        signal?.removeEventListener('abort', stop);
        resolve(pass());
      }
      function stop(): void {
        waiting.delete(turn);
        reject(signal?.reason as Error);
      }
      waiting.add(turn);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  return { id, enter };
}
