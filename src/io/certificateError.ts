import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { systemCode } from '../core/errors.ts';
import { printable } from '../core/redact.ts';

/** Codes of Node for certificates that no trusted authority has signed. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);
const DATED: ReadonlySet<string> = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
const MAX_SHOWN = 200;

/** A handshake failed for its certificate, and this is the certificate. */
export class CertificateError extends Error {
  readonly code: string;
  readonly certificate: PeerCertificate;

  constructor(cause: unknown, certificate: PeerCertificate) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.name = 'CertificateError';
    this.code = systemCode(cause) ?? '';
    this.certificate = certificate;
  }
}

/** Some versions of Node refuse every certificate for an IPv6 address (nodejs/node#64144): those are OpenSSL's to check; all else is Node's. */
export function checkIdentity(host: string, certificate: PeerCertificate): Error | undefined {
  const isOwn = isIP(host) === 6 && new X509Certificate(certificate.raw).checkIP(host) !== undefined;
  return isOwn ? undefined : checkServerIdentity(host, certificate);
}

/** Whether the certificate would tell more of this failure than Node does. */
export function wantsCertificate(error: unknown): boolean {
  const code = systemCode(error) ?? '';
  return UNTRUSTED.has(code) || DATED.has(code);
}

/** What is wrong with the certificate of the other end, in words that complete "Cannot reach …". Undefined: nothing is known of it. */
export function certificateFault(error: unknown): string | undefined {
  const code = systemCode(error) ?? '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const { cert } = error as { cert?: PeerCertificate };
    return `its certificate is for another host name${cert === undefined ? '' : `: ${namesOf(cert)}`}`;
  }
  if (!(error instanceof CertificateError)) return undefined;
  const { valid_from: from, valid_to: until } = error.certificate;
  if (code === 'CERT_HAS_EXPIRED') return `its certificate has expired (it was valid until ${shown(until)})`;
  if (code === 'CERT_NOT_YET_VALID') return `its certificate is not valid yet (it will be from ${shown(from)} on)`;
  const issuer = nameOf(error.certificate.issuer);
  return code === 'DEPTH_ZERO_SELF_SIGNED_CERT'
    ? `its certificate is signed by itself (${issuer}), and so not trusted here`
    : `its certificate is signed by ${issuer}, an authority that is not trusted here`;
}

function namesOf(certificate: PeerCertificate): string {
  const names = (certificate.subjectaltname ?? '')
    .split(', ')
    .map((name) => name.replace(/^(?:DNS|IP Address):/, ''))
    .filter((name) => name !== '');
  return shown(names.length === 0 ? (one(certificate.subject?.CN) ?? 'none') : names.join(', '));
}

function nameOf(name: PeerCertificate['issuer'] | undefined): string {
  const text = one(name?.CN) ?? one(name?.O) ?? one(name?.OU);
  return text === undefined ? 'somebody without a name' : JSON.stringify(shown(text));
}

/** Certificates may repeat a part of a name. */
function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function shown(text: string | undefined): string {
  const whole = text ?? '';
  return printable(whole.length > MAX_SHOWN ? `${whole.slice(0, MAX_SHOWN)}…` : whole);
}
