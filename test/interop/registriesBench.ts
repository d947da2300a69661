import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { isCode, type ErrorCode } from '../../src/core/errors.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { type Open } from '../../src/core/store.ts';
import { describe as describeBytes } from '../../src/io/verify.ts';
import { Content } from '../support/content.ts';
import { type Client, type ClientOptions, type Place } from './registriesClient.ts';

/** What people ask of a registry. Each run proves that ocl gets it done or says in its own words why not, and answers which. */
export interface Feature {
  readonly name: string;
  readonly run: (at: Bench) => Promise<string>;
}

export interface Bench {
  readonly place: Place;
  /** A new client; it is closed after the feature. */
  readonly connect: (options?: ClientOptions) => Client;
}

/** Of `layer()`. */
export const LAYER_BYTES = 1_500_000;

/** Yes when it is done; no when ocl says that the registry does not do it, or fails as expected. Any other failure fails the test. */
export async function answered(work: () => Promise<void>, expected?: ErrorCode): Promise<string> {
  try {
    await work();
    return 'yes';
  } catch (error) {
    if (isCode(error, 'OCL_UNSUPPORTED') || (expected !== undefined && isCode(error, expected))) return 'no';
    throw error;
  }
}

export async function answeredYes(work: () => Promise<boolean>): Promise<boolean> {
  return (await answered(async () => void (await work()))) === 'yes';
}

/** Content that no other test has pushed. */
export function layer(): { readonly blob: Descriptor; readonly bytes: Buffer } {
  const bytes = randomBytes(LAYER_BYTES);
  return { blob: describeBytes(bytes, MEDIA.ociLayer), bytes };
}

export function opener(bytes: Uint8Array): Open {
  return async () => Readable.from([bytes], { objectMode: false });
}

export function tagged(): readonly [Content, Descriptor] {
  const content = new Content();
  return [content, content.image({ layers: [randomBytes(8).toString('hex')] })];
}

export function digests(descriptors: readonly Descriptor[]): readonly string[] {
  return descriptors.map(({ digest }) => digest).toSorted();
}
