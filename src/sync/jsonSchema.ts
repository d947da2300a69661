import * as z from 'zod';
import { FEEDS } from './feeds.ts';
import {
  DefaultsSchema,
  FileSchema,
  HookSchema,
  HooksSchema,
  HostSchema,
  PruneMapSchema,
  RateLimitSchema,
  ReferrerFilterSchema,
  RepoFilterSchema,
  SyncSchema,
  TagFilterSchema,
} from './schema.ts';
import { KEYS } from './schemaKeys.ts';

/** Schemas of the sections of a file, by the names that `schemaKeys.ts` has for them. */
export const SECTIONS: Readonly<Record<keyof typeof KEYS, z.ZodObject>> = {
  file: FileSchema,
  creds: HostSchema,
  defaults: DefaultsSchema,
  step: SyncSchema,
  tags: TagFilterSchema,
  repos: RepoFilterSchema,
  ratelimit: RateLimitSchema,
  referrerFilters: ReferrerFilterSchema,
  hooks: HooksSchema,
  hook: HookSchema,
  prune: PruneMapSchema,
};

const SECTION_NAMES = Object.keys(SECTIONS) as readonly (keyof typeof KEYS)[];

type Json = Record<string, unknown>;

/** Words that an editor offers where the reader takes any text and the step fails later. */
const OFFERED: Readonly<Record<string, readonly string[]>> = {
  'step.type': ['image', 'repository', 'registry', 'feed'],
  'step.feed': Object.keys(FEEDS),
  'hook.type': ['exec', 'webhook'],
};

/**
 * The JSON Schema (draft 2020-12) of a sync file, so that editors complete and check it. It is stricter than the reader in one thing:
 * keys that are unknown and do not start with `x-` are wrong.
 */
export function syncJsonSchema(): Json {
  const { $schema, ...schema } = z.toJSONSchema(FileSchema, { io: 'input' });
  return { $schema, title: 'A file of ocl sync, or of regsync', ...finish(FileSchema, schema) };
}

/** What zod makes of a schema, with descriptions, and without what it cannot know. */
function finish(schema: unknown, json: Json): Json {
  if (schema instanceof z.ZodOptional) return finish(schema.unwrap(), json);
  if (schema instanceof z.ZodNullable) {
    // A simple type has null in its list of types already.
    const [form] = (json['anyOf'] ?? []) as readonly Json[];
    return form === undefined ? json : orNull(finish(schema.unwrap(), form));
  }
  if (schema instanceof z.ZodArray) return { ...json, items: finish(schema.element, json['items'] as Json) };
  if (schema instanceof z.ZodUnion) {
    const forms = json['anyOf'] as readonly Json[];
    return { ...json, anyOf: schema.options.map((option, at) => finish(option, forms[at] ?? {})) };
  }
  return schema instanceof z.ZodObject ? finishSection(schema, json) : json;
}

function finishSection(schema: z.ZodObject, json: Json): Json {
  const section = SECTION_NAMES.find((name) => SECTIONS[name] === schema);
  const notes: Readonly<Record<string, { readonly does: string } | undefined>> =
    section === undefined ? {} : KEYS[section];
  const properties = Object.entries(json['properties'] as Record<string, Json>).map(([key, property]) => {
    const offered = OFFERED[`${section}.${key}`];
    const form = offered === undefined ? finish(schema.shape[key], property) : { enum: [...offered, null] };
    return [key, { description: notes[key]?.does, ...form }] as const;
  });
  return {
    ...json,
    properties: Object.fromEntries(properties),
    patternProperties: { '^x-': {} },
    additionalProperties: false,
  };
}

function orNull(json: Json): Json {
  const { type, anyOf } = json;
  if (Array.isArray(anyOf)) return { ...json, anyOf: [...(anyOf as Json[]), { type: 'null' }] };
  if (type === undefined) return { anyOf: [json, { type: 'null' }] };
  return { ...json, type: [...new Set([type, 'null'].flat())] };
}
