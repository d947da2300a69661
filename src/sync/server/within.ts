import { type Clock } from '../../core/clock.ts';

/** Whether something ends in time. */
export async function within(work: Promise<unknown>, ms: number, clock: Clock): Promise<boolean> {
  const timer = new AbortController();
  const late = clock.sleep(ms, timer.signal).then(
    () => false,
    () => true,
  );
  const inTime = await Promise.race([work.then(() => true), late]);
  timer.abort();
  return inTime;
}
