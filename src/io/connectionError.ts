import { OclError, systemCode } from '../core/errors.ts';
import { certificateFault } from './certificateError.ts';

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

const UNTRUSTED: Reason = {
  why: 'its certificate is signed by an authority that is not trusted here',
  hint: "put the authority's certificate into /etc/containers/certs.d/HOST/ca.crt, or give --cert-dir DIR; --insecure HOST takes any certificate",
  permanent: true,
};
const UNUSABLE: Reason = {
  why: 'its certificate cannot be used: one in its chain is weak, revoked, or not meant for this',
  hint: 'who runs it has to replace it; --insecure HOST takes any certificate',
  permanent: true,
};
const CLIENT_WANTED: Reason = {
  why: 'it wants a certificate of the client, and did not get one that it takes',
  hint: 'put client.cert and client.key into /etc/containers/certs.d/HOST/, or give --cert-dir DIR',
  permanent: true,
};
const NOT_TLS: Reason = {
  why: 'it does not speak TLS',
  hint: 'if it is meant to be reached by plain http: --plain-http HOST, or tls: disabled in a sync file',
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
  CERT_HAS_EXPIRED: {
    why: 'its certificate has expired',
    hint: 'who runs it has to renew it (or the clock of this machine is wrong); --insecure HOST takes it all the same',
    permanent: true,
  },
  CERT_NOT_YET_VALID: {
    why: 'its certificate is not valid yet',
    hint: 'check the clock of this machine',
    permanent: true,
  },
  ERR_TLS_CERT_ALTNAME_INVALID: {
    why: 'its certificate is for another host name',
    hint: 'use one of the names that it is for; --insecure HOST takes any certificate',
    permanent: true,
  },
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  INVALID_PURPOSE: UNUSABLE,
  INVALID_CA: UNUSABLE,
  CERT_SIGNATURE_FAILURE: UNUSABLE,
  CERT_REVOKED: UNUSABLE,
  CERT_CHAIN_TOO_LONG: UNUSABLE,
  PATH_LENGTH_EXCEEDED: UNUSABLE,
  EE_KEY_TOO_SMALL: UNUSABLE,
  CA_KEY_TOO_SMALL: UNUSABLE,
  CA_MD_TOO_WEAK: UNUSABLE,
  ERR_SSL_WRONG_VERSION_NUMBER: NOT_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NOT_TLS,
  ERR_SSL_HTTP_REQUEST: NOT_TLS,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: CLIENT_WANTED,
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: CLIENT_WANTED,
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: CLIENT_WANTED,
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE: {
    why: 'it refuses the TLS handshake',
    hint: 'it may want a certificate of the client: put client.cert and client.key into /etc/containers/certs.d/HOST/, or give --cert-dir DIR',
    permanent: true,
  },
  EPROTO: { why: 'the TLS handshake failed', permanent: true },
};

const UNANSWERED: ReadonlySet<string> = new Set(['UND_ERR_SOCKET', 'ECONNRESET', 'EPIPE']);

const SPEAKS_TLS: Reason = {
  why: 'it speaks TLS, and was spoken to in plain http',
  hint: 'leave out --plain-http (tls: disabled in a sync file); a host of this machine needs tls: enabled in a sync file, or its authority in certs.d',
  permanent: true,
};
const PROXY_HINT = 'check HTTPS_PROXY (HTTP_PROXY for http); hosts in NO_PROXY are reached without it';

export interface Circumstances {
  /** A part of the answer had come. */
  readonly answered: boolean;
  /** The proxy that was spoken to, when the connection was to it. Without credentials. */
  readonly proxy?: URL | undefined;
}

/** What went wrong on the way to `url`, in words. */
export function connectionError(error: unknown, url: URL, { answered, proxy }: Circumstances): ConnectionError {
  const code = codeOf(error) ?? '';
  const reason = garbledReason(error) ?? reasonOf(code);
  const tls = code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS');
  const why = certificateFault(error) ?? reason?.why ?? (error instanceof Error ? error.message : String(error));
  const where = proxy === undefined ? url.origin : `${url.origin} through the proxy ${proxy.origin}`;
  return new ConnectionError(`Cannot reach ${where}: ${why}`, {
    hint: proxy === undefined ? reason?.hint?.replaceAll('HOST', url.host) : PROXY_HINT,
    cause: error,
    temporary: reason?.permanent !== true && !tls,
    unanswered: !answered && UNANSWERED.has(code),
  });
}

function reasonOf(code: string): Reason | undefined {
  // OpenSSL's names of alerts differ between its versions.
  return REASONS[code.replace('ERR_SSL_SSL/TLS_ALERT_', 'ERR_SSL_SSLV3_ALERT_').replace('/', '_')];
}

/** What came is no HTTP: a server that speaks TLS answers with an alert, which begins with these two bytes (RFC 8446, 5.1). */
function garbledReason(error: unknown): Reason | undefined {
  if (!(error instanceof Error) || error.name !== 'HTTPParserError') return undefined;
  const { data } = error as { data?: unknown };
  if (typeof data === 'string' && data.startsWith('\u0015\u0003')) return SPEAKS_TLS;
  return { why: 'the answer is not valid HTTP', permanent: true };
}

/** The code of an error; of the first one where several addresses of a host were tried. */
function codeOf(error: unknown): string | undefined {
  const own = systemCode(error);
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]) ?? own;
  if (own === 'UND_ERR_SOCKET' && error instanceof Error && error.cause !== undefined)
    return codeOf(error.cause) ?? own;
  return own;
}
