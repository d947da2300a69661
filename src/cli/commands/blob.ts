import { pipeline } from 'node:stream/promises';
import { type Descriptor } from '../../core/descriptor.ts';
import { isDigest, type Digest } from '../../core/digest.ts';
import { isCode, OclError } from '../../core/errors.ts';
import { children } from '../../core/graph.ts';
import { isDocumentType } from '../../core/mediaTypes.ts';
import { wantedName } from '../../core/reference.ts';
import { type Source } from '../../core/store.ts';
import { loadDocument } from '../../copy/documents.ts';
import { verifying } from '../../io/verify.ts';
import { defineCommand } from '../command.ts';
import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';

export const blob = defineCommand(
  (cli) =>
    cli
      .positional('action', { choices: ['get'] as const, demandOption: true, describe: 'What to do' })
      .positional('reference', { type: 'string', demandOption: true, describe: 'The image that the blob is a part of' })
      .positional('digest', { type: 'string', demandOption: true, describe: 'Which blob' })
      .example(
        '$0 blob get ocidir://mirror/app:1.0 sha256:… > layer.tar.gz',
        'A layer; its digest is checked while it is written',
      ),
  async (args) => {
    const reference = parsePlace(args.reference);
    const digest = toDigest(args.digest);
    await runCommand(args, { contentOnStdout: true, showsOnly: true }, async (env) => {
      const source = await env.stores.source(reference);
      const root = await onlyRoot(source, wantedName(reference));
      const descriptor = await findDescriptor(source, root, digest);
      if (descriptor === undefined)
        throw new OclError('OCL_NOT_FOUND', `Cannot find ${digest}: it is no part of ${args.reference}`, {
          hint: `ocl tree --layers ${args.reference}`,
        });
      await pipeline(verifying(await source.open(descriptor), descriptor), process.stdout, {
        end: false,
        signal: env.signal,
      });
    });
  },
);

/** What was typed is no document from outside. */
function toDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new OclError(
    'OCL_USAGE',
    `Cannot get the blob ${JSON.stringify(text)}: it is no digest, such as sha256:<64 lower-case hex digits>`,
    {
      hint: 'ocl tree --layers IMAGE lists the digests',
    },
  );
}

/** The size of a blob is known only to the documents that name it. */
async function findDescriptor(
  source: Source,
  root: Descriptor,
  digest: Digest,
  seen = new Set<Digest>(),
): Promise<Descriptor | undefined> {
  if (root.digest === digest) return root;
  if (!isDocumentType(root.mediaType) || seen.has(root.digest)) return undefined;
  seen.add(root.digest);
  const { document } = await loadDocument(root, source);
  for (const { descriptor } of children(document)) {
    const found =
      descriptor.digest === digest
        ? descriptor
        : isDocumentType(descriptor.mediaType)
          ? await findDescriptor(source, descriptor, digest, seen).catch(absent)
          : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A platform that was not copied holds nothing that could be found. */
function absent(error: unknown): undefined {
  if (!isCode(error, 'OCL_NOT_FOUND')) throw error;
}
