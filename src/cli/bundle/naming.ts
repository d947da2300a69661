import { type Argv } from 'yargs';
import { type NamingOptions } from '../../bundle/naming.ts';
import { parseNameMap } from '../../bundle/rename.ts';
import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
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
