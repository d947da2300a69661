import { shellQuote } from '../../artifact/types/commands.ts';
import { shortDigest } from '../../core/digest.ts';
import { printable } from '../../core/redact.ts';
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
  /** How many images those are, where what refers to them is among them. */
  readonly images?: number | undefined;
  /** Names of images that could not be had, and were waived. */
  readonly missing: readonly string[];
}

/** Tells what was written, and what to do next. */
export function reportWritten(written: Written, env: Env): void {
  const { sink, output, results, missing } = written;
  const { files } = sink;
  const set = sink.record?.set;
  const delta = describeDelta(sink.record);
  if (env.json) {
    const volumes = set === undefined ? {} : { set: set.id, volumes: files };
    const told = { file: output, bytes: sizeOf(written), images: results, missing, ...volumes, delta: delta?.json };
    return env.print(JSON.stringify({ type: 'summary', ...told }));
  }
  const without = missing.length === 0 ? '' : `, without ${plural(missing.length, 'image')} that could not be had`;
  const what = `${plural(written.images ?? results.length, 'image')}, ${formatBytes(sizeOf(written))}${without}${delta === undefined ? '' : `\n${delta.text}`}`;
  if (set !== undefined)
    return env.say(
      `${describeVolumes(files)}\n${output}: set ${shortDigest(set.id)}, ${what}\nnext: carry the volumes over, then in any order  ocl import VOLUME... DIRECTORY`,
    );
  // Whoever reads a pipe is at it already.
  if (output === '-') return env.say(`standard output: ${what}`);
  env.say(`${output}: ${what}\nnext: carry the file over, then  ocl import ${typed(output)} DIRECTORY`);
}

/** A name of a file as it is typed after a command. */
function typed(path: string): string {
  return shellQuote(printable(path));
}

/** Bytes that have to be carried: those of the files, and what images share only once. */
function sizeOf({ sink, results }: Written): number {
  if (sink.files.length > 0) return sink.files.reduce((sum, { size }) => sum + size, 0);
  return results.reduce((sum, result) => sum + result.bytes, 0);
}
