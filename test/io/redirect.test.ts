import { describe, expect, it } from 'vitest';
import { isCode } from '../../src/core/errors.ts';
import { isRedirect, nextHop, readTarget, withoutSecrets } from '../../src/io/redirect.ts';

const from = new URL('https://registry.example/v2/app/blobs/x');

describe('where a redirect may lead', () => {
  it.each([
    ['/other?sig=1', 'https://registry.example/other?sig=1', true],
    ['https://registry.example:443/y', 'https://registry.example/y', true],
    ['https://REGISTRY.example/y', 'https://registry.example/y', true],
    ['https://registry.example:8443/y', 'https://registry.example:8443/y', false],
    ['https://cdn.example/y#part', 'https://cdn.example/y', false],
    ['//cdn.example/y', 'https://cdn.example/y', false],
    ['https://registry.example.evil.example/y', 'https://registry.example.evil.example/y', false],
  ])('%s', (location, href, sameOrigin) => {
    const hop = nextHop([from], location);
    expect(hop.url.href).toBe(href);
    expect(hop.sameOrigin).toBe(sameOrigin);
  });

  it.each([
    ['http://registry.example/y', 'OCL_UNSAFE'],
    ['file:///etc/passwd', 'OCL_UNSAFE'],
    ['ftp://registry.example/y', 'OCL_UNSAFE'],
    ['data:text/plain,x', 'OCL_UNSAFE'],
    ['javascript:alert(1)', 'OCL_UNSAFE'],
    ['https://user:pass@cdn.example/', 'OCL_UNSAFE'],
    ['https://user@registry.example/', 'OCL_UNSAFE'],
    ['https://169.254.169.254/latest/meta-data', 'OCL_UNSAFE'],
    ['https://2852039166/', 'OCL_UNSAFE'],
    ['https://[fd00:ec2::254]/', 'OCL_UNSAFE'],
    ['https://[64:ff9b::a9fe:a9fe]/', 'OCL_UNSAFE'],
    ['https://192.0.0.192/', 'OCL_UNSAFE'],
    ['https://[::ffff:169.254.169.254]/', 'OCL_UNSAFE'],
    ['https://metadata.google.internal./computeMetadata/v1/', 'OCL_UNSAFE'],
    ['https://[', 'OCL_REGISTRY'],
    ['', 'OCL_REGISTRY'],
    [undefined, 'OCL_REGISTRY'],
    ['https://registry.example/v2/app/blobs/x', 'OCL_REGISTRY'],
  ] as const)('not to %s', (location, code) => {
    expect(() => nextHop([from], location)).toThrow(expect.toSatisfy((error) => isCode(error, code)));
  });

  it('goes from http up to https, as a stranger', () => {
    const hop = nextHop([new URL('http://registry.example/y')], 'https://registry.example/y');
    expect(hop.sameOrigin).toBe(false);
  });

  it('stays within a network without names', () => {
    const local = new URL('http://169.254.7.7:5000/y');
    expect(nextHop([local], 'http://169.254.7.7:9000/y').url.port).toBe('9000');
  });

  it('does not trust a way back', () => {
    const trail = [from, new URL('https://evil.example/y')];
    expect(nextHop(trail, 'https://registry.example/z').sameOrigin).toBe(false);
  });

  it('ends after ten hops', () => {
    const trail = [from];
    for (let hops = 1; hops <= 10; hops++) trail.push(nextHop(trail, `/hop${hops}`).url);
    expect(() => nextHop(trail, '/hop11')).toThrow(/more than 10 redirects/);
  });

  it('sees circles', () => {
    const trail = [from, new URL('https://cdn.example/a'), new URL('https://cdn.example/b')];
    expect(() => nextHop(trail, '/a')).toThrow(/circle/);
  });

  it('shows control characters of a target as escapes', () => {
    expect(() => readTarget('evil:\u001b[2J', from)).toThrow(/\\\\u\{1b\}/);
  });
});

describe('what is followed', () => {
  it.each([301, 302, 303, 307, 308])('GET and HEAD follow %i', (status) => {
    expect(isRedirect(status, 'GET')).toBe(true);
    expect(isRedirect(status, 'HEAD')).toBe(true);
  });
  it('others follow what keeps the body', () => {
    expect([301, 302, 303, 307, 308].filter((status) => isRedirect(status, 'PUT'))).toEqual([307, 308]);
    expect(isRedirect(304, 'GET')).toBe(false);
    expect(isRedirect(300, 'GET')).toBe(false);
  });
});

it('keeps secrets at home', () => {
  expect(withoutSecrets({ accept: 'x', authorization: 'Bearer y', Cookie: 'z', range: 'bytes=1-' })).toEqual({
    accept: 'x',
    range: 'bytes=1-',
  });
});
