import { describe, expect, it } from 'vitest';
import { isLoopback } from '../../src/serve/hosts.ts';
import { page } from '../../src/serve/paging.ts';
import { readChunkRange, readRange } from '../../src/serve/range.ts';
import { route } from '../../src/serve/router.ts';

const D = `sha256:${'a'.repeat(64)}`;

describe('readRange', () => {
  it.each([
    [undefined, 10, { kind: 'whole' }],
    ['bytes=0-0', 10, { kind: 'part', start: 0, end: 0 }],
    ['bytes=2-4', 10, { kind: 'part', start: 2, end: 4 }],
    ['Bytes=2-4', 10, { kind: 'part', start: 2, end: 4 }],
    ['bytes=5-', 10, { kind: 'part', start: 5, end: 9 }],
    ['bytes=5-500', 10, { kind: 'part', start: 5, end: 9 }],
    ['bytes=-3', 10, { kind: 'part', start: 7, end: 9 }],
    ['bytes=-300', 10, { kind: 'part', start: 0, end: 9 }],
    ['bytes=-0', 10, { kind: 'unsatisfiable' }],
    ['bytes=10-', 10, { kind: 'unsatisfiable' }],
    ['bytes=5-2', 10, { kind: 'unsatisfiable' }],
    ['bytes=0-', 0, { kind: 'unsatisfiable' }],
    ['bytes=-5', 0, { kind: 'unsatisfiable' }],
    [`bytes=${'9'.repeat(400)}-`, 10, { kind: 'unsatisfiable' }],
    [`bytes=0-${'9'.repeat(400)}`, 10, { kind: 'part', start: 0, end: 9 }],
    ['bytes=0-1,3-4', 10, { kind: 'whole' }],
    ['bytes=-', 10, { kind: 'whole' }],
    ['bytes=a-b', 10, { kind: 'whole' }],
    ['lines=0-1', 10, { kind: 'whole' }],
    ['', 10, { kind: 'whole' }],
  ])('%s of %i bytes', (header, size, answer) => {
    expect(readRange(header, size)).toEqual(answer);
  });
});

describe('readChunkRange', () => {
  it.each([
    ['0-0', { start: 0, end: 0 }],
    ['10-19', { start: 10, end: 19 }],
    ['9-8', undefined],
    ['bytes 0-1', undefined],
    ['0-1/2', undefined],
    ['-1', undefined],
    ['0-', undefined],
    ['9999999999999999-9999999999999999', undefined],
    ['0-1, 2-3', undefined],
  ])('%s', (header, range) => {
    expect(readChunkRange(header)).toEqual(range);
  });
});

describe('route', () => {
  it.each([
    ['/v2/', { kind: 'ping' }],
    ['/v2', { kind: 'ping' }],
    ['/v2/_catalog', { kind: 'catalog' }],
    ['/v2/a/b/tags/list', { kind: 'tags', repository: 'a/b' }],
    ['/v2/a/manifests/v1', { kind: 'manifest', repository: 'a', reference: 'v1' }],
    [`/v2/a/manifests/${D}`, { kind: 'manifest', repository: 'a', reference: D }],
    [`/v2/a/blobs/${D}`, { kind: 'blob', repository: 'a', digest: D }],
    [`/v2/a/blobs/${D.replace(':', '%3A')}`, { kind: 'blob', repository: 'a', digest: D }],
    ['/v2/a/blobs/uploads/', { kind: 'uploads', repository: 'a' }],
    ['/v2/a/blobs/uploads', { kind: 'uploads', repository: 'a' }],
    ['/v2/a/blobs/uploads/xyz', { kind: 'upload', repository: 'a', id: 'xyz' }],
    ['/v2/blobs/uploads/blobs/uploads/', { kind: 'uploads', repository: 'blobs/uploads' }],
    [`/v2/a/referrers/${D}`, { kind: 'referrers', repository: 'a', digest: D }],
    ['/v2/manifests/manifests/tags/list', { kind: 'tags', repository: 'manifests/manifests' }],
  ])('%s', (url, target) => {
    expect(route(url).target).toEqual(target);
  });

  it('gives the query beside it', () => {
    expect(route('/v2/a/tags/list?n=2&last=b%20c').query.get('last')).toBe('b c');
  });

  it.each([
    ['/', 404, 'UNSUPPORTED'],
    ['/v1/', 404, 'UNSUPPORTED'],
    ['/v2/a', 404, 'UNSUPPORTED'],
    ['http://other.example/v2/', 404, 'UNSUPPORTED'],
    ['*', 404, 'UNSUPPORTED'],
    ['', 404, 'UNSUPPORTED'],
    ['/v2/../v2/', 404, 'UNSUPPORTED'],
    ['/v2/../../etc/passwd', 404, 'UNSUPPORTED'],
    ['/v2/../../blobs/x', 400, 'NAME_INVALID'],
    [`/v2/../a/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/a/../b/manifests/x`, 400, 'NAME_INVALID'],
    [`/v2/%2e%2e/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/a%2fb/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/a%2Fb/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/a%5cb/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/a%00/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/a%252fb/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/a%zz/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/a%ff/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2//blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/a//b/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/A/blobs/${D}`, 400, 'NAME_INVALID'],
    [`/v2/${'a'.repeat(256)}/blobs/${D}`, 400, 'NAME_INVALID'],
    ['/v2/blobs/uploads/', 400, 'NAME_INVALID'],
    ['/v2/a/blobs/sha256:../../etc/passwd', 404, 'UNSUPPORTED'],
    ['/v2/a/blobs/sha256:AB', 400, 'DIGEST_INVALID'],
    [`/v2/a/blobs/${D.toUpperCase()}`, 400, 'DIGEST_INVALID'],
    ['/v2/a/referrers/nope', 400, 'DIGEST_INVALID'],
  ])('%s is %i %s', (url, status, ociCode) => {
    expect(() => route(url)).toThrow(expect.objectContaining({ status, ociCode }));
  });
});

describe('page', () => {
  const names = ['A', 'B', 'a', 'b', 'c'];
  it.each([
    ['', ['A', 'B', 'a', 'b', 'c'], undefined],
    ['n=2', ['A', 'B'], '</x?n=2&last=B>; rel="next"'],
    ['n=2&last=B', ['a', 'b'], '</x?n=2&last=b>; rel="next"'],
    ['n=2&last=b', ['c'], undefined],
    ['n=5', names, undefined],
    ['n=0', [], undefined],
    ['last=C', ['a', 'b', 'c'], undefined],
    ['last=z', [], undefined],
    ['n=1&ns=docker.io', ['A'], '</x?n=1&ns=docker.io&last=A>; rel="next"'],
  ])('?%s', (query, shown, link) => {
    const answer = page(names, '/x', new URLSearchParams(query), 100);
    expect(answer.names).toEqual(shown);
    expect(answer.headers['Link']).toBe(link);
  });

  it.each(['n=-1', 'n=x', 'n=1.5', 'n=1e3', `n=${'9'.repeat(30)}`])('refuses ?%s', (query) => {
    expect(() => page(names, '/x', new URLSearchParams(query), 100)).toThrow(
      expect.objectContaining({ status: 400, ociCode: 'PAGINATION_NUMBER_INVALID' }),
    );
  });

  it('gives no more than the server wants to, whatever is asked', () => {
    const answer = page(names, '/x', new URLSearchParams('n=1000'), 3);
    expect(answer.names).toEqual(['A', 'B', 'a']);
    expect(answer.headers['Link']).toBe('</x?n=3&last=a>; rel="next"');
  });
});

describe('isLoopback', () => {
  it.each([
    ['localhost', true],
    ['LOCALHOST', true],
    ['127.0.0.1', true],
    ['127.9.9.9', true],
    ['::1', true],
    ['127.0.0.1.evil.example', false],
    ['localhost.evil.example', false],
    ['0.0.0.0', false],
    ['10.0.0.1', false],
  ])('%s: %s', (host, answer) => {
    expect(isLoopback(host)).toBe(answer);
  });
});
