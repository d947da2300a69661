import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError, toOclError } from '../../core/errors.ts';
import { toJsonBytes } from '../../core/json.ts';
import { MEDIA, normalMediaType } from '../../core/mediaTypes.ts';
import { describe } from '../../io/verify.ts';
import { type RegistryClient } from './client.ts';
import { hasStatus } from './errors.ts';
import { type Fetched, type Manifests } from './manifests.ts';
import { type RepositoryPaths } from './paths.ts';
import { type Uploader } from './transfer/upload.ts';

export interface StandInOptions {
  readonly client: RegistryClient;
  readonly paths: RepositoryPaths;
  readonly manifests: Manifests;
  readonly uploader: Uploader;
  /** Completes "Cannot …". */
  readonly action: string;
  /** Removes a manifest with all its tags. */
  readonly remove: (digest: Digest, signal?: AbortSignal) => Promise<boolean>;
}

/** Milliseconds for the steps between which the tag points nowhere useful: they are not left half done by a signal. */
const GRACE = 60_000;

/**
 * Takes a tag away where a registry deletes by digest alone (spec regsync.md 6, Tag delete): the tag is moved to a manifest
 * made for this, and that is removed. What the tag named stays, with its other tags.
 * When the removal fails, the tag is put back.
 * @returns false: there was no such tag
 */
export function untagByStandIn(tag: string, options: StandInOptions): Promise<boolean> {
  const { client, paths, manifests, uploader, action, remove } = options;
  return client.exclusively(`${paths.name}:${tag}`, async () => {
    const before = await find(tag, manifests);
    if (before === undefined) return false;
    const { config, image } = makeStandIn(before.descriptor.mediaType);
    await uploader.put(config.descriptor, async () => Readable.from([config.bytes], { objectMode: false }));
    client.signal?.throwIfAborted();
    const signal = AbortSignal.timeout(GRACE);
    await manifests.write(tag, image.descriptor, image.bytes, { signal });
    try {
      if (await remove(image.descriptor.digest, signal)) return true;
      throw new OclError('OCL_REGISTRY', `Cannot ${action}: the registry does not find what it has just stored`);
    } catch (error) {
      await putBack(tag, before, options);
      throw error;
    }
  });
}

async function find(tag: string, manifests: Manifests): Promise<Fetched | undefined> {
  try {
    return await manifests.fetch(tag);
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

async function putBack(tag: string, { descriptor, bytes }: Fetched, options: StandInOptions): Promise<void> {
  const { manifests, paths, action } = options;
  try {
    await manifests.write(tag, descriptor, bytes, { signal: AbortSignal.timeout(GRACE) });
  } catch (error) {
    const lost = `${paths.name}:${tag}`;
    throw new OclError(
      'OCL_REGISTRY',
      `Cannot ${action}: ${lost} now names an empty image; ${toOclError(error).message}`,
      {
        hint: `ocl copy ${paths.name}@${descriptor.digest} ${lost}`,
        cause: error,
      },
    );
  }
}

interface Piece {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** An image that nothing else can be: unlike all others, of the family that the repository has already. */
function makeStandIn(like: string): { readonly config: Piece; readonly image: Piece } {
  const isDocker = normalMediaType(like).startsWith('application/vnd.docker.');
  const [configType, layerType, imageType] = isDocker
    ? [MEDIA.dockerConfig, MEDIA.dockerLayer, MEDIA.dockerManifest]
    : [MEDIA.ociConfig, MEDIA.ociLayer, MEDIA.ociManifest];
  const config = toJsonBytes({
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { 'dev.ocl.untag': randomUUID() } },
    rootfs: { type: 'layers', diff_ids: [] },
  });
  const descriptor = describe(config, configType);
  // Registries look for a layer, whatever is in it.
  const layers = [{ ...descriptor, mediaType: layerType }];
  const image = toJsonBytes({ schemaVersion: 2, mediaType: imageType, config: descriptor, layers });
  return { config: { descriptor, bytes: config }, image: { descriptor: describe(image, imageType), bytes: image } };
}
