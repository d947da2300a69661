import { Readable } from 'node:stream';
import { givePiece } from './slabPool.ts';

/** How the other end of a TLS connection is trusted, and what is shown to it. Texts are PEM. */
export interface TlsSettings {
  /** False takes any certificate: for hosts that are named in the configuration alone. */
  readonly verify?: boolean | undefined;
  /** Authorities beside those of the system. */
  readonly ca?: readonly string[] | undefined;
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
}

/** A body that can be sent again. */
export interface StreamBody {
  /** Bytes; undefined: sent in chunks of HTTP, of which the last one says that it is the last. */
  readonly size: number | undefined;
  open(): Readable | Promise<Readable>;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | StreamBody | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly tls?: TlsSettings | undefined;
  /** Whether a second one does no harm; GET and HEAD are. */
  readonly repeatable?: boolean | undefined;
  /** The body of the answer or of the request is large: it has to keep a pace (LIMITS.slowestRate), as all have, but need not be there in a time (smallAnswer). */
  readonly content?: boolean | undefined;
  /** Refuses with OCL_UNSAFE to connect to an address that is not of the public internet. Not held behind a proxy. */
  readonly publicOnly?: boolean | undefined;
  /** Whose answer led here: where connections to it were made to an internal address, `publicOnly` does not hold. */
  readonly askedBy?: URL | undefined;
}

/** Names in lower case; all values that came. */
export type HttpHeaders = ReadonlyMap<string, readonly string[]>;

export interface HttpResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  /** Must be read to its end or destroyed. Comes in pieces of up to 1 MiB. */
  readonly body: Readable;
}

/** The first value of a header. */
export function header(headers: HttpHeaders, name: string): string | undefined {
  return headers.get(name)?.[0];
}

/** The body of an answer that has none. It holds no connection, so nobody has to read it. */
export class NoBody extends Readable {
  override _read(): void {
    this.push(null);
  }
}

/** Lets go of an answer whose body does not matter; a short one is read, so that its connection can be used again. */
export async function discard(response: HttpResponse): Promise<void> {
  if (response.body instanceof NoBody) return;
  let bytes = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      givePiece(chunk);
      if (bytes > DISCARD_LIMIT) break;
    }
  } catch {
    // What was given up cannot fail.
  } finally {
    response.body.destroy();
  }
}

const DISCARD_LIMIT = 64 << 10;

export interface Http {
  /**
   * One exchange, without redirects. Answers of every status are returned.
   * @throws ConnectionError (OCL_UNREACHABLE); the error of the request's body; the signal's reason
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /** Breaks all connections. */
  close(): Promise<void>;
}
