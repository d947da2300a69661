import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { isDigest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { MEDIA, normalMediaType } from '../core/mediaTypes.ts';
import { type Source } from '../core/store.ts';
import { decompressStream, detectCompression } from '../io/compression.ts';
import { looksLikeTar, readTarBytes } from '../io/tarball.ts';
import { safeName, shown } from '../io/tarName.ts';
import { digestOf, readBounded, readVerified } from '../io/verify.ts';
import { type MeshFile } from './entity.ts';
import { MESH, ORAS_ANNOTATION } from './mediaTypes.ts';

export interface LayerFiles {
  readonly files: readonly MeshFile[];
  /** Names of links in it. */
  readonly passed: readonly string[];
}

const TAR_TYPE = /tar(?:[+.](?:gzip|zstd))?$/;

/**
 * The files of a layer: those of the tar file that it is, or the one file that its title names. What it is is told by its bytes; the media
 * type only says whether a file with a title is meant as a file.
 * @throws OCL_LIMIT, OCL_ARCHIVE_INVALID, OCL_UNSAFE, OCL_DIGEST_MISMATCH, OCL_SIZE_MISMATCH; as the source
 */
export async function layerFiles(layer: Descriptor, source: Source): Promise<LayerFiles> {
  const type = normalMediaType(layer.mediaType);
  if (type === MEDIA.ociEmpty) return { files: [], passed: [] };
  const title = layer.annotations?.[ANNOTATION.title];
  const isDirectory = layer.annotations?.[ORAS_ANNOTATION.unpack] === 'true';
  const bytes = await readVerified(await source.open(layer), layer, LIMITS.meshEntity);
  if (title !== undefined && !isDirectory && !TAR_TYPE.test(type))
    return { files: [{ path: fileName(title, layer), bytes }], passed: [] };
  const content = await decompressed(bytes, layer);
  if (!looksLikeTar(content)) {
    const path = title !== undefined && !isDirectory ? fileName(title, layer) : staticName(type);
    return { files: [{ path, bytes: content }], passed: [] };
  }
  if (isDirectory) checkOras(content, layer);
  const { files, passed } = await readTarBytes(content, {
    links: 'pass',
    tail: 'ignore',
    stripPrefix: isDirectory && title !== undefined ? posix.normalize(title).replace(/\/+$/, '') : undefined,
  });
  return { files: [...files].map(([path, body]) => ({ path, bytes: body })), passed };
}

async function decompressed(bytes: Uint8Array, { digest }: Descriptor): Promise<Uint8Array> {
  const compression = detectCompression(bytes);
  if (compression === 'none') return bytes;
  const what = `the layer ${digest}`;
  const stream = decompressStream(Readable.from([bytes]), compression, { limit: LIMITS.meshEntity, what });
  return await readBounded(stream, LIMITS.meshEntity, what);
}

function fileName(title: string, { digest }: Descriptor): string {
  const path = safeName(title);
  if (path === '')
    throw new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${digest}: its title ${shown(title)} names no file`);
  return path;
}

/** Flux puts a single file into a layer under the ending of its name alone. */
function staticName(mediaType: string): string {
  const ending = mediaType.startsWith(`${MESH.fluxContent}.`) ? mediaType.slice(MESH.fluxContent.length + 1) : '';
  return /^[a-z0-9]{1,16}$/.test(ending) ? `content.${ending}` : 'content';
}

function checkOras(content: Uint8Array, { annotations, digest }: Descriptor): void {
  const promised = annotations?.[ORAS_ANNOTATION.digest];
  if (promised === undefined || !isDigest(promised) || !promised.startsWith('sha256:')) return;
  const actual = digestOf(content);
  if (actual !== promised)
    throw new OclError(
      'OCL_DIGEST_MISMATCH',
      `Cannot accept ${digest}: its content is ${actual}, and ${promised} is promised`,
    );
}
