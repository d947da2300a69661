import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Copier } from '../../copy/copier.ts';
import { loadDocument } from '../../copy/documents.ts';
import { type Descriptor } from '../../core/descriptor.ts';
import { isForeignLayerType, normalMediaType } from '../../core/mediaTypes.ts';
import { parseImageName } from '../../core/reference.ts';
import { type Stores } from '../../core/store.ts';
import { writeFileAtomic } from '../../io/atomicFile.ts';
import { flatten } from '../rootfs/flatten.ts';
import { type Found } from './found.ts';
import { LinkingSource, Written } from './linking.ts';
import { type Form } from './scanners.ts';

type FoundImage = Extract<Found, { kind: 'image' }>;

export interface FormOptions {
  readonly stores: Stores;
  readonly copier: Copier;
  readonly signal?: AbortSignal | undefined;
  /** Where a registry serves what is scanned, for scanners that fetch layers themselves; undefined: what lies in a registry is fetched there, all else from `ocl serve` as it starts. */
  readonly servedAt: string | undefined;
  /** Where a registry is reached: `https://host/`. */
  readonly addressOf: (registry: string) => URL;
}

/** What was written, and what its reader should know. */
export interface WrittenForm {
  /** From the directory of the output, with `/`. */
  readonly path: string;
  readonly notes: readonly string[];
}

/** Measured with Grype 0.109, which has no option for it. */
const GRYPE_AND_DIRECTORIES =
  'Grype takes a directory for source code and finds no installed packages of languages such as npm: --for grype gives it the image';

/** Where `ocl serve` listens unless it is told otherwise. */
const SERVED_AT = 'http://127.0.0.1:5000';

const GZIP_OR_PLAIN = /(?:\.tar|\.tar\+gzip|\.tar\.gzip)$/;

/** Writes an image in the forms that scanners read. Layouts are made of links: to the source where it lies on the same disk, else to each other. */
export class FormWriter {
  readonly #directory: string;
  readonly #options: FormOptions;
  readonly #written = new Written();

  constructor(directory: string, options: FormOptions) {
    this.#directory = directory;
    this.#options = options;
  }

  async write(form: Form, image: FoundImage, stem: string): Promise<WrittenForm> {
    switch (form) {
      case 'oci':
        return await this.#layout(image, stem);
      case 'tar':
        return await this.#tar(image, stem);
      case 'clair':
        return await this.#clair(image, stem);
      case 'rootfs':
        return await this.#rootfs(image, stem);
    }
  }

  /** A layout with one entry, which is a manifest of one platform: Trivy takes the first, Syft and Grype want no other (spec/oci.md 4.2, 4.4). */
  async #layout(image: FoundImage, stem: string): Promise<WrittenForm> {
    const path = join(this.#directory, 'oci', stem);
    await this.#copy(image, { kind: 'layout', path });
    const { document } = await loadDocument(image.descriptor, image.source);
    this.#written.add(image.descriptor.digest, path);
    if (document.kind === 'manifest') {
      for (const { digest } of [...(document.config === undefined ? [] : [document.config]), ...document.layers])
        this.#written.add(digest, path);
    }
    return { path: `oci/${stem}`, notes: await this.#missingLayers(image) };
  }

  /** An archive for `docker load` and layout readers with one image. */
  async #tar(image: FoundImage, stem: string): Promise<WrittenForm> {
    const path = join(this.#directory, 'tar', `${stem}.tar`);
    await mkdir(dirname(path), { recursive: true });
    await this.#copy(image, { kind: 'archive', path });
    const { document } = await loadDocument(image.descriptor, image.source);
    const layers = document.kind === 'manifest' ? document.layers : [];
    const odd = layers.find(({ mediaType }) => !GZIP_OR_PLAIN.test(normalMediaType(mediaType)));
    const notes = await this.#missingLayers(image);
    return {
      path: `tar/${stem}.tar`,
      notes:
        odd === undefined
          ? notes
          : [...notes, `a layer is ${odd.mediaType}, which scanners of docker archives may not read`],
    };
  }

  /** The request for Clair's indexer, which fetches layers by itself (spec/oci.md 4.5). */
  async #clair(image: FoundImage, stem: string): Promise<WrittenForm> {
    const path = join(this.#directory, 'clair', `${stem}.json`);
    await mkdir(dirname(path), { recursive: true });
    const { document } = await loadDocument(image.descriptor, image.source);
    const base = this.#blobsOf(image);
    const layers = (document.kind === 'manifest' ? document.layers : []).map(({ digest }) => ({
      hash: digest,
      uri: `${base}/${digest}`,
      headers: {},
    }));
    await writeFileAtomic(
      path,
      Buffer.from(`${JSON.stringify({ hash: image.descriptor.digest, layers }, undefined, 2)}\n`),
    );
    return { path: `clair/${stem}.json`, notes: [] };
  }

  /** The address of a repository's blobs. */
  #blobsOf({ source, descriptor, repository }: FoundImage): string {
    const { servedAt } = this.#options;
    const place = source.place(descriptor);
    if (servedAt !== undefined || place.kind !== 'repository')
      return `${(servedAt ?? SERVED_AT).replace(/\/+$/, '')}/v2/${repository}/blobs`;
    return new URL(`/v2/${place.repository}/blobs`, this.#options.addressOf(place.registry)).href;
  }

  async #rootfs(image: FoundImage, stem: string): Promise<WrittenForm> {
    const path = join(this.#directory, 'rootfs', stem);
    const { signal } = this.#options;
    const { leftOut } = await flatten(
      image.source,
      image.descriptor,
      { kind: 'directory', path },
      { signal, names: 'any' },
    );
    const left = Object.entries(leftOut.counts).filter(([, count]) => count > 0);
    return {
      path: `rootfs/${stem}`,
      notes: [...left.map(([what, count]) => `left out or changed: ${count} ${what}`), GRYPE_AND_DIRECTORIES],
    };
  }

  async #copy(image: FoundImage, to: { readonly kind: 'layout' | 'archive'; readonly path: string }): Promise<void> {
    const { stores, copier } = this.#options;
    const sink = await stores.sink(to);
    try {
      const request = {
        from: new LinkingSource(image.source, this.#written),
        to: sink,
        root: rootOf(image),
        name: nameOf(image),
        image: image.reference,
        select: {},
      };
      if (sink.reserve === undefined) await copier.copy(request);
      else await copier.copyReserved([request], sink);
      await sink.commit();
    } finally {
      await sink.close();
    }
  }

  /** A layer that its maker forbids to pass on is not there as a rule: what is in it is not scanned. */
  async #missingLayers({ descriptor, source }: FoundImage): Promise<readonly string[]> {
    const { document } = await loadDocument(descriptor, source);
    const foreign =
      document.kind === 'manifest' ? document.layers.filter(({ mediaType }) => isForeignLayerType(mediaType)) : [];
    return foreign.map(
      ({ digest }) => `the layer ${digest} may not be redistributed, was left out, and is not scanned`,
    );
  }
}

/** The entry says its platform, as scanners choose by it, and nothing that it said elsewhere. */
function rootOf({ descriptor, platform }: FoundImage): Descriptor {
  const { mediaType, digest, size } = descriptor;
  const own = descriptor.platform;
  const [os, architecture, variant] = platform.split('/');
  if (own !== undefined || os === undefined || architecture === undefined)
    return { mediaType, digest, size, ...(own === undefined ? {} : { platform: own }) };
  return { mediaType, digest, size, platform: { os, architecture, ...(variant === undefined ? {} : { variant }) } };
}

/** A name with a tag in every case: some readers find nothing without one. */
function nameOf({ reference, imageName, repository, descriptor }: FoundImage): {
  readonly tag: string;
  readonly imageName: string;
} {
  const parsed = parseImageName(imageName ?? reference);
  const tag = parsed?.tag ?? `sha256-${descriptor.digest.slice(-64, -52)}`;
  const name = parsed === undefined ? `localhost/${repository}` : `${parsed.registry}/${parsed.repository}`;
  return { tag, imageName: `${name}:${tag}` };
}
