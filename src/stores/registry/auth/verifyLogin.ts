import { isCode, OclError } from '../../../core/errors.ts';
import { discard, type Http } from '../../../io/httpMessages.ts';
import { RegistryClient, type ClientOptions } from '../client.ts';
import { type Credential } from './credentials.ts';

/** `accepted`: the registry let the account in. `unasked`: it lets everybody in at its door, so nothing is known about the password. */
export type Verdict = 'accepted' | 'unasked';

/**
 * Tries a login at the registry: `GET /v2/` with it, the way over a token server included.
 * @throws OCL_UNAUTHORIZED, OCL_DENIED, OCL_UNREACHABLE, OCL_REGISTRY
 */
export async function verifyLogin(options: ClientOptions, credential: Credential): Promise<Verdict> {
  let used = false;
  // A registry that asks for nothing never sees the password: only the requests tell.
  const http: Http = {
    request(request) {
      used ||= Object.keys(request.headers ?? {}).some((name) => name.toLowerCase() === 'authorization');
      return options.http.request(request);
    },
    close: () => options.http.close(),
  };
  const credentials = { find: () => Promise.resolve(credential) };
  const client = new RegistryClient({ ...options, http, credentials });
  const account = accountOf(credential);
  const action = `log in to ${options.registry}${account === undefined ? '' : ` as ${account}`}`;
  try {
    await discard(
      await client.send({ method: 'GET', to: '', need: { scopes: [], repository: undefined }, action, ok: [200] }),
    );
  } catch (error) {
    throw refused(error, credential);
  }
  return used ? 'accepted' : 'unasked';
}

/** The name of an account; undefined where only a token is known. */
export function accountOf(credential: Credential): string | undefined {
  return credential.kind === 'bearer' ? undefined : credential.username;
}

function refused(error: unknown, { kind }: Credential): unknown {
  if (!isCode(error, 'OCL_UNAUTHORIZED') && !isCode(error, 'OCL_DENIED')) return error;
  const { code, message, cause } = error as OclError;
  return new OclError(code, message, {
    hint:
      kind === 'password'
        ? 'look at the user name and the password; many registries want an access token instead of the password (docs/credentials.md)'
        : 'look at the token: it may have ended, and a registry without a token server takes a password alone (--password-stdin)',
    cause,
  });
}
