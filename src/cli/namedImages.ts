import { isCode, OclError } from '../core/errors.ts';
import { entryName, tagOf } from '../core/names.ts';
import { formatReference, wantedName, type FileReference, type Reference } from '../core/reference.ts';
import { type NamedImage } from '../scan/inputs/found.ts';
import { ownRepository } from '../stores.ts';
import { joinVolumes } from './bundle/groups.ts';
import { type Env } from './env.ts';
import { tellOfAbsent } from './volumes.ts';

/** Gives the layout within an archive that is none of images; undefined where it has none. */
export type LayoutWithin = (path: string) => Promise<string | undefined>;

/**
 * What references name: one image of a registry each, and everything that lies in a place on disk.
 * @param within is asked for archives that are none of images
 * @throws OCL_NOT_FOUND, …
 */
export async function* namedImages(
  references: readonly Reference[],
  env: Env,
  within?: LayoutWithin,
): AsyncGenerator<NamedImage> {
  // With each volume by itself, images that lie in several would be left out without a word.
  for (const reference of await joinVolumes(references, env.stores)) {
    if (reference.kind === 'registry') {
      const source = await env.stores.source(reference);
      const root = await source.resolve(wantedName(reference) as string);
      yield { reference: formatReference(reference), repository: reference.repository, source, root };
    } else yield* localImages(reference, env, within);
  }
}

async function* localImages(
  reference: FileReference,
  env: Env,
  within: LayoutWithin | undefined,
): AsyncGenerator<NamedImage> {
  const library = await env.stores.library(reference).catch(async (error: unknown) => {
    const path = isCode(error, 'OCL_ARCHIVE_INVALID') ? await within?.(reference.path) : undefined;
    if (path === undefined) throw error;
    return await env.stores.library({ ...reference, kind: 'layout', path });
  });
  await tellOfAbsent(library.whole, env);
  const wanted = wantedName(reference);
  const repositories = new Set(await library.repositories());
  // What has no name is in no repository of a bundle, but in the bundle.
  if (library.whole !== undefined && wanted === undefined) repositories.add(ownRepository(reference.path));
  for (const repository of repositories) {
    const source = await library.source(repository);
    if (source === undefined) continue;
    for (const root of wanted === undefined ? await source.roots() : [await source.resolve(wanted)]) {
      const tag = tagOf(root);
      yield {
        reference:
          tag === undefined ? (entryName(root).imageName ?? `${repository}@${root.digest}`) : `${repository}:${tag}`,
        repository,
        source,
        root,
      };
    }
  }
  if (repositories.size === 0)
    throw new OclError('OCL_NOT_FOUND', `Cannot find an image in ${formatReference(reference)}`, {
      hint: `ocl ls ${reference.path}`,
    });
}
