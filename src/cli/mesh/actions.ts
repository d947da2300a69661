import { type CommandEntry } from '../command.ts';

/** What `ocl mesh` does. */
export const MESH_ACTIONS: readonly (CommandEntry & { readonly usage: string })[] = [
  {
    usage: 'pack <paths..>',
    describe: 'Make OCI artifacts of designs, models and all else of Meshery',
    load: async () => (await import('./pack.ts')).pack,
  },
  {
    usage: 'unpack <input>',
    describe: 'Give the files of entities back as they were',
    load: async () => (await import('./unpack.ts')).unpack,
  },
  {
    usage: 'push <paths..>',
    describe: 'Publish entities as versions that stay, with aliases that move',
    load: async () => (await import('./push.ts')).push,
  },
  {
    usage: 'pull <reference>',
    describe: 'Bring the files of a version or bundle here, and tell when it is deprecated',
    load: async () => (await import('./pull.ts')).pull,
  },
  {
    usage: 'bump <files..>',
    describe: 'Give designs and models the version that follows',
    load: async () => (await import('./bump.ts')).bump,
  },
  {
    usage: 'bundle <paths..>',
    describe: 'Put a design with its models and container images together, for the way across',
    load: async () => (await import('./bundle.ts')).bundle,
  },
  {
    usage: 'deprecate <reference>',
    describe: 'Say of a version that nobody should use it any more',
    load: async () => (await import('./deprecate.ts')).deprecate,
  },
  {
    usage: 'undeprecate <reference>',
    describe: 'Take a deprecation back',
    load: async () => (await import('./deprecate.ts')).undeprecate,
  },
  {
    usage: 'validate <inputs..>',
    describe: 'Say what Meshery would refuse or lose, with line and remedy',
    load: async () => (await import('./validate.ts')).validate,
  },
  {
    usage: 'inspect <input>',
    describe: 'Show what an entity is, and which models and images it needs',
    load: async () => (await import('./inspect.ts')).inspect,
  },
  {
    usage: 'ls <places..>',
    describe: 'List entities of stores, registries and directories',
    load: async () => (await import('./ls.ts')).ls,
  },
  {
    usage: 'diff <from> <to>',
    describe: 'Say which parts of an entity were added, removed and changed',
    load: async () => (await import('./diff.ts')).diff,
  },
  {
    usage: 'artifacthub [inputs..]',
    describe: 'Write the tree that Artifact Hub lists designs from, and say whose a repository is',
    load: async () => (await import('./artifacthub.ts')).artifacthub,
  },
];
