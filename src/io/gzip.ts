import { crc32 } from 'node:zlib';
import { deflateSync } from 'fflate';

/** No name, no time, and "unknown" (255) for the system (RFC 1952, 2.3): what Go writes as well. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff);

/**
 * The bytes as one gzip member, the same on every machine and with every version of Node. zlib as Node has it searches for matches in
 * another way on other processors, so that one content would get two digests.
 */
export function gzipSteady(bytes: Uint8Array): Uint8Array {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc32(bytes), 0);
  trailer.writeUInt32LE(bytes.length % 2 ** 32, 4);
  return Buffer.concat([HEADER, deflateSync(bytes, { level: 6 }), trailer]);
}
