import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { classify } from '../../src/artifact/kind.ts';
import { withTypes } from '../../src/artifact/types/file.ts';
import { BuiltInSchema, configFault, typesJsonSchema } from '../../src/artifact/types/schema.ts';
import { builtInTypes, TypeTable } from '../../src/artifact/types/table.ts';
import { toOclError, type OclError } from '../../src/core/errors.ts';
import { thing } from './thing.ts';
import { EMPTY } from './typeRows.ts';

function tableOf(text: string): TypeTable {
  return new TypeTable(withTypes(builtInTypes(), text, 'mine.yaml'));
}

function faultOf(text: string): OclError {
  try {
    tableOf(text);
  } catch (error) {
    return toOclError(error);
  }
  throw new Error('it was taken');
}

const NEW = `types:
  - id: acme-report
    name: Acme report
    category: report
    scan: skip
    match: [{artifactType: ["application/vnd.acme.report*"]}]
    actions: [{label: Read, command: acme read {{ref}}}]
`.replace('command: acme read {{ref}}', 'command: "acme read {{ref}}"');

describe('the types that are built in', () => {
  it('are files that are read as they stand', () => {
    expect(BuiltInSchema.parse({ types: builtInTypes() }).types).toEqual(builtInTypes());
  });

  it('are a file that its own schema takes', () => {
    const validate = new Ajv2020({ strict: false }).compile(typesJsonSchema());
    validate({ types: builtInTypes() });
    expect(validate.errors).toBeNull();
  });

  it('have schemas of configs that are schemas', () => {
    const ajv = new Ajv2020({ strict: false });
    const schemas = builtInTypes()
      .map(({ configSchema }) => configSchema)
      .filter((schema) => schema !== undefined);
    expect(schemas.map((schema) => typeof ajv.compile(schema))).toEqual(schemas.map(() => 'function'));
  });

  it('name each other rightly, and have ids of their own', () => {
    const types = builtInTypes();
    const ids = types.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(types.map(({ asIndex }) => asIndex).filter((id) => id !== undefined && !ids.includes(id))).toEqual([]);
  });

  it.each([
    [{ name: 'x', version: '1.0.0' }, undefined],
    [{ name: 'x' }, 'version: Invalid input: expected string, received undefined'],
    [[], 'the config: Invalid input: expected object, received array'],
  ])('say of the config %j of a chart: %s', (config, fault) => {
    expect(configFault(tableOf('').get('helm-chart'), config)).toBe(fault);
  });
});

describe('a file of types', () => {
  it('adds a type, which is found before those that are built in', async () => {
    const types = tableOf(NEW);
    const spec = { artifactType: 'application/vnd.acme.report.v1', config: EMPTY, layers: ['application/sarif+json'] };
    const { store, descriptor, document } = thing(spec);
    expect((await classify(store, descriptor, document, { types })).type.name).toBe('Acme report');
    const also = tableOf(NEW.replace('application/vnd.acme.report*', 'application/spdx+json'));
    const sbom = thing({ artifactType: 'application/spdx+json', config: EMPTY });
    expect((await classify(sbom.store, sbom.descriptor, sbom.document, { types: also })).type.id).toBe('acme-report');
  });

  it('changes what it names of a known type, and leaves the rest', () => {
    const before = tableOf('').get('helm-chart');
    const after = tableOf('{"types": [{"id": "helm-chart", "name": "Chart", "scan": "skip"}]}').get('helm-chart');
    expect(after).toEqual({ ...before, name: 'Chart', scan: 'skip' });
  });

  it('may change a type that an earlier file has made', () => {
    const types = withTypes(withTypes(builtInTypes(), NEW, 'a'), 'types: [{id: acme-report, scan: sbom}]', 'b');
    expect(new TypeTable(types).get('acme-report')).toMatchObject({
      name: 'Acme report',
      scan: 'sbom',
    });
  });

  it('may be empty', () => {
    expect(tableOf('').types.size).toBe(builtInTypes().length);
    expect(tableOf('types: []').types.size).toBe(builtInTypes().length);
  });

  it.each([
    ['a key that is not known', NEW.replace('scan:', 'scna: x\n    scan:'), /mine\.yaml:2:\d+: types\[0\]: .*scna/],
    [
      'a category that is not known',
      NEW.replace('category: report', 'category: thing'),
      /mine\.yaml:4:\d+: types\[0\]\.category/,
    ],
    [
      'a new type that is not whole',
      NEW.replace('    name: Acme report\n', ''),
      /mine\.yaml:2:\d+: types\[0\]: a new type must have name/,
    ],
    [
      'an id that is none',
      NEW.replace('id: acme-report', 'id: ../x'),
      /mine\.yaml:2:\d+: types\[0\]\.id: must be of lower-case/,
    ],
    ['one id twice', `${NEW}  - id: acme-report\n`, /mine\.yaml:8:\d+: types\[1\]\.id: acme-report stands there twice/],
    [
      'a rule without conditions',
      NEW.replace('{artifactType: ["application/vnd.acme.report*"]}', '{}'),
      /mine\.yaml:6:\d+: types\[0\]\.match\[0\]: must have a condition/,
    ],
    [
      'a rule of a priority alone',
      NEW.replace('{artifactType: ["application/vnd.acme.report*"]}', '{priority: 3}'),
      /must have a condition/,
    ],
    [
      'a placeholder between quotes',
      NEW.replace('"acme read {{ref}}"', `"acme read '{{ref}}'"`),
      /mine\.yaml:7:\d+: types\[0\]\.actions\[0\]\.command: a placeholder must stand outside/,
    ],
    ['a placeholder that is none', NEW.replace('{{ref}}', '{{image}}'), /there is no placeholder \{\{image\}\}/],
    [
      'an index that is no type',
      NEW.replace('scan: skip', 'scan: skip\n    asIndex: nothing'),
      /mine\.yaml:2:\d+: types\[0\]: there is no type nothing/,
    ],
    [
      'an icon with a script',
      NEW.replace('scan: skip', 'scan: skip\n    icon: "<svg onload=alert(1)>"'),
      /types\[0\]\.icon/,
    ],
    [
      'an icon that is no image',
      NEW.replace('scan: skip', 'scan: skip\n    icon: "data:text/html;base64,AAAA"'),
      /types\[0\]\.icon/,
    ],
    [
      'a schema with a regular expression',
      NEW.replace('scan: skip', 'scan: skip\n    configSchema: {properties: {a: {pattern: "(a+)+$"}}}'),
      /configSchema: must be a JSON Schema without/,
    ],
    [
      'a schema that is none',
      NEW.replace('scan: skip', 'scan: skip\n    configSchema: {type: thing}'),
      /configSchema: must be a JSON Schema/,
    ],
    ['a list where the file is a map', '[]', /mine\.yaml:1:1: /],
    ['what is no YAML', 'types: [', /mine\.yaml:\d+:\d+: /],
    ['too many types', `types: [${'{id: a},'.repeat(2001)}]`, /mine\.yaml:1:\d+: types: /],
    ['names of an object', 'types: [{id: __proto__}]', /mine\.yaml:1:\d+: types\[0\]\.id/],
  ])('is refused for %s, with its line', (_what, text, message) => {
    const fault = faultOf(text);
    expect(fault.code).toBe('OCL_CONFIG_INVALID');
    expect(fault.message).toMatch(message);
  });

  it.each([
    ['deep', `types: ${'['.repeat(500)}`],
    ['large', `types: []\n#${'x'.repeat(33 << 20)}`],
    ['swollen by aliases', `a: &a [${'1,'.repeat(1000)}]\nb: &b [${'*a,'.repeat(1000)}]\nc: [${'*b,'.repeat(1000)}]`],
  ])('that is too %s is refused in time', (_what, text) => {
    expect(['OCL_LIMIT', 'OCL_CONFIG_INVALID']).toContain(faultOf(text).code);
  });
});
