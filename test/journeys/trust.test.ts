import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { createAuthority, type Authority } from '../support/certificates.ts';
import { ocl, oclDone } from '../support/cli.ts';
import { startConnectProxy, type ConnectProxy } from '../support/connectProxy.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import { digestsIn, image, noise, piece, put } from '../support/graphs.ts';
import { layoutOptions, temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const graph = image({ layers: [piece(noise(3 << 20, 8), LAYER)] });
const authority = createAuthority('Company Root');
const staff = createAuthority('Staff');
const cleanups: (() => Promise<unknown>)[] = [];
let registry: Embedded;
let proxy: ConnectProxy;
/** A registry that a company would have: its own authority, behind a proxy with a password. */
let host: string;
/** The same one for those alone who show a certificate. */
let guarded: string;
let env: Record<string, string>;

/** A TLS server before the registry; `prefix` stands before every repository there. */
async function front(clients: Authority | undefined, prefix: string, seen: string[]): Promise<string> {
  const wanted = clients !== undefined;
  const options = { ...authority.server(['registry.example']), requestCert: wanted, rejectUnauthorized: wanted };
  const server = createServer({ ...options, ca: clients?.cert }, (incoming, answer) => {
    seen.push(`${incoming.method} ${incoming.url}`);
    const path = (incoming.url ?? '').replace(`/v2/${prefix}`, '/v2/');
    const { method } = incoming;
    const headers = { ...incoming.headers, host: registry.host };
    const onward = request({ host: '127.0.0.1', port: registry.port, method, path, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 500, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    incoming.pipe(onward);
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve))));
  return `registry.example:${(server.address() as AddressInfo).port}`;
}

async function write(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await temporary();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

const direct: string[] = [];
const shown: string[] = [];

beforeAll(async () => {
  const library = createMemoryLibrary();
  await put(await library.sink('app'), graph, '1');
  registry = await startEmbedded(library);
  proxy = await startConnectProxy({ login: 'me:secret' });
  [host, guarded] = [await front(undefined, 'cache/', direct), await front(staff, '', shown)];
  env = { HTTPS_PROXY: proxy.url.replace('//', '//me:secret@') };
});

afterAll(async () => {
  for (const cleanup of cleanups) await cleanup();
  await proxy.close();
  await registry.close();
});

describe('a registry with an authority of its own, behind a proxy', () => {
  it('is refused by name, with what to do and without the password of the proxy', async () => {
    const { status, stderr } = await ocl(['tag', 'ls', `${host}/app`], { env });
    expect(status).not.toBe(0);
    expect(stderr).toContain('signed by "Company Root", an authority that is not trusted here');
    expect(stderr).toContain(`/etc/containers/certs.d/${host}/ca.crt`);
    expect(stderr).not.toContain('secret');
    expect(direct).toEqual([]);
  });

  it('is reached where its authority stands in a file, a directory, or is not asked for', async () => {
    const home = await write({ [`.config/containers/certs.d/${host}/ca.crt`]: authority.cert });
    const chosen = await write({ 'company.crt': authority.cert });
    const ways: [readonly string[], Record<string, string>][] = [
      [[], { HOME: home }],
      [['--cert-dir', chosen], {}],
      [[], { SSL_CERT_FILE: join(chosen, 'company.crt') }],
      [[], { NODE_EXTRA_CA_CERTS: join(chosen, 'company.crt') }],
      [['--insecure', host], {}],
    ];
    const results = await Promise.all(
      ways.map(([options, more]) => oclDone(['tag', 'ls', `${host}/app`, ...options], { env: { ...env, ...more } })),
    );
    expect(results.map(({ stdout }) => stdout)).toEqual(ways.map(() => '1\n'));
    expect(proxy.lines.every((line) => line === `CONNECT ${host}`)).toBe(true);
  });

  it('that wants certificates of clients gets and gives large contents', async () => {
    const { cert, key } = staff.client('ci');
    const dir = await write({ 'ca.crt': authority.cert, 'client.cert': cert, 'client.key': key });
    const out = await temporary();
    const from = `${guarded}/app:1`;
    const refused = await ocl(['copy', from, `ocidir://${out}/app:1`, '--cert-dir', join(dir, 'missing')], { env });
    expect(refused.stderr).toContain(join(dir, 'missing'));
    await oclDone(['copy', from, `ocidir://${out}/app:1`, '--cert-dir', dir], { env });
    await oclDone(['copy', `ocidir://${out}/app:1`, `${guarded}/back:2`, '--cert-dir', dir], { env });
    const tags = await oclDone(['tag', 'ls', `${guarded}/back`, '--cert-dir', dir], { env });
    expect(tags.stdout).toBe('2\n');
    expect(shown.some((line) => line.startsWith('PUT /v2/back/blobs/uploads/'))).toBe(true);
  });
});

describe('a sync file', () => {
  it('names aliases, path prefixes, certificates and mirrors', async () => {
    const out = await temporary();
    const { cert, key } = staff.client('ci');
    const text = (pem: string): string => JSON.stringify(pem);
    const file = join(await temporary(), 'sync.yaml');
    await writeFile(
      file,
      `version: 1
creds:
  - registry: hub.example
    hostname: ${guarded}
    regcert: ${text(authority.cert)}
    mirrors: [cache.example]
  - registry: cache.example
    hostname: ${host}
    regcert: ${text(authority.cert)}
    pathPrefix: /cache/
  - registry: staff.example
    hostname: ${guarded}
    regcert: ${text(authority.cert)}
    clientCert: ${text(cert)}
    clientKey: ${text(key)}
sync:
  - {source: "hub.example/app:1", target: "ocidir://${out}/one:1", type: image}
  - {source: "staff.example/app:1", target: "ocidir://${out}/two:1", type: image}
`,
    );
    direct.splice(0);
    const { stderr } = await oclDone(['sync', '-c', file], { env });
    expect(stderr).not.toContain('not acted upon');
    for (const name of ['one', 'two']) {
      const layout = await openLayout(join(out, name), layoutOptions());
      expect(await digestsIn(layout)).toEqual(graph.pieces.map(({ descriptor }) => descriptor.digest).toSorted());
      await layout.close();
    }
    const asked = direct.filter((line) => line.includes('/v2/cache/app/'));
    expect(asked.length).toBeGreaterThanOrEqual(3);
    expect(asked.every((line) => line.includes(`ns=${encodeURIComponent(guarded)}`))).toBe(true);
  });
});
