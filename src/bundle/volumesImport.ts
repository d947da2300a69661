import { join } from 'node:path';
import { type Descriptor } from '../core/descriptor.ts';
import { splitDigest, type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { type GivenVolumes, type KeepOptions, type LocalSource, type Sink } from '../core/store.ts';
import { type CopyRequest, type CopyResult } from '../copy/copier.ts';
import { type Planned } from './naming.ts';

/** What an import of volumes still waits for. */
export interface AwaitedVolumes {
  /** The set's id. */
  readonly set: Digest;
  /** How many volumes it has. */
  readonly volumes: number;
  /** Numbers of the volumes without which the images below are not complete. */
  readonly missing: readonly number[];
  /** Bytes of contents that are still not whole, which this import has put aside. */
  readonly keptBytes: number;
  readonly images: readonly {
    readonly image: string;
    readonly root: Descriptor;
    readonly volumes: readonly number[];
  }[];
}

/**
 * What is different about a set of which only some volumes are given: what is there of an image arrives, and it gets its name when the last of
 * it has come. What arrived is in the target, so the target is asked what is missing, not a list of what was done; only slices of contents that are not
 * whole are kept beside it.
 */
export class VolumesImport {
  readonly #volumes: GivenVolumes;
  readonly #key: string;
  readonly #missing = new Map<Planned, readonly Descriptor[]>();
  readonly #left = new Set<Digest>();
  #keptBytes = 0;
  #waitingBytes = 0;

  private constructor(volumes: GivenVolumes) {
    this.#volumes = volumes;
    this.#key = splitDigest(volumes.id).encoded;
  }

  /**
   * @param directory where imports into this target keep what is theirs
   * @returns undefined for what is no volume
   */
  static async begin(
    { volumes }: LocalSource,
    directory: string,
    options: KeepOptions,
  ): Promise<VolumesImport | undefined> {
    if (volumes === undefined) return undefined;
    const started = new VolumesImport(volumes);
    await volumes.keepIn(join(directory, started.#key), options);
    return started;
  }

  get part(): NonNullable<CopyRequest['part']> {
    return { key: this.#key, lacks: (digest) => this.isElsewhere(digest) };
  }

  /** Whether a content of the set cannot be read now. */
  isElsewhere(digest: Digest): boolean {
    return this.#volumes.lacking(digest) !== undefined && !this.#volumes.has(digest);
  }

  /** Bytes of slices that this import has put aside, whatever has become of them since. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** Bytes that are kept of it until the rest comes. */
  keepable(digest: Digest): number {
    return this.#volumes.keepable(digest);
  }

  note(image: Planned, { missing = [], left = [] }: Pick<CopyResult, 'missing' | 'left'>): void {
    for (const digest of left) this.#left.add(digest);
    if (missing.length > 0) this.#missing.set(image, missing);
    else this.#missing.delete(image);
  }

  /** Whether it waits for volumes, and goes where what it refers to has gone. */
  isLeft(digest: Digest): boolean {
    return this.#left.has(digest);
  }

  /** Keeps what is given of contents that are not whole. Answers the images that need one that has become whole. */
  async keep(): Promise<readonly Planned[]> {
    if (this.#missing.size === 0) return [];
    const whole = new Set<Digest>();
    const contents = new Set([...this.#missing.values()].flatMap((missing) => missing.map(({ digest }) => digest)));
    for (const digest of contents) {
      const bytes = this.#volumes.keepable(digest);
      const isWhole = await this.#volumes.keep(digest);
      if (isWhole) whole.add(digest);
      else this.#waitingBytes += bytes;
      this.#keptBytes += bytes;
    }
    return [...this.#missing]
      .filter(([, missing]) => missing.some(({ digest }) => whole.has(digest)))
      .map(([image]) => image);
  }

  /** Images of which a given volume lacks something that it should have, after `keep`. */
  broken(): readonly { readonly image: string; readonly error: OclError }[] {
    return [...this.#missing].flatMap(([{ image }, missing]) => {
      const lost = missing.find(({ digest }) => this.isElsewhere(digest) && this.#lacks(digest).length === 0);
      if (lost === undefined) return [];
      const message = `Cannot import ${image}: ${lost.digest} is not in the volume that should have it`;
      return [{ image, error: new OclError('OCL_ARCHIVE_INVALID', message, { hint: 'ocl verify VOLUME...' }) }];
    });
  }

  /** Lets go of what was held in a sink, when nothing is missing any more. Takes effect with its commit. */
  async release(sink: Sink): Promise<void> {
    if (this.#missing.size === 0) await sink.release?.(this.#key);
  }

  /**
   * After the last commit.
   * @param failed something of the set could not be taken, and is to be tried again
   * @returns what is still to come; undefined when all is there
   */
  async end(failed: boolean): Promise<AwaitedVolumes | undefined> {
    if (this.#missing.size === 0) {
      if (!failed) await this.#volumes.forget();
      return undefined;
    }
    const images = [...this.#missing].map(([{ image, root }, missing]) => ({
      image,
      root,
      volumes: ascending(missing.flatMap(({ digest }) => this.#lacks(digest))),
    }));
    const waiting = images.filter(({ volumes }) => volumes.length > 0);
    if (waiting.length === 0) return undefined;
    return {
      set: this.#volumes.id,
      volumes: this.#volumes.count,
      missing: ascending(waiting.flatMap(({ volumes }) => volumes)),
      keptBytes: this.#waitingBytes,
      images: waiting,
    };
  }

  #lacks(digest: Digest): readonly number[] {
    return this.#volumes.lacking(digest) ?? [];
  }
}

function ascending(numbers: readonly number[]): readonly number[] {
  return [...new Set(numbers)].toSorted((a, b) => a - b);
}
