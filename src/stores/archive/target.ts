import { createHash } from 'node:crypto';
import { type Writable } from 'node:stream';
import { type Open } from '../../core/store.ts';
import { OclError, toOclError } from '../../core/errors.ts';
import { TAR_END, tarPadding } from '../../io/tarball.ts';
import { givePiece } from '../../io/slabPool.ts';
import { verifyInto } from '../../io/verify.ts';
import { type ArchivePlan, type Slot } from './plan.ts';
import { NO_HASHES, type Place, type VolumeLayout } from './volumeLayout.ts';

/** Where the bytes of an archive go. */
export interface ArchiveTarget {
  readonly name: string;
  /** Of its files, from `start` on. */
  readonly paths: readonly string[];
  start(plan: ArchivePlan): Promise<void>;
  /** Writes one blob with its header; nothing of it counts before this returns. */
  put(slot: Slot, open: Open): Promise<void>;
  /** Everything is written: makes it durable and visible. */
  finish(): Promise<void>;
  /** Drops what was written. Does nothing after `finish`. */
  abandon(): Promise<void>;
}

/**
 * A pipe or terminal that cannot be written but from front to back: each blob waits its turn, and is opened only then, so that
 * no connection lies idle meanwhile. One failure breaks the whole, because nothing can be taken back.
 */
export class StreamTarget implements ArchiveTarget {
  readonly name: string;
  readonly paths: readonly string[] = [];
  readonly #stream: Writable;
  readonly #keepsNothing: boolean;
  readonly #waiting = new Map<number, { readonly go: () => void; readonly stop: (error: OclError) => void }>();
  readonly #hashes = new Map<Place, string>();
  #volume: VolumeLayout | undefined;
  #turn = 0;
  #broken: OclError | undefined;
  readonly #onError = (error: Error): void => this.#break(error);

  /** @param keepsNothing the stream looks at no bytes again once it has called back, so that their memory can be used anew */
  constructor(stream: Writable, name: string, keepsNothing = false) {
    this.name = name;
    this.#stream = stream;
    this.#keepsNothing = keepsNothing;
  }

  async start(plan: ArchivePlan): Promise<void> {
    const [volume, ...more] = plan.volumes;
    if (volume === undefined || more.length > 0)
      throw new OclError('OCL_INTERNAL', `Cannot write ${this.name}: a stream is one archive`);
    this.#volume = volume;
    this.#stream.on('error', this.#onError);
    await this.#write(volume.head(NO_HASHES));
  }

  async put(slot: Slot, open: Open): Promise<void> {
    await this.#turnOf(slot);
    try {
      const [place] = slot.places;
      const header = place === undefined ? undefined : this.#volume?.header(place);
      if (place === undefined || header === undefined)
        throw new OclError('OCL_INTERNAL', `Cannot write ${slot.descriptor.digest}: it has no place in a stream`);
      await this.#write(header);
      const sum = this.#volume?.isHashed(place) === true ? createHash('sha256') : undefined;
      await verifyInto(await open(), slot.descriptor, async (chunk) => {
        sum?.update(chunk);
        await this.#write(chunk);
        if (this.#keepsNothing) givePiece(chunk);
      });
      if (sum !== undefined) this.#hashes.set(place, sum.digest('hex'));
      await this.#write(new Uint8Array(tarPadding(slot.descriptor.size)));
    } catch (error) {
      this.#break(error);
      throw error;
    }
    this.#turn++;
    const next = this.#waiting.get(this.#turn);
    this.#waiting.delete(this.#turn);
    next?.go();
  }

  async finish(): Promise<void> {
    const tail = this.#volume?.tail(this.#hashes);
    if (tail !== undefined) await this.#write(tail.bytes);
    await this.#write(TAR_END);
    this.#stream.off('error', this.#onError);
  }

  async abandon(): Promise<void> {
    this.#break(new OclError('OCL_INCOMPLETE', `Cannot finish the archive ${this.name}: it was given up`));
    // The stream is not ours: who made it may still hear its errors, and nobody has to.
  }

  #turnOf(slot: Slot): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (slot.turn === this.#turn) return Promise.resolve();
    return new Promise((go, stop) => this.#waiting.set(slot.turn, { go, stop }));
  }

  #break(error: unknown): void {
    if (this.#broken !== undefined) return;
    const cause = toOclError(error);
    this.#broken = new OclError(
      'OCL_INCOMPLETE',
      `Cannot write the archive ${this.name}: an earlier part of it failed: ${cause.message}`,
      { cause },
    );
    for (const { stop } of this.#waiting.values()) stop(this.#broken);
    this.#waiting.clear();
  }

  /** Returns when the stream has taken the bytes, so that it never holds more than it is asked to. */
  #write(bytes: Uint8Array): Promise<void> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken);
    if (bytes.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#stream.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
  }
}
