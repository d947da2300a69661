import { type CommandEntry } from '../commands.ts';

/** What `ocl sync` does; the first is what it does when none is named. */
export const ACTIONS: readonly (CommandEntry & { readonly usage: string })[] = [
  {
    usage: 'once',
    describe: 'Mirror every step once (what happens when no action is named)',
    load: async () => (await import('./once.ts')).once,
  },
  {
    usage: 'check',
    describe: 'Say what would be copied, and copy nothing',
    load: async () => (await import('./check.ts')).check,
  },
  {
    usage: 'schema',
    describe: 'Print the JSON Schema of the file, for editors',
    load: async () => (await import('./schema.ts')).schema,
  },
];
