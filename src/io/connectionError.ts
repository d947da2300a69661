import { OclError, systemCode } from '../core/errors.ts';

/** OCL_UNREACHABLE, with what a caller that tries again has to know. */
export class ConnectionError extends OclError {
  /** Whether the same request may well succeed a little later. */
  readonly temporary: boolean;
  /** The connection was closed before any answer came, as happens to idle ones. */
  readonly unanswered: boolean;

  constructor(
    message: string,
    details: { hint?: string | undefined; cause: unknown; temporary: boolean; unanswered: boolean },
  ) {
    super('OCL_UNREACHABLE', message, details);
    this.name = 'ConnectionError';
    this.temporary = details.temporary;
    this.unanswered = details.unanswered;
  }
}

interface Reason {
  readonly why: string;
  readonly hint?: string;
  readonly permanent?: boolean;
}

const CA_HINT = 'hand in the certificate authority of this registry (regcert, or SSL_CERT_FILE)';
const UNTRUSTED: Reason = {
  why: 'its certificate is signed by an authority that is not trusted here',
  hint: CA_HINT,
  permanent: true,
};
const CLOSED: Reason = { why: 'the connection was closed by the other side' };

const REASONS: Readonly<Record<string, Reason>> = {
  ENOTFOUND: {
    why: 'the host name is not known',
    hint: 'check the name of the registry, and the DNS settings',
    permanent: true,
  },
  EAI_AGAIN: { why: 'the name server does not answer' },
  ECONNREFUSED: { why: 'the connection is refused', hint: 'check that the registry runs and that the port is right' },
  EHOSTUNREACH: { why: 'there is no route to the host' },
  ENETUNREACH: { why: 'the network cannot be reached' },
  ETIMEDOUT: { why: 'the connection timed out' },
  UND_ERR_CONNECT_TIMEOUT: { why: 'no connection was made in time' },
  UND_ERR_HEADERS_TIMEOUT: { why: 'no answer came in time' },
  UND_ERR_BODY_TIMEOUT: { why: 'the answer stopped coming' },
  UND_ERR_SOCKET: CLOSED,
  ECONNRESET: CLOSED,
  EPIPE: CLOSED,
  ECONNABORTED: CLOSED,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: { why: 'the answer is not as long as it said' },
  UND_ERR_HEADERS_OVERFLOW: { why: 'the header of the answer is too large', permanent: true },
  CERT_HAS_EXPIRED: { why: 'its certificate has expired', permanent: true },
  CERT_NOT_YET_VALID: {
    why: 'its certificate is not valid yet',
    hint: 'check the clock of this machine',
    permanent: true,
  },
  ERR_TLS_CERT_ALTNAME_INVALID: { why: 'its certificate is for another host name', permanent: true },
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  ERR_SSL_WRONG_VERSION_NUMBER: {
    why: 'it does not speak TLS',
    hint: 'set tls: disabled for this host if it is meant to be reached by plain http',
    permanent: true,
  },
  EPROTO: { why: 'the TLS handshake failed', permanent: true },
};

const UNANSWERED: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

/** What went wrong on the way, in words. @param answered whether a part of the answer had come */
export function connectionError(error: unknown, url: URL, answered: boolean): ConnectionError {
  const code = codeOf(error) ?? '';
  const garbled = error instanceof Error && error.name === 'HTTPParserError';
  const reason: Reason | undefined = garbled ? { why: 'the answer is not valid HTTP', permanent: true } : REASONS[code];
  const tls = code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS');
  const why = reason?.why ?? (error instanceof Error ? error.message : String(error));
  return new ConnectionError(`Cannot reach ${url.origin}: ${why}`, {
    hint: reason?.hint,
    cause: error,
    temporary: reason?.permanent !== true && !tls,
    unanswered: !answered && UNANSWERED.has(code),
  });
}

/** The code of an error; of the first one where several addresses of a host were tried. */
function codeOf(error: unknown): string | undefined {
  const own = systemCode(error);
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]) ?? own;
  if (own === 'UND_ERR_SOCKET' && error instanceof Error && error.cause !== undefined)
    return codeOf(error.cause) ?? own;
  return own;
}
