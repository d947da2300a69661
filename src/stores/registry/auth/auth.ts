import { type Clock } from '../../../core/clock.ts';
import { isCode } from '../../../core/errors.ts';
import { discard } from '../../../io/httpMessages.ts';
import { type Answer } from '../answer.ts';
import { Bearer } from './bearer.ts';
import { remember } from '../bounded.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { type Credentials } from './credentials.ts';
import { type AnswerError } from '../errors.ts';
import { explain } from './explain.ts';
import { basic, loginKey, Proofs, type Login } from './login.ts';
import { keyOf, rightOf, type Need, type Outgoing } from './outgoing.ts';
import { Realms } from './realm.ts';
import { Refusals } from './refusals.ts';
import { wantedScopes } from './scopes.ts';
import { type FetchToken } from './token.ts';

export type { Need } from './outgoing.ts';

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

interface KeptLogin {
  readonly found: Promise<Login | undefined>;
  readonly until: number;
}

/** How a need is met. */
interface Asking {
  readonly mode: Mode;
  readonly scopes: readonly string[];
}

/** Milliseconds that a credential is used before the files and helpers are asked again; no longer than a refusal is believed. */
const CREDENTIAL = 5 * 60_000;
/** Needs and repositories that are remembered. */
const MAX_KEPT = 5000;

/** Finds the `Authorization` of requests to one registry, and learns from its challenges. */
export class Auth {
  readonly #options: AuthOptions;
  readonly #refusals: Refusals;
  readonly #proofs = new Proofs();
  readonly #realms: Realms;
  readonly #bearer: Bearer;
  readonly #askings = new Map<string, Asking>();
  readonly #logins = new Map<string, KeptLogin>();
  /** As the registry last asked for it. */
  #mode: Mode | undefined;

  constructor(options: AuthOptions) {
    const { registry, base, clock } = options;
    this.#options = options;
    this.#refusals = new Refusals(registry, clock);
    this.#realms = new Realms(base);
    this.#bearer = new Bearer({ ...options, refusals: this.#refusals, proofs: this.#proofs });
  }

  /**
   * Sends a request with what is known, and once more when the registry asks for something better, or when the login that it refused is
   * another one by now: those of clouds end after some hours.
   * @throws AnswerError for a 401 that stands; OclError when the same was refused a short while ago; see FetchToken
   */
  async send(out: Outgoing): Promise<Answer> {
    const login = await this.#login(out.need.repository);
    try {
      return await this.#sendAs(login, out);
    } catch (error) {
      if (!isCode(error, 'OCL_UNAUTHORIZED')) throw error;
      // What became of the refusal is the news, also where the helper fails now.
      const other = await this.#otherLogin(login, out.need.repository).catch(() => undefined);
      if (other === undefined) throw error;
      return await this.#sendAs(other, out);
    }
  }

  async #sendAs(login: Login | undefined, out: Outgoing): Promise<Answer> {
    const right = rightOf(out.need, login);
    this.#refusals.check(right, out.action);
    const used = await this.#known(out, login);
    let answer = await this.#try(out, login, used);
    if (this.#asks(answer)) {
      const better = await this.#better(out, login, used, answer);
      if (better !== undefined) answer = await this.#tryAgain(out, login, better, answer);
    }
    const last = this.#asks(answer) ? this.#lastResort(out.need, login) : undefined;
    if (last !== undefined) answer = await this.#tryAgain(out, login, last, answer);
    if (!this.#asks(answer)) {
      if (answer.status < 400) this.#refusals.accept(right);
      return answer;
    }
    const error = await this.#failure(out, answer);
    this.#refusals.add(right, error);
    throw error;
  }

  /** The same error in the words of the person who asked. */
  async explain(error: AnswerError, need: Need, challenges: readonly Challenge[] = []): Promise<AnswerError> {
    const { registry } = this.#options;
    const login = await this.#login(need.repository);
    return explain(error, { registry, login, challenges, asksLogin: this.#mode !== undefined });
  }

  /** What to send at first; undefined while the registry has not asked for anything. */
  async #known(out: Outgoing, login: Login | undefined): Promise<string | undefined> {
    if (login?.credential.kind === 'bearer') return `Bearer ${login.credential.token}`;
    const { mode, scopes } = this.#askings.get(keyOf(out.need)) ?? { mode: this.#mode, scopes: out.need.scopes };
    if (mode?.kind === 'bearer') return this.#bearer.authorization({ ...mode, scopes }, out, login);
    return mode === undefined ? undefined : basicOf(login);
  }

  /** What to send after a 401; undefined: there is nothing better than what was used. */
  async #better(
    out: Outgoing,
    login: Login | undefined,
    used: string | undefined,
    answer: Answer,
  ): Promise<string | undefined> {
    if (login?.credential.kind === 'bearer') return undefined;
    const asking = await this.#asking(out, login, answer.headers.get('www-authenticate'));
    if (asking === undefined) return undefined;
    const { mode, scopes } = asking;
    this.#mode = mode;
    remember(this.#askings, keyOf(out.need), asking, MAX_KEPT);
    if (mode.kind === 'bearer') {
      this.#bearer.drop(out.need, used);
      return this.#bearer.authorization({ ...mode, scopes }, out, login);
    }
    const value = basicOf(login);
    return value === used ? undefined : value;
  }

  /** GCR leaves the challenge out of real calls; that of `/v2/` says nothing of the scopes of a call (spec oci.md 8.2). */
  async #asking(
    out: Outgoing,
    login: Login | undefined,
    own: readonly string[] | undefined,
  ): Promise<Asking | undefined> {
    const challenges = parseChallenges(own ?? (await out.ping()));
    const bearer = challenges.find(({ scheme, params }) => scheme === 'bearer' && params.has('realm'));
    if (bearer !== undefined) {
      const service = bearer.params.get('service');
      const realm = this.#realms.check(bearer.params.get('realm') ?? '', service);
      const challenged = own === undefined ? [] : (bearer.params.get('scope') ?? '').split(' ');
      return { mode: { kind: 'bearer', realm, service }, scopes: wantedScopes(out.need.scopes, challenged) };
    }
    const offersBasic = challenges.some(({ scheme }) => scheme === 'basic');
    return offersBasic && login !== undefined ? { mode: { kind: 'basic' }, scopes: [] } : undefined;
  }

  /** Harbor shows its catalog to Basic alone, although it asks for a token (spec oci.md 8.2); the next page is asked for so at once. */
  #lastResort(need: Need, login: Login | undefined): string | undefined {
    const isCatalog = need.scopes.some((scope) => scope.startsWith('registry:'));
    const asked = this.#askings.get(keyOf(need));
    if (!isCatalog || asked?.mode.kind !== 'bearer') return undefined;
    remember(this.#askings, keyOf(need), { mode: { kind: 'basic' }, scopes: [] }, MAX_KEPT);
    return basicOf(login);
  }

  async #tryAgain(out: Outgoing, login: Login | undefined, value: string, refused: Answer): Promise<Answer> {
    await discard(refused);
    return this.#try(out, login, value);
  }

  /** One try. A name and password that nobody has let in yet are tried by one request alone. */
  #try(out: Outgoing, login: Login | undefined, value: string | undefined): Promise<Answer> {
    if (value === undefined || !value.startsWith('Basic ')) return out.send(value);
    const whole = `basic ${loginKey(login)}`;
    return this.#proofs.run(whole, async () => {
      this.#refusals.check(whole, out.action);
      const answer = await out.send(value);
      if (answer.status < 400 || [403, 404].includes(answer.status)) this.#proofs.prove(whole);
      if (!this.#asks(answer) || this.#proofs.has(whole)) return answer;
      const error = await this.#failure(out, answer);
      this.#refusals.add(error.code === 'OCL_DENIED' ? rightOf(out.need, login) : whole, error);
      throw error;
    });
  }

  #asks(answer: Answer): boolean {
    return answer.status === 401 && answer.url.origin === this.#options.base.origin;
  }

  async #failure(out: Outgoing, answer: Answer): Promise<AnswerError> {
    const challenges = parseChallenges(answer.headers.get('www-authenticate') ?? []);
    return this.explain(await out.failure(answer), out.need, challenges);
  }

  #login(repository: string | undefined): Promise<Login | undefined> {
    const { clock, credentials, registry } = this.#options;
    const key = repository ?? '';
    const now = clock.now();
    const known = this.#logins.get(key);
    if (known !== undefined && now < known.until) return known.found;
    const entry = { found: findLogin(credentials, registry, repository), until: now + CREDENTIAL };
    remember(this.#logins, key, entry, MAX_KEPT);
    // A helper that fails, or a file that somebody is writing, may be well the next time.
    entry.found.catch(() => this.#forgetLogin(key, entry));
    return entry.found;
  }

  /** The login that is kept now, when that is another one than the refused. */
  async #otherLogin(refused: Login | undefined, repository: string | undefined): Promise<Login | undefined> {
    const key = repository ?? '';
    const known = this.#logins.get(key);
    if ((await known?.found) === refused) {
      if (refused !== undefined) this.#options.credentials.forget?.(refused.credential);
      this.#forgetLogin(key, known);
    }
    const now = await this.#login(repository);
    return loginKey(now) === loginKey(refused) ? undefined : now;
  }

  #forgetLogin(key: string, entry: KeptLogin | undefined): void {
    if (this.#logins.get(key) === entry) this.#logins.delete(key);
  }
}

async function findLogin(
  credentials: Credentials,
  registry: string,
  repository: string | undefined,
): Promise<Login | undefined> {
  if (credentials.locate !== undefined) return credentials.locate(registry, repository);
  const credential = await credentials.find(registry, repository);
  return credential && { credential, source: undefined };
}

function basicOf(login: Login | undefined): string | undefined {
  const credential = login?.credential;
  if (credential?.kind !== 'password') return undefined;
  return basic(credential.username, credential.password, credential.charset);
}
