import { gzipSync } from 'node:zlib';
import { type Descriptor, type Platform } from '../../src/core/descriptor.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { digestOf } from '../../src/io/verify.ts';
import { createMemory, type MemoryStore } from '../../src/stores/memory/store.ts';
import { Content } from './content.ts';
import { putRoots } from './shop.ts';
import { rawTar, type RawEntry } from './tarCases.ts';

/** A layer as it is kept: its blob, and the digest of what is in it. */
export interface RawLayer {
  readonly blob: Uint8Array;
  readonly mediaType?: string;
  readonly diffId: string;
}

export function plainLayer(tar: Uint8Array): RawLayer {
  return { blob: tar, mediaType: MEDIA.ociLayer, diffId: digestOf(tar) };
}

export function gzipLayer(tar: Uint8Array): RawLayer {
  return { blob: gzipSync(tar, { level: 1 }), mediaType: MEDIA.ociLayerGzip, diffId: digestOf(tar) };
}

/** A layer whose entries are written as they are given. */
export function layerOf(...entries: readonly RawEntry[]): RawLayer {
  return gzipLayer(rawTar(entries));
}

export const dir = (name: string, more: Partial<RawEntry> = {}): RawEntry => ({
  name: `${name}/`,
  type: '5',
  mode: 0o755,
  ...more,
});
export const file = (name: string, body: string, more: Partial<RawEntry> = {}): RawEntry => ({ name, body, ...more });
export const symlink = (name: string, link: string): RawEntry => ({ name, type: '2', link, mode: 0o777 });
export const hardlink = (name: string, link: string): RawEntry => ({ name, type: '1', link });
export const whiteout = (name: string): RawEntry => ({ name, body: '' });

export interface LayeredSpec {
  readonly layers: readonly RawLayer[];
  readonly platform?: Platform;
  /** In place of what the layers promise. */
  readonly diffIds?: readonly string[];
  readonly configType?: string;
}

/** An image of such layers, the lowest first. */
export function layeredImage(content: Content, spec: LayeredSpec): Descriptor {
  const { layers, platform = { os: 'linux', architecture: 'amd64' } } = spec;
  const config = content.json(
    {
      ...platform,
      config: {},
      rootfs: { type: 'layers', diff_ids: spec.diffIds ?? layers.map(({ diffId }) => diffId) },
    },
    spec.configType ?? MEDIA.ociConfig,
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA.ociManifest,
    config,
    layers: layers.map(({ blob, mediaType }) => content.add(blob, mediaType ?? MEDIA.ociLayer)),
  };
  return content.json(manifest, MEDIA.ociManifest);
}

/** The same in a store of its own. */
export async function layeredStore(
  spec: LayeredSpec,
): Promise<{ readonly store: MemoryStore; readonly image: Descriptor }> {
  const content = new Content();
  const image = layeredImage(content, spec);
  const store = createMemory();
  await putRoots(store, content, [[image, { tag: '1' }]]);
  return { store, image };
}
