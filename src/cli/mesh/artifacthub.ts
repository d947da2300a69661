import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, type Reference } from '../../core/reference.ts';
import { Copier } from '../../copy/copier.ts';
import { CATEGORIES, isTime, type PackageFacts, type RepositoryFacts } from '../../mesh/artifactHub.ts';
import { METADATA_TAG, repositoryArtifact, writeHubRepository } from '../../mesh/artifactHubRepository.ts';
import { writeHubPackage, type HubPackage } from '../../mesh/artifactHubTree.ts';
import { readKnown } from '../../mesh/readKnown.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';
import { sourceDate } from '../sourceDate.ts';
import { inputReference, noteTo } from './input.ts';

export const artifacthub = defineCommand(
  (cli) =>
    cli
      .positional('inputs', {
        type: 'string',
        array: true,
        default: [] as readonly string[],
        describe: 'Designs: files, directories, archives or references',
      })
      .option('output', {
        alias: 'o',
        type: 'string',
        requiresArg: true,
        describe: 'The directory of the git repository that Artifact Hub reads',
      })
      .option('repository-id', {
        type: 'string',
        requiresArg: true,
        describe: 'The UUID that Artifact Hub shows for the repository',
      })
      .option('owner', people('Who may claim the repository'))
      .option('metadata-ref', {
        type: 'string',
        requiresArg: true,
        describe: `HOST/REPOSITORY whose metadata is pushed under the tag ${METADATA_TAG}`,
      })
      .option('license', { type: 'string', requiresArg: true, describe: 'By its SPDX name, such as Apache-2.0' })
      .option('category', { choices: CATEGORIES, describe: 'Where the designs are listed' })
      .option('keyword', {
        type: 'string',
        array: true,
        default: [] as readonly string[],
        describe: 'A word to find them by (repeatable)',
      })
      .option('provider', { type: 'string', requiresArg: true, describe: 'Who publishes them' })
      .option('maintainer', people('Who looks after them'))
      .option('description', { type: 'string', requiresArg: true, describe: 'A few words about them' })
      .option('created', {
        type: 'string',
        requiresArg: true,
        coerce: toTime,
        describe: 'When they were made, as 2026-01-31T12:00:00Z; otherwise as they say themselves',
      })
      .option('minimal', { type: 'boolean', default: false, describe: 'Leave out the container images that they need' })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace a version that has another content' })
      .example(
        '$0 mesh artifacthub ./designs -o hub --license Apache-2.0',
        'A tree to commit and to list in Artifact Hub',
      )
      .example(
        "$0 mesh artifacthub --metadata-ref registry.local/app --repository-id UUID --owner 'Ann <ann@x.test>'",
        'Proof of whose an OCI repository is',
      ),
  async (args) => {
    const { output, metadataRef, repositoryId } = args;
    const hasOwner = repositoryId !== undefined || args.owner.length > 0;
    const isTree = output !== undefined && (args.inputs.length > 0 || hasOwner);
    if (!isTree && (metadataRef === undefined || output !== undefined || args.inputs.length > 0))
      throw new OclError('OCL_USAGE', 'Cannot write for Artifact Hub: name designs and where they go', {
        hint: 'ocl mesh artifacthub design.yml -o DIR',
      });
    if (metadataRef !== undefined && !hasOwner)
      throw new OclError('OCL_USAGE', `Cannot push the metadata of ${metadataRef}: there are none`, {
        hint: 'add --repository-id UUID and --owner',
      });
    const owner: RepositoryFacts = { repositoryId, owners: args.owner };
    const target = metadataRef === undefined ? undefined : metadataTarget(metadataRef);
    await runCommand(args, {}, async (env) => {
      const now =
        sourceDate(process.env) ??
        new Date(Math.floor(env.clock.now() / 1000) * 1000).toISOString().replace('.000Z', 'Z');
      const options = { facts: factsOf(args), now, minimal: args.minimal, overwrite: args.overwrite };
      if (output !== undefined) {
        for (const input of args.inputs) await writeAll(input, output, options, env);
        if (hasOwner) await writeOwner(owner, output, env);
      }
      if (target !== undefined) await pushOwner(owner, target, env);
    });
  },
);

/** `NAME <EMAIL>`, repeatable. */
function people(describe: string) {
  return {
    type: 'string',
    array: true,
    requiresArg: true,
    default: [] as readonly string[],
    coerce: (texts: readonly string[]) => texts.map(toPerson),
    describe: `${describe}: 'NAME <EMAIL>' (repeatable)`,
  } as const;
}

function toPerson(text: string): { readonly name: string; readonly email: string } {
  const [, name = '', email = ''] = /^\s*(.*?)\s*<([^<>\s@]+@[^<>\s@]+)>\s*$/.exec(text) ?? [];
  if (email === '') throw new OclError('OCL_USAGE', `Cannot use ${JSON.stringify(text)}: it is no NAME <EMAIL>`);
  return { name: name === '' ? email : name, email };
}

function toTime(text: string): string {
  if (isTime(text)) return text;
  throw new OclError('OCL_USAGE', `Cannot use ${JSON.stringify(text)}: it is no time`, {
    hint: 'write it as 2026-01-31T12:00:00Z',
  });
}

interface FactArguments {
  readonly license: string | undefined;
  readonly category: string | undefined;
  readonly keyword: readonly string[];
  readonly provider: string | undefined;
  readonly maintainer: PackageFacts['maintainers'];
  readonly description: string | undefined;
  readonly created: string | undefined;
}

function factsOf(args: FactArguments): Partial<PackageFacts> {
  const { license, category, keyword, provider, maintainer, description, created } = args;
  const all = {
    license,
    category,
    provider,
    description,
    createdAt: created,
    keywords: keyword,
    maintainers: maintainer,
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && value.length > 0));
}

async function writeAll(
  input: string,
  output: string,
  options: Parameters<typeof writeHubPackage>[2],
  env: Env,
): Promise<void> {
  const { stores, tmpDir } = env;
  const note = noteTo(env.emit);
  let written = 0;
  for await (const { entity, digest, deprecation } of readKnown(inputReference(input), {
    stores,
    tmpDir,
    onNote: note,
  })) {
    if (entity.kind !== 'design') {
      note(`${entity.origin} is left out: Artifact Hub lists designs alone, and this is a ${entity.kind}`);
      continue;
    }
    const made: HubPackage = await writeHubPackage({ entity, digest, deprecation }, output, options);
    written++;
    const { notes, ...result } = made;
    for (const each of notes) note(`${entity.origin}: ${each}`);
    if (env.json) env.print(JSON.stringify({ type: 'package', ...result }));
    else env.print(printable(`${result.directory}  ${result.outcome}`));
  }
  if (written === 0) throw new OclError('OCL_NOT_FOUND', `Cannot list ${input} in Artifact Hub: it holds no design`);
}

async function writeOwner(owner: RepositoryFacts, output: string, env: Env): Promise<void> {
  const outcome = (await writeHubRepository(owner, output)) ? 'written' : 'unchanged';
  if (env.json) env.print(JSON.stringify({ type: 'repository', directory: output, outcome }));
  else env.print(printable(`${output}/artifacthub-repo.yml  ${outcome}`));
}

function metadataTarget(text: string): Reference {
  const reference = parsePlace(text);
  if (reference.digest === undefined && (reference.tag === undefined || reference.tag === METADATA_TAG))
    return { ...reference, tag: METADATA_TAG };
  throw new OclError('OCL_USAGE', `Cannot push to ${text}: the metadata of a repository has the tag ${METADATA_TAG}`, {
    hint: 'leave the tag away',
  });
}

async function pushOwner(owner: RepositoryFacts, target: Reference, env: Env): Promise<void> {
  const { stores, clock, emit, signal } = env;
  const { store, root } = repositoryArtifact(owner);
  const to = await stores.sink(target);
  const request = { from: store, to, root, name: { tag: METADATA_TAG }, image: METADATA_TAG };
  const copier = new Copier({ clock, emit, signal });
  if (to.reserve === undefined) await copier.copy(request);
  else await copier.copyReserved([request], to);
  await to.commit();
  const name = formatReference(target);
  if (env.json) env.print(JSON.stringify({ type: 'metadata', reference: name, digest: root.digest }));
  else env.print(printable(`${name}@${root.digest}`));
}
