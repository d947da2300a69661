import { type Clock } from '../core/clock.ts';
import { OclError } from '../core/errors.ts';
import { parseJson, toJsonBytes } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { gunzip, gzip } from '../io/compression.ts';
import { digestOf } from '../io/verify.ts';
import { type ReachOptions } from '../copy/reach.ts';
import { readHoldings, type Collection, type Tags } from './collection.ts';
import { BlobSet, PREFIX_BYTES } from './inventoryBlobs.ts';
import { parseInventoryHeader } from './inventorySchema.ts';

/** What a place held at some time: its tags, and which blobs. Small enough to be carried back over the gap. */
export interface Inventory {
  /** The place, as it was named there. */
  readonly of: string;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly tool: { readonly name: string; readonly version: string };
  readonly tags: Tags;
  readonly blobs: BlobSet;
  /** Of all blobs together. */
  readonly bytes: number;
}

export interface InventoryOptions extends ReachOptions {
  readonly clock: Clock;
  /** Of this program. */
  readonly version: string;
}

/** Takes the inventory of a place, or of several together. @throws as `readHoldings` */
export async function takeInventory(places: readonly Collection[], options: InventoryOptions): Promise<Inventory> {
  const { tags, blobs } = await readHoldings(places, options);
  return {
    of: places.map(({ name }) => name).join(', '),
    time: new Date(options.clock.now()).toISOString(),
    tool: { name: 'ocl', version: options.version },
    tags,
    blobs: BlobSet.of(blobs.keys()),
    bytes: [...blobs.values()].reduce((sum, size) => sum + size, 0),
  };
}

/** The line ends show a transfer that took the file for a text. */
const MAGIC = Buffer.from('OCLI\r\n\u001a\n', 'latin1');
const VERSION = 1;
/** Magic, version, bytes of the header, number of prefixes. */
const FIXED_BYTES = MAGIC.length + 3 * 4;
const CHECKSUM_BYTES = 32;

/** Whether a file that begins so claims to be an inventory. */
export function isInventory(head: Uint8Array): boolean {
  return MAGIC.equals(head.subarray(0, MAGIC.length));
}

/** The bytes of an inventory file; docs/bundle-format.md describes them. */
export async function encodeInventory(inventory: Inventory): Promise<Uint8Array> {
  const { of, time, tool, bytes, blobs } = inventory;
  const repositories = Object.fromEntries(
    [...inventory.tags].toSorted(byName).map(([name, tags]) => [name, Object.fromEntries([...tags].toSorted(byName))]),
  );
  const header = await gzip(toJsonBytes({ of, time, tool, bytes, repositories, others: blobs.others }));
  const prefixes = blobs.encode();
  const fixed = Buffer.alloc(FIXED_BYTES);
  MAGIC.copy(fixed);
  fixed.writeUInt32BE(VERSION, MAGIC.length);
  fixed.writeUInt32BE(header.length, MAGIC.length + 4);
  fixed.writeUInt32BE(prefixes.length / PREFIX_BYTES, MAGIC.length + 8);
  const all = Buffer.concat([fixed, header, prefixes]);
  return Buffer.concat([all, checksum(all)]);
}

/**
 * @param what names the file in errors
 * @throws OCL_DOCUMENT_INVALID (something else, cut off, altered), OCL_UNSUPPORTED (of a newer version), OCL_LIMIT
 */
export async function decodeInventory(bytes: Uint8Array, what: string): Promise<Inventory> {
  const invalid = (why: string): OclError => new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: ${why}`);
  if (bytes.length > LIMITS.inventoryBytes)
    throw new OclError('OCL_LIMIT', `Cannot read ${what}: it is larger than ${LIMITS.inventoryBytes} bytes`);
  if (!isInventory(bytes)) throw invalid('it is no inventory');
  if (bytes.length < FIXED_BYTES + CHECKSUM_BYTES) throw invalid('it is cut off');
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = all.readUInt32BE(MAGIC.length);
  if (version !== VERSION)
    throw new OclError('OCL_UNSUPPORTED', `Cannot read ${what}: it is of version ${version}`, {
      hint: 'use a newer version of ocl',
    });
  const headerBytes = all.readUInt32BE(MAGIC.length + 4);
  const prefixBytes = all.readUInt32BE(MAGIC.length + 8) * PREFIX_BYTES;
  const size = FIXED_BYTES + headerBytes + prefixBytes + CHECKSUM_BYTES;
  if (all.length !== size) throw invalid(`it has ${all.length} bytes instead of ${size}`);
  if (!all.subarray(size - CHECKSUM_BYTES).equals(checksum(all.subarray(0, size - CHECKSUM_BYTES))))
    throw invalid('its checksum is wrong');
  const packed = all.subarray(FIXED_BYTES, FIXED_BYTES + headerBytes);
  const header = await gunzip(packed, LIMITS.inventoryBytes, what);
  const { repositories, others, ...facts } = parseInventoryHeader(parseJson(header, what), what);
  const blobs = BlobSet.decode(all.subarray(FIXED_BYTES + headerBytes, size - CHECKSUM_BYTES), others);
  if (blobs === undefined) throw invalid('its blobs are not in ascending order');
  return { of: facts.of, time: facts.time, tool: facts.tool, bytes: facts.bytes, tags: repositories, blobs };
}

function checksum(bytes: Uint8Array): Uint8Array {
  const digest = digestOf(bytes);
  return Buffer.from(digest.slice(digest.indexOf(':') + 1), 'hex');
}

function byName(a: readonly [string, unknown], b: readonly [string, unknown]): number {
  return a[0] < b[0] ? -1 : 1;
}
