import { describe, expect, it } from 'vitest';
import { parseProxy, proxyFor, proxySettings } from '../../src/io/proxy.ts';

const settings = {
  http: 'http://proxy:1',
  https: 'http://proxy:2',
  except:
    'plain.example, .dotted.example,*.star.example port.example:8080 10.0.0.0/8 192.168.1.5 fd00::/8,bad/99 [2001:DB8:0::5]:5000 2001:db8:0:0::6',
};

it.each([
  ['http://registry.example/', 'http://proxy:1'],
  ['https://registry.example/', 'http://proxy:2'],
  ['https://plain.example/', undefined],
  ['https://PLAIN.example:5000/', undefined],
  ['https://sub.plain.example/', undefined],
  ['https://notplain.example/', 'http://proxy:2'],
  ['https://a.dotted.example/', undefined],
  ['https://a.star.example/', undefined],
  ['https://port.example:8080/', undefined],
  ['https://port.example/', 'http://proxy:2'],
  ['https://10.1.2.3/', undefined],
  ['https://11.1.2.3/', 'http://proxy:2'],
  ['https://192.168.1.5/', undefined],
  ['https://192.168.1.50/', 'http://proxy:2'],
  ['https://[fd00::1]:5000/', undefined],
  ['https://[fe00::1]/', 'http://proxy:2'],
  ['https://[2001:db8::5]:5000/', undefined],
  ['https://[2001:db8::5]/', 'http://proxy:2'],
  ['https://[2001:db8::6]:7/', undefined],
  ['https://plain.example./', undefined],
  ['https://127.evil.example/', 'http://proxy:2'],
  ['http://localhost:5000/', undefined],
  ['http://127.0.0.1:5000/', undefined],
  ['http://[::1]:5000/', undefined],
])('%s goes through %s', (url, proxy) => expect(proxyFor(new URL(url), settings)).toBe(proxy));

it('knows exceptions from everything, and no proxies at all', () => {
  expect(proxyFor(new URL('https://a.example/'), { https: 'http://p', except: '*' })).toBeUndefined();
  expect(proxyFor(new URL('https://a.example/'), { http: 'http://p' })).toBeUndefined();
  expect(proxyFor(new URL('https://a.example/'), { https: '' })).toBeUndefined();
  expect(proxyFor(new URL('https://a.example/'), undefined)).toBeUndefined();
});

describe('the variables of an environment', () => {
  it.each([
    [
      { https_proxy: 'a', HTTPS_PROXY: 'b', NO_PROXY: 'c' },
      { https: 'a', except: 'c' },
    ],
    [{ https_proxy: '', HTTPS_PROXY: 'b' }, { https: 'b' }],
    [
      { ALL_PROXY: 'a', http_proxy: 'b' },
      { http: 'b', https: 'a' },
    ],
    [
      { all_proxy: 'a', ALL_PROXY: 'b' },
      { http: 'a', https: 'a' },
    ],
    [{ HTTP_PROXY: 'a' }, { http: 'a' }],
    [{ HTTP_PROXY: 'a', REQUEST_METHOD: 'GET' }, {}],
    [
      { http_proxy: 'a', HTTPS_PROXY: 'b', REQUEST_METHOD: 'GET' },
      { http: 'a', https: 'b' },
    ],
    [{}, {}],
  ])('%j mean %j', (env, settings) => expect(proxySettings(env)).toEqual({ http: undefined, ...settings }));
});

it.each([
  ['proxy.example:3128', 'http://proxy.example:3128/', undefined],
  ['http://me:p%40ss@proxy.example', 'http://proxy.example/', 'me:p@ss'],
  ['https://me:100%@[fd00::1]:3128/path?x', 'https://[fd00::1]:3128/', 'me:100%'],
  ['http://me@proxy.example', 'http://proxy.example/', 'me:'],
])('%s is the proxy %s', (text, href, login) => {
  const { url, authorization } = parseProxy(text, new URL('https://registry.example/'));
  expect(url.href).toBe(href);
  const sent = Buffer.from((authorization ?? '').replace('Basic ', ''), 'base64').toString();
  expect(sent === '' ? undefined : sent).toBe(login);
});
