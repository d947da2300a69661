import { describe, expect, it } from 'vitest';
import { formatYaml } from '../../src/io/yaml.ts';
import { RULES } from '../../src/mesh/rules.ts';
import { altered, DESIGN, findings, found, sample, type Files } from './support.ts';

const GENUINE = sample('designs/from-genuine-oci-export.v1beta1.design.yml');
const PACKAGE = sample('designs/from-genuine-oci-export.artifacthub-pkg.yml');
const asYaml = (design: object): string => formatYaml(design);
const component = altered(DESIGN) as { readonly components: readonly object[] };
const [ONE] = component.components;

/** The good design of one component with something changed. */
function design(...changes: readonly (readonly [string, unknown])[]): object {
  return altered(DESIGN, ...changes);
}

describe('a design by itself', () => {
  it.each<[string, Files]>([
    ['in JSON', { 'd.json': sample(DESIGN) }],
    ['in YAML', { 'd.yml': asYaml(design()) }],
    ['in JSON under a name of YAML', { 'd.yaml': sample(DESIGN) }],
    ['of the newest version', { 'd.json': sample('minimal/design.v1beta3.json') }],
    [
      'without models, as it is stored',
      { 'd.json': design(['components.0.model', null], ['components.0.capabilities', null]) },
    ],
    [
      'with a version of a component that models may not have',
      { 'd.json': design(['components.0.schemaVersion', '']) },
    ],
    ['with a component without status', { 'd.json': design(['components.0.status', null]) }],
  ])('%s is taken', async (_what, files) => {
    expect(await found(files, 'file')).toEqual([]);
    expect(await found(files, 'directory')).toEqual([]);
  });

  it.each<[string, Files, readonly string[]]>([
    [
      'the version that is refused',
      { 'd.json': design(['schemaVersion', 'designs.meshery.io/v1beta2']) },
      ['d.json @schemaVersion design-schema-version'],
    ],
    [
      'no version of the schema',
      { 'd.json': design(['schemaVersion', undefined]) },
      ['d.json @{ design-schema-version'],
    ],
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
    [
      'a key twice in JSON',
      { 'd.json': sample(DESIGN).replace('{', '{"name": "a",') },
      ['d.json @name duplicate-name'],
    ],
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
  ])('with %s', async (_what, files, expected) => {
    expect(await found(files, 'file')).toEqual(expected);
  });

  it.each([
    ['meshkit’s own', 'designs/meshkit-valid_design.v1beta1.yml', ['21:5 additional-properties']],
    [
      'a genuine export',
      'designs/from-genuine-oci-export.v1beta1.design.yml',
      ['22:5 additional-properties', '44:7 year-one'],
    ],
    ['one of 2023', 'legacy-alpha2/Thanos-Query-Design.yaml', ['3:1 design-legacy']],
  ])('of %s is told by line and column', async (_what, path, expected) => {
    const all = await findings({ [path]: sample(path) }, 'file');
    expect(all.map(({ line, column, rule }) => `${line}:${column} ${rule}`)).toEqual(expected);
  });

  it('gives an empty id a new one, a reference none', async () => {
    const files = {
      'd.json': design(['id', ''], ['components.0.model.id', ''], ['components.0.model.registrant.user_id', '']),
    };
    const edits = (await findings(files, 'file')).flatMap((finding) => finding.edits ?? []);
    expect(edits).toEqual([
      {
        kind: 'set',
        path: ['id'],
        value: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/) as string,
      },
      { kind: 'set', path: ['components', 0, 'model', 'id'], value: '00000000-0000-0000-0000-000000000000' },
      { kind: 'set', path: ['components', 0, 'model', 'registrant', 'user_id'], value: null },
    ]);
    expect((await findings(files, 'file')).flatMap((finding) => finding.edits ?? [])).toEqual(edits);
  });
});

describe('a design in an archive', () => {
  it.each<[string, Files, readonly string[]]>([
    [
      'what Meshery itself exports',
      { 'design.yml': GENUINE, 'artifacthub-pkg.yml': PACKAGE },
      ['design.yml @additionalproperties additional-properties', 'design.yml @deleted_at year-one'],
    ],
    [
      'JSON under the name design.yml, of any version',
      { 'design.yml': design(['schemaVersion', 'designs.meshery.io/v1beta2'], ['components.0.metadata.mine', 1]) },
      [],
    ],
    ['another name', { 'shop.yml': sample(DESIGN) }, ['shop.yml @{ design-archive-name']],
    ['several', { 'a/design.yml': sample(DESIGN), 'b/design.yml': sample(DESIGN) }, ['a/design.yml @{ design-several']],
    ['a number for a text', { 'design.yml': design(['name', 7]) }, []],
  ])('with %s', async (_what, files, expected) => {
    expect(await found(files, 'archive')).toEqual(expected);
  });
});

describe('a tree of Artifact Hub', () => {
  const good: Files = {
    'artifacthub-repo.yml': 'repositoryID: 982dcb40-d869-4712-afd5-526ea860bec7\n',
    'a/1.0.0/artifacthub-pkg.yml': PACKAGE,
    'a/1.0.0/design.yml': sample(DESIGN),
    'a/1.0.0/README.md': '# A\n',
    LICENSE: 'text: [',
    'values.yaml': 'a: [',
  };

  it.each<[string, Files, readonly string[]]>([
    ['is in order', {}, []],
    [
      'has a package of a filter',
      { 'f/artifacthub-pkg.yml': PACKAGE, 'f/f.wasm': new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]) },
      ['f/f.wasm @\0asm\u0001\0\0\0 no-importer'],
    ],
    [
      'has a package without a design',
      { 'b/artifacthub-pkg.yml': PACKAGE },
      ['b/artifacthub-pkg.yml @version artifacthub-design'],
    ],
    [
      'has a key that is unknown',
      { 'a/1.0.0/artifacthub-pkg.yml': `${PACKAGE}x: 1\n` },
      ['a/1.0.0/artifacthub-pkg.yml @x artifacthub-key'],
    ],
    [
      'has a design with a merge that was not finished',
      { 'a/1.0.0/design.yml': 'a: 1\n<<<<<<< HEAD\n' },
      ['a/1.0.0/design.yml @<<<<<<< merge-markers'],
    ],
    ['has a design that is none', { 'a/1.0.0/design.yml': 'a: [' }, ['a/1.0.0/design.yml @ text-unreadable']],
  ])('%s', async (_what, files, expected) => {
    expect(await found({ ...good, ...files })).toEqual(expected);
  });
});

describe('what Meshery takes from no file', () => {
  it.each<[string, Files, readonly string[]]>([
    ['a view', { 'v.json': sample('minimal/view.v1beta2.json') }, ['v.json @{ no-importer']],
    ['an environment', { 'e.json': sample('minimal/environment.v1beta3.json') }, ['e.json @{ no-importer']],
    ['a workspace', { 'w.json': sample('minimal/workspace.v1beta3.json') }, ['w.json @{ no-importer']],
    ['a filter', { 'f.json': sample('minimal/filter.v1beta3.json') }, ['f.json @{ no-importer']],
    ['a policy', { 'p.json': sample('minimal/policy.json') }, ['p.json @{ no-importer']],
    ['a policy as rego', { 'p.rego': 'package a\n' }, ['p.rego @package no-importer']],
    ['a module', { 'f.wasm': new Uint8Array([0, 0x61, 0x73, 0x6d]) }, ['f.wasm @\0asm no-importer']],
    ['a component', { 'c.json': sample('minimal/component.v1beta1.json') }, ['c.json @{ part-alone']],
    ['a relationship', { 'r.json': sample('minimal/relationship.v1beta2.json') }, ['r.json @{ part-alone']],
    ['a connection', { 'c.json': sample('minimal/connection.v1beta3.json') }, ['c.json @{ part-alone']],
    [
      'an environment without organization',
      { 'e.json': altered('minimal/environment.v1beta3.json', ['organizationId', undefined]) },
      ['e.json @{ no-importer', 'e.json @{ entity-field'],
    ],
    [
      'a filter that is none',
      { 'f.json': altered('minimal/filter.v1beta3.json', ['filterFile', 'bm9uZQ==']) },
      ['f.json @{ no-importer', 'f.json @filterFile filter-wasm'],
    ],
  ])('%s', async (_what, files, expected) => {
    expect(await found(files, 'file')).toEqual(expected);
  });

  it('is said once of a filter with its description', async () => {
    const files = { 'f.json': sample('minimal/filter.v1beta3.json'), 'f.wasm': new Uint8Array([0, 0x61, 0x73, 0x6d]) };
    expect(await found(files)).toEqual(['f.wasm @\0asm no-importer']);
  });
});

it('has a sentence for every rule', () => {
  for (const { about } of Object.values(RULES)) expect(about).toMatch(/^.{5,120}$/);
});
