import { Readable } from 'node:stream';
import { type Descriptor } from '../../core/descriptor.ts';
import { documentLimit, isDocumentType } from '../../core/mediaTypes.ts';
import { SourceView } from '../../core/sourceView.ts';
import { type ByteRange, type Source } from '../../core/store.ts';
import { readVerified } from '../../io/verify.ts';
import { withinLimits, type MayPull, type Pull } from './budget.ts';

/** What documents are read for. */
export type PulledFor = Pick<Pull, 'image' | 'from' | 'rateLimit'>;

/** Reads a document of a source, verified. */
export type ReadDocument = (descriptor: Descriptor, source: Source, of: PulledFor) => Promise<Uint8Array>;

/** Nothing is looked for at a target: what is read is not copied there, or not yet. */
const NOWHERE: Pull['sink'] = { presence: 'node', has: () => Promise.resolve(false) };

/** Makes sources whose documents are read within the pulls that their registries allow. */
export class BudgetedSources {
  readonly #mayPull: MayPull | undefined;
  readonly #signal: AbortSignal | undefined;
  /** One for each source and reserve, since what is learnt of a source is kept by it. */
  readonly #known = new WeakMap<Source, Map<string, Source>>();

  /** @param mayPull absent: sources stay what they are */
  constructor(mayPull: MayPull | undefined, signal?: AbortSignal) {
    this.#mayPull = mayPull;
    this.#signal = signal;
  }

  of(source: Source, pulled: PulledFor): Source {
    if (this.#mayPull === undefined || pulled.from.kind !== 'registry') return source;
    const { min, retry } = pulled.rateLimit;
    const wrapped = this.#known.get(source) ?? new Map<string, Source>();
    this.#known.set(source, wrapped);
    const key = `${min} ${retry}`;
    const known = wrapped.get(key) ?? new BudgetedSource(source, pulled, this.#mayPull, this.#signal);
    wrapped.set(key, known);
    return known;
  }

  readonly read: ReadDocument = async (descriptor, source, pulled) =>
    await readDocument(this.of(source, pulled), descriptor);
}

async function readDocument(source: Source, descriptor: Descriptor): Promise<Uint8Array> {
  return await readVerified(await source.open(descriptor), descriptor, documentLimit(descriptor.mediaType));
}

class BudgetedSource extends SourceView {
  readonly #pull: Omit<Pull, 'root' | 'read'>;
  readonly #mayPull: MayPull;

  constructor(source: Source, of: PulledFor, mayPull: MayPull, signal: AbortSignal | undefined) {
    super(source);
    this.#mayPull = mayPull;
    this.#pull = {
      ...of,
      before: undefined,
      select: {},
      alone: true,
      source,
      sink: NOWHERE,
      hasRead: () => false,
      aside: async (wait) => await wait(),
      signal,
    };
  }

  /** A document is read as a whole before it is handed on: a source that refuses it is asked again when it may be. */
  override async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    if (!isDocumentType(descriptor.mediaType) || range !== undefined) return await super.open(descriptor, range);
    const turn = await this.#mayPull({
      ...this.#pull,
      root: descriptor,
      read: () => Promise.reject(new Error('one document is all')),
    });
    try {
      const bytes = await withinLimits(turn, async () => await readDocument(this.inner, descriptor));
      return Readable.from([bytes], { objectMode: false });
    } finally {
      turn.end();
    }
  }
}
