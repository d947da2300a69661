import * as z from 'zod';
import { type Descriptor } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { isObject, parseJson } from '../core/json.ts';
import { parseDescriptor } from '../core/manifest.ts';
import { parseWith } from '../core/parseWith.ts';
import { type LockedImage, type LockFile } from './lock.ts';

/** Images of one lock. */
const MAX_IMAGES = 200_000;

const DigestSchema = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), 'is no digest');
const ObjectSchema = z.custom<Record<string, unknown>>(isObject, 'must be an object');

const ImageSchema = z.looseObject({
  tag: z.string().max(4096).optional(),
  rewritten: DigestSchema.optional(),
  foreign: z.boolean().optional(),
  entries: z.array(DigestSchema).optional(),
  platforms: ObjectSchema.optional(),
  referrers: z.array(z.unknown()).optional(),
  digestTags: ObjectSchema.optional(),
});

const LockSchema = z.looseObject({
  lockVersion: z.literal(1),
  dockerPlatform: z.string().max(256),
  images: ObjectSchema,
});

/** What `--lock` wrote. @throws OCL_CONFIG_INVALID, OCL_DOCUMENT_INVALID, OCL_LIMIT */
export function parseLock(bytes: Uint8Array, file: string): LockFile {
  const invalid = (why: string): OclError =>
    new OclError('OCL_CONFIG_INVALID', `Cannot read the lock ${file}: ${why}`, {
      hint: 'a lock is what ocl export --lock writes',
    });
  const { images, dockerPlatform } = parseWith(LockSchema, parseJson(bytes, file), invalid);
  const entries = Object.entries(images);
  if (entries.length > MAX_IMAGES)
    throw new OclError('OCL_LIMIT', `Cannot read the lock ${file}: it has more than ${MAX_IMAGES} images`);
  return {
    dockerPlatform,
    images: new Map(
      entries.map(([name, value]) => {
        const what = `${name} in ${file}`;
        return [name, readImage(value, what, (why) => invalid(`${name}: ${why}`))];
      }),
    ),
  };
}

function readImage(value: unknown, what: string, invalid: (why: string) => OclError): LockedImage {
  const image = parseWith(ImageSchema, value, invalid);
  const descriptors = (values: readonly unknown[]): readonly Descriptor[] =>
    values.map((each) => parseDescriptor(each, what));
  const platforms = Object.entries(image.platforms ?? {}).map(([platform, digest]): [string, Digest] => {
    if (typeof digest !== 'string' || !isDigest(digest)) throw invalid(`platforms.${platform}: is no digest`);
    return [platform, digest];
  });
  return {
    root: parseDescriptor(value, what),
    tag: image.tag,
    rewritten: image.rewritten,
    foreign: image.foreign ?? false,
    entries: image.entries ?? [],
    platforms: new Map(platforms),
    referrers: descriptors(image.referrers ?? []),
    digestTags: Object.entries(image.digestTags ?? {}).map(([tag, root]) => ({
      tag,
      root: parseDescriptor(root, what),
    })),
  };
}
