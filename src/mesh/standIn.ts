import { isDigest, type Digest } from '../core/digest.ts';
import { type FindStandIn } from '../core/dockerStandIn.ts';
import { parseImageConfig } from '../core/imageConfig.ts';
import { normalMediaType } from '../core/mediaTypes.ts';
import { LAYER_ANNOTATION, MESH, MESH_ANNOTATION } from './mediaTypes.ts';

/**
 * What an entity is to those who read docker's `manifest.json`, Meshery's import first of all: its first layer under an image config
 * of its own, so that the artifact's config need not be one.
 */
export const meshStandIn: FindStandIn = async (manifest, read) => {
  const [layer] = manifest.layers;
  if (layer === undefined) return undefined;
  const { config, annotations } = manifest;
  const name = annotations?.[MESH_ANNOTATION.name];
  const repoTag = name === undefined ? undefined : `${imageNameOf(name)}:latest`;
  // What Meshery pushes to a registry has such a config already.
  if (config !== undefined && normalMediaType(config.mediaType) === MESH.fluxConfig) {
    const bytes = config.size > MAX_CONFIG ? undefined : await read(config);
    return bytes !== undefined && fits(bytes, manifest.layers.length)
      ? { repoTag, config: bytes, layers: manifest.layers }
      : undefined;
  }
  const diffId = layer.annotations?.[LAYER_ANNOTATION.diffId];
  if (diffId === undefined || !isDigest(diffId)) return undefined;
  return { repoTag, config: imageConfig([diffId]), layers: [layer] };
};

/** Bytes of a config that has one layer, or a few. */
const MAX_CONFIG = 64 << 10;

function fits(config: Uint8Array, layers: number): boolean {
  try {
    return parseImageConfig(config, 'the config').rootfs?.diff_ids?.length === layers;
  } catch {
    return false;
  }
}

/**
 * An image config as Meshery's exports have it, to the byte where there are no labels: nothing but the digests of the layers' tar files.
 * Without them the library that Meshery reads archives with breaks down.
 */
export function imageConfig(diffIds: readonly Digest[], labels?: Readonly<Record<string, string>>): Uint8Array {
  const created = '0001-01-01T00:00:00Z';
  return Buffer.from(
    JSON.stringify({
      architecture: '',
      created,
      history: diffIds.map(() => ({ created })),
      os: '',
      rootfs: { type: 'layers', diff_ids: diffIds },
      config: labels === undefined ? {} : { Labels: labels },
    }),
  );
}

/** A name as Meshery makes a repository of it: lower case, without spaces. What its library refuses becomes a dash. */
function imageNameOf(name: string): string {
  const plain = name
    .replaceAll(' ', '')
    .normalize('NFKD')
    .replaceAll(/[\u0300-\u036F]/g, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]*[^a-z0-9_.-][^a-z0-9]*/g, '-')
    .replaceAll(/([_.-])[_.-]+/g, '$1')
    .replaceAll(/^[_.-]+|[_.-]+$/g, '')
    .slice(0, 200);
  return plain === '' ? 'entity' : plain;
}
