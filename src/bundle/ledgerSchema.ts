import * as z from 'zod';
import { isDigest, type Digest } from '../core/digest.ts';
import { isObject } from '../core/json.ts';

const DigestSchema = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value));

const Begin = z.object({ kind: z.literal('sent'), id: DigestSchema, time: z.iso.datetime(), file: z.string() });
const Blobs = z.object({ kind: z.literal('blobs'), has: z.base64(), others: z.array(DigestSchema).optional() });
/** What full names were sent as, the latest last. */
const Names = z.object({
  kind: z.literal('names'),
  names: z.custom<Record<string, Digest[]>>(
    (value) => isObject(value) && Object.values(value).every((list) => z.array(DigestSchema).safeParse(list).success),
  ),
});
/** All lines of what was sent are there. */
const End = z.object({ kind: z.literal('end'), id: DigestSchema });

const LineSchema = z.discriminatedUnion('kind', [Begin, Blobs, Names, End]);

/** One line of a ledger. */
export type LedgerLine = z.infer<typeof LineSchema>;

/** Undefined for a line that is damaged, or of a kind that is not known here: it means nothing. */
export function decodeLine(line: string): LedgerLine | undefined {
  try {
    const result = LineSchema.safeParse(JSON.parse(line));
    return result.success ? result.data : undefined;
  } catch {
    return undefined;
  }
}
