import { splitDigest, type Digest } from '../../../core/digest.ts';
import { OclError } from '../../../core/errors.ts';
import { printable } from '../../../core/redact.ts';
import { discard, header, type HttpHeaders } from '../../../io/httpMessages.ts';
import { readTarget } from '../../../io/redirect.ts';
import { type Descriptor } from '../../../core/descriptor.ts';
import { type Answer } from '../answer.ts';
import { type RegistryClient } from '../client.ts';
import { type RepositoryPaths } from '../paths.ts';
import { mayTakeUploads } from './uploadHost.ts';

/** An upload that the registry has begun. */
export interface Session {
  readonly url: URL;
  /** Bytes that a chunk must have at least, the last one excepted. */
  readonly minChunk: number;
}

/**
 * Where an upload goes on. The address may be of another host that belongs to the registry, which then gets no credentials.
 * @throws OCL_REGISTRY, OCL_UNSAFE for hosts that do not
 */
export function sessionOf({ registry, base, settings }: RegistryClient, answer: Answer, action: string): Session {
  const location = header(answer.headers, 'location');
  if (location === undefined || location === '')
    throw new OclError('OCL_REGISTRY', `Cannot ${action}: the registry does not say where the content goes`);
  const url = readTarget(location, answer.url);
  if (!mayTakeUploads(url, base, settings)) {
    const host = printable(url.host);
    throw new OclError('OCL_UNSAFE', `Cannot ${action}: ${registry} sends the content to another host, ${host}`, {
      hint: `if ${registry} keeps contents there, name the host in a sync file: creds: [{registry: ${registry}, uploadHosts: [${host}]}]`,
    });
  }
  return { url, minChunk: minChunkOf(answer) };
}

/** The address that ends an upload: its own query stays. */
export function withDigest(location: URL, digest: Digest): URL {
  const url = new URL(location);
  // URLSearchParams would write the rest of the query anew, and that may be signed.
  url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

/** Bytes that the registry has of a session: the end of `Range: 0-<end>`, or `bytes=0-<end>`, as Quay writes. @throws OCL_REGISTRY */
export function receivedBytes(answer: Answer, action: string): number {
  const value = header(answer.headers, 'range');
  if (value === undefined) return 0;
  const match = /^\s*(?:bytes[= ])?0-(\d{1,15})\s*$/.exec(value);
  if (match === null)
    throw new OclError(
      'OCL_REGISTRY',
      `Cannot ${action}: the registry says it has the range ${JSON.stringify(printable(value.slice(0, 100)))}`,
    );
  return Number(match[1]) + 1;
}

/** Where an upload goes on after a request, if the answer says so. The minimum of its chunks stays. */
export function movedTo(client: RegistryClient, answer: Answer, session: Session, action: string): Session {
  if (header(answer.headers, 'location') === undefined) return session;
  return { ...sessionOf(client, answer, action), minChunk: session.minChunk };
}

/** How much the registry has. @throws AnswerError where it does not know the upload; OCL_REGISTRY, OCL_UNREACHABLE */
export async function uploadStatus(
  client: RegistryClient,
  paths: RepositoryPaths,
  session: Session,
): Promise<{ readonly session: Session; readonly received: number }> {
  const action = `ask ${paths.name} how much it has of an upload`;
  const answer = await client.send({ method: 'GET', to: session.url, need: paths.push, action, ok: [200, 202, 204] });
  await discard(answer);
  const received = receivedBytes(answer, action);
  // `Range: 0-0` is said for nothing as well as for one byte.
  return { session: movedTo(client, answer, session, action), received: received === 1 ? 0 : received };
}

/** Says that all came. @throws AnswerError, OCL_DIGEST_MISMATCH, OCL_UNREACHABLE */
export async function endUpload(
  client: RegistryClient,
  paths: RepositoryPaths,
  { digest }: Descriptor,
  session: Session,
): Promise<void> {
  const answer = await client.send({
    method: 'PUT',
    to: withDigest(session.url, digest),
    need: paths.push,
    action: `upload ${digest} to ${paths.name}`,
    ok: [201, 204],
    repeatable: true,
  });
  await discard(answer);
  checkAnsweredDigest(answer.headers, digest, paths.name);
}

function minChunkOf(answer: Answer): number {
  const value = header(answer.headers, 'oci-chunk-min-length') ?? '';
  return /^\d{1,12}$/.test(value) ? Number(value) : 0;
}

/** A digest of the same algorithm must be the one that was sent; docker-registry 2.8 names sha256 for sha512 content. @throws OCL_DIGEST_MISMATCH */
export function checkAnsweredDigest(headers: HttpHeaders, digest: Digest, where: string): void {
  const answered = header(headers, 'docker-content-digest');
  if (
    answered === undefined ||
    answered === digest ||
    splitDigest(answered as Digest).algorithm !== splitDigest(digest).algorithm
  )
    return;
  throw new OclError(
    'OCL_DIGEST_MISMATCH',
    `Cannot store ${digest} in ${where}: the registry has kept it as ${JSON.stringify(answered.slice(0, 100))}`,
  );
}
