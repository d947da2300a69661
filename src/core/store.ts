import { type Readable } from 'node:stream';
import { type BundleRecord } from './bundleRecord.ts';
import { type Clock } from './clock.ts';
import { type Descriptor, type StoredBlob } from './descriptor.ts';
import { type Digest } from './digest.ts';
import { type Emit, type Shortcut } from './events.ts';
import { type Reference } from './reference.ts';

/** Inclusive offsets in bytes, as HTTP counts them; no `end` means: to the last byte. */
export interface ByteRange {
  readonly start: number;
  readonly end?: number | undefined;
}

/**
 * Opens the content anew at each call: a sink may wait its turn, skip, or try again. The sink verifies what flows.
 * @param from bytes at the beginning that the sink has already, and that are left out; the whole content where it is not given
 */
export type Open = (from?: number) => Promise<Readable>;

/** Where a blob rests: what lets a sink take it without a stream. */
export type Place =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'repository'; readonly registry: string; readonly repository: string }
  | { readonly kind: 'elsewhere' };

/** A bounded door of one host. A transfer enters the doors of both ends in the order of their ids, so that A→B and B→A cannot wait for each other. */
export interface Gate {
  readonly id: string;
  enter(signal?: AbortSignal): Promise<() => void>;
}

/** The name of a root. Two roots of one store never share a tag. */
export interface RootName {
  /** A tag; in a layout that holds several repositories, the full image name. */
  readonly tag?: string | undefined;
  /** Where it comes from or goes to, for stores on disk: `docker.io/library/alpine:3.20`. */
  readonly imageName?: string | undefined;
}

export interface NamedRoot {
  readonly root: Descriptor;
  readonly name: RootName;
}

export interface Source {
  /** As people know it: `registry.example/app`, `ocidir://mirror/app`. */
  readonly name: string;
  readonly gates: readonly Gate[];
  /** @throws OCL_NOT_FOUND, OCL_AMBIGUOUS */
  resolve(tagOrDigest: string): Promise<Descriptor>;
  /**
   * The bytes as they are kept, unverified: who consumes them verifies (`io/verify`).
   * A remote source takes a broken connection up again by itself. @throws OCL_NOT_FOUND
   */
  open(descriptor: Descriptor, range?: ByteRange): Promise<Readable>;
  /**
   * What `open` gave proved wrong where it was stored. True: it may come from somewhere else if it is opened once more.
   * Sources that have one place for everything do without.
   */
  doubt?(descriptor: Descriptor): boolean;
  place(descriptor: Descriptor): Place;
  tags(): AsyncIterable<string>;
  /** What refers to the subject, by whichever way the store keeps it. Entries carry artifactType and annotations. */
  referrers(subject: Descriptor): AsyncIterable<Descriptor>;
  close(): Promise<void>;
}

/** A source on disk or in memory: all that it holds can be listed. */
export interface LocalSource extends Source {
  /** What a bundle says of itself; undefined for all that is no more than a layout. */
  readonly record?: BundleRecord | undefined;
  /** Of a set of volumes: which of them are here. `roots` are those that are complete with these. */
  readonly volumes?: GivenVolumes | undefined;
  /** The entries of `index.json` with their annotations, in order. */
  roots(): Promise<readonly Descriptor[]>;
  /** Bytes that are kept under a digest; undefined when nothing is. */
  size(digest: Digest): Promise<number | undefined>;
  /** Every blob that is kept, referenced or not: digest and size as they are on disk. */
  blobs(): AsyncIterable<StoredBlob>;
  /** Where a bundle is not as it says of itself, its contents aside: those are held against their digests. Asked after them. */
  faults?(): AsyncIterable<Fault>;
  /** What transfers that broke off have left for the next one: the digest that was promised, and the bytes that came. */
  unfinished?(): Promise<readonly StoredBlob[]>;
}

export interface Fault {
  readonly path: string;
  /** The entry of the archive that it is about. */
  readonly entry?: string | undefined;
  readonly message: string;
}

/** A set of volumes of which some are given. */
export interface GivenVolumes {
  readonly id: Digest;
  readonly count: number;
  /** Numbers of those that are not given, ascending; they count from 1. */
  readonly absent: readonly number[];
  /** Of the whole set. */
  readonly roots: readonly Descriptor[];
  /** The absent volumes that have a content, or a part of it that is not kept; undefined for what is in no volume at all. */
  lacking(digest: Digest): readonly number[] | undefined;
  /** Bytes that `keep` would write of a content. */
  keepable(digest: Digest): number;
  /** Whether a content of the set can be read now. */
  has(digest: Digest): boolean;
  /** From now on, slices that are kept in a directory count as given. It need not exist yet. */
  keepIn(directory: string, options: KeepOptions): Promise<void>;
  /**
   * Keeps the slices of a content that are given here, until the others come. True: it is whole with what was kept before, and can be read.
   * @throws OCL_DIGEST_MISMATCH when a slice, or the whole, is not what it should be
   */
  keep(digest: Digest): Promise<boolean>;
  /** Removes all that was kept. */
  forget(): Promise<void>;
}

/** What keeping a part of a set needs. */
export interface KeepOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal?: AbortSignal | undefined;
}

export interface Sink {
  readonly name: string;
  readonly gates: readonly Gate[];
  /** What `has(manifest)` proves: that node alone, or all that it reaches. */
  readonly presence: 'node' | 'graph';
  /**
   * Says that writing starts: from now on nobody collects what `has` found. Writing calls say it by themselves.
   * @param inParts what is brought may go on with what came before, although nothing names that yet
   */
  begin?(inParts?: boolean): Promise<void>;
  /** What the tag points at now. Only "not found" is undefined; every other failure is thrown. */
  find(tag: string): Promise<Descriptor | undefined>;
  has(descriptor: Descriptor): Promise<boolean>;
  /** The bytes of a manifest or index that is there already, so that an unchanged image costs its source nothing. */
  document?(descriptor: Descriptor): Promise<Uint8Array | undefined>;
  /** Takes the content by hard link, reflink or mount; undefined means: stream it. */
  adopt(descriptor: Descriptor, at: Place): Promise<Shortcut | undefined>;
  /** Stores verified content. @throws OCL_DIGEST_MISMATCH, OCL_SIZE_MISMATCH; nothing half-written stays visible */
  put(descriptor: Descriptor, open: Open): Promise<void>;
  /** Makes a descriptor a root under a name (or without one), storing the document itself when it is not there yet. All that it reaches is there already. */
  tag(descriptor: Descriptor, name: RootName, open: Open): Promise<void>;
  /** Keeps contents from being collected although nothing names them yet, from `commit` on: more of the whole that they belong to is to come. */
  hold?(key: string, digests: readonly Digest[]): Promise<void>;
  /** Ends what `hold` began, with the next `commit`. */
  release?(key: string): Promise<void>;
  /** Makes the names set so far visible, all at once and durably. May be called again after more work. */
  commit(): Promise<void>;
  /** Gives up what is open; what was not committed is dropped. */
  close(): Promise<void>;
  /**
   * Sinks that must know everything beforehand (archives lay out their table of contents first) have this.
   * It is told all nodes and names before the first `put`, and answers the order in which contents have to start.
   * `read` gives the whole, verified bytes of a document or config among the nodes.
   */
  reserve?(
    nodes: readonly Descriptor[],
    names: readonly NamedRoot[],
    read: (descriptor: Descriptor) => Promise<Uint8Array>,
  ): Promise<readonly Descriptor[]>;
}

/** What can be taken back. */
export interface Editor {
  /** Takes a tag away, never the content. False: there was no such tag. */
  untag(tag: string): Promise<boolean>;
  /** Takes a manifest and all its names away. False: it was not there. */
  remove(digest: Digest): Promise<boolean>;
  /** Takes a blob away. False: it was not there. */
  removeBlob(digest: Digest): Promise<boolean>;
}

/** Many repositories under one roof: a tree of layouts, or one layout or archive whose entries carry full names. */
export interface Library {
  readonly name: string;
  readonly writable: boolean;
  /** The one store in which all its repositories lie, when that is so. */
  readonly whole?: LocalSource | undefined;
  /** Sorted by name. */
  repositories(): Promise<readonly string[]>;
  source(repository: string): Promise<LocalSource | undefined>;
  /** Made at its first write when it is not there. @throws OCL_UNSUPPORTED when not writable */
  sink(repository: string): Promise<Sink & Editor>;
  close(): Promise<void>;
}

/** The factory that is handed to features, so that none of them names a concrete store. */
export interface Stores {
  source(reference: Reference): Promise<Source>;
  sink(reference: Reference): Promise<Sink>;
  /** Stores whose names and contents can be taken back: registries and layouts. */
  editor(reference: Reference): Promise<Editor & Pick<Sink, 'commit'>>;
  /** A place on disk as repositories. @throws OCL_NOT_FOUND, OCL_LAYOUT_INVALID */
  library(reference: Reference, options?: { readonly create?: boolean }): Promise<Library>;
  close(): Promise<void>;
}
