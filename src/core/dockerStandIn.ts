import { type Descriptor } from './descriptor.ts';
import { type Manifest } from './manifest.ts';

/**
 * What docker's `manifest.json` says of an artifact that is no image: a config of its own, which no manifest of the archive names, and the
 * layers that it is for. Readers of that file find an image then, and readers of the layout the artifact.
 */
export interface DockerStandIn {
  /** `my-design:latest`, where it has a name. */
  readonly repoTag: string | undefined;
  /** An image config whose diff_ids fit the layers. */
  readonly config: Uint8Array;
  /** Of the artifact. */
  readonly layers: readonly Descriptor[];
}

/**
 * @param read the verified bytes of a config or document among the artifact's nodes
 * @returns undefined for an artifact that has none
 */
export type FindStandIn = (
  manifest: Manifest,
  read: (descriptor: Descriptor) => Promise<Uint8Array>,
) => Promise<DockerStandIn | undefined>;
