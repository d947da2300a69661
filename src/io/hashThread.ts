import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Algorithm, type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { givePiece, holdPiece } from './slabPool.ts';

/** Pieces of one content that may wait for their hash: enough to keep the thread busy, few enough for memory. */
const AHEAD = 4;
const MAX_THREADS = 3;

/** Runs in the thread. A text, so that the program stays one file; each message is a piece, or the wish for a digest. */
const PROGRAM = `
const { parentPort } = require('node:worker_threads');
const { createHash } = require('node:crypto');
const hashes = new Map();
parentPort.on('message', ({ id, algorithm, memory, start, length }) => {
  let hash = hashes.get(id);
  if (hash === undefined) hashes.set(id, (hash = createHash(algorithm)));
  if (memory !== undefined) {
    hash.update(new Uint8Array(memory, start, length));
    parentPort.postMessage({ id });
    return;
  }
  hashes.delete(id);
  parentPort.postMessage({ id, digest: hash.digest('hex') });
});
`;

interface Waiting {
  readonly done: (digest?: string) => void;
  readonly fail: (error: Error) => void;
}

/** One thread and what it has been asked; answers come in the order of the questions. */
class HashThread {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #failure: OclError | undefined;

  constructor() {
    this.#worker = new Worker(PROGRAM, { eval: true });
    this.#worker.unref();
    this.#worker.on('message', ({ digest }: { digest?: string }) => {
      this.#waiting.shift()?.done(digest);
      if (this.#waiting.length === 0) this.#worker.unref();
    });
    this.#worker.on('error', (error) => this.#break(error));
    this.#worker.on('exit', () => this.#break(new Error('the thread ended')));
  }

  get isBroken(): boolean {
    return this.#failure !== undefined;
  }

  /** Questions that are not answered yet. */
  get load(): number {
    return this.#waiting.length;
  }

  ask(message: object): Promise<string | undefined> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    // The process stays for as long as an answer is due, no longer.
    this.#worker.ref();
    this.#worker.postMessage(message);
    return new Promise((done, fail) => this.#waiting.push({ done, fail }));
  }

  #break(error: Error): void {
    this.#failure ??= new OclError('OCL_INTERNAL', `Cannot hash: ${error.message}`, { cause: error });
    for (const { fail } of this.#waiting.splice(0)) fail(this.#failure);
  }
}

/** The threads belong to the process, as its processors do. They start when there is something large to hash. */
const threads: HashThread[] = [];
let nextId = 0;

function leastBusy(): HashThread {
  const working = threads.filter((thread) => !thread.isBroken);
  const idle = working.toSorted((a, b) => a.load - b.load)[0];
  const limit = Math.min(MAX_THREADS, Math.max(1, availableParallelism() - 1));
  if (idle !== undefined && (idle.load === 0 || working.length >= limit)) return idle;
  const thread = new HashThread();
  threads.splice(0, threads.length, ...working, thread);
  return thread;
}

/** Hashes beside the thread that reads and writes. Pieces have to lie in memory that threads share. */
export class ThreadHasher {
  readonly #thread: HashThread;
  readonly #algorithm: Algorithm;
  readonly #id: number;
  readonly #pending = new Set<Promise<void>>();
  #failure: Error | undefined;

  constructor(algorithm: Algorithm) {
    this.#thread = leastBusy();
    this.#algorithm = algorithm;
    this.#id = nextId++;
  }

  /** @returns a promise when the thread is behind: the caller waits for it before the next piece */
  update(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    holdPiece(chunk);
    const { buffer: memory, byteOffset: start, length } = chunk;
    const hashed = this.#thread
      .ask({ id: this.#id, algorithm: this.#algorithm, memory, start, length })
      .then(() => givePiece(chunk))
      .catch((error: unknown) => {
        this.#failure ??= error as Error;
      })
      .finally(() => this.#pending.delete(hashed));
    this.#pending.add(hashed);
    return this.#pending.size < AHEAD ? undefined : Promise.race(this.#pending);
  }

  async digest(): Promise<Digest> {
    const hex = await this.#thread.ask({ id: this.#id, algorithm: this.#algorithm });
    if (this.#failure !== undefined) throw this.#failure;
    return `${this.#algorithm}:${String(hex)}`;
  }

  /** Forgets what was hashed, when nobody wants the digest any more. */
  drop(): void {
    void this.#thread.ask({ id: this.#id, algorithm: this.#algorithm }).catch(() => {});
  }
}

/** Whether threads can see these bytes. */
export function isShared(chunk: Uint8Array): boolean {
  return chunk.buffer instanceof SharedArrayBuffer;
}
