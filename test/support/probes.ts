import { type Readable } from 'node:stream';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { type Shortcut } from '../../src/core/events.ts';
import {
  type ByteRange,
  type Gate,
  type Open,
  type Place,
  type RootName,
  type Sink,
  type Source,
} from '../../src/core/store.ts';

/** A source that counts what is opened, and does what a test wants of it before it opens. */
export class CountingSource implements Source {
  readonly opened: string[] = [];
  readonly name: string;
  readonly gates: readonly Gate[];
  readonly #inner: Source;
  /** Runs before each `open`: a failure there is one of the source. */
  readonly #before: (descriptor: Descriptor) => Promise<void> | void;

  constructor(
    inner: Source,
    options: {
      readonly gates?: readonly Gate[];
      readonly name?: string;
      readonly before?: (descriptor: Descriptor) => Promise<void> | void;
    } = {},
  ) {
    this.#inner = inner;
    this.name = options.name ?? inner.name;
    this.gates = options.gates ?? inner.gates;
    this.#before = options.before ?? (() => {});
  }

  resolve(wanted: string): Promise<Descriptor> {
    return this.#inner.resolve(wanted);
  }

  async open(descriptor: Descriptor, range?: ByteRange): Promise<Readable> {
    this.opened.push(descriptor.digest);
    await this.#before(descriptor);
    return await this.#inner.open(descriptor, range);
  }

  place(descriptor: Descriptor): Place {
    return this.#inner.place(descriptor);
  }

  tags(): AsyncIterable<string> {
    return this.#inner.tags();
  }

  referrers(subject: Descriptor): AsyncIterable<Descriptor> {
    return this.#inner.referrers(subject);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}

export interface SinkRules {
  readonly presence?: 'node' | 'graph';
  readonly gates?: readonly Gate[];
  readonly before?: (step: 'put' | 'tag' | 'has', descriptor: Descriptor) => Promise<void> | void;
  /** Whether `document` answers: a sink whose documents are not at hand has none. */
  readonly documents?: boolean;
}

/** A sink that writes down what is asked of it, in order. */
export class RecordingSink implements Sink {
  readonly steps: string[] = [];
  readonly name: string;
  readonly presence: 'node' | 'graph';
  readonly gates: readonly Gate[];
  readonly document?: (descriptor: Descriptor) => Promise<Uint8Array | undefined>;
  readonly #inner: Sink;
  readonly #rules: SinkRules;

  constructor(inner: Sink, rules: SinkRules = {}) {
    this.#inner = inner;
    this.#rules = rules;
    this.name = inner.name;
    this.presence = rules.presence ?? inner.presence;
    this.gates = rules.gates ?? inner.gates;
    if (rules.documents === true) this.document = async (descriptor) => await inner.document?.(descriptor);
  }

  find(tag: string): Promise<Descriptor | undefined> {
    return this.#inner.find(tag);
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    this.steps.push(`has ${descriptor.digest}`);
    await this.#rules.before?.('has', descriptor);
    return await this.#inner.has(descriptor);
  }

  adopt(descriptor: Descriptor, at: Place): Promise<Shortcut | undefined> {
    return this.#inner.adopt(descriptor, at);
  }

  async put(descriptor: Descriptor, open: Open): Promise<void> {
    await this.#rules.before?.('put', descriptor);
    await this.#inner.put(descriptor, open);
    this.steps.push(`put ${descriptor.digest}`);
  }

  async tag(descriptor: Descriptor, name: RootName, open: Open): Promise<void> {
    await this.#rules.before?.('tag', descriptor);
    await this.#inner.tag(descriptor, name, open);
    this.steps.push(`tag ${name.tag ?? ''} ${descriptor.digest}`);
  }

  async commit(): Promise<void> {
    await this.#inner.commit();
    this.steps.push('commit');
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** What was put, in order, without the questions. */
  get puts(): readonly string[] {
    return this.steps.filter((step) => step.startsWith('put ')).map((step) => step.slice(4));
  }
}
