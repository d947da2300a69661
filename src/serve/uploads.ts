import { type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { type Descriptor } from '../core/descriptor.ts';
import { ALGORITHMS, isDigest, type Algorithm, type Digest } from '../core/digest.ts';
import { isRepository } from '../core/reference.ts';
import { type LocalSource } from '../core/store.ts';
import { Refusal } from './errors.ts';
import { bodyOf, declaredLength, type Exchange, type Registry } from './exchange.ts';
import { algorithmOf } from './manifests.ts';
import { readChunkRange } from './range.ts';
import { sendEmpty } from './send.ts';
import { type Session } from './session.ts';

const OCTETS = 'application/octet-stream';

/** POST: a mount, a whole blob at once, or the beginning of an upload. */
export async function startUpload(registry: Registry, exchange: Exchange, repository: string): Promise<void> {
  const { query, req, res } = exchange;
  const mount = query.get('mount');
  // Better now than after the last byte: not every library takes every repository.
  await registry.repositories.library.sink(repository);
  if (mount !== null && (await mountBlob(registry, repository, parseDigest(mount), query.get('from') || undefined))) {
    return sendCreated(exchange, repository, parseDigest(mount));
  }
  const promised = query.get('digest');
  if (promised !== null && mount === null) return uploadWhole(registry, exchange, repository, parseDigest(promised));
  const session = await registry.sessions.create(repository, wantedAlgorithm(query));
  await sendEmpty(req, res, 202, progress(session));
}

/** PATCH: one chunk, or all of it as a stream. What was refused has left no trace. */
export async function appendUpload(
  registry: Registry,
  { req, res }: Exchange,
  repository: string,
  id: string,
): Promise<void> {
  const session = registry.sessions.get(id, repository);
  await session.alone(() => undoing(session, req, () => receive(session, req)));
  await sendEmpty(req, res, 202, progress(session));
}

/** GET: how much came. */
export async function uploadStatus(
  registry: Registry,
  { req, res }: Exchange,
  repository: string,
  id: string,
): Promise<void> {
  await sendEmpty(req, res, 204, progress(registry.sessions.get(id, repository)));
}

/** PUT: the last chunk, if there is one, and the name of the whole. When it does not fit, the upload is as it was before. */
export async function finishUpload(
  registry: Registry,
  exchange: Exchange,
  repository: string,
  id: string,
): Promise<void> {
  const session = registry.sessions.get(id, repository);
  const digest = parseDigest(exchange.query.get('digest') ?? '');
  await session.alone(() =>
    undoing(session, exchange.req, async () => {
      await receive(session, exchange.req);
      await store(registry, exchange.req, session, digest);
    }),
  );
  await registry.sessions.drop(session);
  await sendCreated(exchange, repository, digest);
}

/** DELETE: whatever came is thrown away, and who still writes fails. */
export async function cancelUpload(
  registry: Registry,
  { req, res }: Exchange,
  repository: string,
  id: string,
): Promise<void> {
  await registry.sessions.drop(registry.sessions.get(id, repository));
  await sendEmpty(req, res, 204);
}

async function uploadWhole(registry: Registry, exchange: Exchange, repository: string, digest: Digest): Promise<void> {
  const session = await registry.sessions.create(repository, algorithmOf(digest));
  try {
    await session.alone(async () => {
      await receive(session, exchange.req);
      await store(registry, exchange.req, session, digest);
    });
  } finally {
    await registry.sessions.drop(session);
  }
  await sendCreated(exchange, repository, digest);
}

/** Rolls the upload back when it fails. When the client broke off, what came stays: it can go on from there. */
async function undoing(session: Session, req: IncomingMessage, work: () => Promise<void>): Promise<void> {
  const before = session.size;
  try {
    await work();
  } catch (error) {
    const brokeOff = req.destroyed && !req.complete;
    if (!brokeOff && session.isOpen) await session.rollBack(before);
    throw error;
  }
}

async function receive(session: Session, req: IncomingMessage): Promise<void> {
  const declared = declaredLength(req);
  const header = req.headers['content-range'];
  const range = header === undefined ? undefined : readChunkRange(header);
  if (header !== undefined && range === undefined) throw outOfOrder(session, 'Content-Range must be like 0-1023');
  if (range !== undefined && range.start !== session.size)
    throw outOfOrder(session, `the next byte must be ${session.size}`);
  const expected = range === undefined ? declared : range.end - range.start + 1;
  if (range !== undefined && declared !== undefined && declared !== expected) throw wrongSize();
  await session.append(counted(bodyOf(req), range === undefined ? undefined : expected));
}

/** Fails when there are more or fewer bytes than the client said. */
async function* counted(chunks: AsyncIterable<Uint8Array>, expected: number | undefined): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (expected !== undefined && bytes > expected) throw wrongSize();
    yield chunk;
  }
  if (expected !== undefined && bytes !== expected) throw wrongSize();
}

/** Moves the finished file into the repository, by link where it can be. */
async function store(registry: Registry, req: IncomingMessage, session: Session, digest: Digest): Promise<void> {
  const algorithm = algorithmOf(digest);
  // The connection is silent while a large blob is hashed again or copied, and must not be taken for idle.
  const idle = req.socket.timeout ?? 0;
  req.socket.setTimeout(0);
  try {
    if ((await session.digest(algorithm)) !== digest)
      throw new Refusal('DIGEST_INVALID', 'the content does not have the digest that was given');
    await session.sync();
    const descriptor: Descriptor = { mediaType: OCTETS, digest, size: session.size };
    await registry.repositories.write(session.repository, async (sink) => {
      if (!(await sink.has(descriptor))) {
        const shortcut = await sink.adopt(descriptor, { kind: 'file', path: session.path });
        // The file is the blob now: whatever fails after this, the upload may not cut or write it any more.
        if (shortcut !== undefined) await registry.sessions.drop(session);
        else await sink.put(descriptor, (from) => Promise.resolve(session.read(from)));
      }
      await sink.commit();
    });
  } finally {
    req.socket.setTimeout(idle);
  }
}

/** Whether the blob is in the repository now. Without `from` it is looked for wherever it may be. */
async function mountBlob(
  registry: Registry,
  repository: string,
  digest: Digest,
  from: string | undefined,
): Promise<boolean> {
  const { repositories, limits } = registry;
  if (from !== undefined && !isRepository(from)) return false;
  const candidates =
    from === undefined
      ? [repository, ...(await repositories.library.repositories()).slice(0, limits.mountSearch)]
      : [from];
  for (const candidate of candidates) {
    if (!(await repositories.exists(candidate))) continue;
    const mounted = await repositories.read(candidate, async (source) => {
      const size = await source.size(digest);
      if (size === undefined) return false;
      if (candidate !== repository) await bring(registry, source, repository, { mediaType: OCTETS, digest, size });
      return true;
    });
    if (mounted) return true;
  }
  return false;
}

async function bring(
  registry: Registry,
  source: LocalSource,
  repository: string,
  descriptor: Descriptor,
): Promise<void> {
  await registry.repositories.write(repository, async (sink) => {
    if (!(await sink.has(descriptor)) && (await sink.adopt(descriptor, source.place(descriptor))) === undefined) {
      await sink.put(descriptor, (from = 0) => source.open(descriptor, { start: from }));
    }
    await sink.commit();
  });
}

async function sendCreated({ req, res }: Exchange, repository: string, digest: Digest): Promise<void> {
  await sendEmpty(req, res, 201, { Location: `/v2/${repository}/blobs/${digest}`, 'Docker-Content-Digest': digest });
}

/** The Location is relative: what a client calls this server is the client's business. */
function progress(session: Session): OutgoingHttpHeaders {
  return {
    Location: `/v2/${session.repository}/blobs/uploads/${session.id}`,
    Range: `0-${Math.max(session.size - 1, 0)}`,
    'Docker-Upload-UUID': session.id,
  };
}

function wantedAlgorithm(query: URLSearchParams): Algorithm {
  const name = query.get('digest-algorithm') || 'sha256';
  const algorithm = ALGORITHMS.find((known) => known === name);
  if (algorithm === undefined)
    throw new Refusal('DIGEST_INVALID', `the digest algorithms are ${ALGORITHMS.join(', ')}`);
  return algorithm;
}

function parseDigest(text: string): Digest {
  if (!isDigest(text))
    throw new Refusal('DIGEST_INVALID', text === '' ? 'the digest is missing' : 'the digest is not valid');
  return text;
}

function outOfOrder(session: Session, message: string): Refusal {
  const { Range, Location } = progress(session);
  return new Refusal('BLOB_UPLOAD_INVALID', message, {
    status: 416,
    headers: { Range: String(Range), Location: String(Location) },
  });
}

function wrongSize(): Refusal {
  return new Refusal('SIZE_INVALID', 'the content is not as long as the request says');
}
