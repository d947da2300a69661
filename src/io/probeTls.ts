import { isIP } from 'node:net';
import { type Duplex } from 'node:stream';
import { connect, type DetailedPeerCertificate, type SecureContext, type TLSSocket } from 'node:tls';
import { systemCode } from '../core/errors.ts';
import { printable } from '../core/redact.ts';
import { checkIdentity } from './certificateError.ts';

/** A certificate as a server showed it. */
export interface SeenCertificate {
  /** `CN=registry.example, O=Example`. */
  readonly subject: string;
  readonly issuer: string;
  /** Milliseconds since the epoch; NaN where a date cannot be read. */
  readonly from: number;
  readonly until: number;
  /** DNS names and addresses that it is for. */
  readonly names: readonly string[];
  /** SHA-256, in hexadecimal. */
  readonly fingerprint: string;
}

export interface SeenTls {
  /** `TLSv1.3`. */
  readonly protocol: string;
  /** From the server's own certificate up to the last one that is known. */
  readonly chain: readonly SeenCertificate[];
  /** Why it is not trusted, as OpenSSL and Node name it; undefined: it is verified. */
  readonly problem: string | undefined;
}

export interface TlsProbe {
  /** A connection to the server; it is destroyed in the end. */
  readonly socket: Duplex;
  /** The name that the certificate must be for. */
  readonly host: string;
  /** What the server is trusted by, and what is shown to it; undefined: as Node has it. */
  readonly context: SecureContext | undefined;
}

const MAX_CHAIN = 10;
const MAX_NAMES = 100;
const MAX_TEXT = 300;

/**
 * A handshake that looks at any certificate, and says whether it would have been taken. Nothing is sent afterwards.
 * @throws what ended the handshake; the signal's reason
 */
export function shakeHands(probe: TlsProbe, signal: AbortSignal): Promise<SeenTls> {
  const { socket, host, context } = probe;
  return new Promise<SeenTls>((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason as Error);
    const secure = connect({
      socket,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(context === undefined ? {} : { secureContext: context }),
      checkServerIdentity: checkIdentity,
      rejectUnauthorized: false,
    });
    const stop = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    secure.on('error', reject).once('secureConnect', () => resolve(describe(secure)));
    secure.once('close', () => {
      signal.removeEventListener('abort', stop);
      reject(new HandshakeClosed());
    });
  }).finally(() => socket.destroy());
}

/** The other side hung up in the middle of a handshake. */
export class HandshakeClosed extends Error {
  constructor() {
    super('the connection was closed during the handshake');
    this.name = 'HandshakeClosed';
  }
}

function describe(secure: TLSSocket): SeenTls {
  // Node gives the code as a text, whatever its types say.
  const problem = secure.authorizationError as Error | string | null | undefined;
  const chain: SeenCertificate[] = [];
  let next: DetailedPeerCertificate | undefined = secure.getPeerCertificate(true);
  while (next?.fingerprint256 !== undefined && chain.length < MAX_CHAIN) {
    chain.push(seen(next));
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return {
    protocol: secure.getProtocol() ?? 'unknown',
    chain,
    problem: secure.authorized ? undefined : problem instanceof Error ? systemCode(problem) : (problem ?? 'unknown'),
  };
}

function seen(certificate: DetailedPeerCertificate): SeenCertificate {
  return {
    subject: nameOf(certificate.subject),
    issuer: nameOf(certificate.issuer),
    from: Date.parse(certificate.valid_from),
    until: Date.parse(certificate.valid_to),
    names: (certificate.subjectaltname ?? '')
      .split(', ')
      .filter((name) => name !== '')
      .slice(0, MAX_NAMES)
      .map((name) => shown(name.replace(/^(?:DNS|IP Address):/, ''))),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}

/** The common name first: it is what people know an authority by. */
function nameOf(name: object): string {
  const parts = Object.entries(name) as [string, string | string[]][];
  const sorted = parts.toSorted(([a], [b]) => Number(b === 'CN') - Number(a === 'CN'));
  return shown(sorted.map(([key, value]) => `${key}=${[value].flat().join('+')}`).join(', '));
}

function shown(text: string): string {
  return printable(text.slice(0, MAX_TEXT));
}
