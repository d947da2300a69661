import { arch, platform as system } from 'node:process';
import { type Descriptor, type Platform } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { isAttestationEntry } from '../core/graph.ts';
import { formatPlatform, hostPlatform, normalPlatform, parsePlatform } from '../core/platform.ts';

const SYSTEMS: ReadonlySet<string> = new Set([
  'linux',
  'windows',
  'darwin',
  'macos',
  'freebsd',
  'openbsd',
  'netbsd',
  'solaris',
  'aix',
  'android',
  'ios',
  'js',
  'plan9',
  'wasip1',
]);

/**
 * `os/arch[/variant][,osver=…]`, `local`, a system alone (this machine's architecture), or an architecture alone (this machine's system).
 * @throws OCL_REFERENCE_INVALID
 */
export function readPlatform(text: string, host: Platform = hostPlatform(system, arch)): Platform {
  const [name = '', ...options] = text.trim().split(',');
  if (name.includes('/')) return parsePlatform(text);
  const lower = name.toLowerCase();
  if (lower === 'local' && options.length === 0) return host;
  const full = SYSTEMS.has(lower) ? `${name}/${host.architecture}` : `${host.os}/${name}`;
  return parsePlatform([full, ...options].join(','));
}

/**
 * The entry of an index that serves a platform best: an equal or lower variant counts, and Linux serves where Windows or a Mac was asked for
 * and there is none of it (spec/regsync.md 1.10). Of equals the first.
 * @throws OCL_NOT_FOUND naming the platforms that are there
 */
export function choosePlatform(entries: readonly Descriptor[], wanted: Platform, image: string): Descriptor {
  const request = normalPlatform(wanted);
  let best: { readonly entry: Descriptor; readonly rank: Rank } | undefined;
  for (const entry of entries) {
    if (entry.platform === undefined || isAttestationEntry(entry)) continue;
    const rank = rankOf(request, normalPlatform(entry.platform));
    if (rank !== undefined && (best === undefined || compareRanks(rank, best.rank) > 0)) best = { entry, rank };
  }
  if (best !== undefined) return best.entry;
  const there = entries
    .filter((entry) => entry.platform !== undefined && !isAttestationEntry(entry))
    .map((entry) => formatPlatform(entry.platform as Platform));
  throw new OclError(
    'OCL_NOT_FOUND',
    `Cannot find ${formatPlatform(wanted)} in ${image}: ${there.length === 0 ? 'its index names no platforms' : `there is ${[...new Set(there)].join(', ')}`}`,
    { side: 'source' },
  );
}

/** Compared from the left; the greater is the better. */
interface Rank {
  readonly sameSystem: number;
  readonly sameVariant: number;
  readonly variant: number;
  readonly version: readonly number[];
}

function rankOf(request: Platform, offer: Platform): Rank | undefined {
  if (request.architecture !== offer.architecture) return undefined;
  const sameSystem = request.os === offer.os;
  const fallsBack = offer.os === 'linux' && (request.os === 'windows' || request.os === 'darwin');
  if (!sameSystem && !fallsBack) return undefined;
  if (sameSystem && !versionFits(request, offer)) return undefined;
  const variant = level(offer);
  const isSame = request.variant === offer.variant;
  if (!isSame && (variant === undefined || (level(request) ?? -1) < variant || !HAS_LEVELS.has(offer.os)))
    return undefined;
  return {
    sameSystem: Number(sameSystem),
    sameVariant: Number(isSame),
    variant: variant ?? 0,
    version: numbers(offer['os.version']),
  };
}

/** Systems on which a lower variant of the processor runs. */
const HAS_LEVELS: ReadonlySet<string> = new Set(['linux', 'freebsd', 'windows']);
const BASE_LEVEL: Readonly<Record<string, number>> = { arm: 7, arm64: 8, amd64: 1 };

function level({ architecture, variant }: Platform): number | undefined {
  if (variant === undefined) return BASE_LEVEL[architecture] ?? 0;
  const number = Number(variant.replace(/^v/, ''));
  return Number.isFinite(number) ? number : undefined;
}

/** Windows looks at the first three parts of a version that was asked for; other systems at all of it. */
function versionFits(request: Platform, offer: Platform): boolean {
  const wanted = request['os.version'];
  if (wanted === undefined)
    return request.os === 'windows' || HAS_LEVELS.has(request.os) || offer['os.version'] === undefined;
  if (request.os !== 'windows') return HAS_LEVELS.has(request.os) || wanted === offer['os.version'];
  const [a, b] = [numbers(wanted), numbers(offer['os.version'])];
  return [0, 1, 2].every((i) => a[i] === undefined || a[i] === b[i]);
}

function numbers(version: string | undefined): readonly number[] {
  return (version ?? '')
    .split('.')
    .filter((part) => part !== '')
    .map(Number);
}

function compareRanks(a: Rank, b: Rank): number {
  const first = a.sameSystem - b.sameSystem || a.sameVariant - b.sameVariant || a.variant - b.variant;
  if (first !== 0) return first;
  for (let i = 0; i < Math.max(a.version.length, b.version.length); i++) {
    const order = (a.version[i] ?? 0) - (b.version[i] ?? 0);
    if (order !== 0) return order;
  }
  return 0;
}
