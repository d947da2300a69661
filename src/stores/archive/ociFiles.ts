import { type Descriptor } from '../../core/descriptor.ts';
import { isDigest, type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { checkLayoutFile } from '../../core/layoutFile.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseManifest } from '../../core/manifest.ts';
import { MEDIA } from '../../core/mediaTypes.ts';
import { type Tarball } from '../../io/tarball.ts';
import { readVerified } from '../../io/verify.ts';
import { type Contents } from './source.ts';

/** Bytes of `oci-layout`. */
const MAX_LAYOUT_FILE = 64 << 10;

/** The entries of `index.json` of a layout in a tar file, whose `oci-layout` is right. @throws OCL_ARCHIVE_INVALID, OCL_DOCUMENT_INVALID, OCL_LIMIT */
export async function readIndexEntries(tarball: Tarball, path: string): Promise<readonly Descriptor[]> {
  const layoutFile = await smallFile(tarball, path, { name: 'oci-layout', limit: MAX_LAYOUT_FILE });
  checkLayoutFile(layoutFile, `oci-layout in ${path}`, 'OCL_ARCHIVE_INVALID');
  const what = `index.json in ${path}`;
  const bytes = await smallFile(tarball, path, { name: 'index.json', limit: LIMITS.indexBytes });
  const index = parseManifest(bytes, MEDIA.ociIndex, what);
  if (index.kind !== 'index') throw new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: it is no image index`);
  return index.manifests;
}

/** A manifest that `index.json` does not list, such as the one of a platform; undefined when it is not there. */
export async function describeDocument(
  contents: Pick<Contents, 'size' | 'stream'>,
  digest: Digest,
  path: string,
): Promise<Descriptor | undefined> {
  const size = await contents.size(digest);
  const stream = size === undefined ? undefined : await contents.stream(digest, undefined);
  if (size === undefined || stream === undefined) return undefined;
  const plain = { mediaType: MEDIA.ociManifest, digest, size };
  const bytes = await readVerified(stream, plain, LIMITS.indexBytes);
  return { ...plain, mediaType: parseManifest(bytes, undefined, `${digest} in ${path}`).mediaType };
}

/** The digest that a path promises, or undefined when it is no place for a blob. */
export function blobDigest(name: string): Digest | undefined {
  const [top, algorithm, encoded, ...rest] = name.split('/');
  const text = `${algorithm ?? ''}:${encoded ?? ''}`;
  return top === 'blobs' && rest.length === 0 && isDigest(text) ? text : undefined;
}

async function smallFile(
  tarball: Tarball,
  path: string,
  { name, limit }: { readonly name: string; readonly limit: number },
): Promise<Uint8Array> {
  const entry = tarball.find(name);
  if (entry === undefined)
    throw new OclError('OCL_ARCHIVE_INVALID', `Cannot open the archive ${path}: it has no ${name}`);
  return tarball.bytes(entry, limit, `${name} in ${path}`);
}
