import * as z from 'zod';
import { isObject } from '../../core/json.ts';
import { CATEGORIES } from './icons.ts';
import { isWellQuoted, unknownPlaceholder } from './commands.ts';

/** How a scanner should treat a thing (`ocl scan-input`). */
const SCANS = ['image', 'skip', 'sbom', 'iac', 'nested', 'db'] as const;

/** `*` stands for any text and `?` for one character; all else is itself. No regular expressions: nothing that is matched can take long. */
const PATTERN_LENGTH = 1024;
const Pattern = z.string().min(1).max(PATTERN_LENGTH);
const Patterns = z.array(Pattern).min(1).max(100);
const Pairs = z
  .record(z.string().min(1).max(PATTERN_LENGTH), Pattern)
  .refine((pairs) => Object.keys(pairs).length > 0, 'must not be empty');

const ConditionShape = {
  artifactType: Patterns.optional().describe('The artifactType of a manifest or index.'),
  config: Patterns.optional().describe('The media type of the config.'),
  layers: Patterns.optional().describe('The media type of a layer.'),
  entries: Patterns.optional().describe('The media type of an entry of an index.'),
  annotations: Pairs.optional().describe('Annotations of the document or of its descriptor, by name.'),
  layerAnnotations: Pairs.optional().describe('Annotations of one layer, by name.'),
  labels: Pairs.optional().describe('Labels of the image config, by name.'),
  os: Pattern.optional().describe('The operating system, as the index or the image config says.'),
  history: Pattern.optional().describe('A line of the history of the image config.'),
  configHas: z.array(z.string().min(1).max(256)).min(1).max(20).optional().describe('Members that the config has.'),
  tag: Patterns.optional().describe('The tag.'),
  repository: Patterns.optional().describe('The name of the repository, with its host where that is known.'),
  mediaType: Patterns.optional().describe('The media type of the document itself.'),
};
const NOT_EMPTY = 'must have a condition';
const ConditionSchema = z.strictObject(ConditionShape).refine((value) => Object.keys(value).length > 0, NOT_EMPTY);
const RuleSchema = z
  .strictObject({
    ...ConditionShape,
    priority: z.int().min(-100).max(100).optional().describe('Of rules with equal evidence the higher one wins.'),
  })
  .refine((value) => Object.keys(value).some((key) => key !== 'priority'), NOT_EMPTY);

const ActionSchema = z.strictObject({
  label: z.string().min(1).max(100).describe('What it does, in a few words.'),
  command: z
    .string()
    .min(1)
    .max(1000)
    .superRefine((command, context) => {
      const unknown = unknownPlaceholder(command);
      if (unknown !== undefined) context.addIssue({ code: 'custom', message: `there is no placeholder ${unknown}` });
      else if (!isWellQuoted(command))
        context.addIssue({
          code: 'custom',
          message: 'a placeholder must stand outside of quotes and behind a word, in one line: ocl quotes it by itself',
        });
    })
    .describe('A command of a POSIX shell with {{ref}}, {{digest}}, {{repo}}, {{tag}}, {{layout}} or {{blob}}.'),
});

/** Names elsewhere, and regular expressions, which a stranger's config could make run for ever. */
const UNWANTED: ReadonlySet<string> = new Set(['$ref', '$dynamicRef', 'pattern', 'patternProperties']);

/** Undefined for what is no JSON Schema, or one that cannot be used on what comes from outside. */
function readSchema(schema: Readonly<Record<string, unknown>>): z.ZodType | undefined {
  if (!isWanted(schema)) return undefined;
  try {
    return z.fromJSONSchema(schema);
  } catch {
    return undefined;
  }
}

function isWanted(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isWanted);
  if (!isObject(schema)) return true;
  return Object.entries(schema).every(
    ([name, value]) =>
      !UNWANTED.has(name) &&
      (name === 'properties' && isObject(value) ? Object.values(value) : [value]).every(isWanted),
  );
}

/** What is wrong with the content of a config by the schema of its type; undefined when nothing is, or when there is no schema. */
export function configFault(type: ArtifactType, config: unknown): string | undefined {
  const result = type.configSchema === undefined ? undefined : readSchema(type.configSchema)?.safeParse(config);
  const issue = result?.error?.issues[0];
  return issue === undefined ? undefined : `${issue.path.join('.') || 'the config'}: ${issue.message}`;
}

const ID = /^[a-z0-9][a-z0-9.-]{0,63}$/;
const DATA_IMAGE = /^data:image\/(?:svg\+xml|png|gif|jpeg|webp);base64,[A-Za-z0-9+/]{1,65536}={0,2}$/;

const TypeShape = {
  id: z
    .string()
    .regex(ID, 'must be of lower-case letters, digits, dots and dashes')
    .describe('What it is overridden by.'),
  name: z.string().min(1).max(80).describe('As people know it.'),
  category: z.enum(CATEGORIES),
  icon: z
    .union([z.enum(CATEGORIES), z.string().regex(DATA_IMAGE, 'must be a category or data:image/…;base64,…')])
    .optional()
    .describe('The icon of a category, or an image as data:image/svg+xml;base64,…; else that of its own category.'),
  note: z.string().min(1).max(500).optional().describe('What is good to know.'),
  scan: z.enum(SCANS).describe('How a scanner should treat it.'),
  scanWhen: z
    .array(z.strictObject({ when: ConditionSchema, scan: z.enum(SCANS) }))
    .max(100)
    .optional()
    .describe('Where it should be treated in another way; the first that fits counts.'),
  asIndex: z.string().regex(ID).optional().describe('What an index of such manifests is; else the same.'),
  match: z.array(RuleSchema).max(100).describe('It is this type when all conditions of one rule hold.'),
  actions: z.array(ActionSchema).max(20).describe('How to use it.'),
  configSchema: z
    .record(z.string(), z.unknown())
    .refine((schema) => readSchema(schema) !== undefined, 'must be a JSON Schema without $ref, pattern and conditions')
    .optional()
    .describe('A JSON Schema (draft 2020-12) of the content of its config.'),
};

const TypeSchema = z.strictObject(TypeShape);
/** An entry of a user's file: of a type that is known already, only what is changed. */
const ChangeSchema = z.strictObject(TypeShape).partial().required({ id: true });

const MAX_TYPES = 2000;
const $schema = z.string().optional().describe('Where the schema of the file is, for editors.');
export const BuiltInSchema = z.strictObject({ $schema, types: z.array(TypeSchema).max(MAX_TYPES) });
export const TypesFileSchema = z.strictObject({
  $schema,
  types: z.array(ChangeSchema).max(MAX_TYPES).describe('New types, and changes of those that are known.'),
});

export type Condition = z.infer<typeof ConditionSchema>;
export type Rule = z.infer<typeof RuleSchema>;
export type Scan = (typeof SCANS)[number];
export type ArtifactType = z.infer<typeof TypeSchema>;
export type TypeChange = z.infer<typeof ChangeSchema>;
export { TypeSchema as ArtifactTypeSchema };

/** The JSON Schema (draft 2020-12) of a file of artifact types, so that editors complete and check it. */
export function typesJsonSchema(): Record<string, unknown> {
  const { $schema: draft, ...schema } = z.toJSONSchema(TypesFileSchema, { io: 'input' });
  return { $schema: draft, title: 'Artifact types of ocl', ...schema };
}
