import { type Readable } from 'node:stream';
import { printable, redact } from '../../../core/redact.ts';
import { connectToAny, bareHost, portOf } from '../../../io/probe.ts';
import { shakeHands } from '../../../io/probeTls.ts';
import { ConnectionError } from '../../../io/connectionError.ts';
import { header, type HttpResponse } from '../../../io/httpMessages.ts';
import { RETRY } from '../../../io/retry.ts';
import { parseChallenges, type Challenge } from '../auth/challenge.ts';
import { type Credential } from '../auth/credentials.ts';
import { RepositoryPaths } from '../paths.ts';
import { checkRealm } from '../auth/realm.ts';
import { createFetchToken } from '../auth/token.ts';
import { Trust } from '../trust.ts';
import { type Case, type Check, type Finding } from './step.ts';

/** From the first answer of a registry to a login that it takes. */
export const API_CHECKS: readonly Check[] = [
  { step: 'api', run: askApi, hint: () => 'check that the registry is well: its log says more' },
  { step: 'challenge', run: readChallenge },
  { step: 'credentials', run: findCredential, hint: ({ registry }) => `ocl login ${registry}` },
  { step: 'token', run: fetchToken, hint: ({ registry }) => `ocl login ${registry}` },
];

/** Bytes of an answer that are looked at. */
const LOOK = 16 << 10;
const MAX_TEXT = 200;

/** GET /v2/ as somebody unknown. 200 and 401 are what a registry answers (distribution-spec, "Determining Support"). */
async function askApi(on: Case, signal: AbortSignal): Promise<Finding> {
  const { base, http, tls } = on;
  // The way has been seen to be open; the client opens its own.
  on.socket?.destroy();
  on.socket = undefined;
  let answer: HttpResponse;
  try {
    answer = await http.request({ method: 'GET', url: new URL('v2/', base), tls, signal });
  } catch (error) {
    if (error instanceof ConnectionError && (await speaksTls(on, signal))) return tlsExpected(on);
    throw error;
  }
  const { status, headers } = answer;
  const bytes = await firstBytes(answer.body);
  const said = (name: string): string | null => shown(header(headers, name));
  const facts = {
    url: `${base.href}v2/`,
    status,
    server: said('server'),
    apiVersion: said('docker-distribution-api-version'),
    contentType: said('content-type'),
  };
  on.challenges = parseChallenges(headers.get('www-authenticate') ?? []);
  const says = `GET ${facts.url} answers ${status}${facts.server === null ? '' : `, server ${facts.server}`}`;
  const isPage = /html/i.test(facts.contentType ?? '') || /^\s*<(?:!doctype|html)/i.test(bytes.toString('latin1'));
  if (status === 401 && (on.challenges.length > 0 || !isPage)) return { says, facts };
  if (status === 200 && !isPage) return { says, facts };
  if (status === 400 && (await speaksTls(on, signal))) return { ...tlsExpected(on), facts };
  if (status >= 300 && status < 400) return { ...moved(on, said('location')), facts };
  if (!isPage && status !== 404)
    return { ok: false, says: `${says}: ${wordsOf(bytes)}`, facts, hint: hintFor(on, status) };
  const what = isPage ? `a web page${titleOf(bytes)}` : 'that there is nothing at this address';
  return {
    ok: false,
    says: `${base.host} answers ${status} with ${what}: no registry is there`,
    facts,
    hint: `check name and port; a page of a portal or proxy may stand in between: curl -i ${facts.url}`,
  };
}

function hintFor({ registry, proxy }: Case, status: number): string {
  if (proxy !== undefined && [403, 407, 502, 503, 504].includes(status))
    return `the proxy ${proxy.url.host} may be who says so; without it: no_proxy=${registry} ocl ping ${registry}`;
  if (status === 429) return `wait, or see what is left: ocl ratelimit ${registry}`;
  if (status === 403) return 'ask who keeps the registry whether this network may reach it';
  return 'ask who keeps the registry: its log says more';
}

function moved({ registry, base }: Case, location: string | null): Finding {
  const target = location !== null && URL.canParse(location, base.href) ? new URL(location, base) : undefined;
  const secure = target?.protocol === 'https:' && target.hostname === base.hostname && base.protocol === 'http:';
  return {
    ok: false,
    says: `${base.host} sends callers on to ${location ?? 'nowhere'}`,
    facts: {},
    hint: secure
      ? `leave --plain-http and tls: disabled away: ocl ping ${registry}`
      : `use the name of the registry itself${target === undefined ? '' : `: ocl ping ${shown(target.host) ?? ''}`}`,
  };
}

/** Whether plain http was spoken to a port that wants TLS. */
async function speaksTls(on: Case, signal: AbortSignal): Promise<boolean> {
  const { base, proxy, addresses } = on;
  if (base.protocol !== 'http:' || proxy !== undefined) return false;
  const { socket } = await connectToAny(addresses, portOf(base), signal);
  if (socket === undefined) return false;
  const probe = { socket, host: bareHost(base.hostname), context: undefined };
  return shakeHands(probe, signal).then(
    () => true,
    () => false,
  );
}

function tlsExpected({ registry, base, settings }: Case): Finding {
  const asked = settings.tls === 'disabled';
  return {
    ok: false,
    says: `${base.host} speaks TLS, and plain http was spoken to it`,
    facts: { tls: true },
    hint: asked
      ? `leave --plain-http and tls: disabled away: ocl ping ${registry}`
      : `hosts of this machine are taken to speak http, unless they have certificates: ocl ping ${registry} --cert-dir DIR, or --insecure ${registry}`,
  };
}

function readChallenge({ challenges, registry }: Case): Finding {
  const [first] = challenges;
  if (first === undefined) return { says: 'no login is asked for', facts: { schemes: [] } };
  const bearer = bearerOf(challenges);
  const schemes = [...new Set(challenges.map(({ scheme }) => scheme))].map((scheme) => shown(scheme));
  const realm = shown((bearer ?? first).params.get('realm'));
  const service = shown((bearer ?? first).params.get('service'));
  const facts = { schemes, realm, service };
  if (bearer === undefined && !offersBasic(challenges))
    return {
      ok: false,
      says: `${registry} wants logins of a kind that is not known here: ${schemes.join(', ')}`,
      facts,
      hint: 'a registry takes Basic or Bearer: ask who keeps it, or the proxy before it',
    };
  const at = bearer === undefined ? '' : ` at ${realm ?? ''}${service === null ? '' : `, service ${service}`}`;
  return { says: `a login is asked for: ${schemes.join(', ')}${at}`, facts };
}

async function findCredential(on: Case): Promise<Finding> {
  const { credentials, registry, image, challenges } = on;
  on.found = await credentials.locate?.(registry, image?.repository);
  if (on.found !== undefined) {
    const { credential, source } = on.found;
    const account = shown(accountOf(credential));
    const where = printable(source.where);
    const facts = { account, kind: credential.kind, source: source.kind, where };
    return { says: `${account ?? 'a token'}, from ${where}`, facts };
  }
  const facts = { account: null, kind: null, source: null, where: null };
  if (challenges.length === 0 || bearerOf(challenges) !== undefined)
    return { says: 'none: the registry sees somebody unknown', facts };
  return {
    ok: false,
    says: `${registry} wants a login, and none is kept here`,
    facts,
    hint: `ocl login ${registry}`,
  };
}

/** The token server, as the registry names it. */
async function fetchToken(on: Case, signal: AbortSignal): Promise<Finding | undefined> {
  const bearer = bearerOf(on.challenges);
  if (bearer === undefined || on.found?.credential.kind === 'bearer') return undefined;
  const { registry, base, settings, hosts, http, clock } = on;
  const realm = checkRealm(bearer.params.get('realm') ?? '', base);
  const fetch = createFetchToken({
    http,
    clock,
    trust: new Trust(registry, settings, hosts),
    base,
    retry: ONCE,
    signal,
  });
  const scopes = scopesOf(on);
  const facts = { realm: realm.href, scopes };
  const now = clock.now();
  const credential = on.found?.credential;
  const token = await fetch({ registry, realm, service: bearer.params.get('service'), scopes, credential });
  const who = credential === undefined ? 'somebody unknown' : (shown(accountOf(credential)) ?? 'the token');
  const seconds = Math.round((token.renewAt - now) / 1000);
  return { says: `${realm.host} gives ${who} a token, used for ${seconds} s`, facts: { ...facts, seconds } };
}

/** A person is told at once what a run would try again. */
export const ONCE = { ...RETRY, tries: 1 };

function scopesOf({ registry, image, settings, push }: Case): readonly string[] {
  if (image === undefined) return [];
  const paths = new RepositoryPaths(registry, image.repository, settings.pathPrefix);
  return (push === true ? paths.push : paths.pull).scopes;
}

function bearerOf(challenges: readonly Challenge[]): Challenge | undefined {
  return challenges.find(({ scheme, params }) => scheme === 'bearer' && params.has('realm'));
}

function offersBasic(challenges: readonly Challenge[]): boolean {
  return challenges.some(({ scheme }) => scheme === 'basic');
}

function accountOf(credential: Credential): string | undefined {
  return credential.kind === 'bearer' ? undefined : credential.username;
}

function shown(text: string | undefined): string | null {
  return text === undefined ? null : printable(redact(text.slice(0, MAX_TEXT)));
}

function titleOf(bytes: Buffer): string {
  const title = /<title[^>]{0,100}>([^<]{1,100})/i.exec(bytes.toString('utf8'))?.[1]?.trim();
  return title === undefined ? '' : ` (${printable(title.replaceAll(/\s+/g, ' '))})`;
}

/** What a body says for itself, in one line. */
function wordsOf(bytes: Buffer): string {
  const line = bytes.toString('utf8').slice(0, MAX_TEXT).replaceAll(/\s+/g, ' ').trim();
  return line === '' ? 'without a word' : printable(redact(line));
}

/** Some of a body; one that breaks gives what came. */
async function firstBytes(body: Readable): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      chunks.push(chunk.slice(0, LOOK - bytes));
      bytes += chunk.length;
      if (bytes >= LOOK) break;
    }
  } catch {
    // The status is the news.
  } finally {
    body.destroy();
  }
  return Buffer.concat(chunks);
}
