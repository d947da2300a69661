import { buildTree, type TreeNode } from '../../artifact/tree.ts';
import { formatPlatform } from '../../core/platform.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, wantedName } from '../../core/reference.ts';
import { shortDigest } from '../../core/digest.ts';
import { defineCommand } from '../command.ts';
import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { formatBytes } from '../render/format.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';
import { loadTypes, typesOption } from '../types.ts';

export const tree = defineCommand(
  (cli) =>
    typesOption(cli)
      .positional('reference', { type: 'string', demandOption: true, describe: 'An image or artifact' })
      .option('layers', { type: 'boolean', default: false, describe: 'Configs and layers as well' })
      .example('$0 tree registry.local:5000/app:1.0', 'Platforms, signatures and SBOMs')
      .example('$0 tree ocidir://mirror/app:1.0 --layers', 'With every layer'),
  async (args) => {
    const reference = parsePlace(args.reference);
    await runCommand(args, { showsOnly: true }, async (env) => {
      const source = await env.stores.source(reference);
      const root = await buildTree(source, await onlyRoot(source, wantedName(reference)), {
        contents: args.layers,
        types: await loadTypes(args.types),
      });
      if (env.json) env.print(JSON.stringify(plain(root)));
      else env.print([`${printable(formatReference(reference))}  ${label(root)}`, ...below(root, '')].join('\n'));
    });
  },
);

function below(node: TreeNode, indent: string): readonly string[] {
  return node.children.flatMap((child, i) => {
    const last = i === node.children.length - 1;
    return [`${indent}${last ? '└─ ' : '├─ '}${label(child)}`, ...below(child, `${indent}${last ? '   ' : '│  '}`)];
  });
}

function label({ role, kind, artifact, descriptor, present, deprecation }: TreeNode): string {
  const platform =
    descriptor.platform === undefined || descriptor.platform.os === 'unknown'
      ? ''
      : `  ${formatPlatform(descriptor.platform)}`;
  const title = descriptor.annotations?.['org.opencontainers.image.title'];
  const name = artifact === undefined || artifact.id === 'artifact' ? kind : artifact.name;
  const what =
    role === 'referrer' ? `referrer ${name}` : role === 'config' || role === 'layer' ? `${role} ${name}` : name;
  return printable(
    `${what}${platform}  ${shortDigest(descriptor.digest)}  ${formatBytes(descriptor.size)}${title === undefined ? '' : `  ${title}`}${present ? '' : '  (not here)'}${deprecation?.deprecated === true ? `  deprecated${deprecation.reason === undefined ? '' : `: ${deprecation.reason}`}` : ''}`,
  );
}

function plain(node: TreeNode): object {
  const { digest, mediaType, size, platform, artifactType, annotations } = node.descriptor;
  return {
    role: node.role,
    kind: node.kind,
    ...(node.artifact === undefined ? {} : { artifact: node.artifact }),
    digest,
    mediaType,
    size,
    ...(platform === undefined ? {} : { platform }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(annotations === undefined ? {} : { annotations }),
    present: node.present,
    ...(node.deprecation === undefined ? {} : { deprecation: node.deprecation }),
    children: node.children.map(plain),
  };
}
