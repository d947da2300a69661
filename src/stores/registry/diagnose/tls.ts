import { rootCertificates, type SecureContext } from 'node:tls';
import { systemCode } from '../../../core/errors.ts';
import { bareHost } from '../../../io/probe.ts';
import { HandshakeClosed, shakeHands, type SeenCertificate, type SeenTls } from '../../../io/probeTls.ts';
import { secureContextOf } from '../../../io/secureContext.ts';
import { type Case, type Finding } from './step.ts';

/** What OpenSSL calls a chain that ends nowhere. */
const UNTRUSTED: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
]);

/** What comes of a TLS handshake with somebody who answers in plain HTTP; versions of OpenSSL differ. */
const NO_TLS: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
  'EPROTO',
]);

/** The handshake, the certificates that were shown, and whether they are trusted. Undefined where plain http is spoken. */
export async function checkTls(on: Case, signal: AbortSignal): Promise<Finding | undefined> {
  if (on.base.protocol === 'http:' || on.socket === undefined) return undefined;
  const context = await contextOf(on);
  let seen: SeenTls;
  try {
    seen = await shakeHands({ socket: on.socket, host: bareHost(on.base.hostname), context }, signal);
  } catch (error) {
    if (signal.aborted) throw error;
    return noHandshake(on, error);
  }
  const { protocol, chain, problem } = seen;
  const insecure = on.settings.tls === 'insecure';
  const facts = {
    protocol,
    verified: problem === undefined,
    problem: problem ?? null,
    chain: chain.map((each) => ({ ...each, from: dateOf(each.from), until: dateOf(each.until) })),
  };
  const details = chain.flatMap(describe);
  if (problem === undefined) return { says: `${protocol}, the certificate is verified`, facts, details };
  const why = reasonOf(problem, on, chain);
  if (insecure) return { says: `${protocol}, and any certificate is taken: ${why}`, facts, details };
  return { ok: false, says: `${on.base.host}: ${why}`, facts, details, hint: hintFor(problem, on, chain) };
}

/** What a proxy with https: is trusted by: what is set for the registry is not for it. */
export function proxyContextOf({ authorities }: Case): Promise<SecureContext> {
  return contextOf({ authorities, tls: undefined });
}

/** What a connection to the registry trusts and shows, as the HTTP client does it. @throws OCL_CONFIG_INVALID */
async function contextOf({ tls, authorities }: Pick<Case, 'tls' | 'authorities'>): Promise<SecureContext> {
  const own = tls?.ca ?? [];
  const ofNode = own.length === 0 ? undefined : [...rootCertificates, ...own];
  const ca = authorities === undefined ? ofNode : await authorities(own);
  return secureContextOf(tls, ca);
}

function noHandshake({ registry, base }: Case, error: unknown): Finding {
  const code = systemCode(error);
  if (NO_TLS.has(code ?? ''))
    return {
      ok: false,
      says: `${base.host} does not speak TLS on this port`,
      facts: { code },
      hint: `if it is meant to be reached by plain http: ocl ping ${registry} --plain-http ${registry}`,
    };
  const closed = error instanceof HandshakeClosed || code === 'ECONNRESET' || code === 'EPIPE';
  return {
    ok: false,
    says: closed
      ? `${base.host} hung up in the middle of the TLS handshake`
      : `${base.host} refused the TLS handshake (${code ?? 'unknown'})`,
    facts: { code: code ?? null },
    hint: closed
      ? `something in between may forbid the name ${base.hostname}; if this is no TLS port: ocl ping ${registry} --plain-http ${registry}`
      : 'the registry may want a client certificate, or a version of TLS that this machine does not have',
  };
}

function reasonOf(problem: string, { base }: Case, chain: readonly SeenCertificate[]): string {
  const [own] = chain;
  if (UNTRUSTED.has(problem)) return `its certificate comes from ${authorityOf(chain)}, which is not trusted here`;
  if (problem === 'CERT_HAS_EXPIRED')
    return `its certificate has expired${own === undefined ? '' : `, on ${dayOf(expired(chain).until)}`}`;
  if (problem === 'CERT_NOT_YET_VALID') return `its certificate is not valid before ${dayOf(own?.from ?? Number.NaN)}`;
  if (problem === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `its certificate is not for ${bareHost(base.hostname)}, but for ${own?.names.slice(0, 5).join(', ') || 'no name at all'}`;
  return `its certificate is not taken (${problem})`;
}

function hintFor(problem: string, { registry, base }: Case, chain: readonly SeenCertificate[]): string {
  if (UNTRUSTED.has(problem))
    return `put the certificate of that authority (PEM; who keeps the network has it) into /etc/containers/certs.d/${registry}/ca.crt, or: ocl ping ${registry} --cert-dir DIR`;
  if (problem === 'CERT_HAS_EXPIRED')
    return `the registry needs a new certificate; check also the clock of this machine: date`;
  if (problem === 'CERT_NOT_YET_VALID') return 'check the clock of this machine: date';
  const name = chain[0]?.names.find((each) => !each.startsWith('*'));
  if (problem === 'ERR_TLS_CERT_ALTNAME_INVALID' && name !== undefined)
    return `use the name that it is for: ocl ping ${name}${base.port === '' ? '' : `:${base.port}`}`;
  return `take any certificate, where you know the network: ocl ping ${registry} --insecure ${registry}`;
}

/** Who signed the last certificate that is known: a box that looks into TLS is recognised by this name. */
function authorityOf(chain: readonly SeenCertificate[]): string {
  const last = chain.at(-1);
  if (last === undefined) return 'nobody';
  return chain.length === 1 && last.subject === last.issuer ? `itself (${last.subject})` : `"${last.issuer}"`;
}

function expired(chain: readonly SeenCertificate[]): { readonly until: number } {
  return chain.reduce((first, each) => (each.until < first.until ? each : first), { until: Number.POSITIVE_INFINITY });
}

function describe({ subject, issuer, from, until, names, fingerprint }: SeenCertificate): string[] {
  return [
    subject,
    `  issued by ${issuer}`,
    `  from ${dayOf(from)} until ${dayOf(until)}${names.length === 0 ? '' : `, for ${names.slice(0, 10).join(', ')}`}`,
    `  sha256 ${fingerprint}`,
  ];
}

function dateOf(time: number): string | null {
  return Number.isFinite(time) ? new Date(time).toISOString() : null;
}

function dayOf(time: number): string {
  return dateOf(time)?.slice(0, 10) ?? 'an unknown day';
}
