import * as z from 'zod';
import { type Platform } from '../../core/descriptor.ts';
import { OclError } from '../../core/errors.ts';
import { isObject, parseJson } from '../../core/json.ts';
import { parseWith } from '../../core/parseWith.ts';

/** One image of the `manifest.json` of a docker archive. */
export interface DockerEntry {
  /** Path of the image config in the archive. */
  readonly config: string;
  /** As `docker save` writes them; empty for an image that was saved by its id. */
  readonly repoTags: readonly string[];
  /** Paths of the layers, base first. */
  readonly layers: readonly string[];
  /** Descriptors by diffID, unchecked. */
  readonly layerSources: ReadonlyMap<string, unknown>;
}

/** What has to be known of an image config. */
export interface ConfigFacts {
  readonly diffIds: readonly string[];
  readonly platform: Platform | undefined;
}

/** Images of one docker archive. */
const MAX_IMAGES = 20_000;

const Text = z.string().max(4096);

const EntrySchema = z.looseObject({
  Config: Text,
  RepoTags: z.array(Text).max(10_000).nullish(),
  Layers: z.array(Text).max(10_000).nullish(),
  LayerSources: z.custom<Record<string, unknown>>(isObject, 'must be an object').nullish(),
});

const ConfigSchema = z.looseObject({
  architecture: z.string().nullish(),
  os: z.string().nullish(),
  variant: z.string().nullish(),
  'os.version': z.string().nullish(),
  'os.features': z.array(z.string()).nullish(),
  rootfs: z.looseObject({ diff_ids: z.array(Text).max(10_000).nullish() }).nullish(),
});

/** Go reads names in any case, so that `config` beside `Config` would be another image to docker. */
const NAMES: ReadonlyMap<string, string> = new Map(
  ['Config', 'RepoTags', 'Layers', 'LayerSources'].map((name) => [name.toLowerCase(), name]),
);

/** @throws OCL_ARCHIVE_INVALID, OCL_DOCUMENT_INVALID, OCL_LIMIT */
export function parseDockerManifest(bytes: Uint8Array, path: string): readonly DockerEntry[] {
  const what = `manifest.json in ${path}`;
  const value = parseJson(bytes, what);
  const list = check(z.array(z.unknown()).max(MAX_IMAGES), value, what);
  return list.map((item) => {
    const entry = check(EntrySchema, item, what);
    for (const name of Object.keys(entry)) {
      const proper = NAMES.get(name.toLowerCase());
      if (proper !== undefined && proper !== name)
        throw invalid(what, `it has ${JSON.stringify(name)}, which some tools read as ${JSON.stringify(proper)}`);
    }
    return {
      config: entry.Config,
      repoTags: entry.RepoTags ?? [],
      layers: entry.Layers ?? [],
      layerSources: new Map(Object.entries(entry.LayerSources ?? {})),
    };
  });
}

/** What an image config says about its layers and platform. @throws OCL_ARCHIVE_INVALID, OCL_DOCUMENT_INVALID, OCL_LIMIT */
export function parseConfigFacts(bytes: Uint8Array, what: string): ConfigFacts {
  const config = check(ConfigSchema, parseJson(bytes, what), what);
  return { diffIds: config.rootfs?.diff_ids ?? [], platform: platformOf(config) };
}

function platformOf(config: z.infer<typeof ConfigSchema>): Platform | undefined {
  if (!config.architecture || !config.os) return undefined;
  return {
    architecture: config.architecture,
    os: config.os,
    ...(config['os.version'] ? { 'os.version': config['os.version'] } : {}),
    ...(config['os.features'] ? { 'os.features': config['os.features'] } : {}),
    ...(config.variant ? { variant: config.variant } : {}),
  };
}

function check<T extends z.ZodType>(schema: T, value: unknown, what: string): z.infer<T> {
  return parseWith(schema, value, (why) => invalid(what, why));
}

function invalid(what: string, why: string): OclError {
  return new OclError('OCL_ARCHIVE_INVALID', `Cannot read ${what}: ${why}`);
}
