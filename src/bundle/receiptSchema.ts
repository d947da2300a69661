import * as z from 'zod';
import { isDigest, type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { isObject, parseJson } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { parseWith } from '../core/parseWith.ts';
import { decodeInventory, type Inventory } from './inventory.ts';

/** What is read of a receipt: which images arrived, and what the far side has since. */
export interface ReadReceipt {
  readonly of: string;
  readonly time: string;
  /** By full name as the bundle had it. */
  readonly images: ReadonlyMap<string, Digest>;
  readonly inventory: Inventory;
}

const DigestSchema = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is no digest');
const Text = z.string().max(4096);

const ReceiptSchema = z.looseObject({
  receiptVersion: z.int(),
  target: Text,
  time: z.iso.datetime(),
  images: z.array(z.looseObject({ name: Text, digest: DigestSchema })).max(LIMITS.descriptors),
  inventory: z.base64(),
});

/** @throws OCL_DOCUMENT_INVALID, OCL_LIMIT; OCL_UNSUPPORTED for one of a later version */
export async function parseReceipt(bytes: Uint8Array, what: string): Promise<ReadReceipt> {
  const value = parseJson(bytes, what);
  const invalid = (why: string): OclError => new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: ${why}`);
  if (!isObject(value) || !('receiptVersion' in value)) throw invalid('it is no receipt');
  const { receiptVersion, target, time, images, inventory } = parseWith(ReceiptSchema, value, invalid);
  if (receiptVersion !== 1)
    throw new OclError('OCL_UNSUPPORTED', `Cannot read ${what}: it is of version ${receiptVersion}`, {
      hint: 'use a newer version of ocl',
    });
  return {
    of: target,
    time,
    images: new Map(images.map(({ name, digest }) => [name, digest])),
    inventory: await decodeInventory(Buffer.from(inventory, 'base64'), `${what} (inventory)`),
  };
}
