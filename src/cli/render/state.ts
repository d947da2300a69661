import { type Digest } from '../../core/digest.ts';
import { type OclEvent } from '../../core/events.ts';

/** What a run has come to, reduced from its events. Bars, lines and the summary are drawn from it. */
export interface RunState {
  readonly planned: number;
  /** Bytes of what is done or under way. */
  readonly moved: number;
  /** Bytes that flowed over a stream; links and mounts move nothing. */
  readonly streamed: number;
  readonly images: {
    readonly started: number;
    readonly copied: number;
    readonly current: number;
    readonly failed: number;
  };
  readonly active: ReadonlyMap<Digest, number>;
  /** When hosts are asked again whose limits are waited for, in milliseconds since the epoch; by host and reserve. */
  readonly waiting: ReadonlyMap<string, { readonly host: string; readonly until: number }>;
}

export const INITIAL: RunState = {
  planned: 0,
  moved: 0,
  streamed: 0,
  images: { started: 0, copied: 0, current: 0, failed: 0 },
  active: new Map(),
  waiting: new Map(),
};

export function reduce(state: RunState, event: OclEvent): RunState {
  const { images } = state;
  switch (event.type) {
    case 'image.start':
      return { ...state, images: { ...images, started: images.started + 1 } };
    case 'image.plan':
      return { ...state, planned: state.planned + event.bytes };
    case 'blob.bytes':
    case 'blob.resume': {
      const active = new Map(state.active).set(
        event.blob.digest,
        (state.active.get(event.blob.digest) ?? 0) + event.bytes,
      );
      const flowed = event.type === 'blob.bytes' ? event.bytes : 0;
      return { ...state, active, moved: state.moved + event.bytes, streamed: state.streamed + flowed };
    }
    case 'blob.done': {
      const counted = state.active.get(event.blob.digest) ?? 0;
      const active = new Map(state.active);
      active.delete(event.blob.digest);
      return { ...state, active, moved: state.moved + event.blob.size - counted };
    }
    case 'blob.checked': {
      const active = new Map(state.active);
      active.delete(event.blob.digest);
      return { ...state, active };
    }
    case 'image.done':
      return {
        ...state,
        images:
          event.outcome === 'current'
            ? { ...images, current: images.current + 1 }
            : { ...images, copied: images.copied + 1 },
      };
    case 'image.failed':
      return { ...state, images: { ...images, failed: images.failed + 1 } };
    case 'wait':
    case 'wait.over': {
      const waiting = new Map(state.waiting);
      const key = `${event.host} ${event.min}`;
      if (event.type === 'wait') waiting.set(key, { host: event.host, until: event.until });
      else waiting.delete(key);
      return { ...state, waiting };
    }
    default:
      return state;
  }
}

/** 0 to 1. What came twice, because a try failed, does not count twice. */
export function fraction(state: RunState): number {
  return state.planned === 0 ? 0 : Math.min(1, state.moved / state.planned);
}
