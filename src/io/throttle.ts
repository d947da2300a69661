import { Readable } from 'node:stream';
import { type Clock } from '../core/clock.ts';
import { takeBack } from './slabPool.ts';

/** Shares out the bytes of a second among all bodies of a process, in both directions. */
export interface Throttle {
  /** Waits until so many bytes may flow, or until those that have flown are paid for. First come, first served. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
  /** Bytes that are sent at a time, so that several bodies flow side by side. */
  readonly slice: number;
}

/** Milliseconds of bytes that may flow ahead of their time: timers are not exact. */
const AHEAD = 100;
const LARGEST_SLICE = 64 << 10;
const SMALLEST_SLICE = 1 << 10;

/** @param rate bytes a second @throws RangeError */
export function createThrottle(rate: number, clock: Clock): Throttle {
  if (!(rate > 0)) throw new RangeError(`a rate is more than 0 bytes a second, not ${rate}`);
  /** When all bytes that were taken have had their time, in milliseconds since the epoch. */
  let paid = 0;
  return {
    slice: Math.min(LARGEST_SLICE, Math.max(SMALLEST_SLICE, Math.floor(rate / 20))),
    async take(bytes, signal) {
      const now = clock.now();
      paid = Math.max(paid, now) + (bytes * 1000) / rate;
      const wait = paid - now - AHEAD;
      if (wait > 0) await clock.sleep(wait, signal);
    },
  };
}

/** The same stream, as fast as it may be. It is destroyed with what it was made of. */
export function throttled(stream: Readable, throttle: Throttle, signal?: AbortSignal): Readable {
  async function* pass(): AsyncGenerator<Uint8Array> {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      for (let at = 0; at < piece.length; at += throttle.slice) {
        // A copy, for the piece goes back to the pool before its slices are sent.
        const part = Buffer.from(piece.subarray(at, at + throttle.slice));
        await throttle.take(part.length, signal);
        yield part;
      }
      takeBack(piece);
    }
  }
  return Readable.from(pass(), { objectMode: false, highWaterMark: 1 }).once('close', () => stream.destroy());
}
