import { shortDigest } from '../../core/digest.ts';
import { type CopyResult } from '../../copy/copier.ts';
import { type ArchiveDestination, type ArchiveSink } from '../../stores/archive/writer.ts';
import { type Env } from '../env.ts';
import { formatBytes, plural } from '../render/format.ts';
import { describeVolumes } from '../volumes.ts';
import { describeDelta } from './delta.ts';

/** `-` is standard output. */
export function destinationOf(output: string, volumeSizes: readonly number[] | undefined): ArchiveDestination {
  if (output === '-') return { stream: process.stdout, name: '-', keepsNothing: true };
  return volumeSizes === undefined ? { path: output } : { path: output, volumeSizes };
}

export interface Written {
  readonly sink: ArchiveSink;
  readonly output: string;
  readonly results: readonly CopyResult[];
  /** Names of images that could not be had, and were waived. */
  readonly missing: readonly string[];
}

/** Tells what was written, and what to do next. */
export function reportWritten({ sink, output, results, missing }: Written, env: Env): void {
  const { files } = sink;
  const set = sink.record?.set;
  const delta = describeDelta(sink.record);
  if (env.json) {
    const volumes = set === undefined ? {} : { set: set.id, volumes: files };
    const told = { file: output, images: results, missing, ...volumes, delta: delta?.json };
    return env.print(JSON.stringify({ type: 'summary', ...told }));
  }
  const bytes = results.reduce((sum, result) => sum + result.bytes, 0);
  const without = missing.length === 0 ? '' : `, without ${plural(missing.length, 'image')} that could not be had`;
  const what = `${plural(results.length, 'image')}, ${formatBytes(bytes)}${without}${delta === undefined ? '' : `\n${delta.text}`}`;
  if (set !== undefined)
    return env.say(
      `${describeVolumes(files)}\n${output}: set ${shortDigest(set.id)}, ${what}\nnext: carry the volumes over, then in any order  ocl import VOLUME... DIRECTORY`,
    );
  const name = output === '-' ? 'standard output' : output;
  env.say(
    `${name}: ${what}\nnext: carry the file over, then  ocl import ${output === '-' ? 'FILE' : output} DIRECTORY`,
  );
}
