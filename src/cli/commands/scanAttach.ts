import { basename } from 'node:path';
import { chooseManifest } from '../../artifact/inspect.ts';
import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { Reads } from '../../artifact/reads.ts';
import { Copier } from '../../copy/copier.ts';
import { OclError } from '../../core/errors.ts';
import { LIMITS } from '../../core/limits.ts';
import { hostPlatform, parsePlatform } from '../../core/platform.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, wantedName } from '../../core/reference.ts';
import { readSmallFile } from '../../io/smallFile.ts';
import { readBounded } from '../../io/verify.ts';
import { attachResult, digestsOf } from '../../scan/results/attach.ts';
import { ARTIFACT_TYPES, readResult, RESULT_FORMATS, type ResultFacts } from '../../scan/formats.ts';
import { defineCommand } from '../command.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';

export const scanAttach = defineCommand(
  (cli) =>
    cli
      .positional('reference', { type: 'string', demandOption: true, describe: 'The image that was scanned' })
      .positional('file', { type: 'string', demandOption: true, describe: 'The result, or - for standard input' })
      .option('type', {
        type: 'string',
        requiresArg: true,
        describe: `What it is, where that is not to be told by its content: ${RESULT_FORMATS.join(', ')}, or a media type`,
      })
      .option('platform', { type: 'string', describe: 'Attach it to one image of an index, such as linux/arm64' })
      .option('title', { type: 'string', requiresArg: true, describe: 'The file name that it is taken out under' })
      .example('$0 scan-attach registry.local:5000/app:1.0 result.sarif', 'What it is, is told by its content')
      .example('$0 scan-attach ocidir://mirror/app:1.0 app.cdx.json --platform linux/amd64', 'An SBOM of one platform')
      .example('trivy … --format json | $0 scan-attach oci:app:1.0 - --title trivy.json', 'Without a file in between'),
  async (args) => {
    const reference = parsePlace(args.reference);
    const platform = args.platform === undefined ? undefined : parsePlatform(args.platform);
    const title = args.title ?? (args.file === '-' ? 'result.json' : basename(args.file));
    await runCommand(args, {}, async (env) => {
      const bytes = await readResultFile(args.file);
      const facts = readResult(bytes);
      const artifactType = typeOf(args.type, facts, args.file);
      // What cannot be changed says so before anything is done.
      await env.stores.editor(reference);
      const source = await env.stores.source(reference);
      const root = await onlyRoot(source, wantedName(reference));
      const host = hostPlatform(process.platform, process.arch);
      const subject =
        platform === undefined ? root : (await chooseManifest(new Reads(source), root, { platform, host })).descriptor;
      const known = facts === undefined || facts.about.length === 0 ? undefined : await digestsOf(source, root);
      if (known !== undefined && facts?.about.some((digest) => known.has(digest)) === false)
        env.emit({
          type: 'notice',
          level: 'warning',
          message: `${args.file} speaks of ${facts.about[0]}, which is no part of ${formatReference(reference)}`,
        });
      const created = facts?.created ?? epoch(process.env['SOURCE_DATE_EPOCH']);
      const { clock, emit, signal } = env;
      const attached = await attachResult(
        subject,
        { bytes, artifactType, title, created },
        { to: await env.stores.sink(reference), copier: new Copier({ clock, emit, signal }) },
      );
      if (env.json) {
        const said = { reference: formatReference(reference), subject: subject.digest, artifactType, title };
        env.print(JSON.stringify({ type: 'summary', ...said, format: facts?.format, ...attached }));
        return;
      }
      env.print(attached.digest);
      env.say(
        `${printable(title)} (${artifactType}) ${attached.outcome === 'current' ? 'was attached before' : 'is attached'} to ${subject.digest}\nnext: ocl tree ${args.reference}`,
      );
    });
  },
);

async function readResultFile(path: string): Promise<Uint8Array> {
  if (path === '-') return await readBounded(process.stdin, LIMITS.scanResultBytes, 'the result');
  return await readSmallFile(path, LIMITS.scanResultBytes, path);
}

/** @throws OCL_UNSUPPORTED, OCL_USAGE */
function typeOf(asked: string | undefined, facts: ResultFacts | undefined, file: string): string {
  if (asked === undefined) {
    if (facts !== undefined) return ARTIFACT_TYPES[facts.format];
    throw new OclError('OCL_UNSUPPORTED', `Cannot tell what ${file} is: it is no result and no SBOM that is known`, {
      hint: `say it: --type ${RESULT_FORMATS[0]}, or a media type such as application/vnd.example.report+json`,
    });
  }
  const format = RESULT_FORMATS.find((each) => each === asked);
  if (format !== undefined) return ARTIFACT_TYPES[format];
  if (/^[a-z0-9][a-z0-9.+_-]*\/[a-z0-9][a-z0-9.+_-]*$/i.test(asked)) return asked;
  throw new OclError(
    'OCL_USAGE',
    `Cannot use the type ${JSON.stringify(asked)}: it is neither a format nor a media type`,
    {
      hint: `one of ${RESULT_FORMATS.join(', ')}`,
    },
  );
}

/** Seconds since the epoch as reproducible builds set them, in milliseconds. */
function epoch(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,11}$/.test(text) ? Number(text) * 1000 : undefined;
}
