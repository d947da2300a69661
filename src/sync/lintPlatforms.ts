import { OclError } from '../core/errors.ts';
import { formatPlatform, normalPlatform } from '../core/platform.ts';
import { nearest } from './lintNear.ts';
import { readPlatform } from './platformChoice.ts';

/** Systems and processors for which images are built (Go's ports, as in the OCI image specification). */
const PROCESSORS: ReadonlyMap<string, readonly string[]> = table({
  linux: words('386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x'),
  windows: words('386 amd64 arm arm64'),
  darwin: words('amd64 arm64'),
  freebsd: words('386 amd64 arm arm64 riscv64'),
  openbsd: words('386 amd64 arm arm64'),
  netbsd: words('386 amd64 arm arm64'),
  dragonfly: words('amd64'),
  solaris: words('amd64'),
  illumos: words('amd64'),
  aix: words('ppc64'),
  android: words('386 amd64 arm arm64'),
  ios: words('amd64 arm64'),
  plan9: words('386 amd64 arm'),
  js: words('wasm'),
  wasi: words('wasm'),
  wasip1: words('wasm'),
});

const VARIANTS: ReadonlyMap<string, RegExp> = table({
  amd64: /^v[1-4]$/,
  arm: /^v[5-8]$/,
  arm64: /^v(?:8(?:\.[0-9])?|9(?:\.[0-9])?)$/,
  ppc64le: /^power(?:8|9|10)$/,
  riscv64: /^rva2[0-9]u64$/,
  mips: /^(?:hard|soft)float$/,
  mipsle: /^(?:hard|soft)float$/,
});

const NAMES = [...PROCESSORS].flatMap(([os, all]) => all.map((processor) => `${os}/${processor}`));

/** What the author of a platform may not expect. */
export interface PlatformFinding {
  readonly level: 'warning' | 'info';
  readonly message: string;
}

/** @param text as it stands below `platform` or `platforms` */
export function lintPlatform(text: string): PlatformFinding | undefined {
  const quoted = JSON.stringify(text);
  if (text.trim() === 'local') return undefined;
  if (text.trim() === '') return warning('an empty platform chooses nothing here');
  if (text.trim().toLowerCase() === 'unknown/unknown')
    return warning('attestations come along with their platforms; as a platform of their own they are not chosen');
  let read;
  try {
    read = readPlatform(text);
  } catch (error) {
    if (error instanceof OclError) return warning(error.message);
    throw error;
  }
  const { os, architecture, variant } = normalPlatform(read);
  const name = formatPlatform(normalPlatform(read));
  if (PROCESSORS.get(os)?.includes(architecture) !== true) {
    const near = nearest(`${os}/${architecture}`, NAMES);
    return warning(
      `there is no platform ${quoted}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`,
    );
  }
  if (variant !== undefined && variant !== '' && VARIANTS.get(architecture)?.test(variant) !== true)
    return warning(`there is no variant ${JSON.stringify(variant)} of ${os}/${architecture}`);
  if (!text.includes('/')) return warning(`${quoted} is ${name} on this machine, and may be another elsewhere`);
  return text.trim() === name ? undefined : { level: 'info', message: `${quoted} is read as ${name}` };
}

function warning(message: string): PlatformFinding {
  return { level: 'warning', message };
}

function words(text: string): readonly string[] {
  return text.split(' ');
}

/** A file may name a system `constructor`. */
function table<T>(entries: Readonly<Record<string, T>>): ReadonlyMap<string, T> {
  return new Map(Object.entries(entries));
}
