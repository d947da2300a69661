import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Descriptor } from '../../core/descriptor.ts';
import { OclError } from '../../core/errors.ts';
import { silent, type Emit } from '../../core/events.ts';
import { LIMITS } from '../../core/limits.ts';
import { type Source } from '../../core/store.ts';
import { type NameFolding } from './collisions.ts';
import { readChange, type Change } from './entries.ts';
import { imageLayers, inLayer, layerMembers, type Budget, type Layer } from './layers.ts';
import { type NameRule } from './names.ts';
import { planOf, type Keep, type LeftOut, type Plan, type Why } from './plan.ts';
import { directoryOfPlan, refuseOccupied } from './toDirectory.ts';
import { tarOfPlan, type Contents } from './toTar.ts';
import { Tree } from './tree.ts';

/** Where a file system goes: a directory that is missing or empty, or a stream that gets a tar file and is not ended. */
export type FlattenTarget =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'tar'; readonly stream: Writable };

export interface FlattenOptions {
  /** What a person calls the image; the source's name when it is not said. */
  readonly name?: string | undefined;
  /** What is not changed or left out as it is by default. */
  readonly keep?: readonly Keep[] | undefined;
  /** `portable` when it is not said. */
  readonly names?: NameRule | undefined;
  /** In a directory: give everything its owner, which only root may. A tar file has the owners always. */
  readonly owner?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Gets `image.plan` and events of blobs; each layer is read twice, and counted so. */
  readonly emit?: Emit | undefined;
  /** Smaller bounds than those of LIMITS. */
  readonly limits?: { readonly entries?: number; readonly bytes?: number } | undefined;
  /** What the target's file system makes of names, where it is known. */
  readonly folding?: NameFolding | undefined;
}

export interface Flattened {
  readonly layers: number;
  readonly directories: number;
  readonly files: number;
  readonly symlinks: number;
  /** Names of files beyond the first of each. */
  readonly hardLinks: number;
  /** Of all files. */
  readonly bytes: number;
  /** What is not, or not as it was, in what came out: all counted, the first thousand by path. */
  readonly leftOut: { readonly counts: Readonly<Record<Why, number>>; readonly listed: readonly LeftOut[] };
}

/**
 * The file system of an image, as its layers make it (image-spec layer.md): as a directory that nothing can escape from, or as a tar
 * file. Layers are read twice, first for their entries, then for the contents that win; memory grows with the entries alone. Every byte is
 * verified against manifest and config each time. A directory appears only when it is complete.
 *
 * @param image a manifest of one platform
 * @throws OCL_UNSUPPORTED (no image, Windows), OCL_DOCUMENT_INVALID, OCL_DIGEST_MISMATCH, OCL_SIZE_MISMATCH, OCL_ARCHIVE_INVALID,
 * OCL_UNSAFE, OCL_LIMIT, OCL_EXISTS, OCL_NOT_FOUND (a layer that is not there), and failures to write
 */
export async function flatten(
  source: Source,
  image: Descriptor,
  target: FlattenTarget,
  options: FlattenOptions = {},
): Promise<Flattened> {
  if (target.kind === 'directory') await refuseOccupied(target.path);
  return await make(
    new Reading(source, await imageLayers(source, image, options.name), options),
    image.digest,
    target,
    options,
  );
}

/**
 * The files in tar layers that are no layers of an image, such as a chart's: as `flatten` makes them of layers, without a config that
 * promises their digests.
 * @throws as `flatten`
 */
export async function unpack(
  source: Source,
  layers: readonly Descriptor[],
  path: string,
  options: FlattenOptions = {},
): Promise<Flattened> {
  await refuseOccupied(path);
  const numbered = layers.map((descriptor, number): Layer => ({ number, descriptor, diffId: undefined }));
  return await make(new Reading(source, numbered, options), source.name, { kind: 'directory', path }, options);
}

async function make(
  reading: Reading,
  image: string,
  target: FlattenTarget,
  options: FlattenOptions,
): Promise<Flattened> {
  const sizes = reading.layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  options.emit?.({ type: 'image.plan', image, nodes: reading.layers.length, bytes: 2 * sizes });
  const tree = await reading.tree();
  const keep = new Set(options.keep);
  const plan = planOf(tree.root, keep);
  const contents = reading.contents(plan);
  if (target.kind === 'directory')
    await directoryOfPlan(plan, contents, target.path, {
      keep,
      owner: options.owner === true,
      folding: options.folding,
    });
  else await pipeline(Readable.from(tarOfPlan(plan, contents, keep)), target.stream, { end: false });
  const { leftOut, ...counts } = plan.counts;
  return { layers: reading.layers.length, ...counts, leftOut: { counts: leftOut, listed: plan.leftOut } };
}

/** The two passes over the layers of an image. */
class Reading {
  readonly layers: readonly Layer[];
  readonly #source: Source;
  readonly #options: FlattenOptions;
  readonly #emit: Emit;

  constructor(source: Source, layers: readonly Layer[], options: FlattenOptions) {
    this.layers = layers;
    this.#source = source;
    this.#options = options;
    this.#emit = options.emit ?? silent;
  }

  /** First pass: what there is. */
  async tree(): Promise<Tree> {
    const limit = this.#options.limits?.entries ?? LIMITS.rootfsEntries;
    const tree = new Tree(limit);
    const budget = this.#budget();
    let left = limit;
    for (const layer of this.layers) {
      const changes: Change[] = [];
      let member = 0;
      for await (const entry of this.#members(layer, budget)) {
        if (--left < 0) throw new OclError('OCL_LIMIT', `Cannot flatten the image: it has more than ${limit} entries`);
        this.#inLayer(layer, () => {
          const change = readChange(entry, { layer: layer.number, member }, this.#options.names ?? 'portable');
          if (change !== undefined) changes.push(change);
        });
        member++;
      }
      this.#inLayer(layer, () => tree.apply(changes));
    }
    return tree;
  }

  /** Second pass: the contents that won, from the layers that have any. */
  async *contents(plan: Plan): Contents {
    const budget = this.#budget();
    for (const layer of this.layers) {
      const wanted = plan.files.get(layer.number);
      if (wanted === undefined) {
        this.#emit({ type: 'blob.done', blob: layer.descriptor, outcome: 'present' });
        continue;
      }
      let member = 0;
      for await (const entry of this.#members(layer, budget)) {
        const file = wanted.get(member);
        if (file !== undefined) yield { file, body: () => entry.body() };
        member++;
      }
    }
  }

  #budget(): Budget {
    return { bytes: this.#options.limits?.bytes ?? LIMITS.rootfsBytes };
  }

  async *#members(layer: Layer, budget: Budget) {
    const { signal } = this.#options;
    const blob = layer.descriptor;
    this.#emit({ type: 'blob.start', blob });
    const count = (bytes: number): void => {
      signal?.throwIfAborted();
      this.#emit({ type: 'blob.bytes', blob, bytes });
    };
    yield* layerMembers(this.#source, layer, { budget, count });
    this.#emit({ type: 'blob.done', blob, outcome: 'streamed' });
  }

  #inLayer(layer: Layer, work: () => void): void {
    try {
      work();
    } catch (error) {
      throw inLayer(error, layer);
    }
  }
}
