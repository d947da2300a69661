import { type Clock } from '../../core/clock.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { type Credential, type Credentials } from './credentials.ts';
import { checkRealm } from './realm.ts';
import { type FetchToken, type Token } from './token.ts';

/** What a request needs: the scopes of the token specification (`repository:app:pull`), and the repository that decides on the credential. */
export interface Need {
  readonly scopes: readonly string[];
  readonly repository: string | undefined;
}

export interface AuthOptions {
  readonly registry: string;
  readonly base: URL;
  readonly clock: Clock;
  readonly credentials: Credentials;
  readonly fetchToken: FetchToken;
}

type Mode =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: URL; readonly service: string | undefined };

/** Milliseconds that a refusal is believed without asking again, so that a wrong password does not lock an account. */
const REFUSAL = 5 * 60_000;
/** Milliseconds that a credential is used before the files and helpers are asked again. */
const CREDENTIAL = 5 * 60_000;

/** Finds the `Authorization` of requests to one registry, and learns from its challenges. */
export class Auth {
  readonly #options: AuthOptions;
  readonly #tokens = new Map<string, Token>();
  readonly #flights = new Map<string, Promise<Token>>();
  readonly #refusals = new Map<string, { readonly error: OclError; readonly until: number }>();
  readonly #credentials = new Map<
    string,
    { readonly found: Promise<Credential | undefined>; readonly until: number }
  >();
  readonly #accepted = new Set<string>();
  #mode: Mode | undefined;

  constructor(options: AuthOptions) {
    this.#options = options;
  }

  /** Why a request of this kind need not be sent: the registry said no to it a short while ago. */
  refusal(need: Need): OclError | undefined {
    const refusal = this.#refusals.get(keyOf(need));
    return refusal !== undefined && this.#options.clock.now() < refusal.until ? refusal.error : undefined;
  }

  /** What to send at first; undefined while the registry has not asked for anything. */
  async authorization(need: Need): Promise<string | undefined> {
    const credential = await this.#credential(need.repository);
    if (credential?.kind === 'bearer') return `Bearer ${credential.token}`;
    if (this.#mode === undefined) return undefined;
    if (this.#mode.kind === 'basic') return credential?.kind === 'password' ? basic(credential) : undefined;
    return this.#bearer(this.#mode, need, []);
  }

  /**
   * What to send after a 401; undefined: there is nothing better.
   * @param used the value that was refused
   */
  async answer(values: readonly string[], need: Need, used: string | undefined): Promise<string | undefined> {
    const credential = await this.#credential(need.repository);
    if (credential?.kind === 'bearer') return undefined;
    const chosen = this.#choose(parseChallenges(values), credential);
    if (chosen === undefined) return undefined;
    this.#mode = chosen.mode;
    if (chosen.mode.kind === 'basic') {
      const value = credential?.kind === 'password' ? basic(credential) : undefined;
      return value === used ? undefined : value;
    }
    const cached = this.#tokens.get(keyOf(need));
    if (cached !== undefined && `Bearer ${cached.value}` === used) this.#tokens.delete(keyOf(need));
    return this.#bearer(chosen.mode, need, chosen.scopes);
  }

  /** A request of this kind was let in: when another one is not, it is for its own sake. */
  accept(need: Need): void {
    this.#accepted.add(keyOf(need));
  }

  /** Keeps a refusal in mind, so that the requests that follow fail without being sent. */
  refuse(need: Need, error: OclError): void {
    if (this.#accepted.has(keyOf(need))) return;
    this.#refusals.set(keyOf(need), { error, until: this.#options.clock.now() + REFUSAL });
    this.#tokens.delete(keyOf(need));
    this.#credentials.delete(need.repository ?? '');
  }

  #choose(
    challenges: readonly Challenge[],
    credential: Credential | undefined,
  ): { mode: Mode; scopes: readonly string[] } | undefined {
    const bearer = challenges.find(({ scheme, params }) => scheme === 'bearer' && params.has('realm'));
    if (bearer !== undefined) {
      const realm = checkRealm(bearer.params.get('realm') ?? '', this.#options.base);
      const scopes = (bearer.params.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
      return { mode: { kind: 'bearer', realm, service: bearer.params.get('service') }, scopes };
    }
    const offersBasic = challenges.some(({ scheme }) => scheme === 'basic');
    return offersBasic && credential !== undefined ? { mode: { kind: 'basic' }, scopes: [] } : undefined;
  }

  async #bearer(mode: Mode & { kind: 'bearer' }, need: Need, asked: readonly string[]): Promise<string> {
    const key = keyOf(need);
    const cached = this.#tokens.get(key);
    if (cached !== undefined && this.#options.clock.now() < cached.renewAt) return `Bearer ${cached.value}`;
    let flight = this.#flights.get(key);
    if (flight === undefined) {
      flight = this.#fetch(mode, need, asked).finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
    }
    return `Bearer ${(await flight).value}`;
  }

  async #fetch(mode: Mode & { kind: 'bearer' }, need: Need, asked: readonly string[]): Promise<Token> {
    const { fetchToken, registry } = this.#options;
    const credential = await this.#credential(need.repository);
    // Scopes of the registry's own making count only where none is known: a token is for no more than the request needs.
    const scopes = need.scopes.length > 0 ? need.scopes : asked;
    try {
      const token = await fetchToken({ registry, realm: mode.realm, service: mode.service, scopes, credential });
      this.#tokens.set(keyOf(need), token);
      return token;
    } catch (error) {
      if (error instanceof OclError && (isCode(error, 'OCL_UNAUTHORIZED') || isCode(error, 'OCL_DENIED')))
        this.refuse(need, error);
      throw error;
    }
  }

  async #credential(repository: string | undefined): Promise<Credential | undefined> {
    const key = repository ?? '';
    const now = this.#options.clock.now();
    const known = this.#credentials.get(key);
    if (known !== undefined && now < known.until) return known.found;
    const found = this.#options.credentials.find(this.#options.registry, repository);
    this.#credentials.set(key, { found, until: now + CREDENTIAL });
    return found;
  }
}

function keyOf(need: Need): string {
  return [need.repository ?? '', ...need.scopes].join(' ');
}

function basic(credential: Credential & { kind: 'password' }): string {
  return `Basic ${Buffer.from(`${credential.username}:${credential.password}`, 'utf8').toString('base64')}`;
}
