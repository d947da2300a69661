import { Readable } from 'node:stream';
import { type Descriptor } from '../core/descriptor.ts';
import { isCode, onSide, type OclError } from '../core/errors.ts';
import { type Emit, type Outcome } from '../core/events.ts';
import { type Gate, type Open, type Sink, type Source } from '../core/store.ts';
import { embeddedData } from '../io/verify.ts';

export interface OpenOptions {
  readonly from: Source;
  readonly emit: Emit;
  readonly signal: AbortSignal | undefined;
  /** The bytes of a document, which are at hand as a rule. */
  readonly document?: (() => Promise<Uint8Array>) | undefined;
  /** Told at each opening how many bytes the sink has from before. */
  readonly onOpen?: ((from: number) => void) | undefined;
}

export interface TransferOptions extends OpenOptions {
  readonly to: Sink;
}

/** Moves one node by the shortest way that the two ends allow: there already, adopted, or streamed. */
export async function transfer(descriptor: Descriptor, options: TransferOptions): Promise<Outcome> {
  const { from, to, emit, signal } = options;
  signal?.throwIfAborted();
  if (await targetSide(() => to.has(descriptor))) {
    emit({ type: 'blob.done', blob: descriptor, outcome: 'present' });
    return 'present';
  }
  const open = opener(descriptor, options);
  // A sink with an order of its own opens at its turn: a door held until then could be the one that the turn before needs.
  const waits = to.reserve !== undefined;
  const leave = await enterAll(waits ? [] : [...from.gates, ...to.gates], signal);
  try {
    emit({ type: 'blob.start', blob: descriptor });
    const shortcut = await targetSide(() => to.adopt(descriptor, from.place(descriptor)));
    if (shortcut === undefined) {
      const put = (): Promise<void> =>
        targetSide(() => to.put(descriptor, waits ? behindGates(open, from.gates, signal) : open));
      // An archive has a place for the bytes and wrote the wrong ones there: the second time it writes over them.
      await put().catch((error: unknown) => {
        if (!isWrongContent(error) || from.doubt?.(descriptor) !== true) throw error;
        return put();
      });
    }
    const outcome = shortcut ?? 'streamed';
    emit({ type: 'blob.done', blob: descriptor, outcome });
    return outcome;
  } finally {
    leave();
  }
}

/** Enters the doors when it opens, and leaves them when the stream closes. */
function behindGates(open: Open, gates: readonly Gate[], signal: AbortSignal | undefined): Open {
  return async (from) => {
    const leave = await enterAll(gates, signal);
    try {
      return (await open(from)).once('close', leave);
    } catch (error) {
      leave();
      throw error;
    }
  };
}

/** Opens the content anew at each call, telling how many bytes flow and which side fails. */
export function opener(descriptor: Descriptor, options: OpenOptions): Open {
  return async (from = 0) => {
    const bytes = (await options.document?.()) ?? embeddedData(descriptor);
    if (bytes !== undefined)
      return Readable.from(bytes.length <= from ? [] : [bytes.subarray(from)], { objectMode: false });
    const stream = await openSource(descriptor, options.from, from);
    options.onOpen?.(from);
    if (from > 0) options.emit({ type: 'blob.resume', blob: descriptor, bytes: from });
    // A generator that was never started does not reach its own end: who opens and drops must still let go of the file or socket.
    return Readable.from(counted(stream, descriptor, options), { highWaterMark: 1 }).once('close', () =>
      stream.destroy(),
    );
  };
}

async function openSource(descriptor: Descriptor, source: Source, from: number): Promise<Readable> {
  // Nothing is left to ask for, and a range of no bytes is none.
  if (from > 0 && from === descriptor.size) return Readable.from([]);
  try {
    return await source.open(descriptor, from === 0 ? undefined : { start: from });
  } catch (error) {
    throw onSide(error, 'source');
  }
}

async function* counted(stream: Readable, descriptor: Descriptor, options: OpenOptions): AsyncGenerator<Uint8Array> {
  const { emit, signal } = options;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      signal?.throwIfAborted();
      emit({ type: 'blob.bytes', blob: descriptor, bytes: chunk.length });
      yield chunk;
    }
  } catch (error) {
    throw onSide(error, 'source');
  } finally {
    stream.destroy();
  }
}

/** A wrong digest is the fault of where the bytes came from, wherever it was noticed. */
export async function targetSide<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw onSide(error, isWrongContent(error) ? 'source' : 'target') satisfies OclError;
  }
}

function isWrongContent(error: unknown): boolean {
  return isCode(error, 'OCL_DIGEST_MISMATCH') || isCode(error, 'OCL_SIZE_MISMATCH');
}

/** Enters each door once, in the order of their ids. */
async function enterAll(gates: readonly Gate[], signal: AbortSignal | undefined): Promise<() => void> {
  const doors = [...new Map(gates.map((gate) => [gate.id, gate])).values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const leaves: (() => void)[] = [];
  const leaveAll = (): void => {
    for (const leave of leaves.splice(0)) leave();
  };
  try {
    for (const door of doors) leaves.push(await door.enter(signal));
    return leaveAll;
  } catch (error) {
    leaveAll();
    throw error;
  }
}
