import { type Descriptor, type Platform } from '../../src/core/descriptor.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { parseManifest, type ManifestDocument } from '../../src/core/manifest.ts';
import { createMemory, type MemoryStore } from '../../src/stores/memory/store.ts';

type Pairs = Readonly<Record<string, string>>;

/** A thing as its makers lay it, said in few words. */
export interface ThingSpec {
  readonly artifactType?: string;
  /** The media type of the config; an image config where nothing is said. */
  readonly config?: string;
  /** What is in the config. */
  readonly content?: unknown;
  readonly layers?: readonly (string | { readonly type?: string; readonly annotations: Pairs })[];
  readonly annotations?: Pairs;
  /** The media type of the manifest or index. */
  readonly mediaType?: string;
  /** Makes it an index. */
  readonly manifests?: readonly ThingSpec[];
  /** Further entries of the index that are no manifests, by their media types. */
  readonly blobs?: readonly string[];
  /** Annotations of the descriptor that names it, and the platform there. */
  readonly entry?: Pairs;
  readonly platform?: Platform;
}

export interface Thing {
  readonly store: MemoryStore;
  readonly descriptor: Descriptor;
  readonly document: ManifestDocument;
}

export function thing(spec: ThingSpec, store: MemoryStore = createMemory()): Thing {
  const shared = {
    schemaVersion: 2,
    ...(spec.artifactType === undefined ? {} : { artifactType: spec.artifactType }),
    ...(spec.annotations === undefined ? {} : { annotations: spec.annotations }),
  };
  const mediaType = spec.mediaType ?? (spec.manifests === undefined ? MEDIA.ociManifest : MEDIA.ociIndex);
  const value =
    spec.manifests === undefined
      ? {
          ...shared,
          mediaType,
          config: store.putBytes(toJsonBytes(spec.content ?? {}), spec.config ?? MEDIA.ociConfig),
          layers: (spec.layers ?? []).map((layer, i) => {
            const { type = 'application/octet-stream', annotations } =
              typeof layer === 'string' ? { type: layer, annotations: undefined } : layer;
            const blob = store.putBytes(new TextEncoder().encode(`layer ${i} ${type}`), type);
            return annotations === undefined ? blob : { ...blob, annotations };
          }),
        }
      : {
          ...shared,
          mediaType,
          manifests: [
            ...spec.manifests.map((entry) => thing(entry, store).descriptor),
            ...(spec.blobs ?? []).map((type) => store.putBytes(new TextEncoder().encode(type), type)),
          ],
        };
  const bytes = toJsonBytes(value);
  const descriptor = {
    ...store.putBytes(bytes, mediaType),
    ...(spec.entry === undefined ? {} : { annotations: spec.entry }),
    ...(spec.platform === undefined ? {} : { platform: spec.platform }),
  };
  return { store, descriptor, document: parseManifest(bytes, mediaType, 'a thing') };
}
