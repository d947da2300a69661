import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withCertificates } from '../../../src/stores/registry/certs.ts';
import { endpointOf, type HostSettings } from '../../../src/stores/registry/hosts.ts';
import { createAuthority } from '../../support/certificates.ts';
import { temporaryDirectories } from '../../support/layouts.ts';

const temporary = temporaryDirectories();
const [one, two] = [createAuthority('one'), createAuthority('two')];
const { cert, key } = one.client('me');
const HOST = 'registry.example:5000';

async function tree(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await temporary();
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

function settingsOf(places: Parameters<typeof withCertificates>[1], given?: HostSettings, host = HOST): HostSettings {
  return withCertificates(new Map(given === undefined ? [] : [[host, given]]), places).get(host) ?? {};
}

function lines(text: string | undefined): string | undefined {
  return text?.trim();
}

describe('directories of certificates', () => {
  it('give authorities and a pair of the host, and of no other host', async () => {
    const root = await tree({
      [`${HOST}/ca.crt`]: `of the company\n${one.cert}${two.cert}`,
      [`${HOST}/client.cert`]: cert,
      [`${HOST}/client.key`]: key,
      [`${HOST}/README.txt`]: 'no certificate',
      'other.example/ca.crt': 'broken',
    });
    const settings = settingsOf({ perHost: [join(root, 'missing'), root] });
    expect(settings.ca?.map(lines)).toEqual([one.cert, two.cert].map(lines));
    expect([settings.clientCert, settings.clientKey].map(lines)).toEqual([cert, key].map(lines));
    expect(settingsOf({ perHost: [root] }, undefined, 'registry.example')).toEqual({});
  });

  it('are found by the name that is really dialled, too', async () => {
    const root = await tree({ [`${HOST}/ca.crt`]: one.cert, 'alias/ca.crt': two.cert });
    const { ca } = settingsOf({ perHost: [root] }, { hostname: HOST }, 'alias');
    expect(ca?.map(lines)).toEqual([two.cert, one.cert].map(lines));
  });

  it('add to what the settings say, which goes first', async () => {
    const root = await tree({ [`${HOST}/ca.crt`]: two.cert, [`${HOST}/a.cert`]: cert, [`${HOST}/a.key`]: key });
    const given = { ca: ['own'], clientCert: 'mine', clientKey: 'my key', pathPrefix: 'x' };
    const settings = settingsOf({ perHost: [root] }, given);
    expect(settings).toEqual({ ...given, ca: ['own', settings.ca?.[1]] });
    expect(lines(settings.ca?.[1])).toBe(lines(two.cert));
  });

  it('are not read for plain http', async () => {
    const root = await tree({ [`${HOST}/ca.crt`]: 'broken' });
    expect(settingsOf({ perHost: [root] }, { tls: 'disabled' })).toEqual({ tls: 'disabled' });
  });

  it('make a host of this machine one that speaks TLS', async () => {
    const root = await tree({ 'localhost:5000/ca.crt': one.cert });
    const hosts = withCertificates(new Map(), { perHost: [root] });
    expect(endpointOf('localhost:5000', hosts.get('localhost:5000') ?? {}).base.protocol).toBe('https:');
    expect(endpointOf('localhost:5001', hosts.get('localhost:5001') ?? {}).base.protocol).toBe('http:');
  });

  it('that were chosen hold for all hosts, or for one below them', async () => {
    const chosen = await tree({ 'all.crt': one.cert, [`${HOST}/ca.crt`]: two.cert });
    expect(settingsOf({ chosen, perHost: [] }).ca?.map(lines)).toEqual([two.cert, one.cert].map(lines));
    expect(settingsOf({ chosen, perHost: [] }, undefined, 'other.example').ca?.map(lines)).toEqual([lines(one.cert)]);
    for (const [name, why] of [
      ['missing', 'there is no such directory'],
      ['all.crt', 'it is no directory'],
    ] as const)
      expect(() => settingsOf({ chosen: join(chosen, name), perHost: [] })).toThrow(
        expect.objectContaining({ message: `Cannot use ${join(chosen, name)}: ${why}`, hint: expect.any(String) }),
      );
  });

  it('never lead out by the name of a host', async () => {
    const root = await tree({ 'ca.crt': 'broken', 'certs.d/readme': '' });
    expect(settingsOf({ perHost: [join(root, 'certs.d')] }, { hostname: '..' })).toEqual({ hostname: '..' });
  });
});

describe('what cannot be used names its file', () => {
  it.each([
    ['a certificate without its key', { 'client.cert': cert }, 'client.cert: client.key is missing'],
    ['a key without its certificate', { 'client.key': key }, 'client.key: client.cert is missing'],
    ['a text', { 'ca.crt': 'hello' }, 'ca.crt: it holds no certificate'],
    ['a damaged certificate', { 'ca.crt': one.cert.replace(/\nMI/, '\nAA') }, 'ca.crt: a certificate in it is damaged'],
    ['too large a file', { 'ca.crt': 'x'.repeat((1 << 20) + 1) }, 'ca.crt: it has more than'],
  ])('%s', async (_what, files, words) => {
    const root = await tree(Object.fromEntries(Object.entries(files).map(([name, text]) => [`${HOST}/${name}`, text])));
    expect(() => settingsOf({ perHost: [root] })).toThrow(
      expect.objectContaining({ code: 'OCL_CONFIG_INVALID', message: expect.stringContaining(words) }),
    );
  });

  it('too many of them', async () => {
    const root = await tree(Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`${HOST}/${i}.crt`, one.cert])));
    expect(() => settingsOf({ perHost: [root] })).toThrow(expect.objectContaining({ code: 'OCL_LIMIT' }));
  });

  it.skipIf(process.getuid?.() === 0)('one that may not be read', async () => {
    const root = await tree({ [`${HOST}/ca.crt`]: one.cert });
    await chmod(join(root, HOST, 'ca.crt'), 0);
    expect(() => settingsOf({ perHost: [root] })).toThrow(/ca\.crt/);
  });
});
