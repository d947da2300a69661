import { type Descriptor } from '../../core/descriptor.ts';
import { isDigest, verifiableAlgorithm, type Digest } from '../../core/digest.ts';
import { OclError, toOclError } from '../../core/errors.ts';
import { parseImageConfig, type ImageConfig } from '../../core/imageConfig.ts';
import { LIMITS } from '../../core/limits.ts';
import { isImageConfigType, normalMediaType } from '../../core/mediaTypes.ts';
import { type Source } from '../../core/store.ts';
import { loadDocument } from '../../copy/documents.ts';
import { COMPRESSION_HEAD, decompressStream, detectCompression } from '../../io/compression.ts';
import { tarMembers, type TarMember } from '../../io/tarStream.ts';
import { createHasher, readVerified, verifying } from '../../io/verify.ts';
import { Readable } from 'node:stream';

export interface Layer {
  /** From 0, the lowest first. */
  readonly number: number;
  readonly descriptor: Descriptor;
  /** Of the layer as a plain tar file; undefined where no config promises one. */
  readonly diffId: Digest | undefined;
}

const LAYER_TYPE =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)$/;

/**
 * The layers of an image, with what its config promises about each.
 * @param name what a person calls the image
 * @throws OCL_UNSUPPORTED (no image, Windows, layers that are no tar files), OCL_DOCUMENT_INVALID
 */
export async function imageLayers(source: Source, image: Descriptor, name = source.name): Promise<readonly Layer[]> {
  const { document } = await loadDocument(image, source);
  const config = document.kind === 'manifest' ? document.config : undefined;
  if (document.kind !== 'manifest' || config === undefined || !isImageConfigType(config.mediaType))
    throw new OclError('OCL_UNSUPPORTED', `Cannot flatten ${image.digest}: it is no container image`, {
      hint: `ocl inspect ${name} shows what it is`,
    });
  const bytes = await readVerified(await source.open(config), config, LIMITS.configBytes);
  const diffIds = diffIdsOf(parseImageConfig(bytes, config.digest), image);
  for (const { mediaType, digest } of document.layers) {
    if (!LAYER_TYPE.test(normalMediaType(mediaType)))
      throw new OclError(
        'OCL_UNSUPPORTED',
        `Cannot flatten ${image.digest}: its layer ${digest} is ${JSON.stringify(mediaType)}, which is no layer of a file system`,
      );
  }
  if (diffIds.length !== document.layers.length)
    throw new OclError(
      'OCL_DOCUMENT_INVALID',
      `Cannot flatten ${image.digest}: it has ${document.layers.length} layers, and its config promises ${diffIds.length}`,
    );
  return document.layers.map((descriptor, number) => ({ number, descriptor, diffId: diffIds[number] as Digest }));
}

function diffIdsOf(config: ImageConfig, image: Descriptor): readonly Digest[] {
  if (config.os?.toLowerCase() === 'windows')
    throw new OclError(
      'OCL_UNSUPPORTED',
      `Cannot flatten ${image.digest}: it is an image of Windows, whose layers hold more than files`,
      {
        hint: 'name another platform: --platform linux/amd64',
      },
    );
  const ids = config.rootfs?.diff_ids ?? [];
  const wrong = ids.find((id) => !isDigest(id) || verifiableAlgorithm(id) === undefined);
  if (wrong !== undefined)
    throw new OclError(
      'OCL_DOCUMENT_INVALID',
      `Cannot flatten ${image.digest}: its config has ${JSON.stringify(wrong.slice(0, 200))} for the digest of a layer`,
    );
  return ids as readonly Digest[];
}

/** Bytes of decompressed layers that may still come. One for each pass over the layers of an image. */
export interface Budget {
  bytes: number;
}

/**
 * The entries of a layer, decompressed by what its first bytes are. Whoever reads to the end has read the very bytes that manifest and
 * config promise.
 * @throws OCL_DIGEST_MISMATCH (blob or DiffID), OCL_SIZE_MISMATCH, OCL_ARCHIVE_INVALID, OCL_LIMIT, OCL_UNSUPPORTED, …
 */
export async function* layerMembers(
  source: Source,
  layer: Layer,
  { budget, count }: { readonly budget: Budget; readonly count?: ((bytes: number) => void) | undefined },
): AsyncGenerator<TarMember> {
  try {
    const blob = verifying(await source.open(layer.descriptor), layer.descriptor);
    yield* tarMembers(content(blob, layer, budget, count));
  } catch (error) {
    throw inLayer(error, layer);
  }
}

async function* content(
  blob: Readable,
  { diffId, descriptor }: Layer,
  budget: Budget,
  count: ((bytes: number) => void) | undefined,
): AsyncGenerator<Buffer> {
  const { head, all } = await peek(blob, count);
  const plain = decompressStream(all, detectCompression(head), { limit: budget.bytes, what: descriptor.digest });
  const hasher = diffId === undefined ? undefined : createHasher(verifiableAlgorithm(diffId) ?? 'sha256');
  for await (const chunk of plain as AsyncIterable<Buffer>) {
    budget.bytes -= chunk.length;
    hasher?.update(chunk);
    yield chunk;
  }
  const actual = hasher?.digest();
  if (actual !== diffId)
    throw new OclError(
      'OCL_DIGEST_MISMATCH',
      `Cannot accept the layer: its content is ${actual}, and the config promises ${diffId}`,
    );
}

/** The first bytes of a stream, and a stream that still has them. */
async function peek(
  stream: Readable,
  count: ((bytes: number) => void) | undefined,
): Promise<{ readonly head: Buffer; readonly all: Readable }> {
  const chunks = (stream as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  while (head.length < COMPRESSION_HEAD) {
    const next = await chunks.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  async function* all(): AsyncGenerator<Buffer> {
    try {
      if (head.length > 0) yield head;
      count?.(head.length);
      for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
        count?.(next.value.length);
        yield next.value;
      }
    } finally {
      stream.destroy();
    }
  }
  return { head, all: Readable.from(all(), { highWaterMark: 1 }) };
}

/** Which layer is at fault; people know them by number. */
export function inLayer(error: unknown, { number, descriptor }: Layer): OclError {
  const { code, message, hint, side, cause } = toOclError(error);
  return new OclError(code, `${message} (layer ${number + 1}, ${descriptor.digest})`, {
    hint,
    side,
    cause: cause ?? error,
  });
}
