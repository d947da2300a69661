import { createHash } from 'node:crypto';
import { SUMS_ENTRY, type BundleRecord } from '../../core/bundleRecord.ts';
import { type Descriptor, type StoredBlob } from '../../core/descriptor.ts';
import { verifiableAlgorithm, type Digest } from '../../core/digest.ts';
import { LIMITS } from '../../core/limits.ts';
import { type Fault } from '../../core/store.ts';
import { givePiece } from '../../io/slabPool.ts';
import { type Tarball } from '../../io/tarball.ts';
import { shown } from '../../io/tarName.ts';
import { type TarEntry } from '../../io/tarScan.ts';
import { blobPath, createHasher, digestOf } from '../../io/verify.ts';
import { blobDigest } from './ociFiles.ts';
import { type OpenVolume } from './openVolume.ts';
import { hexOf } from './sums.ts';

/** Bytes that are read at once. */
const SMALL = 1 << 20;

interface BundleFile {
  readonly path: string;
  readonly tarball: Tarball;
}

/**
 * Where a file with a record is not what it says: its sums, what fills it up, and what it brings. Contents are not hashed again, where
 * their names say what they have to be.
 */
export async function* fileFaults(
  file: BundleFile,
  brought: ReadonlyMap<string, number> | undefined,
): AsyncGenerator<Fault> {
  const { path, tarball } = file;
  for (const name of tarball.names()) {
    const entry = tarball.find(name);
    if (entry !== undefined && !(await tarball.isFilledWithZeros(entry)))
      yield { path, entry: name, message: 'the bytes that fill up its last block are not zero' };
  }
  if (brought !== undefined) yield* unlike(file, brought);
  yield* sumFaults(file);
}

/** The blobs that a volume has to hold, by path. */
export function placedIn({ record: { placement, set } }: OpenVolume): ReadonlyMap<string, number> {
  const { everywhere, blobs, cut } = placement;
  const here = [...blobs, ...cut.flatMap(({ slices }) => slices)].filter(({ volume }) => volume === set.volume);
  return byPath([...everywhere, ...here]);
}

/** Those that a delta of one file has to hold; undefined for a bundle that does not say. */
export function providedBy({ provides }: BundleRecord): ReadonlyMap<string, number> | undefined {
  return provides === undefined ? undefined : byPath(provides);
}

function byPath(blobs: readonly StoredBlob[]): ReadonlyMap<string, number> {
  return new Map(blobs.map(({ digest, size }) => [blobPath(digest), size]));
}

function* unlike({ path, tarball }: BundleFile, brought: ReadonlyMap<string, number>): Generator<Fault> {
  for (const [name, size] of brought) {
    const entry = tarball.find(name);
    if (entry === undefined) yield { path, entry: name, message: 'its record promises it, and it is not there' };
    else if (entry.size !== size)
      yield { path, entry: name, message: `it has ${entry.size} bytes, and its record promises ${size}` };
  }
  for (const name of tarball.names())
    if (blobDigest(name) !== undefined && !brought.has(name))
      yield { path, entry: name, message: 'its record does not know it' };
}

const LINE = /^([0-9a-f]{64}) [ *](.+)$/;

async function* sumFaults(file: BundleFile): AsyncGenerator<Fault> {
  const { path, tarball } = file;
  const sums = tarball.find(SUMS_ENTRY);
  if (sums === undefined) {
    yield { path, entry: SUMS_ENTRY, message: 'it is not there' };
    return;
  }
  const text = Buffer.from(await tarball.bytes(sums, LIMITS.archiveNames, `${SUMS_ENTRY} in ${path}`)).toString();
  const promised = new Map<string, string>();
  for (const [i, line] of text.split('\n').entries()) {
    const [, hex = '', name = ''] = LINE.exec(line) ?? [];
    if (line === '') continue;
    if (name === '' || promised.has(name))
      yield { path, entry: SUMS_ENTRY, message: `line ${i + 1} is no sum, or names what stands there already` };
    promised.set(name, hex);
  }
  for (const name of tarball.names()) {
    if (name === SUMS_ENTRY) continue;
    const hex = promised.get(name);
    promised.delete(name);
    if (hex === undefined) yield { path, entry: name, message: `${SUMS_ENTRY} does not name it` };
    else if (hex !== (await sha256Of(tarball, name)))
      yield { path, entry: name, message: `it is not what ${SUMS_ENTRY} says` };
  }
  for (const name of promised.keys())
    yield { path, entry: SUMS_ENTRY, message: `it names ${shown(name)}, which is not there` };
}

/** By its name, where that tells: whoever asks has held the contents against their names. */
async function sha256Of(tarball: Tarball, name: string): Promise<string | undefined> {
  const digest = blobDigest(name);
  const known = digest === undefined ? undefined : hexOf(digest);
  const entry = tarball.find(name);
  if (known !== undefined || entry === undefined) return known;
  const hash = createHash('sha256');
  for await (const chunk of tarball.stream(entry) as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    givePiece(chunk);
  }
  return hash.digest('hex');
}

/** Blobs of a volume that another one has as well: the copy that is read as a rule is held against its digest there. */
export async function* copyFaults({ path, tarball }: BundleFile, copies: readonly Digest[]): AsyncGenerator<Fault> {
  for (const digest of copies) {
    const name = blobPath(digest);
    const entry = tarball.find(name);
    if (entry === undefined) continue;
    if (!(await isRight(tarball, entry, digest))) yield { path, entry: name, message: 'its content is another' };
  }
}

/** Copies are mostly manifests: small, and many. */
async function isRight(tarball: Tarball, entry: TarEntry, digest: Digest): Promise<boolean> {
  const algorithm = verifiableAlgorithm(digest);
  if (algorithm === undefined) return true;
  if (entry.size <= SMALL) return digestOf(await tarball.bytes(entry, SMALL, digest), algorithm) === digest;
  const hasher = createHasher(algorithm);
  for await (const chunk of tarball.stream(entry) as AsyncIterable<Uint8Array>) {
    hasher.update(chunk);
    givePiece(chunk);
  }
  return hasher.digest() === digest;
}

/** An `index.json` has to name what is complete in its volume, as the set calls it. */
export function* indexFaults(
  path: string,
  entries: readonly Descriptor[],
  complete: readonly Descriptor[],
): Generator<Fault> {
  const expected = new Set(complete.map((root) => JSON.stringify(root)));
  const named = entries.map((root) => JSON.stringify(root));
  const wrong = entries.find((_, i) => !expected.has(named[i] ?? ''));
  if (wrong !== undefined)
    yield {
      path,
      entry: 'index.json',
      message: `it names ${wrong.digest}, which is not so in the set or not complete in it`,
    };
  else if (named.length < expected.size)
    yield {
      path,
      entry: 'index.json',
      message: `it names ${named.length} of ${expected.size} images that are complete in it`,
    };
}
