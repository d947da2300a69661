import { OclError } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
import { type Manifest } from '../core/manifest.ts';
import { type Source } from '../core/store.ts';
import { digestOf } from '../io/verify.ts';
import { type MeshFile } from './entity.ts';
import { layerFiles } from './layerFiles.ts';
import { LAYER_ANNOTATION, MESH_ANNOTATION } from './mediaTypes.ts';

/** Whether `ocl` packed it, so that its files can be given back as they were. */
export function hasOriginals({ layers }: Manifest): boolean {
  return layers[0]?.annotations?.[LAYER_ANNOTATION.made] !== undefined;
}

/**
 * The files of an entity as they were when it was packed: those in Meshery's layer that were not made, and those beside it.
 * @throws OCL_DIGEST_MISMATCH when they are not what was packed; as `layerFiles`
 */
export async function readOriginals(manifest: Manifest, source: Source): Promise<readonly MeshFile[]> {
  const [first, ...others] = manifest.layers;
  if (first === undefined) return [];
  const made = new Set(madePaths(first.annotations?.[LAYER_ANNOTATION.made] ?? '[]', first.digest));
  const base = first.annotations?.[LAYER_ANNOTATION.base] ?? '';
  const start = base === '' ? '' : `${base}/`;
  const files = new Map<string, MeshFile>();
  for (const { path, bytes } of (await layerFiles(first, source)).files) {
    if (made.has(path) || !path.startsWith(start)) continue;
    files.set(path.slice(start.length), { path: path.slice(start.length), bytes });
  }
  for (const layer of others) for (const file of (await layerFiles(layer, source)).files) files.set(file.path, file);
  const all = sortFiles([...files.values()]);
  const promised = manifest.annotations?.[MESH_ANNOTATION.source];
  if (promised !== undefined && promised !== sourceDigest(all))
    throw new OclError(
      'OCL_DIGEST_MISMATCH',
      `Cannot give back the files of ${first.digest}: they are not those that were packed`,
      { hint: 'its layers were changed, or some of them are missing' },
    );
  return all;
}

function madePaths(text: string, digest: string): readonly string[] {
  const value = parseJson(Buffer.from(text), `the annotation ${LAYER_ANNOTATION.made} of ${digest}`);
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

export function sortFiles(files: readonly MeshFile[]): readonly MeshFile[] {
  return files.toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** One digest for all files: the sha256 of their list. */
export function sourceDigest(files: readonly MeshFile[]): string {
  const lines = sortFiles(files).map(({ path, bytes }) => `${digestOf(bytes).slice('sha256:'.length)}  ${path}\n`);
  return digestOf(Buffer.from(lines.join(''))).slice('sha256:'.length);
}
