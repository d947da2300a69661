import { type Argv } from 'yargs';

/** Every command that fills a disk asks it first. */
export function spaceOption<T>(cli: Argv<T>) {
  return cli.option('space-check', {
    type: 'boolean',
    default: true,
    describe: 'Ask the disk for room before anything is written; --no-space-check goes on without',
  });
}
