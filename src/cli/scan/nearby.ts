import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Copier } from '../../copy/copier.ts';
import { plainDescriptor, type Descriptor } from '../../core/descriptor.ts';
import { type Source } from '../../core/store.ts';
import { type Env } from '../env.ts';

/**
 * Works with an image on this machine, for what reads its layers several times: one of a registry is fetched into a layout for as long
 * as that takes.
 */
export async function nearby<T>(
  { source, image, name }: { readonly source: Source; readonly image: Descriptor; readonly name: string },
  env: Env,
  work: (source: Source) => Promise<T>,
): Promise<T> {
  if (source.place(image).kind !== 'repository') return await work(source);
  const directory = await mkdtemp(join(env.tmpDir, 'ocl-image-'));
  try {
    const place = { kind: 'layout', path: join(directory, 'layout') } as const;
    const to = await env.stores.sink(place);
    const { clock, emit, signal } = env;
    await new Copier({ clock, emit, signal }).copy({
      from: source,
      to,
      root: plainDescriptor(image),
      name: { tag: 'image' },
      image: name,
      select: { referrers: false, digestTags: false, foreign: true },
    });
    await to.commit();
    await to.close();
    return await work(await env.stores.source(place));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
