import { isObject } from '../core/json.ts';
import { type TarFile } from '../artifact/build.ts';
import { composePackageFile, isPackageVersion, isTime } from './artifactHub.ts';
import { isRego, isWasm, kindOfDocument } from './detect.ts';
import { designText, toJson, type DesignText } from './designText.ts';
import { type MeshDocument, type ParseDocument } from './document.ts';
import { type Entity, type MeshFile } from './entity.ts';
import { modelDirectory, type ImportLayer } from './layer.ts';
import { mainBytes } from './main.ts';
import { slug } from './naming.ts';
import { PACKAGE_FILE, packageOf } from './packageFile.ts';
import { requiredImages } from './requires.ts';
import { wrapInModel } from './wrapInModel.ts';

export interface ImportOptions {
  readonly text: DesignText;
  /** RFC 3339. */
  readonly created: string | undefined;
  readonly parse: ParseDocument;
}

/** For files whose time nobody knows: a made file must be the same each time. */
const NO_TIME = '1970-01-01T00:00:00Z';

/**
 * An entity as Meshery's import expects it.
 * @param document of its main file, where that is one
 * @throws OCL_DOCUMENT_INVALID, OCL_LIMIT
 */
export function importLayer(entity: Entity, document: MeshDocument | undefined, options: ImportOptions): ImportLayer {
  switch (entity.kind) {
    case 'design':
      return design(entity, document, options);
    case 'model':
      return model(entity, options);
    case 'filter':
      return filter(entity, document, options);
    case 'component':
    case 'relationship':
    case 'connection':
      return wrapInModel(entity, document);
    case 'policy':
    case 'view':
    case 'environment':
    case 'workspace':
      return alone(entity, document);
  }
}

function design(entity: Entity, document: MeshDocument | undefined, options: ImportOptions): ImportLayer {
  const bytes = mainBytes(entity);
  const text = document === undefined ? bytes : designText(document, bytes, options.text);
  return {
    files: [packageFile(entity, options), { path: 'design.yml', bytes: text }],
    base: '',
    notes: [],
  };
}

/** The description that came with it, or one that is made of what the entity says. */
function packageFile(entity: Entity, { created, parse }: ImportOptions): TarFile {
  const given = entity.files.find(({ path }) => path === PACKAGE_FILE);
  if (given !== undefined) return given;
  const { name, version } = entity;
  const description = packageOf(entity.files);
  const text = composePackageFile({
    name,
    version: isPackageVersion(version) ? version : '0.0.1',
    createdAt: created !== undefined && isTime(created) ? created : NO_TIME,
    description: description?.description,
    images:
      entity.kind === 'design'
        ? requiredImages(entity, parse).flatMap(({ image, usable }) => (usable ? [image] : []))
        : [],
    ...(entity.kind === 'filter' ? { install: 'mesheryctl filter import' } : {}),
  });
  return { path: PACKAGE_FILE, bytes: Buffer.from(text) };
}

/** What Meshery passes over without a word (meshkit `processDir`). */
const PASSED_OVER = /\.(?:rego|template|svg|png|md)$/;
const PARTS: ReadonlySet<string> = new Set(['component', 'relationship', 'connection']);

function model(entity: Entity, { parse }: ImportOptions): ImportLayer {
  const base = modelDirectory(entity.modelVersion, entity.version);
  const strays: string[] = [];
  const files = entity.files.flatMap((file): TarFile[] => {
    if (file.path === entity.main || isPart(file, strays, parse))
      return [{ path: `${base}/${file.path}`, bytes: file.bytes }];
    return [];
  });
  const some = strays.slice(0, 3).join(', ');
  const more = strays.length > 3 ? ` and ${strays.length - 3} more` : '';
  return {
    files,
    base,
    notes:
      strays.length === 0
        ? []
        : [`${some}${more} would be an error to Meshery's import: carried beside the layer that it reads`],
  };
}

/** Whether a file belongs where Meshery looks: a part of the model, or what it passes over. */
function isPart(file: MeshFile, strays: string[], parse: ParseDocument): boolean {
  if (PASSED_OVER.test(file.path)) return true;
  try {
    const kind = isRego(file.bytes) ? undefined : kindOfDocument(parse(file.bytes, file.path).value);
    if (kind !== undefined && PARTS.has(kind)) return true;
  } catch {
    // What cannot be read is no part.
  }
  strays.push(file.path);
  return false;
}

function filter(entity: Entity, document: MeshDocument | undefined, options: ImportOptions): ImportLayer {
  const name = slug(entity.name) || 'filter';
  const main = mainBytes(entity);
  const described = isWasm(main) ? describedBy(entity, options.parse) : document;
  const value = isObject(described?.value) ? described.value : {};
  const { filterFile, filter_file: snake, ...rest } = value;
  const content = filterFile ?? snake;
  const module = isWasm(main) ? main : Buffer.from(typeof content === 'string' ? content : '', 'base64');
  const unchanged = content === undefined && described?.syntax === 'json';
  const description = unchanged ? described.text : JSON.stringify({ name: entity.name, ...rest });
  return {
    files: [
      packageFile(entity, options),
      { path: 'filter.json', bytes: Buffer.from(description) },
      ...(module.length === 0 ? [] : [{ path: `${name}.wasm`, bytes: module }]),
    ],
    base: '',
    notes: module.length > 0 && !isWasm(module) ? ['the content of the filter is no WebAssembly module'] : [],
  };
}

/** The document that says what the module is. */
function describedBy({ files, main }: Entity, parse: ParseDocument): MeshDocument | undefined {
  for (const { path, bytes } of files) {
    if (path === main || path.startsWith('artifacthub-pkg.')) continue;
    try {
      const document = parse(bytes, path);
      if (isObject(document.value)) return document;
    } catch {
      // Not what describes it.
    }
  }
  return undefined;
}

function alone(entity: Entity, document: MeshDocument | undefined): ImportLayer {
  const bytes = mainBytes(entity);
  const [path, content] =
    document === undefined
      ? [`${entity.kind}.rego`, bytes]
      : [
          `${entity.kind}.json`,
          document.syntax === 'json' && !document.wrapped ? bytes : Buffer.from(toJson(document)),
        ];
  return { files: [{ path, bytes: content }], base: '', notes: [] };
}
