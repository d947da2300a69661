import { formatYaml } from '../../src/io/yaml.ts';
import { altered, COMPONENT, DESIGN, MODEL, RELATIONSHIP, sample, type Files } from './support.ts';

/** What is wrong, the files in which it is so, and what is said of it: `file @where rule`. */
type Case = readonly [what: string, files: Files, expected: readonly string[]];

const WIDGET = 'v1.0.0/components/Widget.json';
const EDGE = 'v1.0.0/relationships/edge.json';
const REGISTRY = 'v1.0.0/connections/registry.json';
const CONNECTION = 'minimal/connection.v1beta3.json';

/** Files in the place of those of the good model, or beside them. */
export const MODEL_CASES: readonly Case[] = [
  [
    'a component without status',
    { [WIDGET]: altered(COMPONENT, ['status', undefined]) },
    [`${WIDGET} @{ component-status`],
  ],
  ['a status of null', { [WIDGET]: altered(COMPONENT, ['status', null]) }, [`${WIDGET} @status component-status`]],
  [
    'a status that passes it over',
    { [WIDGET]: altered(COMPONENT, ['status', 'ignored']) },
    [`${WIDGET} @status component-ignored`],
  ],
  [
    'a status that is none',
    { [WIDGET]: altered(COMPONENT, ['status', 'on']) },
    [`${WIDGET} @status component-ignored`],
  ],
  ['no kind', { [WIDGET]: altered(COMPONENT, ['component.kind', '']) }, [`${WIDGET} @kind component-kind`]],
  [
    'no apiVersion',
    { [WIDGET]: altered(COMPONENT, ['component.version', undefined]) },
    [`${WIDGET} @component component-kind`],
  ],
  [
    'an empty schema',
    { [WIDGET]: altered(COMPONENT, ['component.schema', '']) },
    [`${WIDGET} @schema component-schema`],
  ],
  [
    'an empty schema of an annotation',
    { [WIDGET]: altered(COMPONENT, ['component.schema', ''], ['metadata.isAnnotation', true]) },
    [],
  ],
  [
    'a schema that is no JSON',
    { [WIDGET]: altered(COMPONENT, ['component.schema', '{']) },
    [`${WIDGET} @schema component-schema-properties`],
  ],
  [
    'a schema without properties',
    { [WIDGET]: altered(COMPONENT, ['component.schema', '{"type":"object"}']) },
    [`${WIDGET} @schema component-schema-properties`],
  ],
  [
    'a schema that is a map',
    { [WIDGET]: altered(COMPONENT, ['component.schema', {}]) },
    [`${WIDGET} @schema field-type`],
  ],
  [
    'the version of the template',
    { [WIDGET]: altered(COMPONENT, ['schemaVersion', 'components.meshery.io/v1beta3']) },
    [`${WIDGET} @schemaVersion schema-version`],
  ],
  [
    'a version of its own',
    { [WIDGET]: altered(COMPONENT, ['schemaVersion', 'components.meshery.io/v9']) },
    [`${WIDGET} @schemaVersion schema-version`],
  ],
  [
    'a relationship that is too new',
    { [EDGE]: altered(RELATIONSHIP, ['schemaVersion', 'relationships.meshery.io/v1beta3']) },
    [`${EDGE} @schemaVersion schema-version`],
  ],
  ['a relationship of the old kind', { [EDGE]: sample('minimal/relationship.v1alpha3.json') }, []],
  [
    'a connection that is too old',
    { [REGISTRY]: altered(CONNECTION, ['schemaVersion', 'connections.meshery.io/v1beta1']) },
    [`${REGISTRY} @schemaVersion schema-version`],
  ],
  [
    'a relationship without subType',
    { [EDGE]: altered(RELATIONSHIP, ['subType', '']) },
    [`${EDGE} @subType relationship-kind`],
  ],
  [
    'a relationship of no kind',
    { [EDGE]: altered(RELATIONSHIP, ['kind', 'parent']) },
    [`${EDGE} @kind relationship-kind`],
  ],
  [
    'a connection without type',
    { [REGISTRY]: altered(CONNECTION, ['type', undefined]) },
    [`${REGISTRY} @{ connection-field`],
  ],
  [
    'a connection in a state that is none',
    { [REGISTRY]: altered(CONNECTION, ['status', 'fine']) },
    [`${REGISTRY} @status connection-status`],
  ],
  [
    'a connection with a password',
    { [REGISTRY]: altered(CONNECTION, ['metadata', { auth: [{ password: 'x' }] }]) },
    [`${REGISTRY} @password connection-secret`],
  ],
  ['an empty id', { [WIDGET]: altered(COMPONENT, ['id', '']) }, [`${WIDGET} @id uuid`]],
  ['an id that is none', { [WIDGET]: altered(COMPONENT, ['modelReference.id', 'x']) }, [`${WIDGET} @id uuid`]],
  ['a time that is none', { [WIDGET]: altered(COMPONENT, ['createdAt', 'today']) }, [`${WIDGET} @createdAt time`]],
  ['an empty time', { [WIDGET]: altered(COMPONENT, ['updatedAt', '']) }, [`${WIDGET} @updatedAt time`]],
  [
    'a time in the year 1',
    { [WIDGET]: altered(COMPONENT, ['model.registrant.deleted_at', '0001-01-01T00:00:00Z']) },
    [`${WIDGET} @deleted_at year-one`],
  ],
  [
    'no time as providers send it',
    { [WIDGET]: altered(COMPONENT, ['deletedAt', { Time: '2025-01-01T00:00:00Z', Valid: false }]) },
    [],
  ],
  [
    'a text for a boolean',
    { [WIDGET]: altered(COMPONENT, ['metadata.isAnnotation', 'false']) },
    [`${WIDGET} @isAnnotation field-type`],
  ],
  ['a number for a text', { [WIDGET]: altered(COMPONENT, ['version', 1]) }, []],
  [
    'a list for a map',
    { [WIDGET]: altered(COMPONENT, ['configuration', []]) },
    [`${WIDGET} @configuration field-type`],
  ],
  ['a text for a list', { [EDGE]: altered(RELATIONSHIP, ['selectors', 'all']) }, [`${EDGE} @selectors field-type`]],
  [
    'a model that its component does not name',
    { [WIDGET]: altered(COMPONENT, ['model.name', 'other']) },
    [`${WIDGET} @name component-model`],
  ],
  [
    'another component of the kind',
    { 'v1.0.0/components/Z.json': altered(COMPONENT, ['component.version', 'v2']) },
    ['v1.0.0/components/Z.json @kind component-duplicate'],
  ],
  [
    'the same component twice',
    { 'v1.0.0/components/Z.json': sample(COMPONENT) },
    ['v1.0.0/components/Z.json @kind component-duplicate'],
  ],
  [
    'what an old export added',
    { [WIDGET]: altered(COMPONENT, ['metadata.additionalproperties', { source_uri: 'x' }]) },
    [`${WIDGET} @additionalproperties additional-properties`],
  ],
  ['two models', { 'v1.0.0/zz.json': sample(MODEL) }, ['v1.0.0/model.json @{ model-several']],
  ['two models, one in the other', { 'v1.0.0/old/model.json': sample(MODEL) }, ['v1.0.0/model.json @{ model-several']],
  [
    'no kind of registrant',
    { 'v1.0.0/model.json': altered(MODEL, ['registrant.kind', '']) },
    ['v1.0.0/model.json @kind model-registrant'],
  ],
  [
    'no registrant',
    { 'v1.0.0/model.json': altered(MODEL, ['registrant', null]) },
    ['v1.0.0/model.json @registrant model-registrant'],
  ],
  [
    'a status that registers nothing',
    { 'v1.0.0/model.json': altered(MODEL, ['status', 'ignored']) },
    ['v1.0.0/model.json @status model-ignored'],
  ],
  [
    'a version of the model that is too new',
    { 'v1.0.0/model.json': altered(MODEL, ['schemaVersion', 'models.meshery.io/v1beta3']) },
    ['v1.0.0/model.json @schemaVersion schema-version'],
  ],
  ['no name', { 'v1.0.0/model.json': altered(MODEL, ['name', undefined]) }, ['v1.0.0/model.json @{ model-name']],
  ['a licence beside it', { 'v1.0.0/LICENSE': 'Apache License\n: - [' }, ['v1.0.0/LICENSE @Apache stray-file']],
  ['a table beside it', { 'v1.0.0/models.csv': 'a,b\n1,2\n' }, ['v1.0.0/models.csv @a stray-file']],
  ['some YAML beside it', { 'v1.0.0/values.yaml': 'a: 1\n' }, ['v1.0.0/values.yaml @a stray-file']],
  ['some binary beside it', { 'v1.0.0/x.bin': new Uint8Array([0, 1, 2]) }, ['v1.0.0/x.bin @\0\u0001\u0002 stray-file']],
  [
    'a design among its parts',
    { 'v1.0.0/d.json': sample('minimal/design.v1beta3.json') },
    ['v1.0.0/d.json @{ stray-file'],
  ],
  [
    'an emoji that is escaped',
    { [WIDGET]: sample(COMPONENT).replace('Widget', String.raw`\ud83d\ude00`) },
    [`${WIDGET} @\\ud83d\\ude00 json-escape`],
  ],
  [
    'half of an emoji',
    { [WIDGET]: sample(COMPONENT).replace('Widget', String.raw`\ud83d`) },
    [`${WIDGET} @\\ud83d json-escape`],
  ],
  [
    'a slash that is escaped',
    { [WIDGET]: sample(COMPONENT).replace('Widget', String.raw`a\/b`) },
    [`${WIDGET} @\\/b json-escape`],
  ],
  [
    'escapes that are known',
    { [WIDGET]: sample(COMPONENT).replace('Widget', String.raw`\\ud83d \\/ \u00e9 \b\f\n\u007f`) },
    [],
  ],
  [
    'an escape in a file that is too short to be taken for YAML',
    {
      [EDGE]: String.raw`{"schemaVersion":"relationships.meshery.io/v1beta2","kind":"edge","type":"a","subType":"\ud83d\ude00"}`,
    },
    [],
  ],
  [
    'a control character',
    { [WIDGET]: sample(COMPONENT).replace('Widget', '\u007f') },
    [`${WIDGET} @\u007f control-character`],
  ],
  ['broken JSON beside it', { 'v1.0.0/components/B.json': '{"a": ' }, ['v1.0.0/components/B.json @ text-unreadable']],
  [
    'a broken merge',
    { 'v1.0.0/components/B.json': '{\n<<<<<<< HEAD\n"a": 1\n=======\n"a": 2\n>>>>>>> b\n}' },
    ['v1.0.0/components/B.json @<<<<<<< merge-markers'],
  ],
  [
    'a policy as a document',
    { 'v1.0.0/policies/p.json': altered('minimal/policy.json', ['schemaVersion', 'policies.meshery.io/v1']) },
    ['v1.0.0/policies/p.json @schemaVersion policy-document'],
  ],
  ['a policy', { 'v1.0.0/policies/p.rego': 'package a.b\n' }, ['v1.0.0/policies/p.rego @package policy-skipped']],
  [
    'a policy without package',
    { 'v1.0.0/policies/p.rego': 'default a = 1\n' },
    ['v1.0.0/policies/p.rego @default policy-skipped', 'v1.0.0/policies/p.rego @default policy-package'],
  ],
  [
    'a package file',
    {
      'v1.0.0/artifacthub-pkg.yml':
        'version: 1.0.0\nname: a\ndisplayName: A\ncreatedAt: 2025-01-31T12:00:00Z\ndescription: d\n',
    },
    ['v1.0.0/artifacthub-pkg.yml @version stray-file', 'v1.0.0/artifacthub-pkg.yml @version artifacthub-design'],
  ],
  ['an archive', { 'v1.0.0/nested.tar.gz': new Uint8Array([0x1f, 0x8b, 8, 0]) }, []],
  ['a key twice', { [EDGE]: sample(RELATIONSHIP).replace('{', '{"id": "x",') }, [`${EDGE} @id duplicate-key`]],
];

export const asYaml = (value: object): string => formatYaml(value);

/** The good design of one component with something changed. */
export function design(...changes: readonly (readonly [string, unknown])[]): object {
  return altered(DESIGN, ...changes);
}

const [ONE] = (altered(DESIGN) as { readonly components: readonly object[] }).components;

/** Each a design by itself. */
export const DESIGN_CASES: readonly Case[] = [
  [
    'the version that is refused',
    { 'd.json': design(['schemaVersion', 'designs.meshery.io/v1beta2']) },
    ['d.json @schemaVersion design-schema-version'],
  ],
  ['no version of the schema', { 'd.json': design(['schemaVersion', undefined]) }, ['d.json @{ design-schema-version']],
  ['an ending that is refused', { 'd.YML': asYaml(design()) }, ['d.YML @id design-file-name']],
  ['no ending', { 'design-1a2b': sample(DESIGN) }, ['design-1a2b @{ design-file-name']],
  ['YAML under a name of JSON', { 'd.json': asYaml(design()) }, ['d.json @id design-file-name']],
  ['a byte order mark before JSON', { 'd.json': `\uFEFF${sample(DESIGN)}` }, ['d.json @ byte-order-mark']],
  ['a byte order mark before YAML', { 'd.yml': `\uFEFF${asYaml(design())}` }, []],
  ['an empty id', { 'd.json': design(['id', '']) }, ['d.json @id uuid']],
  ['an id that is none', { 'd.json': design(['id', '123']) }, ['d.json @id uuid']],
  ['an id without dashes', { 'd.json': design(['id', '11111111111141118111111111111111']) }, []],
  ['no id', { 'd.json': design(['id', undefined]) }, ['d.json @{ design-id']],
  ['no name', { 'd.json': design(['name', '']) }, ['d.json @name design-name']],
  ['no version', { 'd.json': design(['version', undefined]) }, ['d.json @{ design-version']],
  ['a version that is none', { 'd.json': design(['version', 'one']) }, ['d.json @version design-version']],
  [
    'no lists',
    { 'd.json': design(['components', undefined], ['relationships', null]) },
    ['d.json @{ design-list', 'd.json @relationships design-list'],
  ],
  ['a map of components', { 'd.json': design(['components', {}]) }, ['d.json @components field-type']],
  ['an empty id of a component', { 'd.json': design(['components.0.id', '']) }, ['d.json @id uuid']],
  ['an empty reference', { 'd.json': design(['components.0.model.registrant.id', '']) }, ['d.json @id uuid']],
  [
    'an empty id of a selector',
    { 'd.json': design(['relationships', [{ selectors: [{ allow: { from: [{ id: '' }], to: [] } }] }]]) },
    ['d.json @id uuid'],
  ],
  ['two components of one id', { 'd.json': design(['components', [ONE, ONE]]) }, ['d.json @id design-duplicate-id']],
  ['a number for a text in JSON', { 'd.json': design(['name', 7]) }, ['d.json @name field-type']],
  ['a number for a text in YAML', { 'd.yml': asYaml(design(['name', 7])) }, []],
  ['a boolean of YAML 1.1', { 'd.yml': asYaml(design()).replace('isAnnotation: false', 'isAnnotation: no') }, []],
  [
    'a time as YAML writes it',
    {
      'd.yml': asYaml(design(['components.0.created_at', '2025-1-2 3:04:05'])).replace(
        '"2025-1-2 3:04:05"',
        '2025-1-2 3:04:05',
      ),
    },
    [],
  ],
  [
    'a time as YAML writes it, in JSON',
    { 'd.json': design(['components.0.created_at', '2025-1-2 3:04:05']) },
    ['d.json @created_at time'],
  ],
  [
    'an empty time of deletion in YAML',
    { 'd.yml': asYaml(design(['components.0.model.registrant.deleted_at', ''])) },
    [],
  ],
  [
    'an empty time of deletion in JSON',
    { 'd.json': design(['components.0.model.registrant.deleted_at', '']) },
    ['d.json @deleted_at time'],
  ],
  [
    'times in the year 1',
    {
      'd.json': design(
        ['components.0.created_at', '0001-01-01T00:00:00Z'],
        ['components.0.updated_at', '0001-01-01T00:00:00Z'],
      ),
    },
    ['d.json @created_at year-one'],
  ],
  [
    'times of its user',
    {
      'd.json': design([
        'components.0.configuration',
        { metadata: { at: '0001-01-01T00:00:00Z', additionalproperties: {} } },
      ]),
    },
    [],
  ],
  [
    'keys that YAML loses',
    { 'd.yml': asYaml(design(['components.0.metadata.mine', 1], ['metadata', { of: 1 }])) },
    ['d.yml @of design-yaml-loses'],
  ],
  ['keys that JSON keeps', { 'd.json': design(['components.0.metadata.mine', 1]) }, []],
  [
    'what an old export added',
    { 'd.json': design(['components.0.metadata.additionalproperties', { a: 1 }]) },
    ['d.json @additionalproperties additional-properties'],
  ],
  [
    'what is in the place of what an old export added',
    { 'd.json': design(['components.0.metadata.additionalproperties', { genealogy: 1 }]) },
    ['d.json @additionalproperties additional-properties'],
  ],
  [
    'a merge that was not finished',
    { 'd.yml': `id: x\n<<<<<<< HEAD\nname: a\n=======\nname: b\n>>>>>>> other\n` },
    ['d.yml @<<<<<<< merge-markers'],
  ],
  [
    'a line of seven signs in a text',
    { 'd.yml': asYaml(design(['name', 'a'])).replace('name: "a"', 'name: |\n  <<<<<<< a\n  =======') },
    [],
  ],
  ['a key twice in YAML', { 'd.yml': `${asYaml(design())}name: b\n` }, ['d.yml @name duplicate-key']],
  ['a key twice in JSON', { 'd.json': sample(DESIGN).replace('{', '{"name": "a",') }, ['d.json @name duplicate-name']],
  [
    'a key twice in JSON that is read as YAML',
    { 'd.yml': sample(DESIGN).replace('{', '{"name": "a",') },
    ['d.yml @name duplicate-key'],
  ],
  ['an escape in JSON', { 'd.json': sample(DESIGN).replace('"name": "', String.raw`"name": "\ud83d\ude00`) }, []],
  [
    'an escape in JSON that is read as YAML',
    { 'd.yml': sample(DESIGN).replace('"name": "', String.raw`"name": "\ud83d\ude00`) },
    [String.raw`d.yml @\ud83d\ude00one-widget json-escape`],
  ],
  [
    'a time as YAML writes it, as a text',
    { 'd.yml': asYaml(design(['components.0.created_at', '2025-1-2 3:04:05'])) },
    ['d.yml @created_at time'],
  ],
  ['two documents', { 'd.yml': `${asYaml(design())}---\na: 1\n` }, ['d.yml @--- several-documents']],
  ['another encoding', { 'd.yml': new Uint8Array([0x61, 0x3a, 0x20, 0xe9]) }, ['d.yml @a text-unreadable']],
  ['text that is none', { 'd.yml': 'a: [1\nb: }' }, ['d.yml @b text-unreadable']],
  ['nothing', { 'd.yml': '# nothing\n' }, ['d.yml @# text-unreadable']],
  ['something else', { 'd.yml': 'kind: Pod\napiVersion: v1\n' }, ['d.yml @kind no-entity']],
];
