import { describe, expect, it } from 'vitest';
import { isCode } from '../../../../src/core/errors.ts';
import { isInternal, isLoopback } from '../../../../src/io/addresses.ts';
import { checkRealm, Realms } from '../../../../src/stores/registry/auth/realm.ts';

const overTls = new URL('https://registry.example/');
const plain = new URL('http://127.0.0.1:5000/');

describe('token servers', () => {
  it.each([
    ['https://auth.docker.io/token', overTls, 'https://auth.docker.io/token'],
    ['https://auth.docker.io:8443/token?x=1#y', overTls, 'https://auth.docker.io:8443/token?x=1'],
    ['/token', overTls, 'https://registry.example/token'],
    ['https://1.1.1.1/token', overTls, 'https://1.1.1.1/token'],
    ['http://127.0.0.1:5001/token', plain, 'http://127.0.0.1:5001/token'],
    ['http://localhost:5001/token', plain, 'http://localhost:5001/token'],
    ['https://auth.example/token', plain, 'https://auth.example/token'],
    ['https://10.0.0.5:8443/token', new URL('https://10.0.0.5/'), 'https://10.0.0.5:8443/token'],
  ])('%s may be asked for %s', (realm, registry, href) => expect(checkRealm(realm, registry).href).toBe(href));

  it.each([
    'http://auth.example/token',
    'http://registry.example/token',
    'ftp://auth.example/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'https://user:pass@auth.example/',
    'https://user@registry.example/',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f.0.0.1/',
    'https://0177.0.0.1/',
    'https://localhost/',
    'https://LOCALHOST./',
    'https://a.localhost/',
    'https://0.0.0.0/',
    'https://10.1.2.3/',
    'https://172.16.0.1/',
    'https://172.31.255.255/',
    'https://192.168.0.1/',
    'https://100.64.0.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://[::1]/',
    'https://[::]/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[64:ff9b::a9fe:a9fe]/',
  ])('%s may not, for a registry on the internet', (realm) => {
    expect(() => checkRealm(realm, overTls)).toThrow(expect.toSatisfy((error) => isCode(error, 'OCL_UNSAFE')));
  });

  it.each(['http://10.0.0.1/', 'http://169.254.169.254/', 'http://[fd00::1]/'])(
    '%s may not, for a registry on this machine',
    (realm) => {
      expect(() => checkRealm(realm, plain)).toThrow(/private network/);
    },
  );

  it('nonsense is told as such', () => {
    expect(() => checkRealm('https://[', overTls)).toThrow(/is no URL/);
    expect(() => checkRealm('https://\u001b[2J/', overTls)).toThrow(/u\{1b\}/);
  });
});

describe('the token server of a service', () => {
  const first = 'https://auth.example/token';
  it.each([
    ['may be named again', first, 's', undefined],
    ['may have another query', `${first}?x=1`, 's', undefined],
    ['may not be another host', 'https://auth.other/token', 's', 'OCL_UNSAFE'],
    ['may not have another port', 'https://auth.example:8443/token', 's', 'OCL_UNSAFE'],
    ['may not have another path', 'https://auth.example/other', 's', 'OCL_UNSAFE'],
    ['may not move to the registry', '/token', 's', 'OCL_UNSAFE'],
    ['is not that of another service', 'https://auth.other/token', 'other', undefined],
    ['is not that of none', 'https://auth.other/token', undefined, undefined],
  ])('%s', (_name, realm, service, code) => {
    const realms = new Realms(overTls);
    realms.check(first, 's');
    const again = (): URL => realms.check(realm, service);
    if (code === undefined) expect(again().href).toBe(new URL(realm, overTls).href);
    else expect(again).toThrow(expect.toSatisfy((error) => isCode(error, 'OCL_UNSAFE')));
  });

  it('may have a path for each repository on the host of the registry itself', () => {
    const realms = new Realms(overTls);
    for (const repository of ['a', 'b']) {
      const path = `/artifactory/api/docker/${repository}/v2/token`;
      expect(realms.check(path, 's').pathname).toBe(path);
    }
  });

  it('is one of few', () => {
    const realms = new Realms(overTls);
    const nameMany = (): void => {
      for (let n = 0; n < 1000; n++) realms.check(first, `s${n}`);
    };
    expect(nameMany).toThrow(expect.toSatisfy((error) => isCode(error, 'OCL_LIMIT')));
  });
});

it('addresses are told apart', () => {
  expect(
    [
      '172.15.0.1',
      '172.32.0.1',
      '11.0.0.1',
      '8.8.8.8',
      'registry.example',
      '[2606:4700::1111]',
      'localhost.example',
    ].map(isInternal),
  ).toEqual(Array(7).fill(false));
  expect(['127.0.0.1', '127.255.0.9', 'localhost', '[::1]', '[::ffff:127.0.0.1]'].map(isLoopback)).toEqual(
    Array(5).fill(true),
  );
  expect(['10.0.0.1', '128.0.0.1', 'local', 'localhost.example'].map(isLoopback)).toEqual(Array(4).fill(false));
});
