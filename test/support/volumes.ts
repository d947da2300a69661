import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { silent } from '../../src/core/events.ts';
import { type NamedRoot } from '../../src/core/store.ts';
import { type DeltaOptions } from '../../src/stores/archive/plan.ts';
import { createArchive } from '../../src/stores/archive/writer.ts';
import { opening, type Graph } from './graphs.ts';

export interface VolumeOptions {
  readonly sizes: readonly number[];
  readonly overwrite?: boolean;
  readonly delta?: DeltaOptions;
}

/** An image with the name that it gets. */
export interface Named {
  readonly graph: Graph;
  readonly name: string;
}

/** Writes graphs into volumes beside `path`, all contents at the same time; answers the paths of the volumes. */
export async function writeVolumes(
  path: string,
  images: readonly Named[],
  { sizes, overwrite, delta }: VolumeOptions,
): Promise<readonly string[]> {
  const sink = createArchive({ path, volumeSizes: sizes }, { emit: silent, overwrite, delta });
  try {
    const pieces = new Map(
      images.flatMap(({ graph }) => graph.pieces.map((each) => [each.descriptor.digest, each] as const)),
    );
    const bytes = ({ digest }: Descriptor): Uint8Array => pieces.get(digest)?.bytes ?? new Uint8Array();
    const names: NamedRoot[] = images.map(({ graph, name }) => ({
      root: graph.root,
      // Referrers have no name.
      name: name === '' ? {} : { tag: name.slice(name.lastIndexOf(':') + 1), imageName: name },
    }));
    const nodes = [...pieces.values()].map(({ descriptor }) => descriptor);
    const order = await sink.reserve(nodes, names, async (descriptor) => bytes(descriptor));
    await Promise.all(order.map(async (descriptor) => await sink.put(descriptor, opening(bytes(descriptor)))));
    for (const { root, name } of names) await sink.tag(root, name, opening(bytes(root)));
    await sink.commit();
  } finally {
    await sink.close();
  }
  const stem = path.replace(/\.tar$/, '');
  return (await readdir(dirname(path)))
    .map((name) => join(dirname(path), name))
    .filter((each) => each.startsWith(`${stem}.vol`))
    .toSorted();
}
