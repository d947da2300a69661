import { type Descriptor } from '../../core/descriptor.ts';
import { onSide, OclError } from '../../core/errors.ts';
import { type ManifestDocument } from '../../core/manifest.ts';
import { wantedName, type Reference } from '../../core/reference.ts';
import { type Sink, type Source } from '../../core/store.ts';
import { childrenToPull, hasMoreToPull, rootToPull, type PullSubject } from './cost.ts';
import { HostPulls, type Admission, type Hold, type HostPullsOptions } from './host.ts';
import { type PullLimit } from './limit.ts';

/** Times that one image is refused and waited for, before it fails. */
const MAX_REFUSALS = 10;

/** A copy that is about to begin. */
export interface Pull extends PullSubject {
  readonly from: Reference;
  /** Pulls that are kept for others (0 is none), and milliseconds between two questions when nothing else says how long to wait. */
  readonly rateLimit: { readonly min: number; readonly retry: number };
  readonly source: Source;
  readonly sink: Pick<Sink, 'has' | 'presence'>;
  /** Reads a document as the copy will, so that it is read once. */
  readonly read: (descriptor: Descriptor) => Promise<ManifestDocument>;
  /** Gives up the image's place among `parallel` for as long as it waits. */
  readonly aside: <T>(wait: () => Promise<T>) => Promise<T>;
  /** Ends the waiting. */
  readonly signal?: AbortSignal | undefined;
}

/** A copy that was let in. */
export interface PullTurn {
  /** The copy failed: if that was for the limit, waits until it can go on. False: the failure stands. */
  again(error: OclError): Promise<boolean>;
  /** The copy has ended, one way or the other. */
  end(): void;
}

/** Waits until the source's limits allow a copy. @throws OCL_RATE_LIMITED, the signal's reason, or why the image's index cannot be read */
export type MayPull = (pull: Pull) => Promise<PullTurn>;

export interface PullBudgetOptions extends Pick<HostPullsOptions, 'clock' | 'emit'> {
  /** What a registry last told; undefined: unknown. */
  readonly told: (registry: string) => PullLimit | undefined;
  /** What earlier runs have learned, by registry. */
  readonly remembered?: ReadonlyMap<string, PullLimit> | undefined;
  /** Something was learned that a later run should know. */
  readonly learned?: ((registry: string, limit: PullLimit) => void) | undefined;
}

/**
 * Keeps copies within the pulls that their source registries allow (spec/regsync.md 1.11). Pulls are manifests that are read; each registry
 * has one account that all its copies share, over all runs that are handed this one budget.
 */
export function createPullBudget(options: PullBudgetOptions): MayPull {
  const { clock, emit, told, remembered, learned } = options;
  const hosts = new Map<string, HostPulls>();

  function hostOf(registry: string): HostPulls {
    let host = hosts.get(registry);
    if (host === undefined) {
      host = new HostPulls({
        host: registry,
        clock,
        emit,
        told: () => told(registry),
        remembered: remembered?.get(registry),
        learned: (limit) => learned?.(registry, limit),
      });
      hosts.set(registry, host);
    }
    return host;
  }

  return async (pull) => {
    const { from } = pull;
    if (from.kind !== 'registry') return FREE;
    const turn = new Turn(pull, hostOf(from.registry));
    await turn.begin();
    return turn;
  };
}

/** Sources on disk allow everything. */
const FREE: PullTurn = { again: () => Promise.resolve(false), end: () => {} };

class Turn implements PullTurn {
  readonly #pull: Pull;
  readonly #host: HostPulls;
  readonly #admission: Admission;
  #hold: Hold | undefined;
  #refusals = 0;

  constructor(pull: Pull, host: HostPulls) {
    const { from, image, source, signal, rateLimit } = pull;
    this.#pull = pull;
    this.#host = host;
    this.#admission = { ...rateLimit, image, signal, ask: () => source.resolve(wantedName(from) ?? 'latest') };
  }

  async begin(): Promise<void> {
    const pull = this.#pull;
    await this.#reserve(rootToPull(pull));
    if (this.#host.limit === undefined || !hasMoreToPull(pull)) return;
    let documents: readonly Descriptor[];
    try {
      documents = childrenToPull(pull, await pull.read(pull.root));
    } catch (error) {
      this.end();
      if (!this.#isRefused(error)) throw error;
      return await this.begin();
    }
    // Nobody holds anything while it waits for more: others may wait for that.
    this.end();
    await this.#reserve(documents);
  }

  async again(error: OclError): Promise<boolean> {
    this.end();
    if (!this.#isRefused(error)) return false;
    await this.begin();
    return true;
  }

  end(): void {
    this.#hold?.release();
    this.#hold = undefined;
  }

  #isRefused(error: unknown): boolean {
    if (!(error instanceof OclError) || error.code !== 'OCL_RATE_LIMITED' || error.side === 'target') return false;
    if (++this.#refusals > MAX_REFUSALS) return false;
    this.#host.refused(this.#admission.retry);
    return true;
  }

  /** The target is asked for what it has where that may spare a wait. */
  async #reserve(documents: readonly Descriptor[]): Promise<void> {
    const { select, sink, aside } = this.#pull;
    this.#hold = this.#host.tryReserve(documents.length, this.#admission);
    if (this.#hold !== undefined) return;
    const believes = select.force !== true || sink.presence === 'node';
    const cost = believes ? await missing(documents, sink) : documents.length;
    this.#hold =
      this.#host.tryReserve(cost, this.#admission) ?? (await aside(() => this.#host.reserve(cost, this.#admission)));
  }
}

/** @throws why the target cannot be asked */
async function missing(documents: readonly Descriptor[], sink: Pull['sink']): Promise<number> {
  let count = 0;
  try {
    for (const document of documents) if (!(await sink.has(document))) count++;
  } catch (error) {
    throw onSide(error, 'target');
  }
  return count;
}

/** Runs a copy; when its source refuses it for the limit, it goes on where it stood as soon as it may. @throws what the copy throws */
export async function withinLimits<T>(turn: PullTurn | undefined, copy: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await copy();
    } catch (error) {
      if (!(error instanceof OclError) || !((await turn?.again(error)) ?? false)) throw error;
    }
  }
}
