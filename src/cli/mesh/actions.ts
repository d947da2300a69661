import { type CommandEntry } from '../commands.ts';

/** What `ocl mesh` does. */
export const MESH_ACTIONS: readonly (CommandEntry & { readonly usage: string })[] = [
  {
    usage: 'pack <paths..>',
    describe: 'Make OCI artifacts of designs, models and all else of Meshery',
    load: async () => (await import('./pack.ts')).pack,
  },
];
