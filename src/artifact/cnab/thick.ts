import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDigest, verifiableAlgorithm, type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { COMPRESSION_HEAD, decompressStream, detectCompression } from '../../io/compression.ts';
import { FileRange } from '../../io/fileRange.ts';
import { TemporaryFile } from '../../io/atomicFile.ts';
import { openRegularFile } from '../../io/tarball.ts';
import { safeName } from '../../io/tarName.ts';
import { tarMembers, type TarMember } from '../../io/tarStream.ts';
import { verifyInto } from '../../io/verify.ts';
import { Readable } from 'node:stream';

/** Where a thick bundle has its images, and its layout files by their names there. */
export const LAYOUT = 'artifacts/layout/';
const SMALL: readonly string[] = ['bundle.json', `${LAYOUT}oci-layout`, `${LAYOUT}index.json`];
const BLOB = /^artifacts\/layout\/blobs\/([a-z0-9]+)\/([a-zA-Z0-9=_-]+)$/;

export interface Unpacked {
  readonly bundle: Uint8Array;
  /** The layout directory; undefined when the archive has none. */
  readonly layout: string | undefined;
}

/**
 * Unpacks a thick bundle (a tar file, mostly gzip): the bundle file and the layout, and nothing else that it may hold. Every blob is
 * verified. Files may lie below one directory of any name, as some tools pack them.
 * @param directory exists and is empty; becomes the parent of the layout
 * @returns undefined for another kind of archive: an image layout, or what `docker save` writes
 * @throws OCL_NOT_FOUND, OCL_ARCHIVE_INVALID, OCL_DIGEST_MISMATCH, OCL_UNSAFE, OCL_LIMIT
 */
export async function unpackThick(path: string, directory: string): Promise<Unpacked | undefined> {
  const file = await openRegularFile(path);
  try {
    const head = Buffer.alloc(COMPRESSION_HEAD);
    const { bytesRead } = await file.read(head, 0, head.length, 0);
    const stream = new FileRange(file, { start: 0, length: (await file.stat()).size, owned: false });
    const kind = detectCompression(head.subarray(0, bytesRead));
    const bytes = kind === 'none' ? stream : decompressStream(stream, kind, { what: `the archive ${path}` });
    return await unpack(bytes as AsyncIterable<Buffer>, path, directory);
  } finally {
    await file.close();
  }
}

async function unpack(bytes: AsyncIterable<Buffer>, path: string, directory: string): Promise<Unpacked | undefined> {
  const seen = new Set<string>();
  const made = new Set<string>();
  let top: string | undefined;
  let bundle: Uint8Array | undefined;
  for await (const member of tarMembers(bytes)) {
    const whole = safeName(member.name);
    // What is an image archive says so first.
    if (whole === 'oci-layout' || whole === 'manifest.json') return undefined;
    const found = placeOf(whole);
    if (found === undefined) continue;
    const { name, below } = found;
    if (member.type !== '0') throw invalid(path, `${name} is no regular file`);
    top ??= below;
    if (below !== top) continue;
    if (seen.has(name)) throw invalid(path, `${name} stands there twice`);
    seen.add(name);
    if (name === 'bundle.json') bundle = await small(member, path, LIMITS.configBytes);
    else if (SMALL.includes(name)) {
      await makeOnce(join(directory, 'layout'), made);
      const content = await small(member, path, LIMITS.indexBytes);
      await writeFile(join(directory, 'layout', name.slice(LAYOUT.length)), content);
    } else await blob(member, name, { path, directory, made });
  }
  if (bundle === undefined) throw invalid(path, 'it has no bundle.json');
  return { bundle, layout: seen.has(`${LAYOUT}index.json`) ? join(directory, 'layout') : undefined };
}

/** The name inside the bundle, and the one directory above. */
function placeOf(whole: string): { readonly name: string; readonly below: string } | undefined {
  for (const cut of [0, whole.indexOf('/') + 1]) {
    const name = whole.slice(cut);
    if (SMALL.includes(name) || BLOB.test(name)) return { name, below: whole.slice(0, cut) };
  }
  return undefined;
}

async function small(member: TarMember, path: string, limit: number): Promise<Uint8Array> {
  if (member.size > limit)
    throw new OclError(
      'OCL_LIMIT',
      `Cannot read ${path}: ${member.name} is larger than the ${limit} bytes that are accepted`,
    );
  const parts: Buffer[] = [];
  for await (const part of member.body()) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

async function blob(
  member: TarMember,
  name: string,
  { path, directory, made }: { readonly path: string; readonly directory: string; readonly made: Set<string> },
): Promise<void> {
  const [, algorithm = '', encoded = ''] = BLOB.exec(name) ?? [];
  const digest: Digest = `${algorithm}:${encoded}`;
  if (!isDigest(digest) || verifiableAlgorithm(digest) === undefined)
    throw invalid(path, `${name} is no blob whose digest could be verified`);
  const place = join(directory, 'layout', 'blobs', algorithm);
  await makeOnce(place, made);
  const file = await TemporaryFile.create(place, 0o444);
  try {
    const descriptor = { mediaType: 'application/octet-stream', digest, size: member.size };
    await verifyInto(Readable.from(member.body(), { objectMode: false }), descriptor, async (chunk) => {
      await file.write(chunk);
    });
    await file.moveTo(join(place, encoded));
  } catch (error) {
    await file.discard();
    throw error;
  }
}

async function makeOnce(path: string, made: Set<string>): Promise<void> {
  if (made.has(path)) return;
  await mkdir(path, { recursive: true });
  made.add(path);
}

function invalid(path: string, why: string): OclError {
  return new OclError('OCL_ARCHIVE_INVALID', `Cannot read ${path} as a thick bundle: ${why}`);
}
