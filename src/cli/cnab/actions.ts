import { type CommandEntry } from '../command.ts';

/** What `ocl cnab` does. */
export const CNAB_ACTIONS: readonly (CommandEntry & { readonly usage: string })[] = [
  {
    usage: 'inspect <bundle>',
    describe: 'Show what a bundle is, which images it has, and where they are',
    load: async () => (await import('./inspect.ts')).inspect,
  },
  {
    usage: 'relocate <bundle> <target>',
    describe: 'Copy a bundle with all its images into a registry, layout or thick archive',
    load: async () => (await import('./relocate.ts')).relocate,
  },
];
