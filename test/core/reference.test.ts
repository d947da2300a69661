import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatReference,
  isRegistryHost,
  isRepository,
  isTag,
  parseImageName,
  parsePathReference,
  parseReference,
  wantedName,
  type Reference,
} from '../../src/core/reference.ts';
import { codeOf } from '../support/graphs.ts';

const digest = `sha256:${'e'.repeat(64)}` as const;
const hub = (repository: string, more: object = {}): object => ({
  kind: 'registry',
  registry: 'docker.io',
  repository,
  ...more,
});
const at = (registry: string, repository: string, more: object = {}): object => ({
  kind: 'registry',
  registry,
  repository,
  ...more,
});

const word = fc.stringMatching(/^[a-z0-9]{1,6}$/);
const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,12}$/);
const ending = fc.record({ tag, digest: fc.constant(digest) }, { requiredKeys: [] });
const registry = fc
  .tuple(
    fc.constantFrom('docker.io', 'ghcr.io', 'localhost', 'localhost:5000', '[::1]:5000', '10.0.0.1:80', 'Upper'),
    word,
    word,
    ending,
  )
  .map(([host, a, b, rest]): Reference => ({ kind: 'registry', registry: host, repository: `${a}/${b}`, ...rest }));
const file = fc
  .tuple(
    fc.constantFrom('layout', 'archive', 'docker-archive', 'path'),
    fc.constantFrom('./a', '/a/b', '../a b', './x.tar', '/é/ü'),
    fc.record(
      { tag: fc.oneof(tag, fc.constant('docker.io/library/app:1')), digest: fc.constant(digest) },
      { requiredKeys: [] },
    ),
  )
  .map(([kind, path, rest]) => ({ kind, path, ...rest }));

describe('references', () => {
  it('are read back as they are written', () => {
    fc.assert(
      fc.property(fc.oneof(registry, file), (reference) => {
        expect(parseReference(formatReference(reference))).toEqual({ tag: undefined, digest: undefined, ...reference });
      }),
    );
  });

  it.each<readonly [string, object]>([
    ['alpine', hub('library/alpine')],
    ['alpine:3.20', hub('library/alpine', { tag: '3.20' })],
    ['grafana/loki', hub('grafana/loki')],
    [`alpine@${digest}`, hub('library/alpine', { digest })],
    [`alpine:3@${digest}`, hub('library/alpine', { tag: '3', digest })],
    ['docker.io/alpine', hub('library/alpine')],
    ['index.docker.io/library/alpine', hub('library/alpine')],
    ['registry-1.docker.io/a/b', hub('a/b')],
    ['docker://ghcr.io/x/y:1', at('ghcr.io', 'x/y', { tag: '1' })],
    ['localhost/x', at('localhost', 'x')],
    ['localhost:5000/x/y/z:T_1.-', at('localhost:5000', 'x/y/z', { tag: 'T_1.-' })],
    ['[::1]:5000/x', at('[::1]:5000', 'x')],
    ['Host/x', at('Host', 'x')],
    ['a.b/c__d/e--f.g_h', at('a.b', 'c__d/e--f.g_h')],
    ['127.0.0.1:15977/x', at('127.0.0.1:15977', 'x')],
    ['my.image', hub('library/my.image')],
    ['my.image:1a', hub('library/my.image', { tag: '1a' })],
    ['my.image:20260801', hub('library/my.image', { tag: '20260801' })],
    ['my.image:0', hub('library/my.image', { tag: '0' })],
    ['docker.io/library/my.image:1', hub('library/my.image', { tag: '1' })],
    ['docker.io/my.image:1', hub('library/my.image', { tag: '1' })],
    ['ocidir://mirror/app:1.0', { kind: 'layout', path: 'mirror/app', tag: '1.0' }],
    ['ocidir:///abs/app', { kind: 'layout', path: '/abs/app' }],
    ['oci:out:docker.io/library/x:1', { kind: 'layout', path: 'out', tag: 'docker.io/library/x:1' }],
    [`oci:out:v1@${digest}`, { kind: 'layout', path: 'out', tag: 'v1', digest }],
    ['oci-archive:a.tar', { kind: 'archive', path: 'a.tar' }],
    ['ocifile://a.tar:1', { kind: 'archive', path: 'a.tar', tag: '1' }],
    ['docker-archive:a.tar:alpine:3', { kind: 'docker-archive', path: 'a.tar', tag: 'alpine:3' }],
    ['./x', { kind: 'path', path: './x' }],
    ['../x:1', { kind: 'path', path: '../x', tag: '1' }],
    ['/x/y', { kind: 'path', path: '/x/y' }],
    ['.', { kind: 'path', path: '.' }],
    ['C:\\x:1', { kind: 'path', path: 'C:\\x', tag: '1' }],
    ['oci:C:/x:1', { kind: 'layout', path: 'C:/x', tag: '1' }],
    ['./mail@home', { kind: 'path', path: './mail@home' }],
  ])('are understood: %s', (text, expected) => {
    expect(parseReference(text)).toEqual({ tag: undefined, digest: undefined, ...expected });
  });

  it.each([
    '',
    ':',
    ':tag',
    '@',
    'Alpine',
    'alpine:',
    'alpine:.x',
    'alpine:-x',
    `alpine:${'x'.repeat(129)}`,
    'alpine@sha256:abc',
    `alpine@sha256:${'E'.repeat(64)}`,
    'a//b',
    'a/',
    '-a',
    'a__-b',
    'ghcr.io/',
    'ghcr.io/A',
    'ghcr.io:x/y',
    'host:99999999/x',
    'user:pass@host/x',
    'https://ghcr.io/x',
    'ftp://x',
    'oci:',
    'oci::tag',
    'oci:dir:',
    'ocidir://',
    'a b',
    'a\nb',
    'é',
    'a'.repeat(256),
  ])('are refused: %j', async (text) => {
    expect(await codeOf(() => parseReference(text))).toBe('OCL_REFERENCE_INVALID');
  });

  it.each([
    ['127.0.0.1:15977', '127.0.0.1:15977'],
    ['docker://127.0.0.1:15977', '127.0.0.1:15977'],
    ['localhost:5000', 'localhost:5000'],
    ['registry.local:5000', 'registry.local:5000'],
    [`registry.local:5000@${digest}`, 'registry.local:5000'],
    ['my.image:1', 'my.image:1'],
  ])('are no registries: %s', (text, host) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({
        code: 'OCL_REFERENCE_INVALID',
        message: expect.stringContaining('that is a registry, not an image'),
        hint: expect.stringMatching(
          new RegExp(`^name a repository, like ${host}/team/app:1.1, or list them: ocl ls ${host}`),
        ),
      }),
    );
    expect(parseImageName(text)).toMatchObject({ registry: 'docker.io' });
  });

  it('give a hint where one is at hand', () => {
    expect(() => parseReference('my.image:1')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('docker.io/library/my.image:1') }),
    );
    expect(() => parseReference('ghcr.io/Team/App')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('lower case') }),
    );
    expect(() => parseReference('ftp://ghcr.io/x')).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('docker://') }),
    );
    expect(() => parseReference('https://ghcr.io/x')).toThrow(expect.objectContaining({ hint: 'write ghcr.io/x' }));
    expect(() => parseReference('http://a.example:5000/x:1')).toThrow(
      expect.objectContaining({ hint: 'write a.example:5000/x:1 --plain-http a.example:5000' }),
    );
  });

  it('are files where a command takes paths', () => {
    expect(parsePathReference('app.tar')).toEqual({ kind: 'path', path: 'app.tar', tag: undefined, digest: undefined });
    expect(parsePathReference('oci:dir:1')).toMatchObject({ kind: 'layout', path: 'dir', tag: '1' });
    expect(parsePathReference('docker://alpine')).toMatchObject({ kind: 'registry' });
  });

  it.each([
    ['alpine', 'latest'],
    ['alpine:3', '3'],
    [`alpine:3@${digest}`, digest],
    ['./x', undefined],
    ['./x:1', '1'],
  ])('want a name: %s', (text, name) => {
    expect(wantedName(parseReference(text))).toBe(name);
  });

  it('have parts with rules of their own', () => {
    expect(['a', '_', 'A.b-c_', '0'.repeat(128)].every(isTag)).toBe(true);
    expect(['', '.a', '-a', 'a/b', 'a:b', 'a b', '0'.repeat(129), 'a\n'].some(isTag)).toBe(false);
    expect(['a', 'a/b', 'a.b_c__d-e---f'].every(isRepository)).toBe(true);
    expect(['', '/', 'a/', '/a', 'A', 'a..b', 'a___b', '../a', 'a/../b', 'a\n', 'é'].some(isRepository)).toBe(false);
    expect(['a', 'a.b:1', '[::1]', '127.0.0.1:65535'].every(isRegistryHost)).toBe(true);
    expect(['', 'a/b', 'a b', '[::1', 'a:', 'a:123456', 'user@a', '-a'].some(isRegistryHost)).toBe(false);
    expect(parseImageName('./x')).toBeUndefined();
    expect(parseImageName('A')).toBeUndefined();
  });
});
