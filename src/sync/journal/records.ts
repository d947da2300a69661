import * as z from 'zod';
import { isDigest, type Digest } from '../../core/digest.ts';

const Time = z.iso.datetime();
const DigestText = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value));
const Count = z.number().nonnegative();

const Begun = z.object({
  kind: z.literal('run'),
  time: Time,
  run: z.string(),
  /** The steps as they were read. */
  config: DigestText,
  file: z.string(),
  /** Keys of the steps that the run is of, where somebody will ask when they ran last. */
  steps: z.array(z.string()).optional(),
});

const Ended = z.object({
  kind: z.literal('end'),
  time: Time,
  run: z.string(),
  outcome: z.enum(['done', 'failed', 'cancelled']),
  copied: Count,
  current: Count,
  skipped: Count,
  failed: Count,
  pruned: Count,
  /** Bytes that flowed, and milliseconds. */
  bytes: Count,
  ms: Count,
});

/** A copy is about to make a tag: should the process die before it can say more, the tag is known for ours. */
const Starting = z.object({ kind: z.literal('begin'), time: Time, target: z.string(), digest: DigestText });

const Image = z.object({
  kind: z.literal('image'),
  time: Time,
  run: z.string(),
  /** Full names. */
  target: z.string(),
  image: z.string(),
  digest: DigestText.optional(),
  /** What was at the target before. */
  before: DigestText.optional(),
  outcome: z.enum(['copied', 'current', 'skipped', 'failed']),
  bytes: Count,
  ms: Count,
  error: z.object({ code: z.string(), message: z.string() }).optional(),
  /** Where the step begins in its file. */
  line: Count,
  /** The step, whatever line it moves to. */
  step: z.string(),
  /** The tag with this digest was put there by a run of this journal. */
  ours: z.literal(true).optional(),
});

/** A tag of ours is no longer wanted, since then. */
const Gone = z.object({ kind: z.literal('gone'), time: Time, target: z.string() });
/** It is wanted again. */
const Back = z.object({ kind: z.literal('back'), time: Time, target: z.string() });

/** A tag is no longer ours: it was taken away, or found taken away or altered. */
const Pruned = z.object({
  kind: z.literal('pruned'),
  time: Time,
  run: z.string(),
  target: z.string(),
  digest: DigestText,
  outcome: z.enum(['removed', 'absent', 'altered']),
  reason: z.string(),
});

/** What a registry told of its limits, and when. */
const Limit = z.object({
  kind: z.literal('limit'),
  time: Time,
  registry: z.string(),
  remaining: Count,
  limit: Count.optional(),
  /** Seconds. */
  window: Count.optional(),
  resetAt: Time.optional(),
});

const SCHEMAS = {
  run: Begun,
  end: Ended,
  begin: Starting,
  image: Image,
  gone: Gone,
  back: Back,
  pruned: Pruned,
  limit: Limit,
} as const;

type Kind = keyof typeof SCHEMAS;
export type RecordOf<K extends Kind> = z.infer<(typeof SCHEMAS)[K]>;
/** One line of a journal. Times are ISO 8601 in UTC. */
export type JournalRecord = { [K in Kind]: RecordOf<K> }[Kind];
/** What one target's image came to, or that its tag is no longer there: the lines of a history. */
export type HistoryRecord = RecordOf<'image' | 'pruned'>;

/** What is remembered of each name: the last record only, until another takes it away. */
export interface Slots {
  /** The last that was heard of a target. */
  readonly image: RecordOf<'image'>;
  /** With which digest a target is ours. */
  readonly ours: RecordOf<'image'>;
  readonly begin: RecordOf<'begin'>;
  /** A target is no longer wanted. */
  readonly gone: RecordOf<'gone'>;
  /** When a step ran last, by its key. */
  readonly step: RecordOf<'run'>;
  /** The limits of a registry. */
  readonly limit: RecordOf<'limit'>;
}

export type Slot = keyof Slots;
type Names = readonly (readonly [Slot, string])[];

/** Under which names a record is remembered, until another comes for the same. */
export function slotsOf(record: JournalRecord): Names {
  switch (record.kind) {
    case 'run':
      return (record.steps ?? []).map((step) => ['step', step] as const);
    case 'image':
      return record.ours === true
        ? [
            ['image', record.target],
            ['ours', record.target],
          ]
        : [['image', record.target]];
    case 'begin':
      return [['begin', record.target]];
    case 'gone':
      return [['gone', record.target]];
    case 'limit':
      return [['limit', record.registry]];
    case 'back':
    case 'pruned':
    case 'end':
      return [];
  }
}

/** Names that need not be remembered any more: a tag that was taken away is as one that was never there. */
export function forgottenBy(record: JournalRecord): Names {
  if (record.kind === 'back') return [['gone', record.target]];
  if (record.kind !== 'pruned') return [];
  return (['image', 'ours', 'begin', 'gone'] as const).map((slot) => [slot, record.target]);
}

/** Undefined for a line of another version, of a kind that is not known here, or that is damaged: it is kept and means nothing. */
export function decode(line: string): JournalRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
  if (typeof kind !== 'string' || !Object.hasOwn(SCHEMAS, kind)) return undefined;
  const result = SCHEMAS[kind as Kind].safeParse(value);
  return result.success ? result.data : undefined;
}

export function encode(record: JournalRecord): string {
  return JSON.stringify(record);
}
