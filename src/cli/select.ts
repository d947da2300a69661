import { type Argv } from 'yargs';
import { parsePlatform } from '../core/platform.ts';
import { type Select } from '../copy/select.ts';

interface SelectArguments {
  readonly platform: readonly string[];
  readonly sparse: string;
  readonly referrers: boolean;
  readonly digestTags: boolean;
  readonly foreign: boolean;
}

/** What of an image is taken: the same options wherever images are copied. */
export function selectOptions(cli: Argv) {
  return cli
    .option('platform', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: 'Only these platforms, such as linux/amd64,linux/arm64 (repeatable)',
    })
    .option('sparse', {
      choices: ['keep', 'rewrite'],
      default: 'keep',
      describe: 'With --platform: leave the index as it is (keep), or write a smaller one with a new digest (rewrite)',
    })
    .option('referrers', {
      type: 'boolean',
      default: true,
      describe: 'Signatures, SBOMs and all else that refers to the image; --no-referrers leaves them',
    })
    .option('digest-tags', {
      type: 'boolean',
      default: true,
      describe: 'Tags such as sha256-….sig, where cosign keeps signatures; --no-digest-tags leaves them',
    })
    .option('foreign', { type: 'boolean', default: false, describe: 'Layers that their makers forbid to redistribute' })
    .option('concurrency', { default: 6, requiresArg: true, coerce: toCount, describe: 'Contents under way at once' });
}

export function toSelect(args: SelectArguments): Select {
  return {
    ...(args.platform.length === 0 ? {} : { platforms: args.platform.flatMap(splitList).map(parsePlatform) }),
    sparse: args.sparse === 'rewrite' ? 'rewrite' : 'keep',
    referrers: args.referrers,
    digestTags: args.digestTags,
    foreign: args.foreign,
  };
}

/** Which image of an index `docker load` gets: the first platform that is wanted. */
export function firstPlatform(args: Pick<SelectArguments, 'platform'>): string | undefined {
  return args.platform.flatMap(splitList)[0];
}

/** `linux/amd64,linux/arm64`; a comma before `osver=` belongs to the platform. */
function splitList(text: string): readonly string[] {
  return text.split(/,(?!\s*osv)/);
}

/** A whole number from 1 to 64. */
export function toCount(value: unknown): number {
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > 64)
    throw new Error(`${String(value)} is no whole number from 1 to 64`);
  return count;
}
