import { describe, expect, it } from 'vitest';
import { formatYaml } from '../../src/io/yaml.ts';
import { MODEL_CASES } from './checkCases.ts';
import { altered, COMPONENT, findings, found, GOOD_MODEL, MODEL, RELATIONSHIP, sample, type Files } from './support.ts';

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

  it.each(MODEL_CASES)('with %s', async (_what, files, expected) => {
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
