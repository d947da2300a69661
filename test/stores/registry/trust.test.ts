import { createServer, type Server } from 'node:https';
import { type AddressInfo } from 'node:net';
import { type TLSSocket } from 'node:tls';
import { afterEach, expect, it } from 'vitest';
import { type HostSettings } from '../../../src/stores/registry/hosts.ts';
import { Trust } from '../../../src/stores/registry/trust.ts';
import { createAuthority } from '../../support/certificates.ts';
import { cleanUp, connectTo, listAll, readAll, repository } from './harness.ts';
import { describe as describeBytes } from '../../../src/io/verify.ts';

const servers: Server[] = [];
afterEach(async () => {
  await cleanUp();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

const company = createAuthority('company');
const stranger = createAuthority('stranger');
const client = company.client('me');
const content = Buffer.from('content');
const blob = describeBytes(content, 'application/octet-stream');

interface Visit {
  readonly path: string;
  /** The name in the certificate that was shown. */
  readonly shown: unknown;
}

async function serveTls(
  signer = company,
  answer: (path: string, authorization: string | undefined) => [number, Record<string, string>, (Buffer | string)?],
): Promise<{ host: string; visits: Visit[] }> {
  const visits: Visit[] = [];
  const pair = signer.server(['localhost', '127.0.0.1']);
  const server = createServer({ ...pair, requestCert: true, rejectUnauthorized: false }, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    visits.push({ path: request.url?.split('?')[0] ?? '', shown: subject?.CN });
    const [status, headers, body] = answer(request.url ?? '', request.headers.authorization);
    response.writeHead(status, headers).end(body);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, visits };
}

/** A registry whose token server and contents are on other hosts. */
async function split(signer = company, settings: HostSettings = {}, others: Record<string, HostSettings> = {}) {
  const tokens = await serveTls(signer, () => [200, {}, '{"token":"t"}']);
  const storage = await serveTls(signer, () => [200, {}, content]);
  const registry = await serveTls(company, (path, authorization) => {
    const challenge = `Bearer realm="https://${tokens.host}/token"`;
    if (authorization !== 'Bearer t') return [401, { 'www-authenticate': challenge }];
    if (path.includes('/tags/')) return [200, {}, '{"tags":["v1"]}'];
    return [307, { location: `https://${storage.host}/content` }];
  });
  const own = { ca: [company.cert], clientCert: client.cert, clientKey: client.key, ...settings };
  const hosts = new Map<string, HostSettings>([[registry.host, own]]);
  for (const [name, each] of Object.entries(others)) hosts.set(name === 'tokens' ? tokens.host : storage.host, each);
  const app = repository(connectTo({ hosts, retry: ONCE }), registry.host);
  return { app, tokens, storage, registry };
}

const ONCE = { tries: 1, firstPause: 1, longestPause: 1, patience: 1, statuses: new Set<number>() };

it("a registry's authorities count for its token server and its storage, and its certificate of the client does not go there", async () => {
  const { app, tokens, storage, registry } = await split();
  expect(await listAll(app.tags())).toEqual(['v1']);
  expect(await readAll(await app.open(blob))).toEqual(content);
  expect(new Set(registry.visits.map(({ shown }) => shown))).toEqual(new Set(['me']));
  expect([...tokens.visits, ...storage.visits].map(({ shown }) => shown)).toEqual([undefined, undefined]);
});

it('any certificate is taken of the registry that it was said of, and of no other host', async () => {
  const { app } = await split(stranger, { tls: 'insecure' });
  await expect(listAll(app.tags())).rejects.toMatchObject({
    code: 'OCL_UNREACHABLE',
    message: expect.stringContaining('not trusted here'),
  });
});

it('what is set for a host counts, whoever leads there', async () => {
  // A directory of certificates may be for all hosts, its pair of the client included.
  const all = { ca: [stranger.cert], clientCert: client.cert, clientKey: client.key };
  const { app, storage } = await split(stranger, {}, { tokens: { tls: 'insecure' }, storage: all });
  expect(await readAll(await app.open(blob))).toEqual(content);
  expect(storage.visits).toEqual([{ path: '/content', shown: undefined }]);
});

it('hosts of which nothing is set share their connections', () => {
  const trust = new Trust('r.example', { ca: ['pem'] }, new Map());
  const settings = ['https://a.example/', 'https://b.example:1/'].map((url) => trust.tlsFor(new URL(url)));
  expect(settings[0]).toEqual({ ca: ['pem'] });
  expect(settings[1]).toBe(settings[0]);
});
