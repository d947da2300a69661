import { type CommandEntry } from './command.ts';

export const COMMANDS: readonly CommandEntry[] = [
  {
    usage: 'sync [action]',
    describe: 'Mirror what a YAML file (of regsync) says',
    load: async () => (await import('./commands/sync.ts')).sync,
  },
  {
    usage: 'copy <source> <target>',
    describe: 'Copy an image with all that belongs to it',
    load: async () => (await import('./commands/copy.ts')).copy,
  },
  {
    usage: 'export [references..]',
    describe: 'Write images into one file that crosses the gap',
    load: async () => (await import('./commands/export.ts')).exportCommand,
  },
  {
    usage: 'plan [references..]',
    describe: 'Say what an export would carry, on how many media, and what space it takes',
    load: async () => (await import('./commands/plan.ts')).planCommand,
  },
  {
    usage: 'import <files..>',
    describe: 'Take what is in such a file into a layout, library or registry',
    load: async () => (await import('./commands/import.ts')).importCommand,
  },
  {
    usage: 'diff <from> <to>',
    describe: 'Compare the tags of two places, and what would have to flow',
    load: async () => (await import('./commands/diff.ts')).diff,
  },
  {
    usage: 'inventory [places..]',
    describe: 'Write down what a place holds, for a delta',
    load: async () => (await import('./commands/inventory.ts')).inventory,
  },
  {
    usage: 'mesh [action]',
    describe: 'Designs, models and all else of Meshery as OCI artifacts',
    load: async () => (await import('./commands/mesh.ts')).mesh,
  },
  {
    usage: 'split <bundle> [volumes..]',
    describe: 'Write a bundle in volumes of the sizes that media have',
    load: async () => (await import('./commands/split.ts')).split,
  },
  {
    usage: 'serve <place> [volumes..]',
    describe: 'Serve a layout, library or bundle as a registry',
    load: async () => (await import('./commands/serve.ts')).serve,
  },
  {
    usage: 'check <place> [volumes..]',
    describe: 'Hash everything and report what is missing or altered',
    load: async () => (await import('./commands/check.ts')).check,
  },
  {
    usage: 'verify <bundles..>',
    describe: 'Prove a bundle where it lies: every digest, slice, sum and promise',
    load: async () => (await import('./commands/verify.ts')).verify,
  },
  {
    usage: 'gc <place>',
    describe: 'Remove what nothing names any more',
    load: async () => (await import('./commands/gc.ts')).gc,
  },
  {
    usage: 'ls <place> [volumes..]',
    describe: 'List images, or the repositories of a registry',
    load: async () => (await import('./commands/ls.ts')).ls,
  },
  {
    usage: 'inspect <reference> [volumes..]',
    describe: 'Show what an image is and how it runs',
    load: async () => (await import('./commands/inspect.ts')).inspectCommand,
  },
  {
    usage: 'tree <reference>',
    describe: 'Show an image with its parts and all that refers to it',
    load: async () => (await import('./commands/tree.ts')).tree,
  },
  {
    usage: 'referrers <reference>',
    describe: 'List signatures, SBOMs and all else that refers to an image',
    load: async () => (await import('./commands/referrers.ts')).referrers,
  },
  {
    usage: 'scan-input <places..>',
    describe: 'Give each scanner the form of an image that it reads',
    load: async () => (await import('./commands/scanInput.ts')).scanInput,
  },
  {
    usage: 'scan-db <action> <places..>',
    describe: 'Put the database of a scanner where it looks for it, or list their ages',
    load: async () => (await import('./commands/scanDb.ts')).scanDb,
  },
  {
    usage: 'scan-attach <reference> <file>',
    describe: "Let a scanner's result or an SBOM travel with its image",
    load: async () => (await import('./commands/scanAttach.ts')).scanAttach,
  },
  {
    usage: 'rootfs <reference>',
    describe: 'Write the file system of an image into a directory or a tar file',
    load: async () => (await import('./commands/rootfs.ts')).rootfs,
  },
  {
    usage: 'cnab [action]',
    describe: 'Look into CNAB bundles, and move them with all their images',
    load: async () => (await import('./commands/cnab.ts')).cnab,
  },
  {
    usage: 'types [id]',
    describe: 'Show which artifact types are known, how each is told and used',
    load: async () => (await import('./commands/types.ts')).types,
  },
  {
    usage: 'tag <action> <reference> [name]',
    describe: 'List tags, add one or take one away',
    load: async () => (await import('./commands/tag.ts')).tag,
  },
  {
    usage: 'manifest <action> <reference>',
    describe: 'Print a manifest or index as it is',
    load: async () => (await import('./commands/manifest.ts')).manifest,
  },
  {
    usage: 'blob <action> <reference> <digest>',
    describe: 'Print the bytes of a blob',
    load: async () => (await import('./commands/blob.ts')).blob,
  },
  {
    usage: 'login [host]',
    describe: 'Keep the account for a registry, after it was tried there',
    load: async () => (await import('./commands/login.ts')).login,
  },
  {
    usage: 'logout [host]',
    describe: 'Forget the account for a registry, or all',
    load: async () => (await import('./commands/logout.ts')).logout,
  },
  {
    usage: 'whoami [host]',
    describe: 'Show which account a registry gets, and where it was found',
    load: async () => (await import('./commands/whoami.ts')).whoami,
  },
  {
    usage: 'ping <registry>',
    describe: 'Find out why a registry does not work, step by step',
    load: async () => (await import('./commands/ping.ts')).ping,
  },
  {
    usage: 'ratelimit [registry]',
    describe: 'Show what a registry still allows, without spending any of it',
    load: async () => (await import('./commands/ratelimit.ts')).ratelimit,
  },
];
