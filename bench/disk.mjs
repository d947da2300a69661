// The most that a run has on the disk at a time, beyond what was there before it.
import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';

const DELETED = ' (deleted)';

/** Files that lost their name and are still open count too. */
export class DiskWatch {
  #options;
  #timer;
  #start;
  #peak = 0;

  /** @param options.of where all is written: directories, and all below them; `options.without`: those whose growth does not count */
  constructor(options) {
    this.#options = options;
    this.#start = this.#used();
    this.#wait(0);
  }

  /** Bytes. */
  stop() {
    clearTimeout(this.#timer);
    this.#look();
    return this.#peak;
  }

  /** Looking takes a processor from what is measured: not more than a fiftieth of it. */
  #wait(took) {
    this.#timer = setTimeout(
      () => {
        const before = performance.now();
        this.#look();
        this.#wait(performance.now() - before);
      },
      Math.max(100, 50 * took),
    );
  }

  #look() {
    this.#peak = Math.max(this.#peak, this.#used() - this.#start);
  }

  #used() {
    const { of, without } = this.#options;
    return of.reduce((sum, directory) => sum + sizeOf(directory, without) + deletedBelow(directory, without), 0);
  }
}

/** Bytes on the disk: what a file has of holes is not there. */
function sizeOf(path, without) {
  if (without.includes(path)) return 0;
  try {
    const stats = lstatSync(path);
    if (!stats.isDirectory()) return (stats.blocks * 512) / stats.nlink;
    return readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name), without), 0);
  } catch {
    return 0; // it went meanwhile
  }
}

function deletedBelow(directory, without) {
  const found = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const fd of list(`/proc/${pid}/fd`)) {
      try {
        const link = readlinkSync(fd);
        if (!link.startsWith(directory) || !link.endsWith(DELETED)) continue;
        if (without.some((other) => link.startsWith(other))) continue;
        const { ino, blocks } = statSync(fd);
        found.set(ino, blocks * 512);
      } catch {
        // It was closed meanwhile.
      }
    }
  }
  return [...found.values()].reduce((sum, size) => sum + size, 0);
}

function list(directory) {
  try {
    return readdirSync(directory).map((name) => join(directory, name));
  } catch {
    return [];
  }
}
