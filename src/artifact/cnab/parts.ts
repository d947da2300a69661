import { type Readable } from 'node:stream';
import { type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { children } from '../../core/graph.ts';
import { LIMITS } from '../../core/limits.ts';
import { isDocumentType, isForeignLayerType } from '../../core/mediaTypes.ts';
import { SourceView } from '../../core/sourceView.ts';
import { type ByteRange, type Place, type Source } from '../../core/store.ts';
import { type Http } from '../../io/httpMessages.ts';
import { openAtUrls } from '../../io/strangers.ts';
import { type Reads } from '../reads.ts';

/** What one image comes to. */
export interface Extent {
  /** Everything that it is made of, by digest. */
  readonly nodes: ReadonlyMap<Digest, Descriptor>;
  /** Layers that their makers forbid to redistribute. */
  readonly foreign: readonly Descriptor[];
  /** Documents that are not there. */
  readonly absent: readonly Descriptor[];
}

/** Reads the documents of an image, not its contents. @throws as the source, OCL_LIMIT */
export async function extentOf(reads: Reads, root: Descriptor): Promise<Extent> {
  const nodes = new Map<Digest, Descriptor>([[root.digest, root]]);
  const foreign = new Map<Digest, Descriptor>();
  const absent: Descriptor[] = [];
  const visit = async (descriptor: Descriptor, depth: number): Promise<void> => {
    if (!isDocumentType(descriptor.mediaType) || depth > LIMITS.indexDepth) return;
    const document = await reads.document(descriptor).catch((error: unknown) => {
      if (isCode(error, 'OCL_NOT_FOUND') && descriptor !== root) return undefined;
      throw error;
    });
    if (document === undefined) {
      absent.push(descriptor);
      return;
    }
    for (const { descriptor: child } of children(document)) {
      if (nodes.has(child.digest)) continue;
      nodes.set(child.digest, child);
      if (nodes.size > LIMITS.graphNodes)
        throw new OclError('OCL_LIMIT', `Cannot read ${root.digest}: it has more than ${LIMITS.graphNodes} parts`);
      if (isForeignLayerType(child.mediaType)) foreign.set(child.digest, child);
      await visit(child, depth + 1);
    }
  };
  await visit(root, 0);
  return { nodes, foreign: [...foreign.values()], absent };
}

/** Parts that lie in several places as one source: each content is read where it is. */
export class PartedSource extends SourceView {
  readonly #owners: ReadonlyMap<Digest, Source>;

  /** @param first has what none of the owners has, and the names */
  constructor(name: string, first: Source, owners: ReadonlyMap<Digest, Source>) {
    const gates = [first, ...owners.values()].flatMap((source) => source.gates);
    super(first, { name, gates: [...new Map(gates.map((gate) => [gate.id, gate])).values()] });
    this.#owners = owners;
  }

  override open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    return this.#ownerOf(descriptor).open(descriptor, range);
  }

  override doubt(descriptor: Descriptor): boolean {
    return this.#ownerOf(descriptor).doubt?.(descriptor) ?? false;
  }

  override place(descriptor: Descriptor): Place {
    return this.#ownerOf(descriptor).place(descriptor);
  }

  override referrers(subject: Descriptor): AsyncIterable<Descriptor> {
    return this.#ownerOf(subject).referrers(subject);
  }

  #ownerOf({ digest }: Descriptor): Source {
    return this.#owners.get(digest) ?? this.inner;
  }
}

/** A source whose foreign layers come from the addresses that they name, where the source itself does not have them. */
export class ForeignSource extends SourceView {
  readonly #http: Http;
  readonly #signal: AbortSignal | undefined;

  /** @param http made by `strangersHttp` */
  constructor(inner: Source, http: Http, signal: AbortSignal | undefined) {
    super(inner);
    this.#http = http;
    this.#signal = signal;
  }

  override async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    try {
      return await super.open(descriptor, range);
    } catch (error) {
      if (!isCode(error, 'OCL_NOT_FOUND') || (descriptor.urls ?? []).length === 0) throw error;
      return await openAtUrls(this.#http, descriptor, { from: range?.start ?? 0, signal: this.#signal });
    }
  }

  /** Of a foreign layer nobody knows beforehand where it will come from. */
  override place(descriptor: Descriptor): Place {
    return isForeignLayerType(descriptor.mediaType) ? { kind: 'elsewhere' } : super.place(descriptor);
  }
}
