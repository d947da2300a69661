import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { withStrangers, type OpenBundle } from '../../artifact/cnab/open.ts';
import { packThick } from '../../artifact/cnab/pack.ts';
import { gatherImages, relocateBundle, relocationMap } from '../../artifact/cnab/relocate.ts';
import { canonicalBundle } from '../../artifact/cnab/schema.ts';
import { Copier } from '../../copy/copier.ts';
import { OclError } from '../../core/errors.ts';
import { formatReference, isTag, parseReference, type Reference } from '../../core/reference.ts';
import { writeFileAtomic } from '../../io/atomicFile.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { formatBytes, plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { toCount } from '../select.ts';
import { strangersOf, withBundle } from './open.ts';
import { stat } from 'node:fs/promises';

interface RelocateArguments {
  readonly target: string;
  readonly relocationMap: string | undefined;
  readonly includeForeign: boolean;
  readonly overwrite: boolean;
  readonly concurrency: number;
  readonly form: 'cnab' | 'oci';
}

const THICK = /\.(?:tgz|tar\.gz)$/i;

export const relocate = defineCommand(
  (cli) =>
    cli
      .positional('bundle', {
        type: 'string',
        demandOption: true,
        describe: 'A bundle in a registry or layout, a thick archive, or a bundle.json',
      })
      .positional('target', {
        type: 'string',
        demandOption: true,
        describe: 'A repository or layout that gets everything, or a .tgz file: a thick archive',
      })
      .option('relocation-map', {
        type: 'string',
        requiresArg: true,
        describe: 'Write where each image is now to this file; else it is printed',
      })
      .option('include-foreign', {
        type: 'boolean',
        default: false,
        describe: 'Fetch foreign layers and images in other registries too: https only, without logins',
      })
      .option('form', {
        choices: ['cnab', 'oci'] as const,
        default: 'cnab' as const,
        describe:
          'How an archive becomes an index: with the media type of CNAB, or of images for registries that refuse it',
      })
      .option('overwrite', { type: 'boolean', default: false, describe: 'Replace an archive that exists' })
      .option('concurrency', { default: 6, requiresArg: true, coerce: toCount, describe: 'Contents under way at once' })
      .example('$0 cnab relocate shop.tgz registry.local:5000/shop:1.0', 'A thick archive into a registry')
      .example(
        '$0 cnab relocate ghcr.io/x/shop:1.0 registry.local:5000/shop:1.0 --relocation-map map.json',
        'From one registry to another',
      )
      .example('$0 cnab relocate ghcr.io/x/shop:1.0 shop.tgz', 'Into a thick archive that crosses the gap'),
  async (args) => {
    const isThick = THICK.test(args.target) && !/^[a-z][a-z-]*:/.test(args.target);
    const target = isThick ? undefined : parseReference(args.target);
    if (target === undefined && args.relocationMap !== undefined)
      throw new OclError('OCL_USAGE', 'Cannot write a relocation map: in an archive images keep their names', {
        hint: 'leave --relocation-map, and give it when the archive is relocated into a registry',
      });
    if (target !== undefined && target.kind !== 'registry' && target.kind !== 'layout')
      throw new OclError('OCL_USAGE', `Cannot relocate to ${args.target}: it is neither a repository nor a layout`, {
        hint: 'write HOST/REPOSITORY:TAG, ocidir://DIRECTORY:TAG, or FILE.tgz for a thick archive',
      });
    await runCommand(args, {}, async (env) => {
      await withBundle(args.bundle, env, async (given, name) => {
        const open = args.includeForeign ? await withStrangers(given, strangersOf(env)) : given;
        if (target === undefined) await toArchive(open, name, { ...args, env });
        else await toRepository(open, name, { ...args, env, to: target });
      });
    });
  },
);

async function toRepository(
  open: OpenBundle,
  image: string,
  options: RelocateArguments & { readonly env: Env; readonly to: Reference },
): Promise<void> {
  const { env, to: target, includeForeign, form } = options;
  const { stores, clock, emit, signal } = env;
  const to = await stores.sink(target);
  const result = await relocateBundle(open, {
    copier: new Copier({ clock, emit, signal, concurrency: options.concurrency }),
    to,
    tag: target.tag ?? tagOf(open),
    image,
    form,
    signal,
    strangers: includeForeign ? strangersOf(env) : undefined,
  });
  await to.commit();
  const map = relocationMap(result.images, (digest) => formatReference({ ...target, tag: undefined, digest }));
  const text = `${JSON.stringify(map, undefined, 2)}\n`;
  if (options.relocationMap !== undefined) await writeFileAtomic(options.relocationMap, new TextEncoder().encode(text));
  const { digest } = result.root;
  if (env.json)
    env.print(
      JSON.stringify({
        type: 'summary',
        target: options.target,
        digest,
        streamed: result.streamed,
        relocationMap: map,
      }),
    );
  else if (options.relocationMap === undefined) env.print(text.trimEnd());
  env.say(
    `${options.target}: ${plural(result.images.length, 'image')} of ${digest}, ${formatBytes(result.streamed)} moved`,
  );
}

/** The version of the bundle, as far as it can be a tag. */
function tagOf({ bundle: { version } }: OpenBundle): string {
  const tag = version?.replaceAll('+', '_');
  return tag !== undefined && isTag(tag) ? tag : 'latest';
}

async function toArchive(
  open: OpenBundle,
  image: string,
  options: RelocateArguments & { readonly env: Env },
): Promise<void> {
  const { env, target: path, includeForeign } = options;
  const { stores, clock, emit, signal } = env;
  if (!options.overwrite && (await stat(path).catch(() => undefined)) !== undefined)
    throw new OclError('OCL_EXISTS', `Cannot write ${path}: it exists already`, {
      hint: 'name another file, or add --overwrite',
    });
  // Beside the archive, where contents of layouts can be linked.
  const directory = await mkdtemp(join(dirname(path), '.ocl-cnab-'));
  try {
    const layout = { kind: 'layout', path: join(directory, 'layout') } as const;
    const to = await stores.sink(layout);
    const roots = async () => (await (await stores.library(layout)).whole?.roots()) ?? [];
    const { entries } = await gatherImages(
      open,
      { to, roots },
      {
        copier: new Copier({ clock, emit, signal, concurrency: options.concurrency }),
        image,
        signal,
        strangers: includeForeign ? strangersOf(env) : undefined,
      },
    );
    await packThick(path, canonicalBundle(open.bundle), { layout: layout.path, entries });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
  const { size } = await stat(path);
  if (env.json) env.print(JSON.stringify({ type: 'summary', file: path, size, images: open.parts.length }));
  else
    env.say(
      `${path}: ${plural(open.parts.length, 'image')}, ${formatBytes(size)}\nnext: carry it over, then  ocl cnab relocate ${path} REGISTRY/REPOSITORY:TAG`,
    );
}
