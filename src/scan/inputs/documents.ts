import { isObject, parseJson } from '../../core/json.ts';
import { OclError } from '../../core/errors.ts';
import { type Descriptor } from '../../core/descriptor.ts';
import { normalMediaType } from '../../core/mediaTypes.ts';
import { type Source } from '../../core/store.ts';
import { COMPRESSION_HEAD } from '../../io/compression.ts';
import { readVerified } from '../../io/verify.ts';
import { readJsonResult, readResult, type ResultFacts } from '../formats.ts';

/** What a document about an image is, and what its file is called. */
export interface DocumentFormat {
  readonly format: 'spdx-json' | 'spdx' | 'cyclonedx-json' | 'cyclonedx-xml' | 'syft-json' | 'openvex' | 'other';
  readonly extension: string;
  /** Scanners take it as an SBOM. */
  readonly isSbom: boolean;
}

const FORMATS = {
  'spdx-json': { extension: 'spdx.json', isSbom: true },
  spdx: { extension: 'spdx', isSbom: true },
  'cyclonedx-json': { extension: 'cdx.json', isSbom: true },
  'cyclonedx-xml': { extension: 'cdx.xml', isSbom: true },
  'syft-json': { extension: 'syft.json', isSbom: true },
  openvex: { extension: 'openvex.json', isSbom: false },
  other: { extension: 'json', isSbom: false },
} as const satisfies Record<DocumentFormat['format'], Omit<DocumentFormat, 'format'>>;

const FORMAT_NAMES = Object.keys(FORMATS) as readonly DocumentFormat['format'][];

/** Bytes of a document that is opened to see what it is; cosign takes attachments up to twice that size. */
const DOCUMENT_BYTES = 64 << 20;

/** A document as it is written down. */
export interface TakenDocument extends DocumentFormat {
  readonly bytes: Uint8Array;
}

/**
 * What a layer says about an image: an SBOM as it is, or the predicate of an attestation (an in-toto statement, plain, in a DSSE
 * envelope, or in a Sigstore bundle). Nothing is made up: what holds none gives undefined.
 * @throws the source's failure, OCL_DIGEST_MISMATCH, OCL_LIMIT above 64 MiB
 */
export async function takeDocument(source: Source, layer: Descriptor): Promise<TakenDocument | undefined> {
  const bytes = await readVerified(await source.open(layer), layer, DOCUMENT_BYTES);
  const first = firstCharacter(bytes);
  if (first !== '{') return plainDocument(bytes, layer);
  const value = json(bytes, layer.digest);
  if (value === undefined) return undefined;
  const statement = statementOf(value);
  if (statement === undefined) return formatted(formatOfJson(value), bytes);
  const predicate = predicateOf(statement);
  if (predicate === undefined) return undefined;
  const format = formatOfJson(predicate.value);
  return format === undefined ? undefined : formatted(format, predicate.bytes);
}

function formatted(format: DocumentFormat['format'] | undefined, bytes: Uint8Array): TakenDocument | undefined {
  return format === undefined ? undefined : { format, ...FORMATS[format], bytes };
}

/** By content: the media types of attached documents are often wrong (spec/oci.md 7.1). */
function formatOfJson(value: unknown): DocumentFormat['format'] | undefined {
  return isObject(value) ? known(readJsonResult(value)) : undefined;
}

/** Reports of scanners are no documents that scanners read. */
function known(facts: ResultFacts | undefined): DocumentFormat['format'] | undefined {
  return FORMAT_NAMES.find((name) => name === facts?.format);
}

function plainDocument(bytes: Uint8Array, { mediaType }: Descriptor): TakenDocument | undefined {
  const format = known(readResult(bytes));
  if (format !== undefined) return formatted(format, bytes);
  return normalMediaType(mediaType).startsWith('text/spdx') ? formatted('spdx', bytes) : undefined;
}

/** The in-toto statement within; undefined when it is none. */
function statementOf(value: unknown): Record<string, unknown> | undefined {
  if (!isObject(value)) return undefined;
  const envelope = isObject(value['dsseEnvelope']) ? value['dsseEnvelope'] : value;
  const { payload, payloadType } = envelope;
  if (typeof payload === 'string' && payloadType === 'application/vnd.in-toto+json') {
    const inner = json(Buffer.from(payload, 'base64'), 'the payload of an envelope');
    return isObject(inner) ? inner : undefined;
  }
  return typeof value['predicateType'] === 'string' ? value : undefined;
}

/** Cosign before version 2 wraps documents that it takes for text into `Data`. */
function predicateOf({
  predicate,
}: Record<string, unknown>): { readonly value: unknown; readonly bytes: Uint8Array } | undefined {
  const data = isObject(predicate) ? predicate['Data'] : undefined;
  if (typeof data === 'string') {
    const bytes = Buffer.from(data);
    return { value: json(bytes, 'a predicate'), bytes };
  }
  const value = isObject(data) ? data : predicate;
  return isObject(value) ? { value, bytes: Buffer.from(`${JSON.stringify(value)}\n`) } : undefined;
}

function json(bytes: Uint8Array, what: string): unknown {
  try {
    return parseJson(bytes, what);
  } catch (error) {
    if (error instanceof OclError) return undefined;
    throw error;
  }
}

function firstCharacter(bytes: Uint8Array): string {
  return Buffer.from(bytes.subarray(0, COMPRESSION_HEAD)).toString('latin1').trimStart().charAt(0);
}
