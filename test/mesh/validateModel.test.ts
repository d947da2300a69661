import { describe, expect, it } from 'vitest';
import { formatYaml } from '../../src/io/yaml.ts';
import { altered, COMPONENT, findings, found, GOOD_MODEL, MODEL, RELATIONSHIP, sample, type Files } from './support.ts';

const WIDGET = 'v1.0.0/components/Widget.json';
const EDGE = 'v1.0.0/relationships/edge.json';
const REGISTRY = 'v1.0.0/connections/registry.json';
const CONNECTION = 'minimal/connection.v1beta3.json';

/** The good model with one file put in the place of another, or beside it. */
function having(files: Files): Files {
  return { ...GOOD_MODEL, ...files };
}

describe('a model', () => {
  it.each(['directory', 'archive'] as const)('that is in order has nothing to be said of it: %s', async (form) => {
    expect(await found(GOOD_MODEL, form)).toEqual([]);
  });

  it('may be written in YAML', async () => {
    const yaml: Files = {
      'model.yml': formatYaml(JSON.parse(sample(MODEL))),
      'components/w.yaml': formatYaml(JSON.parse(sample(COMPONENT))),
    };
    expect(await found(yaml)).toEqual([]);
  });

  it.each<[string, Files, readonly string[]]>([
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
    [
      'two models, one in the other',
      { 'v1.0.0/old/model.json': sample(MODEL) },
      ['v1.0.0/model.json @{ model-several'],
    ],
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
    [
      'some binary beside it',
      { 'v1.0.0/x.bin': new Uint8Array([0, 1, 2]) },
      ['v1.0.0/x.bin @\0\u0001\u0002 stray-file'],
    ],
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
  ])('with %s', async (_what, files, expected) => {
    expect(await found(having(files))).toEqual(expected);
  });

  it.each<[string, Files, readonly string[]]>([
    ['no model', { 'a.json': sample(COMPONENT), 'b.json': sample(RELATIONSHIP) }, ['a.json @{ model-none']],
    ['nothing else', { 'model.json': sample(MODEL), 'c.json': sample(CONNECTION) }, ['model.json @{ model-empty']],
    [
      'the template of mesheryctl alone',
      {
        'model.json': altered(
          'models/init-template-v1beta1/v0.1.0/model.json',
          ['created_at', null],
          ['updated_at', null],
          ['registrant', { kind: 'x' }],
        ),
        'r.json': sample(RELATIONSHIP),
      },
      ['model.json @name model-template', 'r.json @name component-model'],
    ],
    [
      'a name that is none',
      {
        'model.json': altered(MODEL, ['name', 'Acme Widget']),
        'r.json': altered(RELATIONSHIP, ['model.name', 'Acme Widget']),
      },
      ['model.json @name model-name'],
    ],
    [
      'YAML that is too short to be seen',
      {
        'model.json': sample(MODEL),
        'r.yml': 'schemaVersion: relationships.meshery.io/v1beta2\nkind: edge\ntype: a\nsubType: b\n',
      },
      ['r.yml @schemaVersion short-yaml'],
    ],
    [
      'a key twice in YAML',
      {
        'model.json': sample(MODEL),
        'r.yml': `${formatYaml(JSON.parse(sample(RELATIONSHIP)))}kind: "edge"\n#${' '.repeat(512)}`,
      },
      ['r.yml @kind duplicate-key'],
    ],
  ])('and %s', async (_what, files, expected) => {
    expect(await found(files)).toEqual(expected);
  });
});

describe('several models', () => {
  const two = (...changes: readonly (readonly [string, unknown])[]): Files => ({
    'a/model.json': sample(MODEL),
    'a/components/W.json': sample(COMPONENT),
    'b/model.json': sample(MODEL),
    'b/components/W.json': altered(COMPONENT, ...changes),
  });

  it('in directories of their own are packages of their own', async () => {
    expect(await found(two())).toEqual([]);
    expect(await found(two(['status', null]))).toEqual(['b/components/W.json @status component-status']);
  });

  it('in one archive are too many', async () => {
    expect(await found(two(), 'archive')).toEqual([
      'a/model.json @{ model-several',
      'b/components/W.json @kind component-duplicate',
    ]);
  });

  it('leave a component without one', async () => {
    expect(await found({ ...two(), 'c/W.json': sample(COMPONENT) })).toEqual(['c/W.json @{ model-none']);
  });
});

it('says where, what and how it is mended', async () => {
  expect(
    await findings({ 'Broker.json': sample('models/meshkit-generated/acm-controller/Broker.json') }, 'file'),
  ).toEqual(
    expect.arrayContaining([
      {
        rule: 'component-status',
        level: 'error',
        file: 'Broker.json',
        line: 62,
        column: 1,
        message: 'a component without status crashes the import',
        fix: 'write status: enabled',
        edits: [{ kind: 'set', path: ['status'], value: 'enabled' }],
      },
    ]),
  );
});
