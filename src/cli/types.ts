import { createReadStream } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Argv } from 'yargs';
import { builtInTypes, TypeTable } from '../artifact/types/table.ts';
import { isAbsent, toOclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { readBounded } from '../io/verify.ts';

/** The option of every command that says what an artifact is. */
export function typesOption<T>(cli: Argv<T>) {
  return cli.option('types', {
    type: 'string',
    array: true,
    nargs: 1,
    default: [] as string[],
    describe: 'A file with artifact types of your own, or changes of known ones (repeatable)',
  });
}

/** What is known: the built-in types, those of the user's own files, and those of the files that were named, later ones first. */
export async function loadTypes(files: readonly string[]): Promise<TypeTable> {
  let types = builtInTypes();
  const add = async (path: string, bytes: Uint8Array | undefined): Promise<void> => {
    if (bytes === undefined) return;
    // The reader of YAML takes its time to load, and few have a file.
    const { withTypes } = await import('../artifact/types/file.ts');
    types = withTypes(types, new TextDecoder().decode(bytes), path);
  };
  for (const file of ownFiles()) await add(file, await readTypes(file, 'if there'));
  for (const file of files) await add(file, await readTypes(file, 'must be there'));
  return new TypeTable(types);
}

function ownFiles(): readonly string[] {
  const directory = join(process.env['XDG_CONFIG_HOME'] || join(homedir(), '.config'), 'ocl');
  return ['types.json', 'types.yaml'].map((name) => join(directory, name));
}

async function readTypes(path: string, when: 'if there' | 'must be there'): Promise<Uint8Array | undefined> {
  try {
    return await readBounded(createReadStream(path), LIMITS.configFile, path);
  } catch (error) {
    if (when === 'if there' && isAbsent(error)) return undefined;
    // The system does not name the file when it was opened and then could not be read, as a directory is.
    throw toOclError(error instanceof Error ? Object.assign(error, { path }) : error);
  }
}
