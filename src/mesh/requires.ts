import { isObject, type JsonObject } from '../core/json.ts';
import { formatReference, parseImageName } from '../core/reference.ts';
import { at } from './checkParts.ts';
import { kindOfDocument, textOf } from './detect.ts';
import { parseDocument, type ParseDocument } from './document.ts';
import { type Entity } from './entity.ts';

/** A container image that an entity runs, and where it says so. */
export interface RequiredImage {
  /**
   * In full, with `latest` where nothing else is said: `docker.io/library/nginx:1.27`. As it is written where it is no reference, such
   * as `{{ .Values.image }}`.
   */
  readonly image: string;
  /** Whether it is a reference that can be copied. */
  readonly usable: boolean;
  /** In the order of the files. */
  readonly places: readonly ImagePlace[];
}

export interface ImagePlace {
  readonly file: string;
  /** Steps from the top of the document: `components`, `3`, `configuration`, … */
  readonly path: readonly (string | number)[];
  readonly written: string;
  /** The component that has it, as people know it: `Deployment web`. */
  readonly component: string;
}

/** A model that an entity refers to. Where it is missing, Meshery cannot show or check what is of it. */
export interface RequiredModel {
  readonly name: string;
  /** Of the software that the model describes, such as `v1.32.0`; undefined where it is not said. */
  readonly modelVersion: string | undefined;
  /** Of the model's own definition. */
  readonly version: string | undefined;
  /** The kind of its registrant, such as `github`. */
  readonly registrant: string | undefined;
  /** How many components and relationships are of it. */
  readonly uses: number;
}

type Path = readonly (string | number)[];

/** What of an entity is read: its documents, of whatever kind. Files that are none are passed over. */
function* documentsOf(
  entity: Entity,
  parse: ParseDocument,
): Generator<{ readonly file: string; readonly value: JsonObject }> {
  for (const { path, bytes } of entity.files) {
    if (/\.(?:rego|wasm|svg|png|md|template)$/i.test(path)) continue;
    const value = valueOf(bytes, path, parse);
    if (isObject(value) && kindOfDocument(value) !== undefined) yield { file: path, value };
  }
}

function valueOf(bytes: Uint8Array, path: string, parse: ParseDocument): unknown {
  try {
    return parse(bytes, path).value;
  } catch {
    return undefined;
  }
}

/** The container images in the pod specs that the components of an entity configure, each once, sorted. */
export function requiredImages(entity: Entity, parse: ParseDocument = parseDocument): readonly RequiredImage[] {
  const found = new Map<string, { readonly usable: boolean; readonly places: ImagePlace[] }>();
  for (const { file, value } of documentsOf(entity, parse))
    for (const { component, configuration, path } of configured(value))
      for (const each of imagesIn(configuration, path)) {
        const { image, usable } = inFull(each.written);
        const known = found.get(image) ?? { usable, places: [] };
        known.places.push({ file, path: each.path, written: each.written, component: nameOf(component) });
        found.set(image, known);
      }
  return [...found].map(([image, rest]) => ({ image, ...rest })).toSorted((a, b) => compare(a.image, b.image));
}

/** The models that the components and relationships of an entity refer to, each once, sorted. A model does not require itself. */
export function requiredModels(entity: Entity, parse: ParseDocument = parseDocument): readonly RequiredModel[] {
  const found = new Map<string, RequiredModel>();
  for (const { value } of documentsOf(entity, parse))
    for (const reference of modelsOf(value)) {
      const model = modelOf(reference);
      if (model === undefined || (entity.kind === 'model' && model.name === entity.name)) continue;
      const key = JSON.stringify([model.name, model.modelVersion]);
      const known = found.get(key);
      found.set(key, {
        ...model,
        version: known?.version ?? model.version,
        registrant: known?.registrant ?? model.registrant,
        uses: (known?.uses ?? 0) + 1,
      });
    }
  return withoutVague([...found.values()]).toSorted(
    (a, b) => compare(a.name, b.name) || compare(a.modelVersion ?? '', b.modelVersion ?? ''),
  );
}

/** Who names a model without its version means one of those that are named with it. */
function withoutVague(models: readonly RequiredModel[]): readonly RequiredModel[] {
  const exact = models.filter(({ modelVersion }) => modelVersion !== undefined);
  const vague = models.filter((model) => model.modelVersion === undefined);
  const firsts = new Map(exact.toReversed().map((model) => [model.name, model]));
  const uses = new Map(vague.map((model) => [firsts.get(model.name), model.uses]));
  return [
    ...exact.map((model) => ({ ...model, uses: model.uses + (uses.get(model) ?? 0) })),
    ...vague.filter(({ name }) => !firsts.has(name)),
  ];
}

/** What users configured, by component; of designs of 2023 the settings of services. */
function* configured(
  value: JsonObject,
): Generator<{ readonly component: JsonObject; readonly configuration: unknown; readonly path: Path }> {
  const { components, services, configuration } = value;
  if (configuration !== undefined) yield { component: value, configuration, path: ['configuration'] };
  if (Array.isArray(components)) {
    for (const [index, component] of components.entries())
      if (isObject(component))
        yield {
          component,
          configuration: component['configuration'],
          path: ['components', index, 'configuration'],
        };
  }
  if (isObject(services)) {
    for (const [key, service] of Object.entries(services))
      if (isObject(service))
        yield { component: service, configuration: service['settings'], path: ['services', key, 'settings'] };
  }
}

const CONTAINERS: ReadonlySet<string> = new Set(['containers', 'initContainers', 'ephemeralContainers']);

/** Pod specs lie at different depths in the kinds of Kubernetes, and custom resources have more: containers are known by their lists. */
function* imagesIn(value: unknown, path: Path): Generator<{ readonly written: string; readonly path: Path }> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* imagesIn(item, [...path, index]);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, member] of Object.entries(value)) {
    const here = [...path, key];
    if (Array.isArray(member) && (CONTAINERS.has(key) || key === 'volumes')) {
      const steps = key === 'volumes' ? ['image', 'reference'] : ['image'];
      for (const [index, item] of member.entries()) {
        const image = at(item, steps);
        if (typeof image === 'string' && image.trim() !== '')
          yield { written: image.trim(), path: [...here, index, ...steps] };
      }
    }
    yield* imagesIn(member, here);
  }
}

function inFull(written: string): { readonly image: string; readonly usable: boolean } {
  const parsed = parseImageName(written);
  if (parsed === undefined) return { image: written, usable: false };
  const tag = parsed.tag ?? (parsed.digest === undefined ? 'latest' : undefined);
  return { image: formatReference({ ...parsed, tag }), usable: true };
}

/** One reference of each component and relationship. */
function* modelsOf(value: JsonObject): Generator {
  const kind = kindOfDocument(value);
  if (kind === 'component' || kind === 'relationship' || kind === 'connection') yield* referenceOf(value);
  if (kind !== 'design') return;
  for (const list of [value['components'], value['relationships']])
    if (Array.isArray(list)) for (const part of list) if (isObject(part)) yield* referenceOf(part);
  const { services } = value;
  if (isObject(services))
    for (const service of Object.values(services)) if (isObject(service)) yield { name: service['model'] };
}

function* referenceOf(part: JsonObject): Generator {
  const { modelReference, model } = part;
  if (textOf(at(modelReference, ['name'])) !== undefined) yield modelReference;
  else if (model !== undefined) yield model;
}

/** A `*` stands for any model. */
function modelOf(reference: unknown): RequiredModel | undefined {
  const name = textOf(at(reference, ['name']));
  if (name === undefined || name === '*') return undefined;
  return {
    name,
    modelVersion: textOf(at(reference, ['model', 'version'])),
    version: textOf(at(reference, ['version'])),
    registrant: textOf(at(reference, ['registrant', 'kind'])),
    uses: 1,
  };
}

function nameOf(component: JsonObject): string {
  const kind = textOf(at(component, ['component', 'kind'])) ?? textOf(component['type']);
  const name = textOf(component['displayName']) ?? textOf(component['name']);
  return [kind, name].filter((part) => part !== undefined).join(' ') || 'a component';
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
