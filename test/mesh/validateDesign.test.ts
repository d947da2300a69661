import { describe, expect, it } from 'vitest';
import { RULES } from '../../src/mesh/rules.ts';
import { asYaml, design, DESIGN_CASES, MODEL_CASES } from './checkCases.ts';
import { altered, DESIGN, findings, found, GOOD_MODEL, sample, type Files } from './support.ts';

const GENUINE = sample('designs/from-genuine-oci-export.v1beta1.design.yml');
const PACKAGE = sample('designs/from-genuine-oci-export.artifacthub-pkg.yml');
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

  it.each(DESIGN_CASES)('with %s', async (_what, files, expected) => {
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

it('mends by the rules alone of which the table says so', async () => {
  const mended = new Set<string>();
  for (const [, files] of DESIGN_CASES)
    for (const { rule, edits } of await findings(files, 'file')) if (edits !== undefined) mended.add(rule);
  for (const [, files] of MODEL_CASES)
    for (const { rule, edits } of await findings({ ...GOOD_MODEL, ...files }))
      if (edits !== undefined) mended.add(rule);
  const said = Object.entries(RULES).filter(([, rule]) => 'mended' in rule);
  expect([...mended].toSorted()).toEqual(said.map(([rule]) => rule).toSorted());
});
