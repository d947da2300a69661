import type * as z from 'zod';

/** The value as the schema reads it; else what `fail` makes of the first fault, told as `path.of.member: why`. */
export function parseWith<T extends z.ZodType>(schema: T, value: unknown, fail: (why: string) => Error): z.infer<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw fail(
    issue === undefined ? 'it has an unknown fault' : `${issue.path.join('.') || 'the document'}: ${issue.message}`,
  );
}
