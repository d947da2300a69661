import { type TarFile } from '../artifact/build.ts';
import { type MeshFinding } from './finding.ts';
import { validateFiles } from './validate.ts';

/** What is no fault, and worth to know before it is carried away. */
const WORTH_KNOWING: ReadonlySet<string> = new Set(['no-importer', 'connection-secret']);

/** What Meshery would refuse, drop or crash on in the layer that it reads: a sentence for each rule. @throws OCL_LIMIT */
export async function importNotes(files: readonly TarFile[]): Promise<readonly string[]> {
  const contents = new Map(files.map(({ path, bytes }) => [path, bytes]));
  const { findings } = await validateFiles({
    form: 'archive',
    files: [...contents.keys()].toSorted().map((path) => ({ path })),
    read: (path) => Promise.resolve(contents.get(path) ?? new Uint8Array()),
    nameOf: (path) => path,
  });
  const byRule = new Map<string, MeshFinding[]>();
  for (const finding of findings) {
    const { rule, level } = finding;
    if (level === 'error' || WORTH_KNOWING.has(rule)) byRule.set(rule, [...(byRule.get(rule) ?? []), finding]);
  }
  return [...byRule.values()].map((found) => {
    const [{ file, message, rule }] = found as [MeshFinding, ...MeshFinding[]];
    const others = found.length === 1 ? '' : `, and ${found.length - 1} more`;
    return `${file}: ${message} [${rule}${others}]`;
  });
}
