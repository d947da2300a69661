import * as z from 'zod';
import { isDigest, type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { isObject } from '../core/json.ts';
import { parseWith } from '../core/parseWith.ts';
import { MAX_NAME, type Tags } from './collection.ts';

const MAX_TEXT = 512;

const DigestText = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is no digest');

/** Read as it stands, so that a repository called `__proto__` stays data. */
const TagsSchema = z
  .custom<Record<string, unknown>>(isObject, 'must be an object')
  .transform((value, context): Tags => {
    const tags = new Map<string, ReadonlyMap<string, Digest>>();
    const wrong = (message: string): Tags => {
      context.addIssue({ code: 'custom', message });
      return tags;
    };
    for (const [repository, named] of Object.entries(value)) {
      if (repository.length > MAX_NAME) return wrong('a name is too long');
      if (!isObject(named)) return wrong('a repository must be an object');
      const digests = new Map<string, Digest>();
      for (const [tag, digest] of Object.entries(named)) {
        if (tag.length > MAX_NAME) return wrong('a name is too long');
        if (typeof digest !== 'string' || !isDigest(digest)) return wrong('a tag names no digest');
        digests.set(tag, digest);
      }
      tags.set(repository, digests);
    }
    return tags;
  });

const HeaderSchema = z.looseObject({
  of: z.string().max(4096),
  time: z.iso.datetime(),
  tool: z.looseObject({ name: z.string().max(MAX_TEXT), version: z.string().max(MAX_TEXT) }),
  /** Bytes of all blobs together. */
  bytes: z.int().nonnegative(),
  repositories: TagsSchema,
  /** Digests of other algorithms than sha256. */
  others: z.array(DigestText).max(1_000_000),
});

export type InventoryHeader = z.infer<typeof HeaderSchema>;

/** @throws OCL_DOCUMENT_INVALID */
export function parseInventoryHeader(value: unknown, what: string): InventoryHeader {
  return parseWith(
    HeaderSchema,
    value,
    (why) => new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: its header is wrong: ${why}`),
  );
}
