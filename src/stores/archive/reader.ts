import { type Readable } from 'node:stream';
import { parseBundleRecord, RECORD_ENTRY, type BundleRecord } from '../../core/bundleRecord.ts';
import { type Descriptor } from '../../core/descriptor.ts';
import { isDigest, type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { checkLayoutFile } from '../../core/layoutFile.ts';
import { LIMITS } from '../../core/limits.ts';
import { parseManifest } from '../../core/manifest.ts';
import { MEDIA } from '../../core/mediaTypes.ts';
import { findEntry, listNames } from '../../core/names.ts';
import { type ByteRange, type StoredBlob } from '../../core/store.ts';
import { type Tarball } from '../../io/tarball.ts';
import { shown } from '../../io/tarName.ts';
import { blobPath, readVerified } from '../../io/verify.ts';
import { DockerContents } from './docker.ts';
import { ArchiveSource, type ArchiveKind, type Contents } from './source.ts';
import { openTar } from './spool.ts';

export interface OpenArchiveOptions {
  /** Where a compressed archive is decompressed to, until it is closed. */
  readonly tmpDir: string;
  /** Which side is wanted of an archive that is both, as docker has written them since version 25. The OCI side, when it is not said. */
  readonly as?: ArchiveKind;
}

/** Bytes of `oci-layout`. */
const MAX_LAYOUT_FILE = 64 << 10;

/**
 * Opens an image archive: a layout in a tar file, or what `docker save` writes; also one that is compressed with gzip or zstd.
 * @throws OCL_NOT_FOUND, OCL_ARCHIVE_INVALID, OCL_DOCUMENT_INVALID, OCL_UNSAFE, OCL_LIMIT, OCL_UNSUPPORTED
 */
export async function openArchive(path: string, options: OpenArchiveOptions): Promise<ArchiveSource> {
  const open = await openTar(path, options.tmpDir);
  const { tarball } = open;
  try {
    const kind = kindOf(tarball, path, options.as);
    const contents = kind === 'oci' ? await OciContents.read(tarball, path) : await DockerContents.read(tarball, path);
    return new ArchiveSource(`${kind === 'oci' ? 'oci' : 'docker'}-archive:${path}`, kind, contents, () =>
      open.close(),
    );
  } catch (error) {
    await open.close();
    throw error;
  }
}

function kindOf(tarball: Tarball, path: string, wanted: ArchiveKind | undefined): ArchiveKind {
  const oci = tarball.find('oci-layout') !== undefined;
  const docker = tarball.find('manifest.json') !== undefined;
  if (wanted === 'docker') {
    if (docker) return 'docker';
    throw new OclError(
      'OCL_ARCHIVE_INVALID',
      `Cannot open the archive ${path}: it has no manifest.json`,
      oci ? { hint: `it is a layout: use oci-archive:${path}` } : {},
    );
  }
  if (oci) return 'oci';
  if (docker) return 'docker';
  throw new OclError(
    'OCL_ARCHIVE_INVALID',
    `Cannot open the archive ${path}: it has neither oci-layout nor manifest.json`,
    { hint: whereInstead(tarball) },
  );
}

/** Archives are often packed with the directory around the layout. */
function whereInstead(tarball: Tarball): string | undefined {
  for (const name of tarball.names()) {
    const slash = name.lastIndexOf('/');
    const base = name.slice(slash + 1);
    if (slash > 0 && (base === 'oci-layout' || base === 'manifest.json')) {
      const directory = name.slice(0, slash);
      return `its files lie below ${shown(directory)}: unpack it, and pack it again with tar -C ${shown(directory)} -cf FILE .`;
    }
  }
  return undefined;
}

class OciContents implements Contents {
  readonly record: BundleRecord | undefined;
  readonly #tarball: Tarball;
  readonly #path: string;
  readonly #roots: readonly Descriptor[];

  private constructor(
    tarball: Tarball,
    path: string,
    { roots, record }: { readonly roots: readonly Descriptor[]; readonly record: BundleRecord | undefined },
  ) {
    this.record = record;
    this.#tarball = tarball;
    this.#path = path;
    this.#roots = roots;
  }

  static async read(tarball: Tarball, path: string): Promise<OciContents> {
    checkLayoutFile(
      await smallFile(tarball, path, 'oci-layout', MAX_LAYOUT_FILE),
      `oci-layout in ${path}`,
      'OCL_ARCHIVE_INVALID',
    );
    const what = `index.json in ${path}`;
    const index = parseManifest(await smallFile(tarball, path, 'index.json', LIMITS.indexBytes), MEDIA.ociIndex, what);
    if (index.kind !== 'index') throw new OclError('OCL_DOCUMENT_INVALID', `Cannot read ${what}: it is no image index`);
    return new OciContents(tarball, path, { roots: index.manifests, record: await readRecord(tarball, path) });
  }

  async roots(): Promise<readonly Descriptor[]> {
    return this.#roots;
  }

  async names(): Promise<readonly string[]> {
    return listNames(this.#roots);
  }

  size(digest: Digest): Promise<number | undefined> {
    return Promise.resolve(this.#tarball.find(blobPath(digest))?.size);
  }

  async *blobs(): AsyncIterable<StoredBlob> {
    for (const name of this.#tarball.names()) {
      const digest = blobDigest(name);
      const entry = digest === undefined ? undefined : this.#tarball.find(name);
      if (digest !== undefined && entry !== undefined) yield { digest, size: entry.size };
    }
  }

  async resolve(wanted: string): Promise<Descriptor> {
    if (isDigest(wanted) && !this.#roots.some(({ digest }) => digest === wanted)) {
      const document = await this.#document(wanted);
      if (document !== undefined) return document;
    }
    return findEntry(this.#roots, wanted);
  }

  async stream(digest: Digest, range: ByteRange | undefined): Promise<Readable | undefined> {
    const entry = this.#tarball.find(blobPath(digest));
    return entry === undefined ? undefined : this.#tarball.stream(entry, range);
  }

  /** A manifest that `index.json` does not list, such as the one of a platform. */
  async #document(digest: Digest): Promise<Descriptor | undefined> {
    const entry = this.#tarball.find(blobPath(digest));
    if (entry === undefined) return undefined;
    const plain = { mediaType: MEDIA.ociManifest, digest, size: entry.size };
    const bytes = await readVerified(this.#tarball.stream(entry), plain, LIMITS.indexBytes);
    return { ...plain, mediaType: parseManifest(bytes, undefined, `${digest} in ${this.#path}`).mediaType };
  }
}

/** The digest that a path promises, or undefined when it is no place for a blob. */
function blobDigest(name: string): Digest | undefined {
  const [top, algorithm, encoded, ...rest] = name.split('/');
  const text = `${algorithm ?? ''}:${encoded ?? ''}`;
  return top === 'blobs' && rest.length === 0 && isDigest(text) ? text : undefined;
}

/** What the archive says of itself; undefined for a plain one. */
async function readRecord(tarball: Tarball, path: string): Promise<BundleRecord | undefined> {
  if (tarball.find(RECORD_ENTRY) === undefined) return undefined;
  const bytes = await smallFile(tarball, path, RECORD_ENTRY, LIMITS.indexBytes);
  return parseBundleRecord(bytes, `${RECORD_ENTRY} in ${path}`);
}

async function smallFile(tarball: Tarball, path: string, name: string, limit: number): Promise<Uint8Array> {
  const entry = tarball.find(name);
  if (entry === undefined)
    throw new OclError('OCL_ARCHIVE_INVALID', `Cannot open the archive ${path}: it has no ${name}`);
  return tarball.bytes(entry, limit, `${name} in ${path}`);
}
