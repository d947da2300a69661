import { type Descriptor } from '../../core/descriptor.ts';
import { printable } from '../../core/redact.ts';
import { wantedName } from '../../core/reference.ts';
import { defineCommand } from '../command.ts';
import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { formatBytes, formatTable } from '../render/format.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';

export const referrers = defineCommand(
  (cli) =>
    cli
      .positional('reference', { type: 'string', demandOption: true, describe: 'What is referred to' })
      .option('artifact-type', { type: 'string', describe: 'Only referrers of this type' })
      .example('$0 referrers registry.local:5000/app:1.0', 'Signatures, SBOMs and the like')
      .example('$0 referrers ocidir://mirror/app:1.0 --artifact-type application/spdx+json', 'SBOMs alone'),
  async (args) => {
    const reference = parsePlace(args.reference);
    await runCommand(args, { showsOnly: true }, async (env) => {
      const source = await env.stores.source(reference);
      const found: Descriptor[] = [];
      for await (const descriptor of source.referrers(await onlyRoot(source, wantedName(reference)))) {
        if (args.artifactType === undefined || descriptor.artifactType === args.artifactType) found.push(descriptor);
      }
      if (env.json) env.print(JSON.stringify(found));
      else if (found.length > 0)
        env.print(
          formatTable(
            ['ARTIFACT TYPE', 'DIGEST', 'SIZE'],
            found.map(({ artifactType, digest, size }) => [printable(artifactType ?? '-'), digest, formatBytes(size)]),
          ),
        );
      else env.say('nothing refers to it');
    });
  },
);
