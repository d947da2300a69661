import { isCode, OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { readTarget } from '../../io/redirect.ts';
import { type Answer } from './answer.ts';
import { type ApiRequest, type RegistryClient } from './client.ts';
import { hasStatus } from './errors.ts';

/**
 * The pages of a listing, by `Link: <…>; rel="next"` alone (spec oci.md 8.3, rule 4).
 * @param begun the answer to the first request, when it was sent already
 * @throws OCL_LIMIT for too many or too large pages, OCL_UNSAFE for links to another host, OCL_REGISTRY for circles
 */
export async function* pages(client: RegistryClient, first: ApiRequest, begun?: Answer): AsyncGenerator {
  const seen = new Set<string>();
  let answer = begun ?? (await client.send(first));
  for (;;) {
    yield await client.readJson(answer, LIMITS.pageBytes, `what ${client.registry} lists`);
    const next = nextPage(answer, first.action);
    if (next === undefined) return;
    if (seen.has(next.href))
      throw new OclError('OCL_REGISTRY', `Cannot ${first.action}: the pages of ${client.registry} go in a circle`);
    seen.add(next.href);
    if (seen.size >= LIMITS.pages)
      throw new OclError('OCL_LIMIT', `Cannot ${first.action}: ${client.registry} has more than ${LIMITS.pages} pages`);
    answer = await client.send({ ...first, to: next });
  }
}

export interface Listing {
  /** Below `/v2/`, without a query. */
  readonly to: string;
  readonly need: ApiRequest['need'];
  /** Completes "Cannot …". */
  readonly action: string;
  /** The list's name in a page. */
  readonly member: string;
  /** Others are left out: registries list digests among tags. */
  readonly isName: (text: string) => boolean;
}

/** The names of a listing, each once, in pages as large as the registry is known to take. @throws as `pages`; OCL_REGISTRY for what is no list */
export async function* names(client: RegistryClient, { member, isName, ...listing }: Listing): AsyncGenerator<string> {
  const request = { ...listing, method: 'GET', ok: [200] };
  const seen = new Set<string>();
  for await (const page of pages(client, request, await firstPage(client, request))) {
    for (const name of namesOf(page, member, request.action)) {
      if (seen.has(name) || !isName(name)) continue;
      seen.add(name);
      if (seen.size > LIMITS.names)
        throw new OclError('OCL_LIMIT', `Cannot ${request.action}: there are more than ${LIMITS.names}`);
      yield name;
    }
  }
}

/** Registries bound `n` differently, and some refuse what is beyond: then they choose by themselves. */
async function firstPage(client: RegistryClient, request: ApiRequest & { readonly to: string }): Promise<Answer> {
  const { maxPage } = client.learned.quirks;
  if (maxPage === undefined) return await client.send(request);
  try {
    return await client.send({ ...request, to: `${request.to}${request.to.includes('?') ? '&' : '?'}n=${maxPage}` });
  } catch (error) {
    if (!hasStatus(error, 400, 405) && !isCode(error, 'OCL_UNSUPPORTED')) throw error;
    return await client.send(request);
  }
}

/** The target of `rel=next` among the links of an answer (RFC 8288). */
function nextPage(answer: Answer, action: string): URL | undefined {
  const values = answer.headers.get('link') ?? [];
  for (const value of values) {
    for (const [, target = '', params = ''] of value.matchAll(/<([^<>]*)>([^<]*)/g)) {
      if (!/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\s*(?:[;,]|$))/i.test(params)) continue;
      const url = onSameServer(target, answer.url) ?? readTarget(target, answer.url);
      if (url.origin !== answer.url.origin)
        throw new OclError('OCL_UNSAFE', `Cannot ${action}: the next page is on another host, ${url.origin}`);
      return url;
    }
  }
  return undefined;
}

/**
 * A registry behind a proxy may not know by which scheme it is reached: a link to its own name is asked for where the page
 * itself came from. Undefined: it is a link like any other.
 */
function onSameServer(target: string, from: URL): URL | undefined {
  const link = URL.canParse(target, from.href) ? new URL(target, from) : undefined;
  if (link === undefined || link.origin === from.origin || link.hostname !== from.hostname) return undefined;
  if (!['http:', 'https:'].includes(link.protocol) || !['', from.port].includes(link.port)) return undefined;
  const url = new URL(from);
  url.pathname = link.pathname;
  url.search = link.search;
  return url;
}

/** The names under `member` of a page; `null` and absence mean none. @throws OCL_REGISTRY */
function namesOf(page: unknown, member: string, action: string): readonly string[] {
  const value: unknown =
    typeof page === 'object' && page !== null ? (page as Record<string, unknown>)[member] : undefined;
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
  throw new OclError('OCL_REGISTRY', `Cannot ${action}: ${JSON.stringify(member)} is not a list of names`);
}
