import { header, type HttpHeaders } from '../../io/httpMessages.ts';

/** What a registry last told about its limits. */
export interface RateLimit {
  /** Requests (pulls, at Docker Hub) that a window allows. */
  readonly limit: number | undefined;
  /** Requests that are left. */
  readonly remaining: number;
  /** Seconds that a window lasts. */
  readonly window: number | undefined;
  /** When the window begins anew, in milliseconds since the epoch. */
  readonly resetAt: number | undefined;
  /** Whose limit it is, as Docker Hub says it: an address, or the id of an account. */
  readonly source: string | undefined;
  /** When this was told, in milliseconds since the epoch. */
  readonly seenAt: number;
}

/** Seconds that a window or a wait may last; longer ones are taken for mistakes. */
const LONGEST = 366 * 86_400;
const MAX_HEADER = 4096;
const MAX_SOURCE = 200;

/**
 * What an answer tells about limits; undefined when it does not say what remains. Three forms are in use: `RateLimit-Limit: 100;w=21600`
 * with `-Remaining` and `-Reset` (drafts of the IETF up to 7, also with `X-` before them; spec oci.md 8.1), all of it in one
 * `RateLimit: limit=100, remaining=50, reset=30`, and `RateLimit: "default";r=50;t=30` with a `RateLimit-Policy` (later drafts).
 * Numbers that are none, negative or beyond all reason count as not told.
 */
export function parseRateLimit(headers: HttpHeaders, now: number): RateLimit | undefined {
  // Most answers tell nothing, and this is read for each of them.
  if (![...headers.keys()].some((name) => name.includes('ratelimit'))) return undefined;
  const found = readFields(headers, now) ?? readStructured(headers, now);
  if (found === undefined) return undefined;
  return { ...found, source: text(headers, 'docker-ratelimit-source')?.slice(0, MAX_SOURCE), seenAt: now };
}

type Told = Omit<RateLimit, 'source' | 'seenAt'>;

interface Item {
  /** What stands before the first semicolon. */
  readonly value: string;
  readonly params: ReadonlyMap<string, string>;
}

function readFields(headers: HttpHeaders, now: number): Told | undefined {
  const items = (name: string): readonly Item[] =>
    parseItems(text(headers, `ratelimit-${name}`) ?? text(headers, `x-ratelimit-${name}`));
  const combined = new Map(parseItems(text(headers, 'ratelimit')).map(({ value }) => split(value)));
  const [left] = items('remaining');
  const remaining = natural(left?.value ?? combined.get('remaining'));
  if (remaining === undefined) return undefined;
  const [first, ...policies] = items('limit');
  const limit = natural(first?.value ?? combined.get('limit'));
  // After the limit that counts now, or by themselves, drafts list all policies, the one that it is of among them.
  const all = [...policies, ...parseItems(text(headers, 'ratelimit-policy'))];
  const policy = all.find(({ value, params }) => natural(value) === limit && params.has('w'));
  const window = [left, first, policy].map((item) => seconds(item?.params.get('w'))).find((w) => w !== undefined);
  return { limit, remaining, window, resetAt: resetTime(items('reset')[0]?.value ?? combined.get('reset'), now) };
}

/** Of several policies the one with the least left counts. */
function readStructured(headers: HttpHeaders, now: number): Told | undefined {
  const policies = new Map(
    parseItems(text(headers, 'ratelimit-policy')).map(({ value, params }) => [value, params] as const),
  );
  let least: Told | undefined;
  for (const { value, params } of parseItems(text(headers, 'ratelimit'))) {
    const remaining = natural(params.get('r'));
    if (remaining === undefined || (least !== undefined && least.remaining <= remaining)) continue;
    const policy = policies.get(value);
    const wait = seconds(params.get('t'));
    least = {
      limit: natural(policy?.get('q')),
      remaining,
      window: seconds(policy?.get('w')),
      resetAt: wait === undefined ? undefined : now + wait * 1000,
    };
  }
  return least;
}

function text(headers: HttpHeaders, name: string): string | undefined {
  return header(headers, name)?.slice(0, MAX_HEADER);
}

/** `100;w=21600, 10;w=1` in its parts; names of parameters in lower case. */
function parseItems(value: string | undefined): readonly Item[] {
  if (value === undefined) return [];
  return value.split(',').map((part) => {
    const [own = '', ...params] = part.split(';').map((each) => each.trim());
    return { value: own, params: new Map(params.map(split)) };
  });
}

function split(pair: string): readonly [name: string, value: string] {
  const at = pair.indexOf('=');
  return at < 0 ? [pair.toLowerCase(), ''] : [pair.slice(0, at).trim().toLowerCase(), pair.slice(at + 1).trim()];
}

function natural(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,15}$/.test(value) ? Number(value) : undefined;
}

function seconds(value: string | undefined): number | undefined {
  const count = natural(value);
  return count === undefined || count > LONGEST ? undefined : count;
}

/** Seconds from now as the drafts have it; what is too large for that is a date in seconds, as GitHub writes it. */
function resetTime(value: string | undefined, now: number): number | undefined {
  const count = natural(value);
  if (count === undefined) return undefined;
  const at = count > 1_000_000_000 ? count * 1000 : now + count * 1000;
  // A moment that has passed comes of a clock that differs: it says nothing.
  return at <= now || at - now > LONGEST * 1000 ? undefined : at;
}
