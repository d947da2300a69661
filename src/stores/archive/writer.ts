import { type Writable } from 'node:stream';
import { type BundleRecord } from '../../core/bundleRecord.ts';
import { type Descriptor, type Platform } from '../../core/descriptor.ts';
import { shortDigest, type Digest } from '../../core/digest.ts';
import { type FindStandIn } from '../../core/dockerStandIn.ts';
import { OclError } from '../../core/errors.ts';
import { type Emit, type Shortcut } from '../../core/events.ts';
import { formatPlatform } from '../../core/platform.ts';
import { printable } from '../../core/redact.ts';
import { type Gate, type NamedRoot, type Open, type RootName, type Sink } from '../../core/store.ts';
import { planDockerArchive } from './dockerPlan.ts';
import { FileTarget } from './fileTarget.ts';
import { nameKey, planArchive, type ArchivePlan, type DeltaOptions, type Slot } from './plan.ts';
import { VolumeFiles } from './volumeFiles.ts';
import { StreamTarget, type ArchiveTarget } from './target.ts';

/** Where an archive is written to; the stream is left open for its owner to end. */
export type ArchiveDestination =
  | { readonly path: string }
  /** `keepsNothing`: the stream looks at no bytes again once it has called back, as pipes and files do. */
  | { readonly stream: Writable; readonly name: string; readonly keepsNothing?: boolean | undefined }
  /** Volumes that are named after the path; bytes of each, the last for all after it. */
  | { readonly path: string; readonly volumeSizes: readonly number[] };

export type ArchiveForm = 'layout' | 'docker';

export interface CreateArchiveOptions {
  /** A layout that docker reads too; or what `docker save` wrote of old: one platform of each image, or one artifact with a stand-in, and nothing else. */
  readonly form?: ArchiveForm | undefined;
  /** What stands for an artifact where docker's files are read. */
  readonly standIn?: FindStandIn | undefined;
  /** Which image of a multi-platform index `docker load` gets. */
  readonly dockerPlatform?: Platform | undefined;
  /** What the far side has is left out, and named in the record. */
  readonly delta?: DeltaOptions | undefined;
  /** Whether the disk is asked for room before anything is written; yes, unless it is said. */
  readonly spaceCheck?: boolean | undefined;
  /** Volumes that exist may be replaced. */
  readonly overwrite?: boolean | undefined;
  /** Who writes, for the record. */
  readonly tool?: BundleRecord['tool'];
  readonly emit: Emit;
}

/** A sink that has to be told everything before the first content. */
export type ArchiveSink = Sink &
  Required<Pick<Sink, 'reserve'>> & {
    /** What the archive says of itself, from `reserve` on. Plain archives say nothing. */
    readonly record: BundleRecord | undefined;
    /** The files that it becomes, from `reserve` on; none for a stream. */
    readonly files: readonly ArchiveFile[];
  };

export interface ArchiveFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes that it might have had; undefined where nobody asked for volumes. */
  readonly capacity: number | undefined;
  /** Entries of its own `index.json`: what is complete in it. */
  readonly images: number;
}

/** What `docker load` gets where nobody says. */
export const LINUX: Platform = { os: 'linux', architecture: 'amd64' };

/**
 * An archive that is an image layout and what `docker load` reads, in one. The same contents and names always give the same bytes.
 * A file gets its name at `commit`; before that nothing is seen of it.
 */
export function createArchive(destination: ArchiveDestination, options: CreateArchiveOptions): ArchiveSink {
  if ('stream' in destination)
    return new TarSink(new StreamTarget(destination.stream, destination.name, destination.keepsNothing), options);
  const { spaceCheck } = options;
  if (!('volumeSizes' in destination)) return new TarSink(new FileTarget(destination.path, { spaceCheck }), options);
  const { path, volumeSizes } = destination;
  const volumes = new VolumeFiles(path, options.overwrite === true);
  return new TarSink(new FileTarget(path, { volumes, spaceCheck }), { ...options, volumeSizes });
}

class TarSink implements ArchiveSink {
  readonly name: string;
  readonly gates: readonly Gate[] = [];
  readonly presence = 'node';
  readonly #target: ArchiveTarget;
  readonly #options: CreateArchiveOptions & { readonly volumeSizes?: readonly number[] };
  readonly #written = new Set<Digest>();
  readonly #running = new Map<Digest, Promise<void>>();
  #plan: ArchivePlan | undefined;
  #state: 'open' | 'committed' | 'closed' = 'open';

  constructor(target: ArchiveTarget, options: CreateArchiveOptions & { readonly volumeSizes?: readonly number[] }) {
    this.name = `${options.form === 'docker' ? 'docker' : 'oci'}-archive:${target.name}`;
    this.#target = target;
    this.#options = options;
  }

  get record(): BundleRecord | undefined {
    return this.#plan?.record;
  }

  get files(): readonly ArchiveFile[] {
    const { volumeSizes: sizes } = this.#options;
    return this.#target.paths.flatMap((path, i) => {
      const volume = this.#plan?.volumes[i];
      const capacity = sizes?.[Math.min(i, sizes.length - 1)];
      return volume === undefined ? [] : [{ path, size: volume.size, capacity, images: volume.images }];
    });
  }

  async reserve(
    nodes: readonly Descriptor[],
    names: readonly NamedRoot[],
    read: (descriptor: Descriptor) => Promise<Uint8Array>,
  ): Promise<readonly Descriptor[]> {
    this.#mustBeOpen();
    if (this.#plan !== undefined)
      throw new OclError('OCL_INTERNAL', `Cannot add to ${this.name}: its contents are settled already`);
    const { dockerPlatform = LINUX, delta, tool, volumeSizes, standIn, form } = this.#options;
    const plan =
      form === 'docker'
        ? await planDockerArchive(nodes, names, { read, dockerPlatform, standIn })
        : await planArchive(nodes, names, { read, dockerPlatform, delta, tool, volumeSizes, standIn });
    const [left] = plan.notForDocker;
    if (left !== undefined) {
      const count = plan.notForDocker.length === 1 ? '' : ` and ${plan.notForDocker.length - 1} more`;
      this.#options.emit({
        type: 'notice',
        level: 'info',
        message: `docker load will not find ${printable(left)}${count}: no image for ${formatPlatform(dockerPlatform)} with layers that docker takes`,
      });
    }
    this.#plan = plan;
    if (plan.leftBehind > 0) {
      const message = `${plan.leftBehind} of what belongs to the images stays behind (signatures, SBOMs and the like): a docker archive holds images alone`;
      this.#options.emit({ type: 'notice', level: 'warning', message });
    }
    await this.#target.start(plan);
    return [...plan.slots.values()].map(({ descriptor }) => descriptor);
  }

  /** An archive is written anew each time, so nothing is in it before. */
  async find(): Promise<undefined> {
    return undefined;
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    return this.#written.has(descriptor.digest);
  }

  async adopt(): Promise<Shortcut | undefined> {
    return undefined;
  }

  async put(descriptor: Descriptor, open: Open): Promise<void> {
    this.#mustBeOpen();
    const slot = this.#slot(descriptor);
    if (this.#written.has(descriptor.digest)) return;
    const running = this.#running.get(descriptor.digest) ?? this.#write(slot, open);
    this.#running.set(descriptor.digest, running);
    await running;
  }

  async tag(descriptor: Descriptor, name: RootName, open: Open): Promise<void> {
    if (this.#plan?.names.has(nameKey(descriptor, name)) !== true) {
      throw new OclError(
        'OCL_INTERNAL',
        `Cannot name ${descriptor.digest} in ${this.name}: the name was not announced`,
      );
    }
    // The docker form has no place for manifests.
    if (this.#options.form !== 'docker' || this.#plan.slots.has(descriptor.digest)) await this.put(descriptor, open);
  }

  async commit(): Promise<void> {
    if (this.#state === 'committed') return;
    this.#mustBeOpen();
    if (this.#plan === undefined)
      throw new OclError('OCL_INTERNAL', `Cannot finish ${this.name}: nothing was announced`);
    const missing = [...this.#plan.slots.values()].filter(({ descriptor }) => !this.#written.has(descriptor.digest));
    const [first] = missing;
    if (first !== undefined) {
      throw new OclError(
        'OCL_INCOMPLETE',
        `Cannot finish ${this.name}: ${missing.length} of ${this.#plan.slots.size} contents are missing, ${shortDigest(first.descriptor.digest)} among them`,
      );
    }
    await this.#target.finish();
    this.#state = 'committed';
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    await this.#target.abandon();
  }

  async #write(slot: Slot, open: Open): Promise<void> {
    const { digest } = slot.descriptor;
    try {
      await this.#target.put(slot, open);
      this.#written.add(digest);
    } finally {
      this.#running.delete(digest);
    }
  }

  #slot(descriptor: Descriptor): Slot {
    const slot = this.#plan?.slots.get(descriptor.digest);
    if (slot === undefined)
      throw new OclError('OCL_INTERNAL', `Cannot write ${descriptor.digest} to ${this.name}: it was not announced`);
    if (slot.descriptor.size === descriptor.size) return slot;
    throw new OclError(
      'OCL_SIZE_MISMATCH',
      `Cannot accept ${descriptor.digest}: ${slot.descriptor.size} bytes were announced, and now ${descriptor.size}`,
    );
  }

  #mustBeOpen(): void {
    if (this.#state !== 'open')
      throw new OclError('OCL_INTERNAL', `Cannot write to ${this.name}: it is ${this.#state}`);
  }
}
