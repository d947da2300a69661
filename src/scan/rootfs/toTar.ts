import { TAR_END, tarEntryHeader, tarPadding } from '../../io/tarball.ts';
import { type Attributes } from './nodes.ts';
import { plannedMode, type Keep, type Plan, type PlannedFile } from './plan.ts';

/** The contents of the files of a plan, in the order of layers. */
export type Contents = AsyncIterable<{ readonly file: PlannedFile; readonly body: () => AsyncIterable<Buffer> }>;

/**
 * A plan as a tar file: directories, then files in the order in which their contents come, each with its hard links behind it, then
 * symbolic links, so that who unpacks it never writes through one. The same image always gives the same bytes.
 */
export async function* tarOfPlan(plan: Plan, contents: Contents, keep: ReadonlySet<Keep>): AsyncGenerator<Uint8Array> {
  const owned = ({ mode, uid, gid, mtime }: Attributes) => ({ mode: plannedMode(mode, keep), uid, gid, mtime });
  for (const { path, node } of plan.directories)
    yield tarEntryHeader({ kind: 'directory', path: `${path}/`, ...owned(node) });
  for await (const { file, body } of contents) {
    const { path, node, names } = file;
    yield tarEntryHeader({ kind: 'file', path, size: node.size, ...owned(node) });
    yield* body();
    const padding = tarPadding(node.size);
    if (padding > 0) yield new Uint8Array(padding);
    for (const name of names) yield tarEntryHeader({ kind: 'hardlink', path: name, target: path, ...owned(node) });
  }
  for (const { path, node } of plan.symlinks)
    yield tarEntryHeader({ kind: 'symlink', path, target: node.target, ...owned(node), mode: 0o777 });
  yield TAR_END;
}
