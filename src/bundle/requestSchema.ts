import * as z from 'zod';
import { type Descriptor, type StoredBlob } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { isObject, parseJson } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { parseDescriptor } from '../core/manifest.ts';
import { parseWith } from '../core/parseWith.ts';
import { decodeInventory, type Inventory } from './inventory.ts';

/** An image that a far side could not complete. */
export interface RequestedImage {
  /** An entry as in `index.json`, with its names. */
  readonly root: Descriptor;
  /** What the bundle that named it said of its name. */
  readonly before: readonly Digest[];
  readonly all: boolean;
}

/** What a far side lacks of bundles that it was given, as it is carried back. */
export interface BlobRequest {
  /** The far side's name for its target. */
  readonly of: string;
  /** ISO 8601, UTC. */
  readonly time: string;
  readonly tool: { readonly name: string; readonly version: string };
  /** The bundle that was refused. */
  readonly bundle: Digest;
  readonly images: readonly RequestedImage[];
  readonly missing: readonly StoredBlob[];
  /** What the target and those bundles have; there where something is missing of which nobody knows what is below it. */
  readonly have: Inventory | undefined;
}

const DigestSchema = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is no digest');
const Text = z.string().max(4096);

const RequestSchema = z.looseObject({
  requestVersion: z.int(),
  of: Text,
  time: z.iso.datetime(),
  tool: z.looseObject({ name: Text, version: Text }),
  bundle: DigestSchema,
  images: z
    .array(z.looseObject({ before: z.array(DigestSchema).max(10_000), all: z.boolean(), root: z.unknown() }))
    .max(LIMITS.descriptors),
  missing: z.array(z.looseObject({ digest: DigestSchema, size: z.int().nonnegative() })).max(LIMITS.graphNodes),
  have: z.base64().optional(),
});

/** Whether a text is one of these. */
function isRequest(value: unknown): boolean {
  return isObject(value) && 'requestVersion' in value;
}

/** @throws OCL_DOCUMENT_INVALID, OCL_LIMIT; OCL_UNSUPPORTED for one of a later version */
export async function parseRequest(bytes: Uint8Array, what: string): Promise<BlobRequest> {
  const value = parseJson(bytes, what);
  const invalid = (why: string): OclError =>
    new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: ${why}`, {
      hint: 'a request is what ocl import --request writes',
    });
  if (!isRequest(value)) throw invalid('it is no request');
  const read = parseWith(RequestSchema, value, invalid);
  if (read.requestVersion !== 1)
    throw new OclError('OCL_UNSUPPORTED', `Cannot read ${what}: it is of version ${read.requestVersion}`, {
      hint: 'use a newer version of ocl',
    });
  const { of, time, tool, bundle, images, missing, have } = read;
  return {
    of,
    time,
    tool,
    bundle,
    images: images.map(({ root, before, all }) => ({ root: parseDescriptor(root, what), before, all })),
    missing,
    have: have === undefined ? undefined : await decodeInventory(Buffer.from(have, 'base64'), `${what} (have)`),
  };
}
