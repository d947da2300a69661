import * as z from 'zod';
import { isDigest, type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { isObject, parseJson, type JsonObject } from '../../core/json.ts';
import { parseWith } from '../../core/parseWith.ts';

/** Images of one bundle. */
const MAX_IMAGES = 10_000;
const Text = z.string().max(4096);

const ImageSchema = z.looseObject({
  image: Text.min(1),
  contentDigest: z.string().nullish(),
  /** What drafts of the specification called it. */
  digest: z.string().nullish(),
  mediaType: Text.nullish(),
  size: z.int().min(0).nullish(),
});

/** A bundle file (CNAB 101). Unknown members pass. */
const BundleSchema = z.looseObject({
  schemaVersion: Text,
  name: Text.nullish(),
  version: Text.nullish(),
  description: z.string().nullish(),
  keywords: z.array(Text).max(1000).nullish(),
  maintainers: z
    .array(z.looseObject({ name: Text.nullish(), email: Text.nullish() }))
    .max(1000)
    .nullish(),
  invocationImages: z.array(ImageSchema).max(MAX_IMAGES),
  images: z
    .custom<JsonObject>(isObject, 'must be a map')
    .nullish()
    .transform((images) => Object.entries(images ?? {}))
    .pipe(z.array(z.tuple([Text, ImageSchema])).max(MAX_IMAGES)),
});

export interface BundleImage {
  readonly role: 'invocation' | 'component';
  /** The name of a component; of an invocation image its number. */
  readonly name: string;
  /** As the bundle names it, which may be no valid reference. */
  readonly reference: string;
  /** Of its manifest or index, where the bundle says it. */
  readonly digest: Digest | undefined;
}

export interface Bundle {
  /** The file as it came. */
  readonly bytes: Uint8Array;
  readonly schemaVersion: string;
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly description: string | undefined;
  readonly keywords: readonly string[];
  readonly authors: readonly string[];
  /** Invocation images first, then components by their names. */
  readonly images: readonly BundleImage[];
}

/** Whether a parsed JSON value is a bundle file, going by what every bundle must have. */
export function isBundle(value: unknown): boolean {
  return isObject(value) && typeof value['schemaVersion'] === 'string' && Array.isArray(value['invocationImages']);
}

/** @throws OCL_DOCUMENT_INVALID, OCL_LIMIT */
export function parseBundle(bytes: Uint8Array, what: string): Bundle {
  const fail = (why: string): OclError => new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: ${why}`);
  const parsed = parseWith(BundleSchema, parseJson(bytes, what), fail);
  const image = (role: BundleImage['role'], name: string, raw: z.infer<typeof ImageSchema>): BundleImage => {
    const digest = raw.contentDigest || raw.digest || undefined;
    if (digest !== undefined && !isDigest(digest)) throw fail(`${JSON.stringify(digest.slice(0, 100))} is no digest`);
    return { role, name, reference: raw.image, digest };
  };
  return {
    bytes,
    schemaVersion: parsed.schemaVersion,
    name: parsed.name ?? undefined,
    version: parsed.version ?? undefined,
    description: parsed.description ?? undefined,
    keywords: parsed.keywords ?? [],
    authors: (parsed.maintainers ?? []).map(({ name, email }) =>
      [name, email ? `<${email}>` : undefined].filter((part) => part).join(' '),
    ),
    images: [
      ...parsed.invocationImages.map((raw, i) => image('invocation', String(i), raw)),
      ...parsed.images.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, raw]) => image('component', name, raw)),
    ],
  };
}

/**
 * The file in canonical JSON: no white space, names sorted. A file with numbers that are not whole, or too large to be
 * told apart, stays as it is, for there two writers may differ.
 */
export function canonicalBundle({ bytes }: Bundle): Uint8Array {
  let exact = true;
  const sorted = (value: unknown): unknown => {
    if (typeof value === 'number' && !Number.isSafeInteger(value)) exact = false;
    if (Array.isArray(value)) return value.map(sorted);
    if (!isObject(value)) return value;
    const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(entries.map(([name, member]) => [name, sorted(member)]));
  };
  const value = sorted(parseJson(bytes, 'a bundle'));
  return exact ? new TextEncoder().encode(canonical(value)) : bytes;
}

/** Names that look like numbers come first in an object, whatever order they were put in: so it is written here. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const names = Object.keys(value).toSorted((a, b) => (a < b ? -1 : 1));
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}
