import { type Clock } from '../../../core/clock.ts';
import { isCode } from '../../../core/errors.ts';
import { remember } from '../bounded.ts';
import { AnswerError, hasStatus } from '../errors.ts';
import { explain } from './explain.ts';
import { loginKey, type Login, type Proofs } from './login.ts';
import { keyOf, rightOf, type Need, type Outgoing } from './outgoing.ts';
import { type Refusals } from './refusals.ts';
import { type FetchToken } from './token.ts';
import { type Token } from './tokenAnswer.ts';

export interface BearerOptions {
  readonly registry: string;
  readonly clock: Clock;
  readonly fetchToken: FetchToken;
  readonly refusals: Refusals;
  readonly proofs: Proofs;
}

/** How the token for a need is asked for. */
export interface TokenAsking {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
}

/** Needs whose tokens are kept. */
const MAX_KEPT = 5000;

/** The tokens of one registry, one for each need, so that no header grows large. */
export class Bearer {
  readonly #options: BearerOptions;
  readonly #tokens = new Map<string, Token>();
  readonly #flights = new Map<string, Promise<Token>>();

  constructor(options: BearerOptions) {
    this.#options = options;
  }

  /** `Authorization` with a token that still lives for a while; those who need the same one wait for it together. */
  async authorization(asking: TokenAsking, out: Outgoing, login: Login | undefined): Promise<string> {
    const key = keyOf(out.need);
    const cached = this.#tokens.get(key);
    const until = out.streams ? cached?.renewForStreamAt : cached?.renewAt;
    if (cached !== undefined && until !== undefined && this.#options.clock.now() < until) return valueOf(cached);
    let flight = this.#flights.get(key);
    if (flight === undefined) {
      flight = this.#fetch(asking, out, login).finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
    }
    return valueOf(await flight);
  }

  /** A token was refused; one that came in its place meanwhile stays. */
  drop(need: Need, used: string | undefined): void {
    const cached = this.#tokens.get(keyOf(need));
    if (cached !== undefined && valueOf(cached) === used) this.#tokens.delete(keyOf(need));
  }

  #fetch(asking: TokenAsking, { need, action }: Outgoing, login: Login | undefined): Promise<Token> {
    const { registry, fetchToken, refusals, proofs } = this.#options;
    const { realm, service } = asking;
    const right = rightOf(need, login);
    const whole = `${realm.href} ${loginKey(login)}`;
    const ask = (scopes: readonly string[]): Promise<Token> =>
      fetchToken({ registry, realm, service, scopes, credential: login?.credential });

    const attempt = async (): Promise<Token> => {
      refusals.check(login === undefined ? right : whole, action);
      try {
        const token = await ask(asking.scopes);
        proofs.prove(whole);
        remember(this.#tokens, keyOf(need), token, MAX_KEPT);
        return token;
      } catch (thrown) {
        if (!isRefusal(thrown)) throw thrown;
        const error = explain(thrown, { registry, login, challenges: [], asksLogin: true });
        const isWhole = login !== undefined && (await isLoginRefused(thrown, proofs.has(whole), ask));
        if (login !== undefined && !isWhole) proofs.prove(whole);
        refusals.add(isWhole ? whole : right, error);
        throw error;
      }
    };
    return login === undefined ? attempt() : proofs.run(whole, attempt);
  }
}

/** Whether the login as such is refused, and not one right of it. A 403 may mean either: a token without any scope tells. */
async function isLoginRefused(
  error: AnswerError,
  proven: boolean,
  ask: (scopes: readonly string[]) => Promise<Token>,
): Promise<boolean> {
  if (error.status !== 403 && !error.codes.includes('DENIED')) return true;
  if (proven) return false;
  try {
    await ask([]);
    return false;
  } catch (thrown) {
    return isRefusal(thrown);
  }
}

function isRefusal(error: unknown): error is AnswerError {
  return hasStatus(error, 401, 403) || (error instanceof AnswerError && isCode(error, 'OCL_UNAUTHORIZED'));
}

function valueOf(token: Token): string {
  return `Bearer ${token.value}`;
}
