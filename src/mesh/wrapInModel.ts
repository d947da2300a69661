import { isObject, type JsonObject } from '../core/json.ts';
import { textOf } from './detect.ts';
import { toJson } from './designText.ts';
import { type MeshDocument } from './document.ts';
import { type Entity } from './entity.ts';
import { modelDirectory, type ImportLayer } from './layer.ts';
import { mainBytes } from './main.ts';
import { shortHash, slug } from './naming.ts';

const NO_ID = '00000000-0000-0000-0000-000000000000';
const DIRECTORY = { component: 'components', relationship: 'relationships', connection: 'connections' } as const;

/** A component, relationship or connection by itself in the smallest model that there can be: Meshery imports models alone. */
export function wrapInModel(entity: Entity, document: MeshDocument | undefined): ImportLayer {
  const value = isObject(document?.value) ? document.value : {};
  const model = minimalModel(value, entity);
  const base = modelDirectory(textOf((model['model'] as JsonObject)['version']), String(model['version']));
  const directory = `${base}/${DIRECTORY[entity.kind as keyof typeof DIRECTORY]}`;
  const asGiven = document?.syntax === 'json' && !document.wrapped;
  const bytes = document === undefined || asGiven ? mainBytes(entity) : Buffer.from(toJson(document));
  return {
    files: [
      { path: `${base}/model.json`, bytes: Buffer.from(JSON.stringify(model)) },
      { path: `${directory}/${partName(entity, bytes)}`, bytes },
    ],
    base: directory,
    notes:
      entity.kind === 'connection'
        ? [
            'Meshery registers a model only with a component or relationship: it takes nothing from a connection by itself',
          ]
        : [],
  };
}

/** `Widget.json`; relationships share names, so theirs end with eight digits of their content. */
function partName({ kind, name }: Entity, bytes: Uint8Array): string {
  const plain = name.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replace(/^\.+/, '') || kind;
  return kind === 'relationship' ? `${plain}-${shortHash(bytes)}.json` : `${plain}.json`;
}

/** What the part itself says of its model; where it says nothing, what an import wants at least. */
function minimalModel(part: JsonObject, entity: Entity): JsonObject {
  const own = [part['model'], part['modelReference']].find((each) => isObject(each)) ?? {};
  const said = isObject(own) ? own : {};
  const name = slug(textOf(said['name']) ?? entity.name) || 'untitled-model';
  const registrant = isObject(said['registrant']) ? said['registrant'] : {};
  const inner = isObject(said['model']) ? said['model'] : {};
  const schemaVersion = textOf(said['schemaVersion']);
  const metadata = isObject(said['metadata']) ? said['metadata'] : {};
  return {
    id: textOf(said['id']) ?? NO_ID,
    schemaVersion:
      schemaVersion?.startsWith('models.meshery.io/') === true ? schemaVersion : 'models.meshery.io/v1beta1',
    version: textOf(said['version']) ?? 'v1.0.0',
    name,
    displayName: textOf(said['displayName']) ?? name.replaceAll('-', ' '),
    description: textOf(said['description']) ?? '',
    status: textOf(said['status']) === 'ignored' ? 'ignored' : 'enabled',
    registrant: {
      id: NO_ID,
      name: 'meshery',
      type: 'registry',
      subType: '',
      status: 'discovered',
      ...registrant,
      kind: textOf(registrant['kind']) ?? 'meshery',
    },
    registrantId: NO_ID,
    categoryId: NO_ID,
    category: isObject(said['category']) ? said['category'] : { id: NO_ID, name: 'Uncategorized', metadata: {} },
    subCategory: textOf(said['subCategory']) ?? 'Uncategorized',
    metadata: { svgWhite: '', svgColor: '', isAnnotation: false, ...metadata },
    model: { ...inner, version: textOf(inner['version']) ?? 'v0.0.1' },
    components: [],
    relationships: [],
    componentsCount: 0,
    relationshipsCount: 0,
  };
}
