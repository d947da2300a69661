import { randomUUID } from 'node:crypto';
import { open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock } from '../core/clock.ts';
import { type Algorithm } from '../core/digest.ts';
import { systemCode } from '../core/errors.ts';
import { makeDirectory } from '../io/atomicFile.ts';
import { Refusal } from './errors.ts';
import { type ServeLimits } from './limits.ts';
import { Session } from './session.ts';

/** Files of a server that was killed; one that still runs has dropped its own long before. */
const LEFT_BEHIND_MS = 24 * 60 * 60 * 1000;
const ID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export interface SessionsOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly limits: ServeLimits;
}

/** The unfinished uploads of one server, each a file of its own. */
export class UploadSessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #stop = new AbortController();
  #prepared: Promise<void> | undefined;
  #sweeper: Promise<void> | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** @param algorithm what the content is expected to be named by; another one costs a second reading. @throws Refusal TOOMANYREQUESTS */
  async create(repository: string, algorithm: Algorithm): Promise<Session> {
    const { clock, directory, limits } = this.#options;
    const id = randomUUID();
    const path = join(directory, id);
    await (this.#prepared ??= this.#prepare());
    if (this.#sessions.size >= limits.uploads)
      throw this.#tooMany(`there are ${limits.uploads} unfinished uploads already`);
    const room = {
      now: () => clock.now(),
      blobBytes: limits.blobBytes,
      check: (more: number) => {
        if (this.#bytes() + more > limits.uploadBytes)
          throw this.#tooMany('the unfinished uploads are too large together');
      },
    };
    const session = new Session({ id, repository, path, algorithm, room });
    this.#sessions.set(id, session);
    let handle: FileHandle;
    try {
      handle = await this.#open(path);
    } catch (error) {
      this.#sessions.delete(id);
      throw error;
    }
    session.start(handle);
    this.#sweeper ??= this.#sweep();
    return session;
  }

  /** @throws Refusal BLOB_UPLOAD_UNKNOWN */
  get(id: string, repository: string): Session {
    const session = this.#sessions.get(id);
    if (session === undefined || session.repository !== repository)
      throw new Refusal('BLOB_UPLOAD_UNKNOWN', 'there is no such upload');
    return session;
  }

  async drop(session: Session): Promise<void> {
    this.#sessions.delete(session.id);
    await session.discard();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#sweeper;
    await Promise.all([...this.#sessions.values()].map((session) => this.drop(session)));
  }

  #bytes(): number {
    let bytes = 0;
    for (const session of this.#sessions.values()) bytes += session.size;
    return bytes;
  }

  #tooMany(message: string): Refusal {
    return new Refusal('TOOMANYREQUESTS', message, { headers: { 'Retry-After': '60' } });
  }

  /** Read-only to all but this handle, so that a layout takes the finished file by link. */
  async #open(path: string): Promise<FileHandle> {
    try {
      return await open(path, 'wx+', 0o444);
    } catch (error) {
      // A server that was idle for long may have been taken for dead by one of another machine.
      if (systemCode(error) !== 'ENOENT') throw error;
      await makeDirectory(this.#options.directory, 0o700);
      return await open(path, 'wx+', 0o444);
    }
  }

  async #prepare(): Promise<void> {
    const { clock, directory } = this.#options;
    await makeDirectory(directory, 0o700);
    for (const file of await readdir(directory)) {
      if (!ID.test(file)) continue;
      const path = join(directory, file);
      const age = await stat(path).then(
        ({ mtimeMs }) => clock.now() - mtimeMs,
        () => 0,
      );
      if (age > LEFT_BEHIND_MS) await rm(path, { force: true });
    }
  }

  /** Runs while there are sessions, and wakes when the next one may have been left alone for too long. */
  async #sweep(): Promise<void> {
    const { clock, limits } = this.#options;
    while (this.#sessions.size > 0 && !this.#stop.signal.aborted) {
      let next = Number.POSITIVE_INFINITY;
      for (const { touchedAt } of this.#sessions.values()) next = Math.min(next, touchedAt + limits.uploadIdleMs);
      try {
        await clock.sleep(Math.max(next - clock.now(), 1000), this.#stop.signal);
      } catch {
        return;
      }
      const idle = [...this.#sessions.values()].filter(
        ({ touchedAt, busy }) => !busy && clock.now() - touchedAt >= limits.uploadIdleMs,
      );
      // A file that cannot be removed now is found by the next start.
      await Promise.all(idle.map((session) => this.drop(session).catch(() => {})));
    }
    this.#sweeper = undefined;
  }
}
