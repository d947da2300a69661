import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatPlatform,
  hostPlatform,
  matchesPlatform,
  normalPlatform,
  parsePlatform,
} from '../../src/core/platform.ts';
import { codeOf } from '../support/graphs.ts';

const part = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,8}$/);
const platform = fc.record(
  {
    os: part,
    architecture: part,
    variant: fc.stringMatching(/^v[0-9]{1,2}$/),
    'os.version': fc.stringMatching(/^[0-9]+(\.[0-9]+){0,3}$/),
  },
  { requiredKeys: ['os', 'architecture'] },
);

describe('platforms', () => {
  it('are read back as they are written', () => {
    fc.assert(
      fc.property(platform, (it) => {
        const normal = normalPlatform(it);
        expect(parsePlatform(formatPlatform(normal))).toEqual(normal);
        expect(normalPlatform(normal)).toEqual(normal);
        expect(matchesPlatform(normal, it)).toBe(true);
      }),
    );
  });

  it.each([
    ['linux/amd64', { os: 'linux', architecture: 'amd64' }],
    ['LINUX/X86_64', { os: 'linux', architecture: 'amd64' }],
    ['linux/amd64/v1', { os: 'linux', architecture: 'amd64' }],
    ['linux/amd64/v3', { os: 'linux', architecture: 'amd64', variant: 'v3' }],
    ['linux/aarch64', { os: 'linux', architecture: 'arm64' }],
    ['linux/arm64/v8', { os: 'linux', architecture: 'arm64' }],
    ['linux/arm64/8', { os: 'linux', architecture: 'arm64' }],
    ['linux/arm', { os: 'linux', architecture: 'arm', variant: 'v7' }],
    ['linux/arm/6', { os: 'linux', architecture: 'arm', variant: 'v6' }],
    ['linux/armhf', { os: 'linux', architecture: 'arm', variant: 'v7' }],
    ['linux/armel', { os: 'linux', architecture: 'arm', variant: 'v6' }],
    ['linux/i386', { os: 'linux', architecture: '386' }],
    ['macos/arm64', { os: 'darwin', architecture: 'arm64' }],
    [' windows/amd64,osver=10.0.20348.1 ', { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' }],
    ['constructor/constructor', { os: 'constructor', architecture: 'constructor' }],
  ])('have one form: %s', (text, expected) => {
    expect(parsePlatform(text)).toEqual(expected);
  });

  it.each([
    '',
    'linux',
    '/',
    'linux/',
    '/amd64',
    'a/b/c/d',
    'linux/amd 64',
    'linux/amd64,version=1',
    'linux/amd64,osver=',
    'linux/amd64\n/x',
    'lin\u0000ux/amd64',
  ])('are refused: %j', async (text) => {
    expect(await codeOf(() => parsePlatform(text))).toBe('OCL_REFERENCE_INVALID');
  });

  it.each([
    ['linux/amd64', { os: 'linux', architecture: 'amd64' }, true],
    ['linux/arm64', { os: 'linux', architecture: 'arm64', variant: 'v8' }, true],
    ['linux/arm', { os: 'linux', architecture: 'arm', variant: 'v6' }, false],
    ['linux/amd64', { os: 'linux', architecture: 'amd64', variant: 'v3' }, false],
    ['windows/amd64', { os: 'windows', architecture: 'amd64', 'os.version': '10' }, true],
    ['windows/amd64,osver=10', { os: 'windows', architecture: 'amd64', 'os.version': '10' }, true],
    ['windows/amd64,osver=11', { os: 'windows', architecture: 'amd64', 'os.version': '10' }, false],
    ['windows/amd64,osver=11', { os: 'windows', architecture: 'amd64' }, false],
    ['linux/amd64', { os: 'unknown', architecture: 'unknown' }, false],
    ['linux/amd64', { os: '__proto__', architecture: 'constructor' }, false],
    ['linux/amd64', { os: '', architecture: '' }, false],
    ['linux/amd64', undefined, false],
  ])('match or do not: %s and %j', (wanted, offered, expected) => {
    expect(matchesPlatform(parsePlatform(wanted), offered)).toBe(expected);
  });

  it.each([
    ['linux', 'x64', 'linux/amd64'],
    ['darwin', 'arm64', 'linux/arm64'],
    ['win32', 'ia32', 'windows/386'],
    ['linux', 'arm', 'linux/arm/v7'],
  ])('of the machine are those of its containers: %s %s', (os, arch, expected) => {
    expect(formatPlatform(hostPlatform(os, arch))).toBe(expected);
  });
});
