import { ANNOTATION } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { MEDIA } from '../core/mediaTypes.ts';
import { shown } from '../io/tarName.ts';
import { buildArtifact, tarLayer, type BuiltArtifact, type LayerSpec, type TarFile } from '../artifact/build.ts';
import { annotationsOf, ownTime } from './annotations.ts';
import { type DesignText } from './designText.ts';
import { documentReader, type ParseDocument } from './document.ts';
import { type Entity, type MeshFile } from './entity.ts';
import { importLayer } from './importLayer.ts';
import { type ImportLayer } from './layer.ts';
import { mainDocument } from './main.ts';
import { artifactTypeOfKind, LAYER_ANNOTATION, MESH } from './mediaTypes.ts';
import { slug } from './naming.ts';
import { secretsIn } from './secrets.ts';
import { imageConfig } from './standIn.ts';

export interface PackOptions {
  /**
   * `artifact`: OCI 1.1, with an artifactType and an empty config. `image`: an image config and image layers, for registries that take
   * nothing else. `flux`: the types of Meshery's own pushes to registries, and nothing beside the layer that it reads.
   */
  readonly form?: 'artifact' | 'image' | 'flux' | undefined;
  /** How the text of a design stands in the layer that Meshery reads; `json` when it is not said, because nothing gets lost then. */
  readonly text?: DesignText | undefined;
  /** RFC 3339; goes before what the entity says of itself. There is no other time in an artifact. */
  readonly created?: string | undefined;
  /** Further annotations of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Values of credentials in connections are packed. */
  readonly allowSecrets?: boolean | undefined;
}

export interface PackedEntity extends BuiltArtifact {
  /** The files of the layer that Meshery reads. */
  readonly imported: readonly TarFile[];
  /** What people should know of what became of it. */
  readonly notes: readonly string[];
}

/** The directory that Meshery packs is one of its own, made for it. */
const ROOT_MODE = 0o700;
/** Files that get a layer each. More of them go into one. */
const MAX_FILE_LAYERS = 32;

/**
 * An entity as one OCI artifact, in memory: a layer that Meshery imports, and beside it every file that is not in there as it was given.
 * The same files always give the same digest.
 * @throws OCL_DOCUMENT_INVALID when its main file cannot be read; OCL_UNSAFE for credentials in connections; OCL_LIMIT
 */
export function packEntity(entity: Entity, options: PackOptions = {}): PackedEntity {
  const { form = 'artifact', text = 'json', allowSecrets = false } = options;
  const parse = documentReader();
  const document = mainDocument(entity, parse);
  if (!allowSecrets) refuseSecrets(entity, parse);
  const created = options.created ?? ownTime(entity, document?.value);
  const layer = importLayer(entity, document, { text, created, parse });
  const annotations = { ...annotationsOf(entity, document?.value, { created, parse }), ...options.annotations };
  const { diffId, bytes } = tarLayer(layer.files, { rootMode: ROOT_MODE });
  const beside = filesBeside(entity, layer);
  const packed = { imported: layer.files, notes: [...entity.notes, ...layer.notes] };
  const first = { bytes, annotations: layerAnnotations(entity, layer, diffId) };
  if (form === 'flux') {
    const config = { mediaType: MESH.fluxConfig, bytes: imageConfig([diffId]) };
    const spec = {
      config,
      layers: [{ bytes, mediaType: MESH.fluxLayer }],
      annotations: { ...fluxAnnotations(created), ...options.annotations },
    };
    return { ...buildArtifact(spec), ...packed, notes: [...packed.notes, ...lostNotes(beside)] };
  }
  const layers: LayerSpec[] = [{ ...first, mediaType: MEDIA.ociLayerGzip }];
  if (form === 'image') {
    const files = beside.length === 0 ? undefined : tarLayer(beside);
    if (files !== undefined) layers.push({ mediaType: MEDIA.ociLayerGzip, bytes: files.bytes });
    const diffIds = files === undefined ? [diffId] : [diffId, files.diffId];
    const config = { mediaType: MEDIA.ociConfig, bytes: imageConfig(diffIds, annotations) };
    return { ...buildArtifact({ config, layers, annotations }), ...packed };
  }
  layers.push(...fileLayers(entity, beside, parse));
  return { ...buildArtifact({ artifactType: artifactTypeOfKind(entity.kind), layers, annotations }), ...packed };
}

/** Files that are not in Meshery's layer, or not as they were given. */
function filesBeside(entity: Entity, layer: ImportLayer): readonly MeshFile[] {
  const inside = new Map(layer.files.map((file) => [file.path, file.bytes]));
  return entity.files.filter(({ path, bytes }) => !isSame(inside.get(inLayer(layer, path)), bytes));
}

function layerAnnotations(entity: Entity, layer: ImportLayer, diffId: string): Readonly<Record<string, string>> {
  const own = new Map(entity.files.map(({ path, bytes }) => [inLayer(layer, path), bytes]));
  const made = layer.files.filter(({ path, bytes }) => !isSame(own.get(path), bytes)).map(({ path }) => path);
  return {
    [LAYER_ANNOTATION.diffId]: diffId,
    [LAYER_ANNOTATION.made]: JSON.stringify(made.toSorted()),
    ...(layer.base === '' ? {} : { [LAYER_ANNOTATION.base]: layer.base }),
  };
}

function inLayer({ base }: ImportLayer, path: string): string {
  return base === '' ? path : `${base}/${path}`;
}

function isSame(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}

function fileLayers(entity: Entity, files: readonly TarFile[], parse: ParseDocument): readonly LayerSpec[] {
  if (files.length <= MAX_FILE_LAYERS)
    return files.map(({ path, bytes }) => ({ mediaType: fileType(path, bytes, parse), title: path, bytes }));
  const { bytes } = tarLayer(files);
  return [{ mediaType: MESH.filesLayer, title: `${slug(entity.name) || entity.kind}-files.tar.gz`, bytes }];
}

const TYPES: Readonly<Record<string, string>> = {
  md: 'text/markdown',
  png: 'image/png',
  rego: 'application/vnd.cncf.openpolicyagent.policy.layer.v1+rego',
  svg: 'image/svg+xml',
  wasm: 'application/wasm',
};

function fileType(path: string, bytes: Uint8Array, parse: ParseDocument): string {
  const known = TYPES[/\.([a-z]+)$/.exec(path)?.[1] ?? ''];
  if (known !== undefined) return known;
  try {
    return `application/${parse(bytes, path).syntax}`;
  } catch {
    return 'application/octet-stream';
  }
}

/** As Meshery writes them (flux `client.Metadata`); a time of its own it would take from the clock. */
function fluxAnnotations(created: string | undefined): Readonly<Record<string, string>> {
  return {
    ...(created === undefined ? {} : { [ANNOTATION.created]: created }),
    'org.opencontainers.image.source': '',
    'org.opencontainers.image.revision': '',
  };
}

function lostNotes(beside: readonly MeshFile[]): readonly string[] {
  const [first] = beside;
  if (first === undefined) return [];
  const more = beside.length === 1 ? '' : ` and ${beside.length - 1} more`;
  return [`this form has no place for ${shown(first.path)}${more} as given: only what Meshery reads is in it`];
}

/** A connection may carry a credential by mistake, and an artifact is for many eyes. */
function refuseSecrets(entity: Entity, parse: ParseDocument): void {
  for (const { path, bytes } of entity.files) {
    const isConnection = entity.kind === 'connection' || (entity.kind === 'model' && path.includes('connections/'));
    if (!isConnection) continue;
    const [first, ...others] = secretsIn(readable(bytes, path, parse));
    if (first === undefined) continue;
    throw new OclError(
      'OCL_UNSAFE',
      `Cannot pack ${entity.origin}: ${shown(path)} has the value of a credential at ${[first, ...others].slice(0, 5).join(', ')}`,
      { hint: 'take it out and refer to it by credentialId, or add --allow-secrets' },
    );
  }
}

function readable(bytes: Uint8Array, path: string, parse: ParseDocument): unknown {
  try {
    return parse(bytes, path).value;
  } catch {
    return undefined;
  }
}
