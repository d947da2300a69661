import { type BundleRecord } from '../core/bundleRecord.ts';
import { type Descriptor, type Platform } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { toJsonBytes } from '../core/json.ts';
import { isDocumentType, isImageConfigType } from '../core/mediaTypes.ts';
import { type NamedRoot, type Sink } from '../core/store.ts';
import { type Copier, type Surveyed } from '../copy/copier.ts';
import { contentsOf } from '../copy/reserved.ts';
import { inOrder } from '../copy/walk.ts';
import { type Delta } from './delta.ts';
import { surveyImages } from './export.ts';
import { type BundleImage } from './sources.ts';
import { type Waivers } from './waivers.ts';

/** What an export would carry. All sizes are in bytes. */
export interface BundlePlan {
  readonly images: readonly { readonly image: string; readonly digest: Digest; readonly bytes: number }[];
  /** Contents and documents, each once. */
  readonly contents: number;
  /** Of all images, each counted as if it came alone. */
  readonly listed: number;
  /** Each content once. */
  readonly unique: number;
  /** What the far side has already, and is not carried. */
  readonly leftOut: { readonly contents: number; readonly bytes: number };
  /** The files that it takes; one where nobody asked for volumes. */
  readonly volumes: readonly { readonly size: number; readonly images: number }[];
  /** Of all volumes. */
  readonly carried: number;
  /** What an import has to keep until the last volume has come: contents that are cut. */
  readonly cut: number;
}

export interface PlanBundleOptions {
  readonly copier: Copier;
  readonly waivers: Waivers;
  readonly dockerPlatform: Platform;
  /** What the far side has; the archive is laid out with the same. */
  readonly delta?: Delta | undefined;
  /** Lays the archive out. `read` gives documents as they are, and configs as large as they have to be. */
  readonly layOut: (
    nodes: readonly Descriptor[],
    names: readonly NamedRoot[],
    read: (descriptor: Descriptor) => Promise<Uint8Array>,
  ) => Promise<{ readonly volumes: BundlePlan['volumes']; readonly record: BundleRecord | undefined }>;
}

/**
 * What an export of these images would come to. Manifests are asked for, and nothing else; the sizes are those of the real thing but for
 * a few bytes, where only a config tells the platform of an image.
 *
 * @throws as `exportImages`
 */
export async function planBundle(
  images: readonly BundleImage[],
  { copier, waivers, dockerPlatform, delta, layOut }: PlanBundleOptions,
): Promise<BundlePlan & { readonly surveyed: readonly Surveyed[] }> {
  const to = new Nowhere();
  const surveyed = await surveyImages(images, to, { copier, waivers });
  const { nodes: all } = contentsOf(surveyed);
  const { nodes, names, sourceOf } = contentsOf(delta?.settle(surveyed) ?? surveyed);
  const configs = standInConfigs(surveyed, dockerPlatform);
  const { volumes, record } = await layOut(nodes, names, async (descriptor) => {
    if (!isDocumentType(descriptor.mediaType)) return configs.get(descriptor.digest) ?? new Uint8Array();
    return (await copier.read(descriptor, { from: sourceOf(descriptor), to })).bytes;
  });
  const required = new Set((record?.requires ?? []).map(({ digest }) => digest));
  const carried = new Set(nodes.map(({ digest }) => digest).filter((digest) => !required.has(digest)));
  const left = all.filter(({ digest }) => !carried.has(digest));
  const perImage = surveyed.map(({ request, graph }) => ({
    image: request.image,
    digest: graph.root.descriptor.digest,
    bytes: sum([...inOrder(graph)].map(({ descriptor }) => descriptor.size)),
  }));
  return {
    surveyed,
    images: perImage,
    contents: all.length,
    listed: sum(perImage.map(({ bytes }) => bytes)),
    unique: sum(all.map(({ size }) => size)),
    leftOut: { contents: left.length, bytes: sum(left.map(({ size }) => size)) },
    volumes,
    carried: sum(volumes.map(({ size }) => size)),
    cut: sum((record?.placement?.cut ?? []).map(({ size }) => size)),
  };
}

/** What the files for docker take depends on how many layers a config has, and that stands in the manifest too. */
function standInConfigs(surveyed: readonly Surveyed[], fallback: Platform): ReadonlyMap<Digest, Uint8Array> {
  const configs = new Map<Digest, Uint8Array>();
  for (const { graph } of surveyed) {
    for (const { descriptor, children } of inOrder(graph)) {
      const config = children.find((child) => isImageConfigType(child.descriptor.mediaType));
      if (config === undefined) continue;
      // As long as real ones, and the same for the same layer.
      const layers = children.filter((child) => child !== config).map((child) => child.descriptor.digest);
      const { os, architecture, variant } = descriptor.platform ?? fallback;
      const bytes = toJsonBytes({ os, architecture, variant, rootfs: { type: 'layers', diff_ids: layers } });
      configs.set(config.descriptor.digest, bytes);
    }
  }
  return configs;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

/** A sink for what is only looked at: nothing is in it, and nothing gets into it. */
class Nowhere implements Sink {
  readonly name = 'a plan';
  readonly gates = [];
  readonly presence = 'node';

  find(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  has(): Promise<boolean> {
    return Promise.resolve(false);
  }

  adopt(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  put(): Promise<void> {
    return Promise.reject(nothingIsWritten());
  }

  tag(): Promise<void> {
    return Promise.reject(nothingIsWritten());
  }

  commit(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function nothingIsWritten(): OclError {
  return new OclError('OCL_INTERNAL', 'Cannot write to a plan: it is only looked at');
}
