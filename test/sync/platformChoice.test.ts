import { describe, expect, it } from 'vitest';
import { type Descriptor, type Platform } from '../../src/core/descriptor.ts';
import { formatPlatform } from '../../src/core/platform.ts';
import { choosePlatform, readPlatform } from '../../src/sync/platformChoice.ts';

const HOST: Platform = { os: 'linux', architecture: 'arm64' };

function entry(text: string): Descriptor {
  const [path = '', version] = text.split('@');
  const [os = '', architecture = '', variant] = path.split('/');
  const platform = {
    os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { 'os.version': version }),
  };
  return { mediaType: 'm', digest: `sha256:${text}`, size: 1, platform };
}

function choose(wanted: string, ...offered: string[]): string {
  try {
    return choosePlatform(offered.map(entry), readPlatform(wanted, HOST), 'app').digest.slice('sha256:'.length);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe('readPlatform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['local', 'linux/arm64'],
    ['linux', 'linux/arm64'],
    ['macos', 'darwin/arm64'],
    ['x86_64', 'linux/amd64'],
    ['armhf', 'linux/arm/v7'],
    ['windows/amd64,osver=10.0.17763', 'windows/amd64,osver=10.0.17763'],
  ])('%s', (text, expected) => {
    expect(formatPlatform(readPlatform(text, HOST))).toBe(expected);
  });
  it.each(['linux/*', 'linux,amd64', '', 'a/b/c/d'])('refuses %j', (text) => {
    expect(() => readPlatform(text, HOST)).toThrow(/^Cannot read the platform/);
  });
});

describe('choosePlatform', () => {
  it.each<[string, readonly string[], string]>([
    ['linux/amd64', ['linux/arm64', 'linux/amd64'], 'linux/amd64'],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6'], 'linux/arm/v6'],
    ['linux/arm/v7', ['linux/arm/v6', 'linux/arm/v7', 'linux/arm/v8'], 'linux/arm/v7'],
    ['linux/arm', ['linux/arm/v6', 'linux/arm/v7'], 'linux/arm/v7'],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 'linux/amd64/v2'],
    ['linux/arm64/v8', ['linux/arm64'], 'linux/arm64'],
    ['darwin/arm64', ['linux/arm64'], 'linux/arm64'],
    ['darwin/arm64', ['linux/arm64', 'darwin/arm64'], 'darwin/arm64'],
    [
      'windows/amd64',
      ['linux/amd64', 'windows/amd64@10.0.17763.1', 'windows/amd64@10.0.20348.9', 'windows/amd64@10.0.20348.10'],
      'windows/amd64@10.0.20348.10',
    ],
    [
      'windows/amd64,osver=10.0.17763.999',
      ['windows/amd64@10.0.20348.1', 'windows/amd64@10.0.17763.1'],
      'windows/amd64@10.0.17763.1',
    ],
    ['linux/amd64', ['unknown/unknown', 'linux/amd64', 'linux/amd64/v1'], 'linux/amd64'],
  ])('%s of %j', (wanted, offered, expected) => {
    expect(choose(wanted, ...offered)).toBe(expected);
  });
  it.each<[string, readonly string[]]>([
    ['linux/arm/v6', ['linux/arm/v7']],
    ['linux/amd64', ['windows/amd64', 'linux/arm64']],
    ['freebsd/amd64', ['linux/amd64']],
    ['windows/amd64,osver=10.0.17763', ['windows/amd64@10.0.20348.1']],
  ])('%s has nothing in %j', (wanted, offered) => {
    expect(choose(wanted, ...offered)).toBe(
      `Cannot find ${wanted} in app: there is ${offered.map((text) => text.replace('@', ',osver=')).join(', ')}`,
    );
  });
  it('says when an index names no platforms', () => {
    expect(choose('linux/amd64', 'unknown/unknown')).toContain('its index names no platforms');
  });
});
