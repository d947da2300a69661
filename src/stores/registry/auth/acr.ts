import { isObject, parseJson } from '../../../core/json.ts';

/** The account name by which Azure's registries take a token instead of a password (spec oci.md 8.2). */
export const ACR_TOKEN_USER = '00000000-0000-0000-0000-000000000000';

/** An access token of Entra ID (AAD), by what it says of itself: a JWT whose issuer is a URL. Refresh tokens of ACR have a name there. */
export function isAccessToken(secret: string): boolean {
  return issuerOf(secret)?.startsWith('https://') ?? false;
}

/** The form that changes an access token into a refresh token at `/oauth2/exchange`. */
export function exchangeForm(accessToken: string, service: string): Record<string, string> {
  const tenant = claimsOf(accessToken)?.['tid'];
  return {
    grant_type: 'access_token',
    service,
    ...(typeof tenant === 'string' && /^[0-9a-f-]{36}$/i.test(tenant) ? { tenant } : {}),
    access_token: accessToken,
  };
}

function issuerOf(secret: string): string | undefined {
  const issuer = claimsOf(secret)?.['iss'];
  return typeof issuer === 'string' ? issuer : undefined;
}

/** Unverified: they decide on the question that is asked, never on the answer. */
function claimsOf(token: string): { readonly [claim: string]: unknown } | undefined {
  const [, payload = '', ...rest] = token.split('.');
  if (rest.length !== 1) return undefined;
  try {
    const claims = parseJson(Buffer.from(payload, 'base64url'), 'the token');
    return isObject(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}
