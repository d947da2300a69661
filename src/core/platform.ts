import { type Platform } from './descriptor.ts';
import { OclError } from './errors.ts';

/** Maps, not objects: a document may say that its architecture is `constructor`. */
const ARCHITECTURES: ReadonlyMap<string, string> = new Map([
  ['x86_64', 'amd64'],
  ['x86-64', 'amd64'],
  ['aarch64', 'arm64'],
  ['i386', '386'],
  ['armhf', 'arm/v7'],
  ['armel', 'arm/v6'],
]);
const SYSTEMS: ReadonlyMap<string, string> = new Map([['macos', 'darwin']]);

/**
 * `os/arch[/variant][,osver=VERSION]`, with the usual other names (`x86_64`, `aarch64`, `macos`).
 * @throws OCL_REFERENCE_INVALID
 */
export function parsePlatform(text: string): Platform {
  const [path = '', ...options] = text.trim().split(',');
  const parts = path.toLowerCase().split('/');
  const [os = '', ...rest] = parts;
  const [architecture = '', variant] = rest;
  const expanded = (ARCHITECTURES.get(architecture) ?? architecture).split('/');
  if (parts.length < 2 || parts.length > 3 || !parts.every((part) => /^[a-z0-9_.-]+$/.test(part))) {
    throw new OclError(
      'OCL_REFERENCE_INVALID',
      `Cannot read the platform ${JSON.stringify(text)}: it must be like linux/amd64 or linux/arm/v7`,
    );
  }
  let version: string | undefined;
  for (const option of options) {
    const match = /^(?:osver|osversion)=(.+)$/.exec(option.trim());
    if (match === null)
      throw new OclError(
        'OCL_REFERENCE_INVALID',
        `Cannot read the platform ${JSON.stringify(text)}: after the comma only osver= may follow`,
      );
    version = match[1];
  }
  return normalPlatform({
    os: SYSTEMS.get(os) ?? os,
    architecture: expanded[0] ?? architecture,
    variant: variant ?? expanded[1],
    'os.version': version,
  });
}

/** One form for equal platforms: arm is arm/v7, arm64/v8 is arm64, amd64/v1 is amd64. */
export function normalPlatform(platform: Platform): Platform {
  const os = (SYSTEMS.get(platform.os.toLowerCase()) ?? platform.os).toLowerCase();
  const [architecture = '', impliedVariant] = (
    ARCHITECTURES.get(platform.architecture.toLowerCase()) ?? platform.architecture.toLowerCase()
  ).split('/');
  let variant = (platform.variant ?? impliedVariant ?? '').toLowerCase();
  if (/^\d/.test(variant)) variant = `v${variant}`;
  if (architecture === 'arm' && variant === '') variant = 'v7';
  if (architecture === 'arm64' && (variant === 'v8' || variant === 'v8.0')) variant = '';
  if (architecture === 'amd64' && variant === 'v1') variant = '';
  return {
    os,
    architecture,
    ...(variant === '' ? {} : { variant }),
    ...(platform['os.version'] ? { 'os.version': platform['os.version'] } : {}),
    ...(platform['os.features'] ? { 'os.features': platform['os.features'] } : {}),
  };
}

export function formatPlatform(platform: Platform): string {
  const base = `${platform.os}/${platform.architecture}`;
  const withVariant = platform.variant ? `${base}/${platform.variant}` : base;
  return platform['os.version'] ? `${withVariant},osver=${platform['os.version']}` : withVariant;
}

/** Whether an entry of an index is the platform that was asked for. An `osver` that was not asked for does not matter. */
export function matchesPlatform(wanted: Platform, offered: Platform | undefined): boolean {
  if (offered === undefined) return false;
  const a = normalPlatform(wanted);
  const b = normalPlatform(offered);
  if (a.os !== b.os || a.architecture !== b.architecture || a.variant !== b.variant) return false;
  return a['os.version'] === undefined || a['os.version'] === b['os.version'];
}

/** The platform of the machine this runs on, as containers name it: containers on a Mac are Linux. */
export function hostPlatform(os: string, arch: string): Platform {
  const architecture = arch === 'x64' ? 'amd64' : arch === 'ia32' ? '386' : arch;
  return normalPlatform({ os: os === 'win32' ? 'windows' : 'linux', architecture });
}
