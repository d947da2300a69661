import { type Descriptor } from '../core/descriptor.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { classify, type Classification } from './kind.ts';
import { type Reads } from './reads.ts';
import { fillCommand, type CommandValues } from './types/commands.ts';
import { explain } from './types/explain.ts';
import { type Clue } from './types/match.ts';
import { type ArtifactType, type Scan } from './types/schema.ts';
import { type TypeTable } from './types/table.ts';

/** What is said of the type of a thing. */
export interface TypeFacts {
  readonly id: string;
  readonly name: string;
  readonly category: ArtifactType['category'];
  /** How a scanner should treat it. */
  readonly scan: Scan;
  /** What it was told by, the decisive thing first. */
  readonly evidence: readonly Clue[];
  /** The same in words. */
  readonly why: string;
}

/** A command that uses a thing. */
export interface Use {
  readonly label: string;
  readonly command: string;
}

export interface UsageOptions {
  readonly types: TypeTable;
  /** What commands need to know of it. */
  readonly values?: CommandValues | undefined;
  /** The name of its repository, with its host where that is known. */
  readonly repository?: string | undefined;
}

/** What a thing is, and the commands that use it as far as what they need is known. @throws as `classify` */
export async function usageOf(
  reads: Reads,
  root: Descriptor,
  document: ManifestDocument | undefined,
  { types, repository, values = {} }: UsageOptions,
): Promise<{ readonly type: ArtifactType; readonly artifact: TypeFacts; readonly actions: readonly Use[] }> {
  const { tag, repo } = values;
  const known = await classify(reads.source, root, document, {
    types,
    deep: true,
    reads,
    tag,
    repository: repository ?? repo,
  });
  const blob = document?.kind === 'manifest' ? document.layers[0]?.digest : undefined;
  const { type } = known;
  const all = { digest: root.digest, blob, ...values };
  const own = usesOf(type, all);
  // Commands of a registry are of no use in a layout, and what all artifacts can do is better than nothing.
  const actions = own.length === 0 && type.actions.length > 0 ? usesOf(types.get('artifact'), all) : own;
  return { type, artifact: typeFacts(known), actions };
}

export function typeFacts({ type, evidence, scan }: Classification): TypeFacts {
  const { id, name, category } = type;
  return { id, name, category, scan, evidence, why: explain(evidence) };
}

function usesOf(type: ArtifactType, values: CommandValues): readonly Use[] {
  return type.actions.flatMap(({ label, command }) => {
    const filled = fillCommand(command, values);
    return filled === undefined ? [] : [{ label, command: filled }];
  });
}
