import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { shellQuote } from '../../artifact/types/commands.ts';
import { verifyBundle, type VerifyReport } from '../../bundle/verify.ts';
import { isAbsent, OclError, toOclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, parsePathReference, type Reference } from '../../core/reference.ts';
import { groupBundles } from '../bundle/groups.ts';
import { openLocal } from '../bundle/open.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT, EXIT_OF } from '../exit.ts';
import { describeFindings } from '../render/check.ts';
import { formatBytes, formatDuration, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';

export const verify = defineCommand(
  (cli) =>
    cli
      .positional('bundles', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Bundles; of one in volumes, as many of them as are at hand, in any order',
      })
      .option('part', {
        type: 'boolean',
        default: false,
        describe: 'That volumes of a set are not given is well: exit status 0 instead of 2',
      })
      .example('$0 verify images.tar', 'Everything in it, without unpacking')
      .example('$0 verify /media/disc/images.vol*.tar --part', 'Each disc as it is burnt'),
  async (args) => {
    await runCommand(args, {}, async (env) => {
      const { taken, others } = await sort(args.bundles);
      const [other] = others;
      if (other !== undefined && args.bundles.length === 1) throw other.error;
      const { bundles, unreadable } = await groupBundles(taken, env.stores, 'apart');
      const failures = [...unreadable];
      let damaged = false;
      let lacking = false;
      for (const reference of bundles) {
        const name = nameOf(reference);
        try {
          const report = await verifyOne(reference, env);
          damaged ||= report.damaged;
          lacking ||= (report.set?.missing ?? []).length > 0;
          if (env.json) env.print(JSON.stringify({ type: 'verify', bundle: name, ...report }));
          else env.print(describe(shortNameOf(reference), report));
        } catch (error) {
          const known = toOclError(error);
          if (known.code === 'OCL_CANCELLED') throw known;
          failures.push({ path: name, error: known });
        }
      }
      for (const { path, error } of failures) {
        const { code, message, hint } = error;
        if (env.json)
          env.print(JSON.stringify({ type: 'verify', bundle: path, damaged: true, error: { code, message, hint } }));
        else env.print(`${printable(path)}: DAMAGED, cannot be read: ${printable(message)} (${code})`);
      }
      for (const { path, error } of others) {
        const { code, message, hint } = error;
        if (env.json)
          env.print(JSON.stringify({ type: 'verify', bundle: path, damaged: false, error: { code, message, hint } }));
        else env.print(`${printable(path)}: not verified: ${printable(message)} (${code})`);
      }
      if (damaged || failures.length > 0) return EXIT.failed;
      if (other !== undefined) return EXIT_OF[other.error.code];
      return lacking && !args.part ? EXIT.drift : EXIT.done;
    });
  },
);

/** What may be bundles, and what is none: that does not stop the others. */
async function sort(paths: readonly string[]): Promise<{
  readonly taken: readonly string[];
  readonly others: readonly { readonly path: string; readonly error: OclError }[];
}> {
  const taken: string[] = [];
  const others: { path: string; error: OclError }[] = [];
  for (const path of paths) {
    try {
      await refuseOther(path);
      taken.push(path);
    } catch (error) {
      others.push({ path, error: toOclError(error) });
    }
  }
  return { taken, others };
}

/** What is no bundle is not damaged. @throws OCL_NOT_FOUND, OCL_USAGE */
async function refuseOther(path: string): Promise<void> {
  if (path === '-')
    throw new OclError('OCL_USAGE', 'Cannot verify standard input: a bundle is proved where it lies', {
      hint: 'ocl import - DIRECTORY verifies every digest while it takes it in',
    });
  const reference = parsePathReference(path);
  if (reference.kind !== 'path') return;
  const stats = await stat(reference.path).catch((error: unknown) => {
    if (isAbsent(error)) throw new OclError('OCL_NOT_FOUND', `Cannot verify ${path}: there is no such file`);
    return undefined;
  });
  if (stats?.isDirectory() !== true || existsSync(join(reference.path, 'oci-layout'))) return;
  throw new OclError('OCL_USAGE', `Cannot verify ${path}: it is a directory of layouts, and no bundle`, {
    hint: `ocl check ${shellQuote(path)}`,
  });
}

async function verifyOne(reference: Reference, { stores, clock, emit, signal }: Env): Promise<VerifyReport> {
  const source = await openLocal(reference, stores);
  try {
    return await verifyBundle(source, { clock, emit, signal });
  } finally {
    await source.close();
  }
}

function nameOf(reference: Reference): string {
  if (reference.kind === 'registry') return formatReference(reference);
  return [reference.path, ...(reference.volumes ?? [])].join(' ');
}

/** For people, to whom thirty volumes are one thing. */
function shortNameOf(reference: Reference): string {
  if (reference.kind === 'registry' || (reference.volumes?.length ?? 0) < 3) return printable(nameOf(reference));
  return `${printable(reference.path)} and ${plural(reference.volumes?.length ?? 0, 'further volume')}`;
}

function describe(name: string, report: VerifyReport): string {
  const { damaged, images, blobs, bytes, ms, set, requires, findings } = report;
  const rate = formatBytes(bytes / Math.max(0.001, ms / 1000));
  const lines = [
    `${name}: ${damaged ? 'DAMAGED' : 'sound'}, ${plural(images, 'image')}, ${plural(blobs, 'blob')}, ${formatBytes(bytes)} hashed in ${formatDuration(ms)} (${rate}/s)`,
  ];
  if (set !== undefined) {
    const missing = set.missing.length === 0 ? 'all are here' : `not given: ${set.missing.join(', ')}`;
    lines.push(
      `  set ${set.id.slice(0, 19)} of ${plural(set.volumes, 'volume')}, ${missing}; ${images} of ${plural(set.images, 'image')} can be read`,
    );
  }
  if (requires !== undefined) {
    const { basis } = requires;
    const from =
      basis === undefined ? '' : `, by the ${basis.kind} ${printable(basis.id)}${basis.assumed ? ' (assumed)' : ''}`;
    lines.push(
      `  a delta: ${plural(requires.blobs, 'blob')} of ${formatBytes(requires.bytes)} and ${plural(requires.unchanged, 'whole image')} have to be on the far side${from}`,
    );
  }
  const told = findings.filter(({ kind }) => kind !== 'required');
  if (told.length > 0) lines.push(describeFindings(told));
  return lines.join('\n');
}
