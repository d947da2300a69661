import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { type Source } from '../../core/store.ts';

/** A name that was asked for, and what it stands for. */
export interface NamedImage {
  /** As `ocl ls` calls it. */
  readonly reference: string;
  /** Where it lies in its place, which is its path in a registry that serves the place. */
  readonly repository: string;
  readonly source: Source;
  readonly root: Descriptor;
}

interface Thing {
  readonly reference: string;
  readonly repository: string;
  /** Its full name, where its place knows it. */
  readonly imageName: string | undefined;
  readonly source: Source;
  readonly descriptor: Descriptor;
  /** The id of its artifact type. */
  readonly type: string;
}

/** What was found in a place, by what a scanner does with it. */
export type Found =
  /** A container image of one platform. */
  | (Thing & { readonly kind: 'image'; readonly platform: string })
  /** Configuration in tar files or plain ones: charts, policies, modules. */
  | (Thing & { readonly kind: 'config' })
  /** A document about an image: an SBOM, a VEX document. */
  | (Thing & { readonly kind: 'document'; readonly subject: Digest | undefined })
  /** Nothing to scan. */
  | (Thing & { readonly kind: 'skipped'; readonly reason: string })
  /** Another name of an image that was found before. */
  | (Thing & { readonly kind: 'alias' });
