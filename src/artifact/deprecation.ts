import { ANNOTATION, plainDescriptor, type Descriptor } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { isCode, OclError } from '../core/errors.ts';
import { artifactTypeOf } from '../core/graph.ts';
import { isObject, parseJson, toJsonBytes } from '../core/json.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { type Source } from '../core/store.ts';
import { loadDocument } from '../copy/documents.ts';
import { readVerified } from '../io/verify.ts';
import { buildArtifact, type BuiltArtifact } from './build.ts';

/** A statement about a manifest that refers to it, so that the manifest itself stays as it is. Provisional, like all of `vnd.meshery`. */
export const DEPRECATION_TYPE = 'application/vnd.meshery.deprecation.v1+json';
/** What a packer writes into the manifest itself, as Artifact Hub reads it. */
const BORN_DEPRECATED = 'io.artifacthub.package.deprecated';

const ENTITY_KIND = 'io.meshery.entity.kind';

const STATEMENT_BYTES = 64 << 10;
/** Statements about one manifest that are looked at. */
const STATEMENTS = 1000;

export interface DeprecationStatement {
  /** False takes an earlier statement back. */
  readonly deprecated: boolean;
  /** When it became so, as a date or time (RFC 3339). */
  readonly since?: string | undefined;
  readonly reason?: string | undefined;
  readonly replacedBy?: { readonly ref: string; readonly digest?: Digest | undefined } | undefined;
  /** After this nobody should use it any more (RFC 3339). */
  readonly endOfLife?: string | undefined;
}

export interface Deprecation extends DeprecationStatement {
  /** When it was said; the newest statement counts. */
  readonly created: string;
  /** The manifest of the statement; undefined when the deprecated manifest says it of itself. */
  readonly digest: Digest | undefined;
}

/** What was said last of an artifact. Only entities of Meshery are asked for: the listing of an image should not cost a question more. */
export async function deprecationOf(
  source: Source,
  root: Descriptor,
  document: ManifestDocument,
): Promise<Deprecation | undefined> {
  const type = artifactTypeOf(document);
  // Packed as a container image it has its kind as an annotation alone.
  const isEntity =
    type?.startsWith('application/vnd.meshery.') === true || document.annotations?.[ENTITY_KIND] !== undefined;
  if (!isEntity || type === DEPRECATION_TYPE) return undefined;
  return await readDeprecation(source, root, document.annotations);
}

/**
 * The newest statement about a manifest, be it that it is deprecated or that it is so no more. A statement that cannot be read counts as none.
 * @param annotations those of the manifest, which may say it as well
 */
export async function readDeprecation(
  source: Source,
  subject: Descriptor,
  annotations: Readonly<Record<string, string>> | undefined,
): Promise<Deprecation | undefined> {
  const born =
    annotations?.[BORN_DEPRECATED] === 'true' ? { deprecated: true, created: '', digest: undefined } : undefined;
  let newest: Deprecation | undefined = born;
  let seen = 0;
  for await (const descriptor of source.referrers(subject)) {
    if (descriptor.artifactType !== DEPRECATION_TYPE) continue;
    if (++seen > STATEMENTS) break;
    const statement = await readStatement(source, subject, descriptor);
    if (statement !== undefined && (newest === undefined || isNewer(statement, newest))) newest = statement;
  }
  return newest;
}

/**
 * A statement as an artifact that refers to its subject.
 * @param created milliseconds since the epoch; later than what was said before, where it has to count
 */
export function buildDeprecation(subject: Descriptor, statement: DeprecationStatement, created: number): BuiltArtifact {
  const { deprecated, since, reason, replacedBy, endOfLife } = statement;
  const bytes = toJsonBytes({ deprecated, since, reason, replacedBy, endOfLife });
  if (bytes.length > STATEMENT_BYTES)
    throw new OclError(
      'OCL_LIMIT',
      `Cannot deprecate ${subject.digest}: the statement is larger than ${STATEMENT_BYTES} bytes`,
    );
  return buildArtifact({
    artifactType: DEPRECATION_TYPE,
    layers: [{ mediaType: DEPRECATION_TYPE, bytes, title: 'deprecation.json' }],
    annotations: { [ANNOTATION.created]: new Date(created).toISOString() },
    subject: plainDescriptor(subject),
  });
}

/** The order of statements of equal time must not hang on the order of a listing. */
function isNewer(a: Deprecation, b: Deprecation): boolean {
  const [left, right] = [timeOf(a), timeOf(b)];
  return left > right || (left === right && (a.digest ?? '') > (b.digest ?? ''));
}

function timeOf({ created }: Deprecation): number {
  return created === '' ? Number.NEGATIVE_INFINITY : Date.parse(created);
}

async function readStatement(
  source: Source,
  subject: Descriptor,
  descriptor: Descriptor,
): Promise<Deprecation | undefined> {
  try {
    const { document } = await loadDocument(descriptor, source);
    const created = document.annotations?.[ANNOTATION.created];
    if (document.kind !== 'manifest' || document.subject?.digest !== subject.digest) return undefined;
    const [layer] = document.layers;
    if (layer === undefined || created === undefined || Number.isNaN(Date.parse(created))) return undefined;
    const bytes = await readVerified(await source.open(layer), layer, STATEMENT_BYTES);
    const statement = parseStatement(parseJson(bytes, layer.digest));
    return statement === undefined ? undefined : { ...statement, created, digest: descriptor.digest };
  } catch (error) {
    if (isCode(error, 'OCL_CANCELLED') || isCode(error, 'OCL_UNREACHABLE')) throw error;
    return undefined;
  }
}

function parseStatement(value: unknown): DeprecationStatement | undefined {
  if (!isObject(value) || typeof value['deprecated'] !== 'boolean') return undefined;
  const { replacedBy } = value;
  const ref = isObject(replacedBy) ? textOf(replacedBy['ref']) : undefined;
  const digest = isObject(replacedBy) ? textOf(replacedBy['digest']) : undefined;
  return {
    deprecated: value['deprecated'],
    since: textOf(value['since']),
    reason: textOf(value['reason']),
    ...(ref === undefined
      ? {}
      : { replacedBy: { ref, ...(digest !== undefined && isDigest(digest) ? { digest } : {}) } }),
    endOfLife: textOf(value['endOfLife']),
  };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
