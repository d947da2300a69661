import { plainDescriptor, type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { referrerDescriptor } from '../../core/graph.ts';
import { parseManifest, type ManifestDocument } from '../../core/manifest.ts';
import { isDocumentType } from '../../core/mediaTypes.ts';
import { composeEntry, severalRepositories } from '../../core/names.ts';
import { type NamedRoot, type RootName } from '../../core/store.ts';

export interface Content {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** What one repository in memory holds: contents by digest, roots in the order they came, and who refers to whom. */
export class Contents {
  readonly #contents = new Map<Digest, Content>();
  readonly #referrers = new Map<Digest, Map<Digest, Descriptor>>();
  #roots: readonly NamedRoot[] = [];

  get isEmpty(): boolean {
    return this.#contents.size === 0 && this.#roots.length === 0;
  }

  /** The entries as an `index.json` would have them. */
  roots(): readonly Descriptor[] {
    const several = severalRepositories(this.#roots.map(({ name }) => name));
    return this.#roots.map(({ root, name }) => composeEntry(root, name, { several }));
  }

  all(): Iterable<Content> {
    return this.#contents.values();
  }

  get(digest: Digest): Content | undefined {
    return this.#contents.get(digest);
  }

  /** Content that came as a blob becomes a document when it comes again as one; never the other way round. */
  add(descriptor: Descriptor, bytes: Uint8Array): void {
    const known = this.#contents.get(descriptor.digest);
    const isDocument = isDocumentType(descriptor.mediaType);
    if (known !== undefined && (isDocumentType(known.descriptor.mediaType) || !isDocument)) return;
    this.#contents.set(descriptor.digest, { descriptor: plainDescriptor(descriptor), bytes });
    if (isDocument) this.#addReferrer(descriptor, bytes);
  }

  /** Forgets content and its names. */
  delete(digest: Digest): boolean {
    this.#roots = this.#roots.filter(({ root }) => root.digest !== digest);
    for (const entries of this.#referrers.values()) entries.delete(digest);
    return this.#contents.delete(digest);
  }

  referrersOf(subject: Digest): readonly Descriptor[] {
    return [...(this.#referrers.get(subject)?.values() ?? [])];
  }

  tagged(tag: string): Descriptor | undefined {
    return this.#roots.find(({ name }) => name.tag === tag)?.root;
  }

  /** One entry a name: who has the name loses it to the one that comes. A root needs no nameless entry beside a named one. */
  publish(entries: readonly NamedRoot[]): void {
    for (const entry of entries) {
      const nameless = isNameless(entry.name);
      if (nameless && this.#roots.some(({ root }) => root.digest === entry.root.digest)) continue;
      const others = this.#roots.filter(
        ({ root, name }) => !sameName(name, entry.name) && !(root.digest === entry.root.digest && isNameless(name)),
      );
      this.#roots = nameless ? [...this.#roots, entry] : [...others, entry];
    }
  }

  /** The content stays, and so does its place among the roots. */
  unpublish(tag: string): boolean {
    const named = this.#roots.filter(({ name }) => name.tag === tag);
    this.#roots = this.#roots.filter(({ name }) => name.tag !== tag);
    this.publish(named.map(({ root }) => ({ root, name: {} })));
    return named.length > 0;
  }

  #addReferrer(descriptor: Descriptor, bytes: Uint8Array): void {
    const document = tryParse(descriptor, bytes);
    if (document?.subject === undefined) return;
    const subject = document.subject.digest;
    const entries = this.#referrers.get(subject) ?? new Map<Digest, Descriptor>();
    entries.set(descriptor.digest, referrerDescriptor(descriptor, document));
    this.#referrers.set(subject, entries);
  }
}

/** Content that claims to be a document and is none refers to nothing; who copies it will find out. */
function tryParse(descriptor: Descriptor, bytes: Uint8Array): ManifestDocument | undefined {
  try {
    return parseManifest(bytes, descriptor.mediaType, descriptor.digest);
  } catch {
    return undefined;
  }
}

function isNameless(name: RootName): boolean {
  return name.tag === undefined && name.imageName === undefined;
}

function sameName(a: RootName, b: RootName): boolean {
  if (a.imageName !== undefined || b.imageName !== undefined) return a.imageName === b.imageName;
  return a.tag === b.tag;
}
