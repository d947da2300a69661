import { type Clock } from '../../src/core/clock.ts';
import { type Descriptor, type Platform } from '../../src/core/descriptor.ts';
import { type Digest } from '../../src/core/digest.ts';
import { OclError } from '../../src/core/errors.ts';
import { type OclEvent } from '../../src/core/events.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { type Reference } from '../../src/core/reference.ts';
import { type Editor, type Library, type Sink, type Source, type Stores } from '../../src/core/store.ts';
import { Contents } from '../../src/stores/memory/contents.ts';
import { MemoryStore } from '../../src/stores/memory/store.ts';

/** `registry/repository`, or the path of a layout. */
function keyOf(reference: Reference): string {
  return reference.kind === 'registry' ? `${reference.registry}/${reference.repository}` : reference.path;
}

/** Registries and layouts in memory. Registries vouch for whole graphs, layouts for single nodes. */
export class World implements Stores {
  readonly #repositories = new Map<string, Contents>();
  /** Every call of a store, like `resolve docker.io/library/busybox latest`. */
  readonly calls: string[] = [];
  /** What fails, by the beginning of its call. */
  readonly faults = new Map<string, () => Error>();
  /** Done before the call is. */
  readonly hooks = new Map<string, () => void | Promise<void>>();
  opened = 0;
  closed = 0;

  async put(name: string, tag: string, build: (store: MemoryStore) => Descriptor): Promise<Descriptor> {
    const store = this.#store(name);
    const root = build(store);
    await store.tag(root, { tag }, () => Promise.reject(new Error('it is there')));
    await store.commit();
    return root;
  }

  /** What a tag points at, as anybody sees it. */
  async tag(name: string, tag: string): Promise<Descriptor | undefined> {
    return await this.#store(name).find(tag);
  }

  /** All tags of a repository, sorted. */
  async tags(name: string): Promise<readonly string[]> {
    const tags: string[] = [];
    for await (const tag of this.#store(name).tags()) tags.push(tag);
    return tags.toSorted();
  }

  has(name: string, descriptor: Descriptor): boolean {
    return this.#contents(name).get(descriptor.digest) !== undefined;
  }

  *blobsOf(name: string): Generator<Descriptor> {
    for (const { descriptor } of this.#contents(name).all()) yield descriptor;
  }

  drop(name: string, digest: Digest): void {
    this.#contents(name).delete(digest);
  }

  async source(reference: Reference): Promise<Source> {
    const name = keyOf(reference);
    await this.#call(`source ${name}`);
    if (this.#contents(name).isEmpty)
      throw new OclError('OCL_NOT_FOUND', `Cannot open ${name}: there is no such repository`);
    this.opened++;
    return this.#watched(name, reference.kind);
  }

  async sink(reference: Reference): Promise<Sink & Editor> {
    const name = keyOf(reference);
    await this.#call(`sink ${name}`);
    this.opened++;
    return this.#watched(name, reference.kind);
  }

  async editor(reference: Reference): Promise<Sink & Editor> {
    const name = keyOf(reference);
    await this.#call(`editor ${name}`);
    return this.#watched(name, reference.kind);
  }

  async library(reference: Reference): Promise<Library> {
    const base = `${keyOf(reference)}/`;
    const names = [...this.#repositories.keys()]
      .filter((name) => name.startsWith(base))
      .map((name) => name.slice(base.length));
    return {
      name: base,
      writable: false,
      repositories: () => Promise.resolve(names.toSorted()),
      source: () => Promise.reject(new Error('not used')),
      sink: () => Promise.reject(new Error('not used')),
      close: () => Promise.resolve(),
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  callsOf(verb: string): readonly string[] {
    return this.calls.filter((call) => call.startsWith(`${verb} `)).map((call) => call.slice(verb.length + 1));
  }

  #contents(name: string): Contents {
    let contents = this.#repositories.get(name);
    if (contents === undefined) this.#repositories.set(name, (contents = new Contents()));
    return contents;
  }

  #store(name: string): MemoryStore {
    return new MemoryStore(name, this.#contents(name));
  }

  async #call(call: string): Promise<void> {
    this.calls.push(call);
    await this.hooks.get(call)?.();
    for (const [start, fault] of this.faults) if (call.startsWith(start)) throw fault();
  }

  #watched(name: string, kind: Reference['kind']): MemoryStore {
    const store = this.#store(name);
    const watch = async (verb: string, what: string): Promise<void> =>
      await this.#call(`${verb} ${name} ${what}`.trim());
    const close = (): void => void this.closed++;
    return new Proxy(store, {
      get(target, key) {
        if (key === 'presence') return kind === 'registry' ? 'graph' : 'node';
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== 'function' || typeof key !== 'string') return value;
        if (key === 'tags' || key === 'referrers' || key === 'place') return value.bind(target) as unknown;
        return async (...args: unknown[]): Promise<unknown> => {
          const [first] = args;
          await watch(key, typeof first === 'string' ? first : '');
          if (key === 'close') close();
          return await (value.apply(target, args) as Promise<unknown>);
        };
      },
    });
  }
}

const LINUX: Platform = { os: 'linux', architecture: 'amd64' };

/** An image of one layer. */
export function image(
  text: string,
  more: { readonly platform?: Platform; readonly subject?: Descriptor; readonly artifactType?: string } = {},
): (store: MemoryStore) => Descriptor {
  return (store) => {
    const { os, architecture } = more.platform ?? LINUX;
    const config = store.putBytes(toJsonBytes({ os, architecture, text }), MEDIA.ociConfig);
    const layer = store.putBytes(new TextEncoder().encode(`layer ${text}`), MEDIA.ociLayer);
    const { subject, artifactType } = more;
    return store.putBytes(
      toJsonBytes({
        schemaVersion: 2,
        mediaType: MEDIA.ociManifest,
        ...(artifactType === undefined ? {} : { artifactType }),
        config,
        layers: [layer],
        ...(subject === undefined ? {} : { subject }),
      }),
      MEDIA.ociManifest,
    );
  };
}

export function index(text: string, ...platforms: readonly Platform[]): (store: MemoryStore) => Descriptor {
  return (store) => {
    const manifests = platforms.map((platform) => ({
      ...image(`${text} ${platform.os}/${platform.architecture}/${platform.variant ?? ''}`, { platform })(store),
      platform,
    }));
    return store.putBytes(toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests }), MEDIA.ociIndex);
  };
}

/** Time that stands still; who sleeps wakes when the test says so, or never. */
export class TestClock implements Clock {
  readonly #sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  #now = 0;

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      this.#sleepers.push({ at: this.#now + ms, wake: resolve });
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  }

  async advance(ms: number): Promise<void> {
    this.#now += ms;
    for (const { at, wake } of this.#sleepers) if (at <= this.#now) wake();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

export interface Recorder {
  readonly events: OclEvent[];
  readonly emit: (event: OclEvent) => void;
  readonly notices: () => readonly string[];
}

export function recorder(): Recorder {
  const events: OclEvent[] = [];
  return {
    events,
    emit: (event) => void events.push(event),
    notices: () => events.flatMap((event) => (event.type === 'notice' ? [event.message] : [])),
  };
}
