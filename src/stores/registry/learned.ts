import { type Clock } from '../../core/clock.ts';
import { type HttpHeaders } from '../../io/httpMessages.ts';
import { Holders } from './holders.ts';
import { quirksOf, type Quirks } from './quirks.ts';

/** Milliseconds for which it is believed that a repository has no referrers API. */
const NO_API = 60 * 60_000;

/** What a run learns about one registry from its answers; all its repositories share it. */
export class Learned {
  readonly holders: Holders;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #withApi = new Set<string>();
  /** Until when, in milliseconds since the epoch; under '' for the whole registry. */
  readonly #withoutApi = new Map<string, number>();
  #quirks: Quirks;

  constructor(host: string, clock: Clock) {
    this.#host = host;
    this.#clock = clock;
    this.holders = new Holders(clock);
    this.#quirks = quirksOf(host);
  }

  get quirks(): Quirks {
    return this.#quirks;
  }

  /** @param headers of an answer of the registry itself, not of a host that it sent somebody to */
  observe(headers: HttpHeaders): void {
    if (this.#quirks.product === undefined) this.#quirks = quirksOf(this.#host, headers);
  }

  /** Whether a repository has the referrers API; undefined: it is to be asked. */
  hasReferrersApi(repository: string): boolean | undefined {
    if (this.#withApi.has(repository)) return true;
    const until = Math.max(this.#withoutApi.get(repository) ?? 0, this.#withoutApi.get('') ?? 0);
    return this.#clock.now() < until ? false : undefined;
  }

  /** A registry that is known to have no API, and says so once, is not asked for every repository anew. */
  tellReferrersApi(repository: string, has: boolean): void {
    if (has) {
      this.#withApi.add(repository);
      this.#withoutApi.delete(repository);
    } else {
      this.#withApi.delete(repository);
      this.#withoutApi.set(this.#quirks.referrers === 'tag' ? '' : repository, this.#clock.now() + NO_API);
    }
  }
}
