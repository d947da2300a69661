import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Argv } from 'yargs';
import { toOclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { printable } from '../../core/redact.ts';
import { systemClock } from '../../io/systemClock.ts';
import { readBounded } from '../../io/verify.ts';
import { loadConfig, type LoadedConfig, type LoadOptions } from '../../sync/config.ts';
import { type Surroundings } from '../../sync/template/template.ts';
import { type Env } from '../env.ts';

/** The option of every action that reads the file. */
export function configOption<T>(cli: Argv<T>) {
  return cli.option('config', {
    alias: 'c',
    type: 'string',
    demandOption: true,
    describe: 'The YAML file, or - for standard input',
  });
}

/** The file behind `--config`; what it is warned about goes to standard error. @throws OCL_CONFIG_INVALID OCL_LIMIT OCL_NOT_FOUND */
export async function openConfig(path: string): Promise<LoadedConfig['config']> {
  const { config, warnings } = await readConfig(path);
  for (const { file, line, column, message } of warnings)
    process.stderr.write(`warning: ${file}:${line}:${column}: ${printable(message)}\n`);
  return config;
}

/** The file behind `--config`, with its warnings. @throws OCL_CONFIG_INVALID OCL_LIMIT OCL_NOT_FOUND */
export async function readConfig(path: string, options: LoadOptions = {}): Promise<LoadedConfig> {
  if (path === '-')
    return loadConfig(
      new TextDecoder().decode(await readBounded(process.stdin, LIMITS.configFile, 'standard input')),
      '<stdin>',
      surroundings,
      options,
    );
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    // The system does not name the file when it was opened and then could not be read, as a directory is.
    throw toOclError(error instanceof Error ? Object.assign(error, { path }) : error);
  }
  return loadConfig(new TextDecoder().decode(bytes), path, surroundings, options);
}

/** A file without steps is no fault, and seldom what somebody wants. */
export function noteNoSteps(config: LoadedConfig['config'], { emit }: Pick<Env, 'emit'>): void {
  if (config.steps.length > 0) return;
  emit({ type: 'notice', level: 'warning', message: `${config.file} has no steps below sync:, so it does nothing` });
}

/** What the templates of a file may ask for. A file that cannot be read is empty, as in regsync. */
export const surroundings: Surroundings = {
  env: (name) => process.env[name] ?? '',
  file: (path) => {
    try {
      return readFileSync(path, 'utf8').slice(0, LIMITS.configFile);
    } catch {
      return '';
    }
  },
  now: () => systemClock.now(),
};
