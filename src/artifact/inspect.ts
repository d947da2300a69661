import { type Descriptor, type Platform } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { OclError, toOclError } from '../core/errors.ts';
import { isAttestationEntry, isImage } from '../core/graph.ts';
import { parseImageConfig, type ImageConfig } from '../core/imageConfig.ts';
import { LIMITS } from '../core/limits.ts';
import { parseJson } from '../core/json.ts';
import { type Manifest, type ManifestDocument } from '../core/manifest.ts';
import { formatPlatform, matchesPlatform } from '../core/platform.ts';
import { type Source } from '../core/store.ts';
import { otherPlatform } from '../copy/otherPlatform.ts';
import { kindOf } from './kind.ts';
import { Reads } from './reads.ts';
import { type ArtifactType } from './types/schema.ts';
import { usageOf, type TypeFacts, type UsageOptions, type Use } from './usage.ts';

export interface Inspection {
  readonly reference: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly kind: string;
  /** What it is by the table of artifact types, where one was given. */
  readonly artifact?: TypeFacts | undefined;
  /** Commands that use it, as far as what they need is known. */
  readonly actions?: readonly Use[] | undefined;
  /** What is wrong with its config by the schema of its type. */
  readonly configFault?: string | undefined;
  /** Of an index: what may be asked for with a platform. */
  readonly platforms: readonly string[];
  /** The one manifest that the rest describes. */
  readonly manifest: { readonly digest: Digest; readonly platform: string | undefined };
  readonly annotations: Readonly<Record<string, string>>;
  readonly subject: Digest | undefined;
  /** Bytes of manifest, config and layers. */
  readonly size: number;
  readonly layers: readonly {
    readonly digest: Digest;
    readonly mediaType: string;
    readonly size: number;
    readonly title: string | undefined;
  }[];
  /** Of an image: how it runs. */
  readonly image: ImageFacts | undefined;
}

export interface ImageFacts {
  readonly created: string | undefined;
  readonly author: string | undefined;
  readonly user: string | undefined;
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string | undefined;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string | undefined;
  readonly history: readonly HistoryLine[];
}

export interface HistoryLine {
  /** As it would stand in a Dockerfile. */
  readonly instruction: string;
  readonly created: string | undefined;
  /** Bytes of the layer that it made; undefined when it made none. */
  readonly size: number | undefined;
}

export interface InspectOptions {
  /** What is shown of an index. Without it the host's platform, else the first. */
  readonly platform?: Platform | undefined;
  readonly host: Platform;
  /** Without it nothing is said of types. */
  readonly usage?: UsageOptions | undefined;
}

/** An image or artifact as people want to see it. @throws OCL_NOT_FOUND when the platform is not there */
export async function inspect(
  source: Source,
  reference: string,
  root: Descriptor,
  options: InspectOptions,
): Promise<Inspection> {
  const reads = new Reads(source);
  const top = await reads.document(root);
  const platforms =
    top.kind === 'index'
      ? top.manifests
          .filter((entry) => !isAttestationEntry(entry))
          .flatMap((entry) => (entry.platform === undefined ? [] : [formatPlatform(entry.platform)]))
      : [];
  const { descriptor, manifest } = await chooseManifest(reads, root, options);
  const base = {
    reference,
    digest: root.digest,
    mediaType: root.mediaType,
    kind: kindOf(root, top),
    ...(options.usage === undefined ? {} : await about(reads, root, top, options.usage)),
    platforms,
    annotations: { ...top.annotations, ...manifest?.annotations },
    subject: top.subject?.digest,
  };
  if (manifest === undefined)
    return {
      ...base,
      manifest: { digest: root.digest, platform: undefined },
      size: root.size,
      layers: [],
      image: undefined,
    };
  const config = isImage(manifest) ? await readConfig(reads, manifest) : undefined;
  const platform =
    descriptor.platform ??
    (config?.os && config.architecture
      ? { os: config.os, architecture: config.architecture, ...(config.variant ? { variant: config.variant } : {}) }
      : undefined);
  return {
    ...base,
    manifest: { digest: descriptor.digest, platform: platform === undefined ? undefined : formatPlatform(platform) },
    size: descriptor.size + (manifest.config?.size ?? 0) + manifest.layers.reduce((sum, layer) => sum + layer.size, 0),
    layers: manifest.layers.map(({ digest, mediaType, size, annotations }) => ({
      digest,
      mediaType,
      size,
      title: annotations?.['org.opencontainers.image.title'],
    })),
    image: config === undefined ? undefined : factsOf(config, manifest),
  };
}

/** What it is, what can be done with it, and whether its config is what its type says. */
async function about(
  reads: Reads,
  root: Descriptor,
  top: ManifestDocument,
  options: UsageOptions,
): Promise<Pick<Inspection, 'artifact' | 'actions' | 'configFault'>> {
  const { type, artifact, actions } = await usageOf(reads, root, top, options);
  return { artifact, actions, configFault: await faultOf(reads, type, top) };
}

async function faultOf(reads: Reads, type: ArtifactType, top: ManifestDocument): Promise<string | undefined> {
  if (type.configSchema === undefined || top.kind === 'index' || top.config === undefined) return undefined;
  const { config } = top;
  try {
    const { configFault } = await import('./types/schema.ts');
    return configFault(type, parseJson(await reads.config(config), config.digest));
  } catch (error) {
    // An image config is read below, and there it fails.
    const { code, message } = toOclError(error);
    if (code === 'OCL_DOCUMENT_INVALID' || code === 'OCL_LIMIT') return message;
    throw error;
  }
}

/**
 * The one manifest of an index that is meant: of the platform, without one of the host's, else the first.
 * @throws OCL_NOT_FOUND, also for an image that has but another platform
 */
export async function chooseManifest(
  reads: Reads,
  descriptor: Descriptor,
  options: InspectOptions,
  depth = 0,
): Promise<{ descriptor: Descriptor; manifest: Manifest | undefined }> {
  const document = await reads.document(descriptor);
  if (document.kind === 'manifest') {
    // What an index says of its entries was asked already.
    if (depth === 0 && options.platform !== undefined) await refuseOther(reads, descriptor, document, options.platform);
    return { descriptor, manifest: document };
  }
  const entries = document.manifests.filter((entry) => !isAttestationEntry(entry));
  const { platform, host } = options;
  const chosen =
    entries.find((entry) => matchesPlatform(platform ?? host, entry.platform)) ??
    (platform === undefined || entries.every((entry) => entry.platform === undefined) ? entries[0] : undefined);
  if (chosen === undefined && platform !== undefined) {
    throw new OclError(
      'OCL_NOT_FOUND',
      `Cannot choose from ${descriptor.digest}: it has no ${formatPlatform(platform)}`,
      {
        hint: `it has ${entries.map((entry) => (entry.platform === undefined ? '' : formatPlatform(entry.platform))).join(', ')}`,
      },
    );
  }
  if (chosen === undefined || depth >= LIMITS.indexDepth) return { descriptor, manifest: undefined };
  return await chooseManifest(reads, chosen, options, depth + 1);
}

async function refuseOther(reads: Reads, image: Descriptor, document: Manifest, wanted: Platform): Promise<void> {
  const other = await otherPlatform(image, document, [wanted], reads.source);
  if (other === undefined) return;
  throw new OclError(
    'OCL_NOT_FOUND',
    `Cannot choose from ${image.digest}: it is an image for ${formatPlatform(other)} alone, and none for ${formatPlatform(wanted)}`,
    { hint: 'leave --platform out' },
  );
}

async function readConfig(reads: Reads, manifest: Manifest): Promise<ImageConfig | undefined> {
  const { config } = manifest;
  if (config === undefined) return undefined;
  return parseImageConfig(await reads.config(config), config.digest);
}

function factsOf(config: ImageConfig, manifest: Manifest): ImageFacts {
  const run = config.config ?? {};
  return {
    created: config.created ?? undefined,
    author: config.author ?? undefined,
    user: run.User || undefined,
    entrypoint: asList(run.Entrypoint),
    cmd: asList(run.Cmd),
    env: run.Env ?? [],
    workingDir: run.WorkingDir || undefined,
    ports: Object.keys(run.ExposedPorts ?? {}),
    volumes: Object.keys(run.Volumes ?? {}),
    labels: run.Labels ?? {},
    stopSignal: run.StopSignal || undefined,
    history: historyOf(config, manifest),
  };
}

function asList(value: string | readonly string[] | null | undefined): readonly string[] {
  if (value === null || value === undefined) return [];
  return typeof value === 'string' ? [value] : value;
}

/** Layers are counted off against the entries that made one; where an image's history is wrong, sizes end early. */
function historyOf(config: ImageConfig, manifest: Manifest): readonly HistoryLine[] {
  let layer = 0;
  return (config.history ?? []).map((entry) => {
    const size = entry.empty_layer === true ? undefined : manifest.layers[layer++]?.size;
    return {
      instruction: dockerfileLine(entry.created_by ?? entry.comment ?? ''),
      created: entry.created ?? undefined,
      size,
    };
  });
}

/** What classic builders wrote as `/bin/sh -c #(nop) CMD …` and BuildKit as `RUN /bin/sh -c … # buildkit`. */
export function dockerfileLine(createdBy: string): string {
  const nop = /^\/bin\/sh -c #\(nop\)\s*(.*)$/s.exec(createdBy);
  if (nop?.[1] !== undefined) return nop[1].trim();
  const shell = /^(?:RUN )?(?:\|\d+ (?:\S+ )*?)?\/bin\/sh -c (.*?)(?: # buildkit)?$/s.exec(createdBy);
  if (shell?.[1] !== undefined) return `RUN ${shell[1].trim()}`;
  return createdBy.replace(/ # buildkit$/, '').trim();
}
