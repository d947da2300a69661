import { Readable } from 'node:stream';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { createHttp } from '../../src/io/http.ts';
import { ConnectionError } from '../../src/io/connectionError.ts';
import { type Http, type HttpResponse } from '../../src/io/httpMessages.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { anonymous, type Credentials } from '../../src/stores/registry/auth/credentials.ts';
import { type HostSettings } from '../../src/stores/registry/hosts.ts';
import { createRegistries, type Registries } from '../../src/stores/registry/registries.ts';
import { type RegistryStore } from '../../src/stores/registry/repository.ts';
import { type Content } from '../support/content.ts';

/** One exchange, as it went over the wire. */
export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly status: number;
  readonly authorized: boolean;
}

export interface Place {
  readonly host: string;
  readonly settings?: HostSettings;
  readonly credentials?: Credentials;
}

export interface Client {
  readonly registries: Registries;
  readonly calls: readonly Call[];
  repository(name: string): RegistryStore;
  /** How often a call was made: by method, by a part of its path, by status. */
  count(method: string, part: string, status?: number): number;
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly settings?: HostSettings;
  /** The connection breaks once, after so many bytes of the first blob that comes. */
  readonly breakAfter?: number;
  /** Lists come in pages of so many entries, as from a registry that chooses so. */
  readonly pageSize?: number;
}

/** ocl's own stores over a real connection, all of whose calls are remembered. */
export function connect(place: Place, { settings, breakAfter, pageSize }: ClientOptions = {}): Client {
  const http = createHttp({ userAgent: 'ocl-test' });
  const calls: Call[] = [];
  let left = breakAfter;
  const recording: Http = {
    async request(request) {
      if (pageSize !== undefined && isFirstPage(request.url)) request.url.searchParams.set('n', String(pageSize));
      const answer = await http.request(request);
      const { method, url } = request;
      calls.push({ method, url, status: answer.status, authorized: request.headers?.['authorization'] !== undefined });
      if (left === undefined || method !== 'GET' || answer.status !== 200 || !url.pathname.includes('/blobs/'))
        return answer;
      const after = left;
      left = undefined;
      return { ...answer, body: breaking(answer, after, url) };
    },
    close: () => http.close(),
  };
  const registries = createRegistries({
    http: recording,
    clock: systemClock,
    credentials: place.credentials ?? anonymous,
    emit: () => {},
    hosts: new Map([[place.host, { ...place.settings, ...settings }]]),
  });
  return {
    registries,
    calls,
    repository: (name) => registries.repository({ kind: 'registry', registry: place.host, repository: name }),
    count: (method, part, status) =>
      calls.filter(
        (call) =>
          call.method === method &&
          call.url.pathname.includes(part) &&
          (status === undefined || call.status === status),
      ).length,
    close: () => http.close(),
  };
}

function isFirstPage({ pathname, search }: URL): boolean {
  return search === '' && /\/(?:tags\/list|_catalog)$/.test(pathname);
}

function breaking({ body }: HttpResponse, after: number, url: URL): Readable {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const piece of body as AsyncIterable<Uint8Array>) {
      yield piece.subarray(0, after - bytes);
      bytes += piece.length;
      if (bytes < after) continue;
      body.destroy();
      const cause = new Error('broken on purpose');
      throw new ConnectionError(`Cannot read ${url.href}`, { cause, temporary: true, unanswered: false });
    }
  }
  return Readable.from(pieces(), { objectMode: false });
}

/** Puts what a root is made of, children first, and the root itself, under a tag if one is given. */
export async function push(to: RegistryStore, content: Content, root: Descriptor, tag?: string): Promise<void> {
  for (const descriptor of content.descriptors)
    if (descriptor.digest !== root.digest) await to.put(descriptor, content.opener(descriptor));
  await to.tag(root, tag === undefined ? {} : { tag }, content.opener(root));
}

export async function pull(from: RegistryStore, descriptor: Descriptor): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await from.open(descriptor)) as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
