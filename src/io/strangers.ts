import { type Readable } from 'node:stream';
import { type Descriptor } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { printable } from '../core/redact.ts';
import { discard, header, type Http, type HttpRequest, type HttpResponse } from './httpMessages.ts';
import { isRedirect, nextHop, withoutSecrets } from './redirect.ts';

/**
 * The client for addresses that a stranger's document names: https alone, and no host inside a private network, whoever asks.
 * Behind a proxy, which finds addresses by itself, that is the proxy's matter.
 */
export function strangersHttp(http: Http): Http {
  return {
    async request(request: HttpRequest): Promise<HttpResponse> {
      if (request.url.protocol !== 'https:')
        throw new OclError(
          'OCL_UNSAFE',
          `Cannot fetch from ${request.url.host}: addresses that a document names must be https`,
        );
      return await http.request({ ...request, publicOnly: true, askedBy: undefined });
    },
    close: async () => await http.close(),
  };
}

/** Addresses of one content that are tried. */
const TRIED = 5;

/**
 * Opens a content at one of the addresses that its descriptor names (image-spec descriptor.md, `urls`), the first that has it. No login goes
 * there. Who reads verifies it.
 *
 * @param http made by `strangersHttp`
 * @param from bytes at the beginning that are left out
 * @throws OCL_UNSAFE for addresses that are not followed; OCL_NOT_FOUND, OCL_UNREACHABLE with the reason of the last one that was tried
 */
export async function openAtUrls(
  http: Http,
  descriptor: Descriptor,
  { from = 0, signal }: { readonly from?: number; readonly signal?: AbortSignal | undefined } = {},
): Promise<Readable> {
  let last: unknown;
  for (const text of (descriptor.urls ?? []).slice(0, TRIED)) {
    try {
      return await openUrl(http, addressOf(text), { from, signal });
    } catch (error) {
      signal?.throwIfAborted();
      last = error;
    }
  }
  throw last ?? new OclError('OCL_NOT_FOUND', `Cannot fetch ${descriptor.digest}: no address is named for it`);
}

function addressOf(text: string): URL {
  const shown = printable(JSON.stringify(text.slice(0, 200)));
  if (!URL.canParse(text)) throw new OclError('OCL_UNSAFE', `Cannot fetch from ${shown}: it is no address`);
  const url = new URL(text);
  if (url.protocol !== 'https:')
    throw new OclError('OCL_UNSAFE', `Cannot fetch from ${shown}: addresses that a document names must be https`);
  if (url.username !== '' || url.password !== '')
    throw new OclError('OCL_UNSAFE', `Cannot fetch from ${url.host}: the address carries credentials`);
  url.hash = '';
  return url;
}

async function openUrl(
  http: Http,
  first: URL,
  { from, signal }: { readonly from: number; readonly signal: AbortSignal | undefined },
): Promise<Readable> {
  const trail = [first];
  let url = first;
  for (;;) {
    const headers = withoutSecrets(from === 0 ? {} : { range: `bytes=${from}-` });
    const response = await http.request({ method: 'GET', url, headers, signal, content: true });
    const { status } = response;
    if (status === (from === 0 ? 200 : 206)) return response.body;
    await discard(response);
    if (!isRedirect(status, 'GET')) {
      const code = status === 404 || status === 410 ? 'OCL_NOT_FOUND' : 'OCL_UNREACHABLE';
      throw new OclError(code, `Cannot fetch from ${url.origin}: it answers ${status}`);
    }
    ({ url } = nextHop(trail, header(response.headers, 'location')));
    trail.push(url);
  }
}
