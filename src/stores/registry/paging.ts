import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { readTarget } from '../../io/redirect.ts';
import { type Answer, type ApiRequest, type RegistryClient } from './client.ts';

/**
 * The pages of a listing, by `Link: <…>; rel="next"` alone (spec oci.md 8.3, rule 4).
 * @throws OCL_LIMIT for too many or too large pages, OCL_UNSAFE for links to another origin, OCL_REGISTRY for circles
 */
export async function* pages(client: RegistryClient, first: ApiRequest): AsyncGenerator {
  const seen = new Set<string>();
  let answer = await client.send(first);
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

/** The target of `rel=next` among the links of an answer (RFC 8288). */
function nextPage(answer: Answer, action: string): URL | undefined {
  const values = answer.headers.get('link') ?? [];
  for (const value of values) {
    for (const [, target = '', params = ''] of value.matchAll(/<([^<>]*)>([^<]*)/g)) {
      if (!/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\s*(?:[;,]|$))/i.test(params)) continue;
      const url = readTarget(target, answer.url);
      if (url.origin !== answer.url.origin)
        throw new OclError('OCL_UNSAFE', `Cannot ${action}: the next page is on another host, ${url.origin}`);
      return url;
    }
  }
  return undefined;
}

/** The names under `member` of a page; `null` and absence mean none. @throws OCL_REGISTRY */
export function namesOf(page: unknown, member: string, action: string): readonly string[] {
  const value: unknown =
    typeof page === 'object' && page !== null ? (page as Record<string, unknown>)[member] : undefined;
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return value;
  throw new OclError('OCL_REGISTRY', `Cannot ${action}: ${JSON.stringify(member)} is not a list of names`);
}
