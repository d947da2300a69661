import { Readable } from 'node:stream';

/** Bytes of a chunk that are handed to the connection at a time. */
const SLICE = 256 << 10;

/** The same stream, its last piece withheld until all of it proved right: no registry ever gets wrong content whole. */
export function holdingBack(stream: Readable): Readable {
  async function* pass(): AsyncGenerator<Uint8Array> {
    let held: Uint8Array | undefined;
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      if (held !== undefined) yield held;
      held = piece;
    }
    if (held !== undefined) yield held;
  }
  // Pieces stay the objects that they are.
  return Readable.from(pass(), { highWaterMark: 1 }).once('close', () => stream.destroy());
}

/** In pieces, so that a slow line shows how far it is, and a limited rate can hold. */
export function slicesOf(part: Uint8Array): Readable {
  const slices = Array.from({ length: Math.ceil(part.length / SLICE) }, (_, i) =>
    part.subarray(i * SLICE, (i + 1) * SLICE),
  );
  return Readable.from(slices, { objectMode: false });
}
