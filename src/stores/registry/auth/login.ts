import { type Credential, type CredentialSource } from './credentials.ts';
import { createExclusive } from '../exclusive.ts';

/** Who asks. */
export interface Login {
  readonly credential: Credential;
  readonly source: CredentialSource | undefined;
}

/** `Authorization` for a name and a secret, byte by byte what they are (RFC 7617). */
export function basic(username: string, password: string, charset: 'utf8' | 'latin1' = 'utf8'): string {
  return `Basic ${Buffer.from(`${username}:${password}`, charset).toString('base64')}`;
}

/** The same text for the same account and secret: for comparing alone, never to be shown. */
export function loginKey(login: Login | undefined): string {
  if (login === undefined) return '';
  const { credential } = login;
  return JSON.stringify(
    credential.kind === 'password'
      ? [credential.kind, credential.username, credential.password, credential.charset]
      : [credential.kind, credential.token],
  );
}

export function secretOf({ credential }: Login): string {
  return credential.kind === 'password' ? credential.password : credential.token;
}

/** Lets a login be tried by one request at a time until it was let in once: a wrong password is sent once, however many wait for it. */
export class Proofs {
  readonly #proven = new Set<string>();
  readonly #alone = createExclusive();

  has(key: string): boolean {
    return this.#proven.has(key);
  }

  prove(key: string): void {
    this.#proven.add(key);
  }

  /** @param attempt calls `prove` when the login was let in */
  async run<T>(key: string, attempt: () => Promise<T>): Promise<T> {
    if (this.has(key)) return attempt();
    const first = await this.#alone(key, async () => (this.has(key) ? undefined : { value: await attempt() }));
    return first === undefined ? attempt() : first.value;
  }
}
