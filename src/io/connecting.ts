import { type Duplex } from 'node:stream';

/**
 * The connections of one pool that are being made. undici lets go of those only when they are made or time out, and tells nobody that
 * their request was given up: here they end as soon as no request waits for one.
 */
export class Connecting {
  readonly #sockets = new Map<string, Set<Duplex>>();
  readonly #waiting = new Map<string, number>();
  #closed = false;

  /** Keeps a socket in sight until it emits `made`, is closed, or what is returned is called. */
  add(origin: string, socket: Duplex, made: 'connect' | 'secureConnect' | undefined): () => void {
    const sockets = this.#sockets.get(origin) ?? new Set<Duplex>();
    this.#sockets.set(origin, sockets.add(socket));
    const forget = (): void => {
      sockets.delete(socket);
      if (sockets.size === 0 && this.#sockets.get(origin) === sockets) this.#sockets.delete(origin);
    };
    // Before undici hears of it and puts the request on its way.
    if (made !== undefined) socket.prependOnceListener(made, forget);
    socket.once('close', forget);
    if (this.#closed) socket.destroy(givenUp());
    return forget;
  }

  /** A request waits for a connection. Returns what to call, once or more, when it has one or gave up. */
  wait(origin: string): () => void {
    this.#waiting.set(origin, (this.#waiting.get(origin) ?? 0) + 1);
    let waits = true;
    return () => {
      if (!waits) return;
      waits = false;
      const left = (this.#waiting.get(origin) ?? 1) - 1;
      if (left > 0) return void this.#waiting.set(origin, left);
      this.#waiting.delete(origin);
      this.#drop(this.#sockets.get(origin));
    };
  }

  /** Nobody waits for a connection to this origin any more. */
  isUnwanted(origin: string): boolean {
    return this.#closed || !this.#waiting.has(origin);
  }

  close(): void {
    this.#closed = true;
    for (const sockets of this.#sockets.values()) this.#drop(sockets);
  }

  #drop(sockets: ReadonlySet<Duplex> | undefined): void {
    for (const socket of sockets ?? []) socket.destroy(givenUp());
  }
}

/** undici waits on for a socket that is destroyed without an error. */
export function givenUp(): Error {
  return Object.assign(new Error('nobody waits for this connection any more'), { code: 'ECONNRESET' });
}
