import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type Clock } from '../../core/clock.ts';

/** Milliseconds between two looks at the file. */
const EVERY = 5000;

/**
 * Looks at a file again and again, since systems do not tell of all changes: a mounted config map is replaced by moving a link.
 * What was there when it was made is known.
 */
export class FileWatch {
  readonly #path: string;
  #stamp: string | undefined;
  #digest: string | undefined;
  #gone = 0;

  private constructor(path: string) {
    this.#path = path;
  }

  static async of(path: string): Promise<FileWatch> {
    const watch = new FileWatch(path);
    await watch.changed();
    return watch;
  }

  /**
   * Whether there is other content than last time. A file that is not there was changed when it is still not there at the next look:
   * some programs take the old one away before they write the new one.
   */
  async changed(): Promise<boolean> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      if (stamp === this.#stamp) return false;
      const digest = await digestOf(this.#path);
      const changed = digest !== this.#digest;
      [this.#stamp, this.#digest, this.#gone] = [stamp, digest, 0];
      return changed;
    } catch {
      this.#stamp = undefined;
      if (++this.#gone !== 2) return false;
      this.#digest = undefined;
      return true;
    }
  }

  /** Calls `act` after each change until the signal comes. */
  async run(clock: Clock, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      try {
        await clock.sleep(EVERY, signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      if (await this.changed()) await act();
    }
  }
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
