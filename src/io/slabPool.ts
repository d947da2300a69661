import { type Writable } from 'node:stream';

/** Bytes of a slab: large enough that what a piece costs on its way through hashing and writing does not count. */
export const SLAB_BYTES = 1 << 20;
/** Slabs that are kept for reuse. */
const KEPT = 24;

interface Slab {
  /** Pieces that were handed out and did not come back. */
  out: number;
  /** Nothing more will be handed out of it. */
  full: boolean;
}

/**
 * Memory for contents on their way. A fresh megabyte costs 256 page faults, more than hashing it does; so who is the last to hold
 * a piece may give it back. Who does not leaves it to the garbage collector, and nothing is wrong.
 * The pool belongs to the process, as the memory does: it holds no content that anybody could ask for.
 */
const free: Buffer[] = [];
/** Slabs that are in use or kept. */
const MOST = 48;
let living = 0;
const collected = new FinalizationRegistry(() => {
  living--;
});
const slabs = new WeakMap<ArrayBufferLike, Slab>();

/**
 * A whole slab, filled with whatever was in it. Threads share it, so that hashing can go on beside reading and writing.
 * The collector does not see how large shared memory is: where pieces do not come back, ordinary memory is given after some slabs.
 */
export function takeSlab(): Buffer {
  return free.length > 0 || living < MOST ? takeShared() : Buffer.allocUnsafeSlow(SLAB_BYTES);
}

/** A slab in any case. Only for those who give it back for certain. */
export function takeShared(): Buffer {
  const slab = free.pop() ?? newSlab();
  slabs.set(slab.buffer, { out: 0, full: false });
  return slab;
}

function newSlab(): Buffer {
  const memory = new SharedArrayBuffer(SLAB_BYTES);
  living++;
  collected.register(memory, undefined);
  return Buffer.from(memory);
}

/** Notes that a part of a slab is handed out. */
export function lendPiece(slab: Buffer, start: number, end: number): Buffer {
  const entry = slabs.get(slab.buffer);
  if (entry !== undefined) entry.out++;
  return slab.subarray(start, end);
}

/** Whether some bytes lie in a slab, and stay what they are for whoever holds them. */
export function isPiece(bytes: Uint8Array): boolean {
  return slabs.has(bytes.buffer);
}

/** Another holder of a piece that was lent: it gives the piece back as well. */
export function holdPiece(piece: Uint8Array): void {
  const entry = slabs.get(piece.buffer);
  if (entry !== undefined) entry.out++;
}

/** Says that no further piece will be lent of this slab. */
export function retireSlab(slab: Buffer): void {
  const entry = slabs.get(slab.buffer);
  if (entry === undefined) return;
  entry.full = true;
  reuse(slab.buffer, entry);
}

/** Pieces that go back when the connection that they are written to has sent them. */
const handedOver = new WeakSet<object>();

/** Leaves the giving back of a piece to the connection that sends it (`givesBack`): for the last holder, that very object. */
export function handOver(piece: Uint8Array): Uint8Array {
  if (isPiece(piece)) handedOver.add(piece);
  return piece;
}

/** Undoes the handing over, for who needs the piece no more before it comes to a connection. */
export function takeBack(piece: Uint8Array): void {
  if (handedOver.delete(piece)) givePiece(piece);
}

/** Has a connection give back what was handed over to it, once it needs it no more. */
export function givesBack<T extends Writable>(socket: T): T {
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  socket.write = (chunk: unknown, ...rest: unknown[]): boolean => {
    if (!(chunk instanceof Uint8Array) || !handedOver.delete(chunk)) return write(chunk, ...rest);
    return write(chunk, undefined, (...outcome: unknown[]) => {
      givePiece(chunk);
      for (const done of rest) if (typeof done === 'function') done(...outcome);
    });
  };
  return socket;
}

/**
 * Gives a piece back, whoever cut it smaller on the way. Only the last holder may: its bytes change from now on.
 * Memory that is no slab is left alone.
 */
export function givePiece(piece: Uint8Array): void {
  const entry = slabs.get(piece.buffer);
  if (entry === undefined || entry.out === 0) return;
  entry.out--;
  reuse(piece.buffer, entry);
}

function reuse(memory: ArrayBufferLike, entry: Slab): void {
  if (!entry.full || entry.out > 0) return;
  slabs.delete(memory);
  if (free.length < KEPT) free.push(Buffer.from(memory));
}
