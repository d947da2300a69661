import { type Descriptor } from '../../core/descriptor.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { parseImageName, type RegistryReference } from '../../core/reference.ts';
import { type Source } from '../../core/store.ts';
import { type Http } from '../../io/httpMessages.ts';
import { Reads } from '../reads.ts';
import { findBundle, type FoundBundle, type Located } from './find.ts';
import { parseBundle, type Bundle, type BundleImage } from './schema.ts';

/** An image of a bundle, and where it can be read. */
export interface Part {
  readonly image: BundleImage;
  readonly by: Located['by'] | 'name' | 'registry';
  /** Undefined: in another registry, which was not asked. */
  readonly at: { readonly source: Source; readonly descriptor: Descriptor } | undefined;
}

/** A bundle in whatever form it came. */
export interface OpenBundle {
  readonly bundle: Bundle;
  /** `index` and `list`: in a registry or layout; `thick`: in an archive with its images; `file`: alone. */
  readonly form: FoundBundle['form'] | 'thick' | 'file';
  /** Of `index` and `list`. */
  readonly index?: { readonly source: Source; readonly root: Descriptor; readonly found: FoundBundle } | undefined;
  readonly parts: readonly Part[];
}

/** How places are reached that nobody but the bundle names: without logins, over https, and never inside a private network. */
export interface Strangers {
  readonly http: Http;
  source(reference: RegistryReference): Promise<Source>;
}

/** @throws as `findBundle` */
export async function openIndex(source: Source, root: Descriptor): Promise<OpenBundle> {
  const found = await findBundle(new Reads(source), root);
  const parts = found.images.map(({ image, descriptor, by }): Part => ({
    image,
    by,
    at: descriptor === undefined ? undefined : { source, descriptor },
  }));
  return { bundle: found.bundle, form: found.form, index: { source, root, found }, parts };
}

/** A bundle file alone. @throws OCL_DOCUMENT_INVALID */
export function openFile(bytes: Uint8Array, what: string): OpenBundle {
  const bundle = parseBundle(bytes, what);
  return { bundle, form: 'file', parts: bundle.images.map((image) => ({ image, by: undefined, at: undefined })) };
}

/** A bundle file with the layout of its images, which they are named in by their references. @throws OCL_DOCUMENT_INVALID */
export async function openThick(bytes: Uint8Array, what: string, layout: Source): Promise<OpenBundle> {
  const bundle = parseBundle(bytes, what);
  const parts: Part[] = [];
  for (const image of bundle.images) parts.push(await inLayout(image, layout));
  return { bundle, form: 'thick', parts };
}

async function inLayout(image: BundleImage, source: Source): Promise<Part> {
  for (const [name, by] of [
    [image.digest, 'digest'],
    [image.reference, 'name'],
  ] as const) {
    if (name === undefined) continue;
    try {
      return { image, by, at: { source, descriptor: await source.resolve(name) } };
    } catch (error) {
      if (!isCode(error, 'OCL_NOT_FOUND') && !isCode(error, 'OCL_AMBIGUOUS')) throw error;
    }
    // A name that leads to another content than the bundle promises would be a lie.
    if (by === 'digest') break;
  }
  return { image, by: undefined, at: undefined };
}

/**
 * The bundle with the images that live in other registries, each asked for there.
 * @throws OCL_REFERENCE_INVALID; OCL_DIGEST_MISMATCH when a registry has another content under the name; as the registries
 */
export async function withStrangers(open: OpenBundle, strangers: Strangers): Promise<OpenBundle> {
  const parts: Part[] = [];
  for (const part of open.parts) parts.push(part.at === undefined ? await fromRegistry(part.image, strangers) : part);
  return { ...open, parts };
}

async function fromRegistry(image: BundleImage, strangers: Strangers): Promise<Part> {
  const reference = parseImageName(image.reference);
  const shown = printable(image.reference);
  if (reference === undefined)
    throw new OclError('OCL_REFERENCE_INVALID', `Cannot fetch the image ${JSON.stringify(shown)}: it is no image name`);
  const source = await strangers.source(reference);
  const descriptor = await source.resolve(image.digest ?? reference.digest ?? reference.tag ?? 'latest');
  if (image.digest !== undefined && descriptor.digest !== image.digest)
    throw new OclError(
      'OCL_DIGEST_MISMATCH',
      `Cannot fetch the image ${shown}: the bundle names ${image.digest}, and its registry has ${descriptor.digest}`,
    );
  return { image, by: 'registry', at: { source, descriptor } };
}
