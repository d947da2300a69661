import { buffer } from 'node:stream/consumers';
import { Readable } from 'node:stream';
import { RECORD_ENTRY } from '../core/bundleRecord.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { isDigest, type Digest } from '../core/digest.ts';
import { isCode, OclError, toOclError } from '../core/errors.ts';
import { checkLayoutFile } from '../core/layoutFile.ts';
import { LIMITS } from '../core/limits.ts';
import { parseManifest, type ManifestDocument } from '../core/manifest.ts';
import { MEDIA } from '../core/mediaTypes.ts';
import { type Stores } from '../core/store.ts';
import { type Replay } from '../io/replay.ts';
import { safeName, shown } from '../io/tarName.ts';
import { tarMembers, type TarMember } from '../io/tarStream.ts';
import { readBounded, readVerified } from '../io/verify.ts';
import { type Copier } from '../copy/copier.ts';
import { openHomes, type Homes } from './homes.ts';
import { chooseRoots, type NamingOptions } from './naming.ts';
import { OneShot } from './oneShot.ts';
import { Owners } from './owners.ts';
import { ReceivedBundle, type Received } from './received.ts';
import { Shelf } from './shelf.ts';
import { type ImportTarget } from './target.ts';

export interface ReceiveOptions {
  readonly target: ImportTarget;
  readonly naming: Omit<NamingOptions, 'into'>;
  readonly stores: Stores;
  readonly copier: Copier;
  readonly signal?: AbortSignal | undefined;
  /** Exists; for documents beyond what fits into memory. */
  readonly tmpDir: string;
}

export interface ReceivedStream {
  readonly source: ReceivedBundle;
  close(): Promise<void>;
}

/** Bytes of contents that are taken whole: such a one can be sent again when its connection breaks, and several are under way at once. */
const WHOLE = 4 << 20;
const WHOLE_TOGETHER = 32 << 20;
const MAX_LAYOUT_FILE = 64 << 10;
const OPENING_BRACE = 0x7b;

/**
 * Takes a bundle from a pipe: contents go into the target as they come, documents are kept, and nothing has a name yet; that is the matter of
 * `importBundles`, for which the answer is a bundle like any other.
 *
 * @returns undefined when the stream has to be read from a file: it is compressed, no bundle, a delta or a volume, or its table of contents does
 *   not come first. All of it can be had again then.
 * @throws OCL_ARCHIVE_INVALID and the like when it turns out broken later; OCL_NO_SPACE
 */
export async function receiveBundle(input: Replay, options: ReceiveOptions): Promise<ReceivedStream | undefined> {
  const members = tarMembers(input.forward());
  const head = await readHead(members);
  if (head === undefined) {
    await members.return(undefined);
    return undefined;
  }
  input.settle();
  const images = chooseRoots(head.roots, { ...options.naming, into: options.target.kind });
  const homes = await openHomes(options.target, images[0]?.repository ?? '', options.stores);
  const receiver = new Receiver(homes, new Owners(images), options);
  const close = async (): Promise<void> => {
    await receiver.shelf.close();
    await homes.close();
  };
  try {
    await receiver.take(head.first);
    for await (const member of members) await receiver.take(member);
    await receiver.settle();
    return { source: new ReceivedBundle('standard input', head.roots, receiver), close };
  } catch (error) {
    await receiver.settle().catch(() => {}); // the failure before tells more
    await close();
    throw error;
  }
}

interface Head {
  readonly roots: readonly Descriptor[];
  /** The first entry after it. */
  readonly first: TarMember;
}

/** What stands before the first content; undefined where it is not what our own writer puts there. */
async function readHead(members: AsyncGenerator<TarMember>): Promise<Head | undefined> {
  let isLayout = false;
  let roots: readonly Descriptor[] | undefined;
  try {
    for (;;) {
      const next = await members.next();
      if (next.done === true) return undefined;
      const member = next.value;
      const name = safeName(member.name);
      if (member.type === '5') continue;
      if (member.type !== '0' || name === RECORD_ENTRY) return undefined;
      if (name.startsWith('blobs/')) return isLayout && roots !== undefined ? { roots, first: member } : undefined;
      if (name === 'oci-layout') {
        checkLayoutFile(await bytesOf(member, MAX_LAYOUT_FILE), name, 'OCL_ARCHIVE_INVALID');
        isLayout = true;
      } else if (name === 'index.json') {
        const index = parseManifest(await bytesOf(member, LIMITS.indexBytes), MEDIA.ociIndex, name);
        roots = index.kind === 'index' ? index.manifests : undefined;
      } else if (!isLayout || member.size > LIMITS.indexBytes) return undefined;
    }
  } catch (error) {
    // Whoever reads it from a file says what is wrong with it.
    if (isCode(error, 'OCL_CANCELLED') || !(error instanceof OclError)) throw error;
    return undefined;
  }
}

/** Puts contents into the target and documents onto the shelf, in the order in which they come. */
class Receiver {
  readonly shelf: Shelf;
  readonly sizes = new Map<Digest, number>();
  readonly contents = new Map<Digest, Received>();
  streamed = 0;
  readonly #homes: Homes;
  readonly #owners: Owners;
  readonly #copier: Copier;
  readonly #signal: AbortSignal | undefined;
  readonly #running = new Set<Promise<void>>();
  #held = 0;
  #full: OclError | undefined;

  constructor(homes: Homes, owners: Owners, { copier, signal, tmpDir }: ReceiveOptions) {
    this.shelf = new Shelf(tmpDir);
    this.#homes = homes;
    this.#owners = owners;
    this.#copier = copier;
    this.#signal = signal;
  }

  async take(member: TarMember): Promise<void> {
    this.#signal?.throwIfAborted();
    const name = safeName(member.name);
    if (member.type === '5') return;
    if (member.type !== '0')
      throw new OclError('OCL_ARCHIVE_INVALID', `Cannot read the archive: the entry ${shown(name)} is no file`);
    const digest = digestOf(name);
    if (digest === undefined) return;
    if (this.sizes.has(digest))
      throw new OclError('OCL_ARCHIVE_INVALID', `Cannot read the archive: the entry ${shown(name)} is there twice`);
    this.sizes.set(digest, member.size);
    const descriptor: Descriptor = { mediaType: 'application/octet-stream', digest, size: member.size };
    if (member.size > WHOLE) return await this.#put(descriptor, member.body());
    while (this.#held + member.size > WHOLE_TOGETHER) await Promise.race(this.#running);
    const bytes = await buffer(Readable.from(member.body()));
    const document = await asDocument(descriptor, bytes);
    if (document !== undefined) {
      this.#owners.learn(digest, document);
      return await this.shelf.put(digest, bytes);
    }
    this.#held += bytes.length;
    const running = this.#put(descriptor, bytes).finally(() => {
      this.#held -= bytes.length;
      this.#running.delete(running);
    });
    this.#running.add(running);
    running.catch(() => {}); // told by who settles
  }

  /** Waits for what is under way. @throws what ends the run */
  async settle(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#full !== undefined) throw this.#full;
  }

  /** One content that cannot be put fails the images that need it, and no others. */
  async #put(descriptor: Descriptor, content: Uint8Array | AsyncGenerator<Buffer>): Promise<void> {
    if (this.#full !== undefined) throw this.#full;
    const { digest } = descriptor;
    try {
      const to = await this.#homes.of(digest, this.#owners.of(digest));
      // Others end meanwhile: the sum is read when this one has.
      const streamed = await this.#copier.put(descriptor, { from: new OneShot(content), to });
      this.streamed += streamed;
      this.contents.set(digest, { at: to });
    } catch (error) {
      const failure = toOclError(error);
      this.contents.set(digest, { failure });
      if (failure.code === 'OCL_CANCELLED') throw failure;
      // On a full disk nothing of what follows would find a place.
      if (failure.code === 'OCL_NO_SPACE') throw (this.#full ??= failure);
    }
  }
}

/** Small contents that read as a document are kept; whether they are wanted as one, their index will say. */
async function asDocument(descriptor: Descriptor, bytes: Uint8Array): Promise<ManifestDocument | undefined> {
  if (bytes[0] !== OPENING_BRACE) return undefined;
  try {
    await readVerified(Readable.from([bytes]), descriptor, WHOLE);
    return parseManifest(bytes, undefined, descriptor.digest);
  } catch (error) {
    if (error instanceof OclError) return undefined;
    throw error;
  }
}

/** The digest that the path of an entry promises; undefined where it is no content. */
function digestOf(name: string): Digest | undefined {
  const [top, algorithm = '', encoded = '', ...rest] = name.split('/');
  const text = `${algorithm}:${encoded}`;
  return top === 'blobs' && rest.length === 0 && isDigest(text) ? text : undefined;
}

async function bytesOf(member: TarMember, limit: number): Promise<Uint8Array> {
  return await readBounded(Readable.from(member.body()), limit, shown(member.name));
}
