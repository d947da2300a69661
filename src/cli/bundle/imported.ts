import { isAbsent } from '../../bundle/deltaCheck.ts';
import { shellQuote } from '../../artifact/types/commands.ts';
import { type ImportReport } from '../../bundle/import.ts';
import { type Receipt } from '../../bundle/receipt.ts';
import { type AwaitedVolumes } from '../../bundle/volumesImport.ts';
import { nameThere } from '../../bundle/target.ts';
import { shortDigest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { formatBytes, formatTable, plural } from '../render/format.ts';

/** Tells what was imported, and which volumes are still to come. @returns the exit status */
export function reportImport(
  { results, streamed, failed, arrived, kept: keptNames, waiting, awaited }: ImportReport,
  target: string,
  env: Env,
): number {
  const partial = results.filter(({ missing }) => missing !== undefined);
  const copied = results.filter(({ outcome, missing }) => outcome === 'copied' && missing === undefined);
  if (env.json)
    env.print(
      JSON.stringify({
        type: 'summary',
        target,
        images: results,
        streamed,
        failed: failed.map(({ image, error }) => ({ image, error: plain(error) })),
        arrived: arrived.map((each) => {
          const { image, repository, tag } = each;
          return { image, repository, tag, as: nameThere(each) };
        }),
        kept: keptNames,
        waiting,
        awaited,
      }),
    );
  else {
    const rest = partial.length === 0 ? '' : `, ${partial.length} not complete yet`;
    const unchanged = results.length - copied.length - partial.length;
    env.say(
      `${target}: ${plural(copied.length, 'image')} imported, ${unchanged} unchanged, ${failed.length} failed${rest} (${formatBytes(streamed)} transferred)`,
    );
    if (waiting.length > 0)
      env.say(
        `what was missing of ${plural(waiting.length, 'image')} is there now\nnext: import the bundle that was refused once more, into the same target`,
      );
    for (const set of awaited) tellOfAwaited(set, target, env);
  }
  for (const { image, error } of failed) env.sayFailed(image, error);
  if (failed.length > 0) return EXIT.failed;
  return awaited.length > 0 ? EXIT.drift : EXIT.done;
}

/** Under which names images have arrived that were given others. */
export function tellNames(arrived: ImportReport['arrived'], env: Env): void {
  if (env.json || arrived.length === 0) return;
  const rows = arrived.slice(0, LISTED).map((each) => [printable(each.image), printable(nameThere(each))]);
  const more = arrived.length > LISTED ? `\n… and ${arrived.length - LISTED} more` : '';
  env.say(`${formatTable(['IMAGE', 'IS THERE'], rows)}${more}`);
}

/** Images that are named in full; of more the number is told. */
const LISTED = 20;

function tellOfAwaited({ set, volumes, missing, keptBytes, images }: AwaitedVolumes, target: string, env: Env): void {
  const rows = images.slice(0, LISTED).map((each) => [printable(each.image), each.volumes.join(', ')]);
  const more = images.length > LISTED ? `\n… and ${images.length - LISTED} more` : '';
  env.say(`${formatTable(['NOT COMPLETE YET', 'NEEDS VOLUMES'], rows)}${more}`);
  env.say(
    `set ${shortDigest(set)} of ${plural(volumes, 'volume')}: still missing ${missing.join(', ')}${keptBytes === 0 ? '' : `; ${formatBytes(keptBytes)} of cut contents wait for them`}\nnext: bring them, in any order, with  ocl import VOLUME... ${shellQuote(printable(target))}`,
  );
}

/** Whether all that deltas leave out is there, by image, and which volumes are to come. */
export function reportCheck({ incomplete, awaited }: ImportReport, target: string, env: Env): number {
  const blobs = new Map(
    incomplete.flatMap(({ missing }) => missing.map(({ digest, size }) => [digest, size] as const)),
  );
  const bytes = [...blobs.values()].reduce((sum, size) => sum + size, 0);
  if (env.json)
    env.print(
      JSON.stringify({
        type: 'check',
        target,
        complete: incomplete.length === 0 && awaited.length === 0,
        images: incomplete,
        awaited,
        blobs: blobs.size,
        bytes,
      }),
    );
  else if (incomplete.length === 0 && awaited.length === 0) env.say(`${target}: nothing is missing`);
  else if (incomplete.length === 0) env.say(`${target}: volumes are missing`);
  else {
    const absent = incomplete.filter(isAbsent);
    const rows = incomplete.map((each) => [
      printable(each.image),
      isAbsent(each) ? 'whole image' : plural(each.missing.length, 'blob'),
      isAbsent(each) ? '?' : formatBytes(each.missing.reduce((sum, { size }) => sum + size, 0)),
      each.missing[0] === undefined ? '' : shortDigest(each.missing[0].digest),
    ]);
    env.print(formatTable(['IMAGE', 'MISSING', 'BYTES', 'FIRST'], rows));
    env.say(
      `${target}: ${plural(blobs.size, 'blob')} missing (${formatBytes(bytes)}) for ${plural(incomplete.length, 'image')}${absent.length === 0 ? '' : `; of ${plural(absent.length, 'image')} not even the manifest is there, so contents of unknown size come on top`}`,
    );
  }
  if (!env.json) for (const set of awaited) tellOfAwaited(set, target, env);
  if (incomplete.length > 0) return EXIT.failed;
  return awaited.length > 0 ? EXIT.drift : EXIT.done;
}

/** False: something that was just written cannot be read as it should be. */
export function tellReceipt({ reread }: Receipt, file: string, env: Env): boolean {
  const { blobs, bytes, of, damaged } = reread;
  if (env.json) env.print(JSON.stringify({ type: 'receipt', file, reread }));
  else
    env.say(
      `${file}: read again ${blobs} of ${plural(of.blobs, 'blob')} (${formatBytes(bytes)} of ${formatBytes(of.bytes)}), ${damaged.length} damaged`,
    );
  for (const { name, digest, code, message } of damaged)
    env.sayFailed(name, new OclError(code, `Cannot rely on ${digest}: ${message}`, { side: 'target' }));
  return damaged.length === 0;
}

function plain({ code, message, hint, side }: OclError): object {
  return { code, message, hint, side };
}
