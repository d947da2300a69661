import { type CommandEntry } from '../command.ts';

/** What `ocl sync` does; the first is what it does when none is named. */
export const ACTIONS: readonly (CommandEntry & { readonly usage: string })[] = [
  {
    usage: 'once',
    describe: 'Mirror every step once (what happens when no action is named)',
    load: async () => (await import('./once.ts')).once,
  },
  {
    usage: 'server',
    describe: 'Mirror each step when its interval or schedule says, until it is stopped',
    load: async () => (await import('./server.ts')).server,
  },
  {
    usage: 'check',
    describe: 'Say what would be copied, and copy nothing',
    load: async () => (await import('./check.ts')).check,
  },
  {
    usage: 'lint',
    describe: 'Say what in the file may not mean what it looks like',
    load: async () => (await import('./lint.ts')).lint,
  },
  {
    usage: 'config',
    describe: 'Print the file with defaults merged in and templates expanded',
    load: async () => (await import('./config.ts')).config,
  },
  {
    usage: 'history',
    describe: 'What was mirrored when, and what failed',
    load: async () => (await import('./history.ts')).history,
  },
  {
    usage: 'retry <file>',
    describe: 'Do what a report says is left',
    load: async () => (await import('./retry.ts')).retry,
  },
  {
    usage: 'schema',
    describe: 'Print the JSON Schema of the file, for editors',
    load: async () => (await import('./schema.ts')).schema,
  },
];
