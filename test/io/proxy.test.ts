import { expect, it } from 'vitest';
import { proxyFor } from '../../src/io/proxy.ts';

const settings = {
  http: 'http://proxy:1',
  https: 'http://proxy:2',
  except: 'plain.example, .dotted.example,*.star.example port.example:8080 10.0.0.0/8 192.168.1.5 fd00::/8,bad/99',
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
