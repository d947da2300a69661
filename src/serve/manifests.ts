import { Readable } from 'node:stream';
import { type Descriptor } from '../core/descriptor.ts';
import { isDigest, verifiableAlgorithm, type Algorithm, type Digest } from '../core/digest.ts';
import { isCode, OclError, type ErrorCode } from '../core/errors.ts';
import { children, isForeign } from '../core/graph.ts';
import { LIMITS } from '../core/limits.ts';
import { parseManifest, type ManifestDocument } from '../core/manifest.ts';
import { isDocumentType, normalMediaType } from '../core/mediaTypes.ts';
import { isTag } from '../core/reference.ts';
import { type LocalSource } from '../core/store.ts';
import { digestOf, verifying } from '../io/verify.ts';
import { Refusal } from './errors.ts';
import { readBody, type Exchange, type Registry, type Sparse } from './exchange.ts';
import { sendBytes, sendEmpty, sendStream } from './send.ts';

/** GET and HEAD of a manifest by tag or digest: the bytes as they were pushed, under the type they were pushed with. */
export function getManifest(
  registry: Registry,
  { req, res }: Exchange,
  repository: string,
  reference: string,
): Promise<void> {
  return registry.repositories.read(repository, async (source) => {
    const root = await resolveDocument(source, reference);
    const etag = `"${root.digest}"`;
    const headers = { 'Content-Type': root.mediaType, 'Docker-Content-Digest': root.digest, ETag: etag };
    if (req.method === 'HEAD') {
      res.writeHead(200, { ...headers, 'Content-Length': root.size, 'X-Content-Type-Options': 'nosniff' }).end();
      return;
    }
    await sendStream(res, 200, headers, verifying(await source.open(root), root), root.size);
  });
}

/** What a store answers when content is there, and is no manifest. */
const NO_DOCUMENT: readonly ErrorCode[] = ['OCL_NOT_FOUND', 'OCL_DOCUMENT_INVALID', 'OCL_UNSUPPORTED', 'OCL_LIMIT'];

/** The document that is there under a name. @throws Refusal MANIFEST_UNKNOWN, DIGEST_INVALID */
async function resolveDocument(source: LocalSource, reference: string): Promise<Descriptor> {
  checkLookup(reference);
  if (isDigest(reference)) await refuseLarge(source, reference);
  let root: Descriptor;
  try {
    root = await source.resolve(reference);
  } catch (error) {
    throw NO_DOCUMENT.some((code) => isCode(error, code)) ? unknown(reference) : error;
  }
  if (!isDocumentType(root.mediaType) || (await source.size(root.digest)) !== root.size) throw unknown(reference);
  return root;
}

/** A layout has to read a blob to tell whether it is a manifest: nobody shall make it read large ones. */
async function refuseLarge(source: LocalSource, digest: Digest): Promise<void> {
  const size = await source.size(digest);
  const isLarge = size === undefined || size > LIMITS.manifestBytes;
  if (isLarge && !(await source.roots()).some((root) => root.digest === digest)) throw unknown(digest);
}

/** A layer is no manifest, and does not go by this way. One that is damaged cannot be told, and may go. */
async function refuseContent(source: LocalSource, digest: Digest): Promise<void> {
  try {
    await resolveDocument(source, digest);
  } catch (error) {
    if (error instanceof Refusal) throw error;
  }
}

/** Takes a manifest with all its names, or a tag alone. */
export async function deleteManifest(
  registry: Registry,
  { req, res }: Exchange,
  repository: string,
  reference: string,
): Promise<void> {
  checkLookup(reference);
  if (!(await registry.repositories.exists(repository)))
    throw new Refusal('NAME_UNKNOWN', `there is no repository ${repository}`);
  if (isDigest(reference)) await registry.repositories.read(repository, (source) => refuseContent(source, reference));
  const removed = await registry.repositories.write(repository, async (sink) => {
    const done = isDigest(reference) ? await sink.remove(reference) : await sink.untag(reference);
    await sink.commit();
    return done;
  });
  if (!removed) throw unknown(reference);
  await sendEmpty(req, res, 202);
}

/** Stores a manifest under a digest, or a tag, or a digest and several tags (`?tag=`). */
export async function putManifest(
  registry: Registry,
  { req, res, query }: Exchange,
  repository: string,
  reference: string,
): Promise<void> {
  checkReference(reference);
  const tags = wantedTags(registry, reference, query);
  const bytes = await readBody(req, registry.limits.manifestBytes);
  const digest = checkedDigest(bytes, reference, query.get('digest') ?? undefined);
  const document = readDocument(bytes, req.headers['content-type']);
  const descriptor: Descriptor = { mediaType: document.mediaType, digest, size: bytes.length };
  const needed = neededBy(document, registry.sparse);
  await registry.repositories.write(repository, async (sink) => {
    for (const child of needed) if (!(await sink.has(child))) throw missing(child);
    const open = (): Promise<Readable> => Promise.resolve(Readable.from([Buffer.from(bytes)], { objectMode: false }));
    await sink.put(descriptor, open);
    if (tags.length === 0) await sink.tag(descriptor, {}, open);
    for (const tag of tags) await sink.tag(descriptor, { tag }, open);
    await sink.commit();
  });
  await sendBytes(req, res, 201, new Uint8Array(), {
    Location: `/v2/${repository}/manifests/${digest}`,
    'Docker-Content-Digest': digest,
    ...(document.subject === undefined ? {} : { 'OCI-Subject': document.subject.digest }),
    ...(query.has('tag') && isDigest(reference) ? { 'OCI-Tag': [...tags] } : {}),
  });
}

/** For pushes: a reference that can be made. */
function checkReference(reference: string): void {
  if (isDigest(reference) || isTag(reference)) return;
  if (reference.includes(':')) throw new Refusal('DIGEST_INVALID', 'the digest is not valid');
  throw new Refusal('MANIFEST_INVALID', 'the tag is not valid');
}

/** For all else: under what is no tag, nothing can be there. */
function checkLookup(reference: string): void {
  if (!isTag(reference) && !reference.includes(':')) throw unknown(reference);
  checkReference(reference);
}

function wantedTags(registry: Registry, reference: string, query: URLSearchParams): readonly string[] {
  if (!isDigest(reference)) return [reference];
  const tags = [...new Set(query.getAll('tag'))];
  if (tags.length > registry.limits.tagsOfOnePush) {
    throw new Refusal('UNSUPPORTED', `more than ${registry.limits.tagsOfOnePush} tags at once are not accepted`, {
      status: 414,
    });
  }
  if (!tags.every(isTag)) throw new Refusal('MANIFEST_INVALID', 'a tag is not valid');
  return tags;
}

/** The digest that the client gave, which must be true, or the sha256 of the bytes. */
function checkedDigest(bytes: Uint8Array, reference: string, parameter: string | undefined): Digest {
  if (parameter !== undefined && !isDigest(parameter)) throw new Refusal('DIGEST_INVALID', 'the digest is not valid');
  const promised = [...(isDigest(reference) ? [reference] : []), ...(parameter === undefined ? [] : [parameter])];
  for (const digest of promised) {
    if (digestOf(bytes, algorithmOf(digest)) !== digest)
      throw new Refusal('DIGEST_INVALID', 'the content does not have the digest that was given');
  }
  return promised[0] ?? digestOf(bytes);
}

/** @throws Refusal DIGEST_INVALID for an algorithm that cannot be checked here */
export function algorithmOf(digest: Digest): Algorithm {
  const algorithm = verifiableAlgorithm(digest);
  if (algorithm === undefined) throw new Refusal('DIGEST_INVALID', 'digests of this algorithm are not accepted');
  return algorithm;
}

function readDocument(bytes: Uint8Array, contentType: string | undefined): ManifestDocument {
  const announced = contentType === undefined || contentType === '' ? undefined : normalMediaType(contentType);
  let document: ManifestDocument;
  try {
    document = parseManifest(bytes, announced, 'the manifest');
  } catch (error) {
    throw new Refusal('MANIFEST_INVALID', error instanceof OclError ? error.message : 'the manifest cannot be read', {
      cause: error,
    });
  }
  if (announced !== undefined && normalMediaType(document.mediaType) !== announced) {
    throw new Refusal(
      'MANIFEST_INVALID',
      `the Content-Type ${announced} is not the type of the manifest, ${document.mediaType}`,
    );
  }
  return document;
}

/** What must be there before the manifest: all that it is made of, but for layers that live elsewhere. The subject may come later, or never. */
function neededBy(document: ManifestDocument, sparse: Sparse): readonly Descriptor[] {
  if (sparse === 'all') return [];
  const needed = new Map<Digest, Descriptor>();
  for (const child of children(document)) {
    const mayMiss =
      isForeign(child) ||
      (child.descriptor.urls ?? []).length > 0 ||
      (child.role === 'manifest' && sparse === 'indexes');
    if (!mayMiss) needed.set(child.descriptor.digest, child.descriptor);
  }
  return [...needed.values()];
}

function missing({ digest, size }: Descriptor): Refusal {
  return new Refusal(
    'MANIFEST_BLOB_UNKNOWN',
    `the manifest refers to ${digest} of ${size} bytes, which was not pushed`,
  );
}

function unknown(reference: string): Refusal {
  return new Refusal('MANIFEST_UNKNOWN', `there is no manifest ${reference}`);
}
