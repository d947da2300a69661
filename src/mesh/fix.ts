import { readFile, realpath, stat } from 'node:fs/promises';
import { writeFileAtomic } from '../io/atomicFile.ts';
import { editYaml, type YamlEdit } from '../io/yamlEdit.ts';
import { unescapeJson } from './checkGoYaml.ts';
import { type FindingEdit, type MeshFinding } from './finding.ts';

const MARK = '\uFEFF';

/** A text with what its findings ask for, where that is no guess. Nothing else in it changes. */
export function fixText(
  text: string,
  findings: readonly MeshFinding[],
  file: string,
): { readonly text: string; readonly fixed: readonly MeshFinding[] } {
  const mark = text.startsWith(MARK) ? MARK : '';
  const edits = findings.flatMap((finding) => finding.edits ?? []);
  const bare = text.slice(mark.length);
  const start = edits.some(({ kind }) => kind === 'unescape') ? unescapeJson(bare) : bare;
  const { text: made, left } = editYaml(start, edits.filter(isYamlEdit), file);
  const refused = new Set<FindingEdit>(left);
  const fixed = findings.filter((finding) => finding.edits?.every((edit) => !refused.has(edit)) === true);
  return { text: mark + made, fixed };
}

function isYamlEdit(edit: FindingEdit): edit is YamlEdit {
  return edit.kind !== 'unescape';
}

/**
 * Writes files anew in which something can be mended, each as a whole, with the rights that it had. A file that a link leads to is
 * mended where it is.
 * @param pathOf where the file of a finding lies on disk
 * @returns what was mended
 */
export async function fixFiles(
  findings: readonly MeshFinding[],
  pathOf: (file: string) => string,
): Promise<readonly MeshFinding[]> {
  const byFile = new Map<string, MeshFinding[]>();
  for (const finding of findings)
    if (finding.edits !== undefined) byFile.set(finding.file, [...(byFile.get(finding.file) ?? []), finding]);
  const done: MeshFinding[] = [];
  for (const [file, own] of byFile) {
    const path = await realpath(pathOf(file));
    const before = await readFile(path, 'utf8');
    const { text, fixed } = fixText(before, own, file);
    if (text === before) continue;
    const { mode } = await stat(path);
    await writeFileAtomic(path, Buffer.from(text), mode & 0o777);
    done.push(...fixed);
  }
  return done;
}
