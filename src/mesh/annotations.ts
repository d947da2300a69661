import { ANNOTATION } from '../core/descriptor.ts';
import { isObject, type JsonObject } from '../core/json.ts';
import { isTime } from './artifactHub.ts';
import { textOf } from './detect.ts';
import { type ParseDocument } from './document.ts';
import { type Entity } from './entity.ts';
import { MESH_ANNOTATION } from './mediaTypes.ts';
import { sourceDigest } from './originals.ts';
import { packageOf } from './packageFile.ts';
import { requiredImages, requiredModels } from './requires.ts';

/** What a manifest says of its entity: OCI's own keys, those that Artifact Hub reads, and Meshery's. */
export function annotationsOf(
  entity: Entity,
  value: unknown,
  { created, parse }: { readonly created: string | undefined; readonly parse: ParseDocument },
): Readonly<Record<string, string>> {
  const { kind, id, name, schemaVersion, version, modelVersion, main, files } = entity;
  const described = packageOf(files);
  const oci = (key: string): string => `org.opencontainers.image.${key}`;
  const hub = (key: string): string => `io.artifacthub.package.${key}`;
  const list = (items: readonly unknown[] | undefined): string | undefined =>
    items === undefined || items.length === 0 ? undefined : JSON.stringify(items);
  const all: Readonly<Record<string, string | undefined>> = {
    [ANNOTATION.created]: created,
    [ANNOTATION.title]: name,
    [oci('version')]: version,
    [oci('description')]: described?.description ?? textOf(isObject(value) ? value['description'] : undefined),
    [oci('licenses')]: described?.license,
    [oci('url')]: described?.homeURL,
    [oci('vendor')]: described?.provider,
    [hub('category')]: described?.category,
    [hub('license')]: described?.license,
    [hub('logo-url')]: described?.logoURL,
    [hub('keywords')]: described?.keywords.join(',') || undefined,
    [hub('maintainers')]: list(described?.maintainers),
    [hub('deprecated')]: described?.deprecated === true ? 'true' : undefined,
    [hub('prerelease')]: described?.prerelease === true ? 'true' : undefined,
    [MESH_ANNOTATION.kind]: kind,
    [MESH_ANNOTATION.id]: id,
    [MESH_ANNOTATION.name]: name,
    [MESH_ANNOTATION.schemaVersion]: schemaVersion,
    [MESH_ANNOTATION.version]: version,
    [MESH_ANNOTATION.main]: main,
    [MESH_ANNOTATION.source]: sourceDigest(files),
    [MESH_ANNOTATION.modelName]: kind === 'model' ? name : modelNameOf(value),
    [MESH_ANNOTATION.modelVersion]: modelVersion,
    ...(kind === 'design'
      ? {
          [MESH_ANNOTATION.components]: String(countOf(value, 'components')),
          [MESH_ANNOTATION.relationships]: String(countOf(value, 'relationships')),
          [MESH_ANNOTATION.requiredModels]: list(
            requiredModels(entity, parse).map(({ name: model, modelVersion: of }) => ({ name: model, version: of })),
          ),
          [MESH_ANNOTATION.requiredImages]: list(requiredImages(entity, parse).map(({ image }) => image)),
        }
      : {}),
  };
  return Object.fromEntries(Object.entries(all).flatMap(([key, text]) => (text === undefined ? [] : [[key, text]])));
}

function countOf(value: unknown, list: string): number {
  const parts = isObject(value) ? value[list] : undefined;
  return Array.isArray(parts) ? parts.length : 0;
}

/** Of a part of a model. */
function modelNameOf(value: unknown): string | undefined {
  const model = isObject(value) ? [value['model'], value['modelReference']].find((each) => isObject(each)) : undefined;
  return isObject(model) ? textOf(model['name']) : undefined;
}

/** When the entity was made or changed last, by its own words; never the time of packing. */
export function ownTime(entity: Entity, value: unknown): string | undefined {
  const document: JsonObject = isObject(value) ? value : {};
  const candidates = [
    packageOf(entity.files)?.createdAt,
    ...['updatedAt', 'updated_at', 'createdAt', 'created_at'].map((key) => textOf(document[key])),
  ];
  return candidates.find((text) => text !== undefined && isTime(text) && !text.startsWith('0001-'));
}
