import { Readable } from 'node:stream';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { documentLimit, isDocumentType } from '../../core/mediaTypes.ts';
import { type ByteRange } from '../../core/store.ts';
import { readVerified } from '../../io/verify.ts';
import { type RegistryClient } from './client.ts';
import { type Reader } from './reader.ts';

/** A registry or one of its mirrors, as it is asked for what is read of one repository. */
export interface ReadingHost {
  readonly reader: Reader;
  /** By its name as references have it. */
  readonly registry: string;
  readonly isUpstream: boolean;
  /** Its credentials, TLS, limits and priority are its own. */
  readonly client: RegistryClient;
}

/** In which order hosts are asked. */
export interface MirrorOrder {
  /** Those that rest go last, then lower priorities first; equals as they are given, where the registry itself is the last. */
  inOrder(hosts: readonly ReadingHost[]): readonly ReadingHost[];
  /** A host did not give what another one may give. Tells so once a run, unless it just does not have it. */
  failed(host: ReadingHost, error: OclError): void;
}

interface Opened {
  readonly stream: Readable;
  readonly host: ReadingHost;
}

/** Contents of which it is remembered who gave them. */
const MAX_REMEMBERED = 10_000;

/**
 * Reads one repository from a registry and its mirrors: what one host does not give, the next one is asked for. When none gives it, the
 * registry's own error is told. Documents of mirrors are held against their digests here, contents where they are stored.
 */
export class MirroredReader implements Reader {
  readonly #hosts: readonly ReadingHost[];
  readonly #mirrors: MirrorOrder;
  /** The mirrors that gave a content, or parts of it. */
  readonly #givers = new Map<Digest, Set<ReadingHost>>();
  /** Mirrors whose content was wrong, by its digest. */
  readonly #doubted = new Map<Digest, Set<ReadingHost>>();

  constructor(hosts: readonly ReadingHost[], mirrors: MirrorOrder) {
    this.#hosts = hosts;
    this.#mirrors = mirrors;
  }

  resolve(tagOrDigest: string): Promise<Descriptor> {
    return this.#first(this.#order(), ({ reader }) => reader.resolve(tagOrDigest));
  }

  async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    const order = this.#order(descriptor.digest);
    if (isDocumentType(descriptor.mediaType) && range === undefined) {
      return this.#first(order, async (host) => {
        const stream = await host.reader.open(descriptor);
        if (host.isUpstream) return stream;
        const bytes = await readVerified(stream, descriptor, documentLimit(descriptor.mediaType));
        return Readable.from([bytes], { objectMode: false });
      });
    }
    const left = [...order];
    const opened = await this.#openNext(left, descriptor, range);
    return left.length === 0 ? opened.stream : this.#goingOn(opened, left, descriptor, range);
  }

  tags(): AsyncIterable<string> {
    return this.#listed(
      ({ reader }) => reader.tags(),
      (tag) => tag,
    );
  }

  referrers(subject: Digest): AsyncIterable<Descriptor> {
    return this.#listed(
      ({ reader }) => reader.referrers(subject),
      ({ digest }) => digest,
    );
  }

  /** What was opened proved wrong. True: mirrors had a part in it, and the next opening asks others. */
  doubt(descriptor: Descriptor): boolean {
    const { digest } = descriptor;
    const givers = this.#givers.get(digest) ?? new Set<ReadingHost>();
    this.#givers.delete(digest);
    this.#doubted.set(digest, new Set([...(this.#doubted.get(digest) ?? []), ...givers]));
    for (const giver of givers) {
      const why = `Cannot use ${digest} of ${giver.registry}: it is not what its digest promises`;
      this.#mirrors.failed(giver, new OclError('OCL_DIGEST_MISMATCH', why));
    }
    return givers.size > 0 || this.#hosts.some(({ reader }) => reader.doubt?.(descriptor) === true);
  }

  #order(digest?: Digest): readonly ReadingHost[] {
    const doubted = digest === undefined ? undefined : this.#doubted.get(digest);
    return this.#mirrors.inOrder(this.#hosts).filter((host) => doubted?.has(host) !== true);
  }

  /** The first host that gives an answer. @throws the error of the registry itself; what is no answer of a host, at once */
  async #first<T>(order: readonly ReadingHost[], ask: (host: ReadingHost) => Promise<T>): Promise<T> {
    let own: OclError | undefined;
    for (const host of order) {
      try {
        return await ask(host);
      } catch (error) {
        const failure = this.#passOver(host, error);
        if (host.isUpstream) own = failure;
      }
    }
    throw own ?? new OclError('OCL_INTERNAL', 'Cannot read from mirrors: the registry itself was not asked');
  }

  /** @throws errors after which nobody else is asked */
  #passOver(host: ReadingHost, error: unknown): OclError {
    if (!(error instanceof OclError) || isCode(error, 'OCL_CANCELLED') || isCode(error, 'OCL_INTERNAL')) throw error;
    if (host.client.signal?.aborted === true) throw error;
    this.#mirrors.failed(host, error);
    return error;
  }

  /** Opens a content at the first host that has it. `left` keeps those that were not asked. */
  #openNext(left: ReadingHost[], descriptor: Descriptor, range: ByteRange | undefined): Promise<Opened> {
    return this.#first([...left], async (host) => {
      left.splice(left.indexOf(host), 1);
      const stream = await this.#openAt(host, descriptor, range);
      this.#remember(descriptor.digest, host);
      return { stream, host };
    });
  }

  /** Within the bounds of a mirror's own door; that of the registry is the business of who reads. */
  async #openAt(host: ReadingHost, descriptor: Descriptor, range: ByteRange | undefined): Promise<Readable> {
    const { client, reader } = host;
    if (host.isUpstream) return reader.open(descriptor, range);
    const leave = await client.gate.enter(client.signal);
    try {
      return (await reader.open(descriptor, range)).once('close', leave);
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** The same content, taken up at the next host where one breaks off for good. */
  #goingOn(first: Opened, left: ReadingHost[], descriptor: Descriptor, range: ByteRange | undefined): Readable {
    let { stream, host } = first;
    let at = range?.start ?? 0;
    const openNext = async (error: unknown): Promise<void> => {
      this.#passOver(host, error);
      if (left.length === 0) throw error;
      try {
        ({ stream, host } = await this.#openNext(left, descriptor, { ...range, start: at }));
      } catch {
        throw error;
      }
    };
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (;;) {
        try {
          for await (const piece of stream as AsyncIterable<Uint8Array>) {
            at += piece.length;
            yield piece;
          }
          return;
        } catch (error) {
          await openNext(error);
        }
      }
    }
    return Readable.from(pieces(), { highWaterMark: 1 }).once('close', () => stream.destroy());
  }

  /** A mirror that lists nothing may just not know of it; one that breaks off is taken up where it stood. */
  async *#listed<T>(list: (host: ReadingHost) => AsyncIterable<T>, keyOf: (item: T) => string): AsyncGenerator<T> {
    const seen = new Set<string>();
    let own: OclError | undefined;
    for (const host of this.#order()) {
      try {
        for await (const item of list(host)) {
          if (seen.has(keyOf(item))) continue;
          seen.add(keyOf(item));
          yield item;
        }
        if (seen.size > 0 || host.isUpstream) return;
      } catch (error) {
        const failure = this.#passOver(host, error);
        if (host.isUpstream) own = failure;
      }
    }
    if (own !== undefined) throw own;
  }

  #remember(digest: Digest, host: ReadingHost): void {
    if (host.isUpstream) return;
    const givers = this.#givers.get(digest) ?? new Set<ReadingHost>();
    this.#givers.delete(digest);
    this.#givers.set(digest, givers.add(host));
    const [oldest] = this.#givers.keys();
    if (this.#givers.size > MAX_REMEMBERED && oldest !== undefined) this.#givers.delete(oldest);
  }
}
