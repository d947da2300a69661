import { type Readable } from 'node:stream';
import { type Descriptor, type StoredBlob } from './descriptor.ts';
import { type Digest } from './digest.ts';
import { type ByteRange, type Gate, type LocalSource, type Place, type Source } from './store.ts';

/**
 * A source seen through another: it says what that one says, but for what its subclass says otherwise.
 * To close it does nothing, for the source belongs to whoever opened it.
 */
export class SourceView<Inner extends Source = Source> implements Source {
  readonly name: string;
  readonly gates: readonly Gate[];
  protected readonly inner: Inner;

  constructor(
    inner: Inner,
    { name = inner.name, gates = inner.gates }: { name?: string; gates?: readonly Gate[] } = {},
  ) {
    this.inner = inner;
    this.name = name;
    this.gates = gates;
  }

  resolve(tagOrDigest: string): Promise<Descriptor> {
    return this.inner.resolve(tagOrDigest);
  }

  open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    return this.inner.open(descriptor, range);
  }

  doubt(descriptor: Descriptor): boolean {
    return this.inner.doubt?.(descriptor) ?? false;
  }

  place(descriptor: Descriptor): Place {
    return this.inner.place(descriptor);
  }

  tags(): AsyncIterable<string> {
    return this.inner.tags();
  }

  referrers(subject: Descriptor): AsyncIterable<Descriptor> {
    return this.inner.referrers(subject);
  }

  async close(): Promise<void> {}
}

/** The same of a source that can list what it holds. What only some of them say (`record`, `volumes`, `faults`) is not handed on. */
export class LocalSourceView extends SourceView<LocalSource> implements LocalSource {
  roots(): Promise<readonly Descriptor[]> {
    return this.inner.roots();
  }

  size(digest: Digest): Promise<number | undefined> {
    return this.inner.size(digest);
  }

  blobs(): AsyncIterable<StoredBlob> {
    return this.inner.blobs();
  }
}
