import { Readable } from 'node:stream';
import { ANNOTATION, type Descriptor } from '../../core/descriptor.ts';
import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { isTag, parseImageName, wantedName } from '../../core/reference.ts';
import { type RootName } from '../../core/store.ts';
import { readVerified } from '../../io/verify.ts';
import { LIMITS } from '../../core/limits.ts';
import { defineCommand } from '../command.ts';
import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';

export const tag = defineCommand(
  (cli) =>
    cli
      .positional('action', { choices: ['ls', 'add', 'rm'] as const, demandOption: true, describe: 'What to do' })
      .positional('reference', {
        type: 'string',
        demandOption: true,
        describe: 'ls: a repository; add: an image; rm: the tag to take away',
      })
      .positional('name', { type: 'string', describe: 'add: the new tag' })
      .example('$0 tag ls registry.local:5000/app', 'All tags')
      .example('$0 tag add ocidir://mirror/app:1.0 stable', 'A second name for the same content')
      .example('$0 tag rm ocidir://mirror/app:stable', 'Take the name away; the content stays until gc'),
  async (args) => {
    const reference = parsePlace(args.reference);
    await runCommand(args, { showsOnly: args.action === 'ls' }, async (env) => {
      if (args.action === 'ls') {
        const tags: string[] = [];
        for await (const name of (await env.stores.source(reference)).tags()) tags.push(name);
        if (env.json) env.print(JSON.stringify(tags));
        else for (const name of tags) env.print(printable(name));
        return;
      }
      if (args.action === 'rm') {
        if (reference.tag === undefined)
          throw new OclError('OCL_USAGE', `Cannot take a tag away from ${args.reference}: name it after a colon`, {
            hint: `ocl tag rm ${args.reference}:TAG; ocl tag ls ${args.reference} shows them`,
          });
        const editor = await env.stores.editor(reference);
        if (!(await editor.untag(reference.tag)))
          throw new OclError('OCL_NOT_FOUND', `Cannot take the tag ${reference.tag} away: there is none`, {
            hint: `ocl tag ls ${args.reference.slice(0, -reference.tag.length - 1)}`,
          });
        await editor.commit();
        if (env.json) env.print(JSON.stringify({ tag: reference.tag, removed: true }));
        env.say(`${args.reference}: taken away`);
        return;
      }
      const { name } = args;
      if (name === undefined || !isTag(name))
        throw new OclError(
          'OCL_USAGE',
          `Cannot add a tag: ${name === undefined ? 'name it after the image' : `${JSON.stringify(name)} is not valid`}`,
          { hint: `ocl tag add ${args.reference} NEWTAG` },
        );
      const source = await env.stores.source(reference);
      const sink = await env.stores.sink(reference);
      const root = await onlyRoot(source, wantedName(reference));
      const bytes = await readVerified(await source.open(root), root, LIMITS.indexBytes);
      await sink.tag(root, newName(root, name), () => Promise.resolve(Readable.from([bytes], { objectMode: false })));
      await sink.commit();
      if (env.json) env.print(JSON.stringify({ digest: root.digest, tag: name }));
      else env.print(root.digest);
    });
  },
);

/** In a layout the new name belongs to the same repository as the old one. */
function newName(root: Descriptor, added: string): RootName {
  const known = parseImageName(root.annotations?.[ANNOTATION.imageName] ?? '');
  return known === undefined
    ? { tag: added }
    : { tag: added, imageName: `${known.registry}/${known.repository}:${added}` };
}
