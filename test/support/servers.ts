import { X509Certificate, randomUUID, sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anonymous, type Credential, type Credentials } from '../../src/stores/registry/auth/credentials.ts';
import { type HostSettings } from '../../src/stores/registry/hosts.ts';
import { createAuthority, type Pair } from './certificates.ts';
import { DOCKER_REGISTRY } from './dockerRegistry.ts';
import { DISTRIBUTION_3, distribution3 } from './goServers.ts';
import { NGINX, startNginx } from './nginx.ts';
import { peer } from './peers.ts';
import { startServe } from './processes.ts';
import { startDistribution, type DistributionOptions, type Running } from './serversDistribution.ts';
import { startTokenServer } from './tokenServer.ts';

/** A server that runs, and what a client needs to be let in. */
export interface Server extends Running {
  readonly settings: HostSettings;
  readonly credentials: Credentials;
}

export interface ServerKind {
  /** Heads its column in docs/registries.md. */
  readonly name: string;
  /** Why it is left out here: a program that is not installed. */
  readonly why: string | undefined;
  readonly start: () => Promise<Server>;
}

/** An account with what tools get wrong: a password beyond ASCII, with a colon. */
export const ACCOUNT = { kind: 'password', username: 'pusher', password: 'pässword:1' } as const satisfies Credential;
/** `htpasswd -nbBC 4` of it. */
const HTPASSWD = 'pusher:$2y$04$KMqBEnCR7sp.2d3nIKTcIOy8ngrlAI8gSMMRULYK.IGiKKRsqsILK\n';
/** What nginx takes as a body. */
const SMALL_BODY = 256 << 10;

const loggedIn: Credentials = { find: () => Promise.resolve(ACCOUNT) };
const debian = peer(DOCKER_REGISTRY);
const nginx = peer(NGINX, { probe: ['-v'] });
const v3 = distribution3();
const noDebian = debian.missing ? `${DOCKER_REGISTRY} is not installed` : undefined;

/** What runs beside each other in test/interop/registries.test.ts, in the order of the table. */
export const SERVERS: readonly ServerKind[] = [
  { name: 'ocl serve', why: undefined, start: serve },
  {
    name: 'docker-registry 2.8',
    why: noDebian,
    start: async () => open(await startDistribution(DOCKER_REGISTRY)),
  },
  {
    name: '2.8, password',
    why: noDebian,
    start: async () => ({
      ...open(await startDistribution(DOCKER_REGISTRY, { htpasswd: HTPASSWD })),
      credentials: loggedIn,
    }),
  },
  { name: '2.8, client certificate', why: noDebian, start: () => withCertificates(DOCKER_REGISTRY) },
  { name: '2.8, tokens', why: noDebian, start: () => withTokens(DOCKER_REGISTRY) },
  {
    name: '2.8 behind nginx',
    why: noDebian ?? (nginx.missing ? `${NGINX} is not installed` : undefined),
    start: behindNginx,
  },
  { name: 'distribution 3.0', why: v3, start: async () => open(await startDistribution(DISTRIBUTION_3)) },
  { name: '3.0, tokens', why: v3, start: () => withTokens(DISTRIBUTION_3) },
];

function open(running: Running): Server {
  return { ...running, settings: {}, credentials: anonymous };
}

async function serve(): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), 'ocl-served-'));
  const served = await startServe(join(directory, 'library'));
  return open({
    host: served.host,
    async stop() {
      await served.stop();
      await rm(directory, { recursive: true, force: true });
    },
  });
}

/** TLS of a private authority, for clients of that authority alone. */
async function withCertificates(program: string): Promise<Server> {
  const authority = createAuthority();
  const client = authority.client('pusher');
  const tls = { ...authority.server(['127.0.0.1']), authority: authority.cert };
  return {
    ...open(await startDistribution(program, { tls })),
    settings: { tls: 'enabled', ca: [authority.cert], clientCert: client.cert, clientKey: client.key },
  };
}

/** Tokens of a server of the tests, each for the scopes that were asked for, which the registry checks by itself. */
async function withTokens(program: string): Promise<Server> {
  const authority = createAuthority();
  const signer = authority.client('token server');
  const tokens = await startTokenServer({
    clock: { now: () => Date.now() },
    accounts: { [ACCOUNT.username]: ACCOUNT.password },
    anonymous: false,
    mint: (scopes, issued, until) => signedToken(signer, { aud: 'test', scopes, issued, until }),
  });
  const token: DistributionOptions['token'] = { realm: tokens.realm, service: 'test', authority: authority.cert };
  const registry = await startDistribution(program, { token });
  return {
    ...open({
      host: registry.host,
      async stop() {
        await registry.stop();
        await tokens.close();
      },
    }),
    credentials: loggedIn,
  };
}

async function behindNginx(): Promise<Server> {
  const registry = await startDistribution(DOCKER_REGISTRY, { htpasswd: HTPASSWD });
  const login = `${ACCOUNT.username}:${ACCOUNT.password}`;
  const front = await startNginx({ upstream: registry.host, login, bodyBytes: SMALL_BODY });
  return {
    ...open({
      host: front.host,
      async stop() {
        await front.stop();
        await registry.stop();
      },
    }),
    credentials: loggedIn,
  };
}

/** A token as distribution reads it: a JWT by ES256 whose header has the signer's certificate. */
function signedToken(
  signer: Pair,
  claims: { readonly aud: string; readonly scopes: readonly string[]; readonly issued: number; readonly until: number },
): string {
  const access = claims.scopes.map((scope) => {
    const [, type, name, actions] = /^([^:]+):(.+):([^:]+)$/.exec(scope) ?? [];
    return { type, name, actions: actions?.split(',') };
  });
  const seconds = (ms: number): number => Math.floor(ms / 1000);
  const [issued, until] = [seconds(claims.issued), seconds(claims.until)];
  const x5c = [new X509Certificate(signer.cert).raw.toString('base64')];
  const payload = { iss: 'test', aud: claims.aud, sub: ACCOUNT.username, jti: randomUUID(), access };
  const parts = [
    { typ: 'JWT', alg: 'ES256', x5c },
    { ...payload, iat: issued, nbf: issued - 5, exp: until },
  ];
  const text = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  const signature = sign('sha256', Buffer.from(text), { key: signer.key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}
