import { type Argv } from 'yargs';
import { type GivenBundle } from '../../bundle/import.ts';
import { type NamingOptions } from '../../bundle/naming.ts';
import { parseNameMap } from '../../bundle/rename.ts';
import { OclError } from '../../core/errors.ts';
import { type Emit } from '../../core/events.ts';
import { LIMITS } from '../../core/limits.ts';
import { entryName } from '../../core/names.ts';
import { isRepository } from '../../core/reference.ts';
import { compileRewrite } from '../../io/pattern.ts';
import { readSmallFile } from '../../io/smallFile.ts';

/** How the images of a bundle are called where they go. */
export function namingOptions<T>(cli: Argv<T>) {
  return cli
    .option('only', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: 'Only this name (repeatable)',
    })
    .option('prefix', {
      type: 'string',
      requiresArg: true,
      default: '',
      describe: 'Before every repository of the target: mirror makes mirror/library/alpine',
    })
    .option('rewrite', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: "A rule like sed's for full names: 's#^docker.io/library/#base/#' (repeatable)",
    })
    .option('map', {
      type: 'string',
      requiresArg: true,
      describe: 'A YAML or JSON file with new names by old ones, which go before --rewrite',
    })
    .option('scoped', {
      type: 'boolean',
      default: false,
      describe: "Keep the registry's name as a part of the repository: docker.io/library/alpine",
    })
    .option('repository', {
      type: 'string',
      describe: 'The repository of images that carry no full name; the file name when it is not said',
    });
}

interface NamingArguments {
  readonly only: readonly string[];
  readonly prefix: string;
  readonly rewrite: readonly string[];
  readonly map?: string | undefined;
  readonly scoped: boolean;
}

/** Whether images get other names than those that their bundle gives them. */
export function isRenaming({ prefix, rewrite, map, scoped }: NamingArguments): boolean {
  return prefix !== '' || rewrite.length > 0 || map !== undefined || scoped;
}

/** Says which rules fit nothing: a name that was mistyped there would let an image go where nobody looks for it. */
export async function warnOfUnused(
  { rewrite, map }: NamingArguments,
  bundles: readonly GivenBundle[],
  emit: Emit,
): Promise<void> {
  const [first] = bundles;
  if (first === undefined || (rewrite.length === 0 && map === undefined)) return;
  const names = new Set<string>();
  for (const { source, naming } of bundles) {
    const { volumes, record } = source;
    for (const root of [...(volumes?.roots ?? (await source.roots())), ...(record?.unchanged?.images ?? [])]) {
      const { tag, imageName } = entryName(root);
      const name = imageName ?? (tag === undefined ? undefined : `${naming.repository}:${tag}`);
      if (name !== undefined) names.add(name);
    }
  }
  const { renaming } = first.naming;
  const above = new Set([...names].flatMap(namesAbove));
  const unused = [...renaming.map.keys()].filter((old) => !above.has(old));
  let left = [...names].filter((name) => !namesAbove(name).some((old) => renaming.map.has(old)));
  const idle: string[] = [];
  for (const [i, rule] of renaming.rewrites.entries()) {
    const renamed = left.map(rule);
    if (renamed.every((name, at) => name === left[at])) idle.push(rewrite[i] ?? '');
    left = renamed;
  }
  const [some] = names;
  const has = some === undefined ? '' : `; images are called like ${some}`;
  const warn = (message: string): void => emit({ type: 'notice', level: 'warning', message });
  for (const rule of idle) warn(`--rewrite ${rule} fits no image${has}`);
  if (unused.length > 0) {
    const more = unused.length > NAMED ? `, and ${unused.length - NAMED} more` : '';
    warn(`${map ?? ''} names what is not in the bundle: ${unused.slice(0, NAMED).join(', ')}${more}${has}`);
  }
}

const NAMED = 5;

/** A name, and those of its repository, as a map may have them: `HOST:PORT/PATH:TAG@ALGORITHM:HEX` has no more than four separators. */
function namesAbove(name: string): readonly string[] {
  const ends = [...name.matchAll(/[:@]/g)].slice(0, SEPARATORS);
  return [name, ...ends.map(({ index }) => name.slice(0, index))];
}

const SEPARATORS = 4;

/** All of it but the repository of what has no name. @throws OCL_USAGE, OCL_CONFIG_INVALID, OCL_NOT_FOUND */
export async function readNaming(args: NamingArguments): Promise<Omit<NamingOptions, 'into' | 'repository'>> {
  const { only, scoped, rewrite, map } = args;
  const prefix = args.prefix.replaceAll(/^\/+|\/+$/g, '');
  if (prefix !== '' && !isRepository(prefix))
    throw new OclError(
      'OCL_USAGE',
      `Cannot use the prefix ${JSON.stringify(args.prefix)}: it is no part of a repository`,
      {
        hint: '--prefix mirror/hub',
      },
    );
  const file = map === undefined ? undefined : await readSmallFile(map, LIMITS.configFile, `the map ${map}`);
  return {
    only,
    scoped,
    prefix,
    renaming: {
      map: file === undefined ? new Map() : parseNameMap(new TextDecoder().decode(file), map ?? ''),
      rewrites: rewrite.map(compileRewrite),
    },
  };
}
