import { isObject, type JsonObject } from '../core/json.ts';
import { type YamlPath } from '../io/yaml.ts';
import { checkAdditionalProperties, checkYearOne } from './additional.ts';
import { checkGoYaml } from './checkGoYaml.ts';
import { at } from './checkParts.ts';
import { checkShape, derivedUuid, type Decoder } from './checkShape.ts';
import { type Checked } from './checked.ts';
import { isOldDesign, textOf } from './detect.ts';
import { DESIGN } from './shapes.ts';
import { baseName } from './survey.ts';

/** `file`: as it is given to the import by itself. `archive`: in a layer, where the name has to be design.yml and no version is looked at. */
export type DesignPlace = 'file' | 'archive';

const ACCEPTED: ReadonlySet<unknown> = new Set(['designs.meshery.io/v1beta1', 'designs.meshery.io/v1beta3']);
const CURRENT = 'designs.meshery.io/v1beta3';

/** What Meshery's decoders of YAML keep in each metadata; all else is lost there, and kept from JSON. */
const METADATA = {
  design: new Set(['resolvedAliases']),
  component: new Set([
    'genealogy',
    'isAnnotation',
    'isNamespaced',
    'published',
    'instanceDetails',
    'configurationUISchema',
  ]),
  relationship: new Set(['description', 'isAnnotation', 'styles']),
} as const;

/** What the import of designs does with the document (meshkit `files.IdentifyFile`, `ParseFileAsMesheryDesign`). */
export function checkDesign(document: Checked, place: DesignPlace, path: string): void {
  const { value } = document;
  if (!isObject(value)) {
    checkShape(document, DESIGN, 'json-or-yaml');
    return;
  }
  if (isOldDesign(value)) {
    document.add(
      'design-legacy',
      ['services'],
      'this is a design of 2023, with services instead of components; Meshery converts such ones only where they are stored',
      'open it in a Meshery of its time, and export it there',
    );
    return;
  }
  checkShape(document, DESIGN, decoderOf(path, place));
  if (decoderOf(path, place) === 'yaml') checkGoYaml(document);
  if (document.byteOrderMark && decoderOf(path, place) === 'json')
    document.add(
      'byte-order-mark',
      [],
      'the file begins with a byte order mark, which is no JSON to Meshery',
      'save it without',
    );
  checkFileName(document, place, baseName(path));
  const schemaVersion = value['schemaVersion'];
  if (place === 'file' && !ACCEPTED.has(schemaVersion)) {
    const message =
      typeof schemaVersion === 'string' && schemaVersion !== ''
        ? `${schemaVersion} is refused`
        : 'schemaVersion is missing';
    document.add(
      'design-schema-version',
      ['schemaVersion'],
      `${message}: Meshery takes ${[...ACCEPTED].join(' and ')}`,
      `write ${CURRENT}, if that is what it is`,
    );
  }
  checkFields(document, value);
  checkAdditionalProperties(document);
  checkYearOne(document);
  if (place === 'file' && !path.endsWith('.json')) checkWhatYamlLoses(document, value);
}

function decoderOf(path: string, place: DesignPlace): Decoder {
  if (place === 'archive') return 'json-or-yaml';
  return path.endsWith('.json') ? 'json' : 'yaml';
}

function checkFileName(document: Checked, place: DesignPlace, name: string): void {
  if (place === 'archive') {
    if (name !== 'design.yml')
      document.add(
        'design-archive-name',
        [],
        `Meshery looks for design.yml in an archive, and passes over ${name}`,
        'call it design.yml',
      );
  } else if (!/\.(?:ya?ml|json)$/.test(name)) {
    document.add(
      'design-file-name',
      [],
      `Meshery refuses the name ${name}`,
      'let it end in .yml, .yaml or .json, in small letters',
    );
  } else if (name.endsWith('.json') && document.syntax !== 'json') {
    document.add(
      'design-file-name',
      [],
      `${name} is no JSON, and Meshery reads it as such by its name`,
      'let it end in .yml',
    );
  }
}

function checkFields(document: Checked, design: JsonObject): void {
  if (textOf(design['name']) === undefined) document.add('design-name', ['name'], 'the design has no name', 'add name');
  const version = textOf(design['version']);
  if (version === undefined)
    document.add('design-version', ['version'], 'the design has no version', 'add version: 0.0.1');
  else if (!/^v?\d+\.\d+\.\d+(?:[-+].*)?$/.test(version))
    document.add(
      'design-version',
      ['version'],
      `${JSON.stringify(version)} is no semantic version`,
      'write it as 1.2.3',
    );
  if (design['id'] === undefined || design['id'] === null)
    document.add('design-id', ['id'], 'the design has no id', 'give it a UUID of its own', {
      kind: 'set',
      path: ['id'],
      value: derivedUuid(document.text, 'id'),
    });
  for (const key of ['components', 'relationships'])
    if (design[key] === undefined || design[key] === null)
      document.add('design-list', [key], `there is no list of ${key}`, `write ${key}: []`, {
        kind: 'set',
        path: [key],
        value: [],
      });
  checkDuplicateIds(document, design);
}

function checkDuplicateIds(document: Checked, { components }: JsonObject): void {
  const first = new Map<string, number>();
  for (const [index, component] of listOf(components).entries()) {
    const id = at(component, ['id']);
    if (typeof id !== 'string' || id === '') continue;
    const before = first.get(id.toLowerCase());
    if (before === undefined) first.set(id.toLowerCase(), index);
    else
      document.add(
        'design-duplicate-id',
        ['components', index, 'id'],
        `the components ${before} and ${index} have one id: relationships cannot tell them apart`,
        'give one of them another UUID, and change the relationships that mean it',
      );
  }
}

function checkWhatYamlLoses(document: Checked, design: JsonObject): void {
  const lost: YamlPath[] = [];
  const look = (metadata: unknown, known: ReadonlySet<string>, path: YamlPath): void => {
    if (isObject(metadata))
      for (const key of Object.keys(metadata))
        if (!known.has(key) && key !== 'additionalproperties') lost.push([...path, key]);
  };
  look(design['metadata'], METADATA.design, ['metadata']);
  for (const list of ['components', 'relationships'] as const)
    for (const [index, item] of listOf(design[list]).entries())
      look(at(item, ['metadata']), list === 'components' ? METADATA.component : METADATA.relationship, [
        list,
        index,
        'metadata',
      ]);
  const [first] = lost;
  if (first === undefined) return;
  const keys = [...new Set(lost.map((path) => String(path.at(-1))))];
  const message = `Meshery drops ${keys.slice(0, 5).join(', ')}${keys.length > 5 ? `, and ${keys.length - 5} more` : ''} when it reads metadata from YAML`;
  document.add('design-yaml-loses', first, message, 'import it as .json, or packed: a design in JSON keeps them');
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
