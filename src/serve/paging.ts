import { Refusal } from './errors.ts';

/** How many entries a listing may have, from `?n=`. @throws Refusal PAGINATION_NUMBER_INVALID */
function pageSize(query: URLSearchParams, most: number): number {
  const n = query.get('n');
  if (n === null || n === '') return most;
  if (!/^[0-9]{1,15}$/.test(n)) throw new Refusal('PAGINATION_NUMBER_INVALID', 'n must be a number, 0 or more');
  return Math.min(Number(n), most);
}

/** Byte order, which is what `last` goes by. */
export function byteOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** One page of sorted names after `last`, and the header that leads to the next. */
export function page(
  names: readonly string[],
  path: string,
  query: URLSearchParams,
  most: number,
): { readonly names: readonly string[]; readonly headers: Readonly<Record<string, string>> } {
  const size = pageSize(query, most);
  const last = query.get('last');
  const rest = last === null || last === '' ? names : names.filter((name) => name > last);
  const shown = rest.slice(0, size);
  const end = shown.at(-1);
  return {
    names: shown,
    headers:
      end === undefined || shown.length === rest.length
        ? {}
        : { Link: nextLink(path, query, { n: String(size), last: end }) },
  };
}

/** `Link` of RFC 5988 to the same listing, other parameters kept. */
export function nextLink(path: string, query: URLSearchParams, changed: Readonly<Record<string, string>>): string {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changed)) next.set(name, value);
  return `<${path}?${next.toString()}>; rel="next"`;
}
