import * as z from 'zod';
import { type Platform } from './descriptor.ts';
import { OclError } from './errors.ts';
import { isObject, parseJson } from './json.ts';

const StringMap = z.custom<Record<string, string>>(
  (value) => isObject(value) && Object.values(value).every((entry) => typeof entry === 'string'),
);
const NameSet = z.custom<Record<string, unknown>>(isObject);

const HistoryEntry = z.looseObject({
  created: z.string().nullish(),
  created_by: z.string().nullish(),
  author: z.string().nullish(),
  comment: z.string().nullish(),
  empty_layer: z.boolean().nullish(),
});

/** Image config (image-spec config.md). Optional members may be absent or null; unknown ones pass. */
const ImageConfigSchema = z.looseObject({
  created: z.string().nullish(),
  author: z.string().nullish(),
  architecture: z.string().nullish(),
  os: z.string().nullish(),
  'os.version': z.string().nullish(),
  variant: z.string().nullish(),
  config: z
    .looseObject({
      User: z.string().nullish(),
      ExposedPorts: NameSet.nullish(),
      Env: z.array(z.string()).nullish(),
      Entrypoint: z.union([z.array(z.string()), z.string()]).nullish(),
      Cmd: z.union([z.array(z.string()), z.string()]).nullish(),
      Volumes: NameSet.nullish(),
      WorkingDir: z.string().nullish(),
      Labels: StringMap.nullish(),
      StopSignal: z.string().nullish(),
    })
    .nullish(),
  rootfs: z.looseObject({ type: z.string(), diff_ids: z.array(z.string()).nullish() }).nullish(),
  history: z.array(HistoryEntry).nullish(),
});

export type ImageConfig = z.infer<typeof ImageConfigSchema>;

/** @throws OCL_DOCUMENT_INVALID */
export function parseImageConfig(bytes: Uint8Array, what: string): ImageConfig {
  const result = ImageConfigSchema.safeParse(parseJson(bytes, what));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new OclError(
    'OCL_DOCUMENT_INVALID',
    `Cannot read ${what}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'it is no image config'}`,
  );
}

/** What an image is for; undefined where its config does not say it. */
export function platformOf({ os, architecture, variant }: ImageConfig): Platform | undefined {
  return os && architecture ? { os, architecture, ...(variant ? { variant } : {}) } : undefined;
}
