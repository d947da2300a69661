import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatYaml, parseYaml, type YamlPath } from '../../src/io/yaml.ts';
import { editYaml, type YamlEdit } from '../../src/io/yamlEdit.ts';

function edited(text: string, ...edits: readonly YamlEdit[]): string | readonly YamlEdit[] {
  const { text: made, left } = editYaml(text, edits, 'f');
  return left.length === 0 ? made : left;
}

const status = (path: YamlPath): YamlEdit => ({ kind: 'set', path: [...path, 'status'], value: 'enabled' });
const lift = (...path: (string | number)[]): YamlEdit => ({ kind: 'lift', path });

describe('a value in a text', () => {
  it.each<[string, string, YamlEdit, string]>([
    [
      'JSON on lines',
      '{\n  "a": 1,\n  "b": {"c": 2}\n}\n',
      status([]),
      '{\n  "a": 1,\n  "b": {"c": 2},\n  "status": "enabled"\n}\n',
    ],
    ['JSON with tabs', '{\n\t"a" : 1\n}', status([]), '{\n\t"a" : 1,\n\t"status" : "enabled"\n}'],
    ['JSON on one line', '{"a":1,"b":[{"c":2}]}', status(['b', 0]), '{"a":1,"b":[{"c":2,"status":"enabled"}]}'],
    ['JSON with spaces on one line', '{"a": 1, "b": 2}', status([]), '{"a": 1, "b": 2, "status": "enabled"}'],
    ['an empty object', '{"a": {}}', status(['a']), '{"a": {"status": "enabled"}}'],
    ['null in JSON', '{"status": null, "b": 1}', status([]), '{"status": "enabled", "b": 1}'],
    ['a text in JSON', '{"status": "x"}', { kind: 'set', path: ['status'], value: null }, '{"status": null}'],
    [
      'a map in JSON',
      '{"r": null}',
      { kind: 'set', path: ['r'], value: { kind: 'meshery' } },
      '{"r": {"kind":"meshery"}}',
    ],
    ['lines of YAML', '# top\na: 1 # one\nz: 2\n', status([]), '# top\na: 1 # one\nstatus: enabled\nz: 2\n'],
    [
      'a list of maps',
      'l:\n- b: 1\n- z: 1\n  y: [1]\n',
      status(['l', 1]),
      'l:\n- b: 1\n- status: enabled\n  z: 1\n  y: [1]\n',
    ],
    ['the last key', 'l:\n  - b: 1\n', status(['l', 0]), 'l:\n  - status: enabled\n    b: 1\n'],
    ['an empty value', 'status:\nb: 1\n', status([]), 'status: enabled\nb: 1\n'],
    ['an empty value before a comment', 'status: # none\nb: 1\n', status([]), 'status: enabled # none\nb: 1\n'],
    ['null', 'a:\n  status: null\n', status(['a']), 'a:\n  status: enabled\n'],
    ['a tilde', 'status: ~\n', status([]), 'status: enabled\n'],
    ['a quoted text', "id: ''\n", { kind: 'set', path: ['id'], value: '1-2' }, 'id: "1-2"\n'],
    ['a text in double quotes', 'a: "x"\n', { kind: 'set', path: ['a'], value: 'y' }, 'a: "y"\n'],
    ['what YAML would take for a boolean', 'a: x\n', { kind: 'set', path: ['a'], value: 'no' }, 'a: "no"\n'],
    ['a list in YAML', 'a: x\n', { kind: 'set', path: ['b'], value: [] }, 'b: []\na: x\n'],
    ['a flow map in YAML', 'a: {b: 1, c: 2}\n', status(['a']), 'a: {b: 1, c: 2, status: enabled}\n'],
    ['an item of a list', 'a: [x, y]\n', { kind: 'set', path: ['a', 1], value: null }, 'a: [x, null]\n'],
    ['lines that end as on Windows', 'a: 1\r\nz: 2\r\n', status([]), 'a: 1\r\nstatus: enabled\r\nz: 2\r\n'],
    ['a value behind an anchor', 'a: &x {k: 1}\nb: *x\n', status(['b']), 'a: &x {k: 1, status: enabled}\nb: *x\n'],
  ])('is set in %s', (_what, text, edit, expected) => {
    expect(edited(text, edit)).toEqual(expected);
  });

  it.each<[string, string, YamlEdit]>([
    ['what is around it is not there', '{"a": 1}', status(['b'])],
    ['what is around it is no map', 'a: text\n', status(['a'])],
    ['there is a map already', 'status: {a: 1}\n', status([])],
  ])('is left alone where %s', (_what, text, edit) => {
    expect(editYaml(text, [edit], 'f')).toEqual({ text, left: [edit] });
  });

  it('is set where it can be, although another cannot', () => {
    expect(editYaml('a: {}\nb: 1\nc: {}\n', [status(['a']), status(['b']), status(['c'])], 'f')).toEqual({
      text: 'a: {status: enabled}\nb: 1\nc: {status: enabled}\n',
      left: [status(['b'])],
    });
  });

  const key = fc.string({ minLength: 1, maxLength: 5, unit: fc.constantFrom(...'abcxyz-_#: "\'&*!|>%@`é') });
  const leaf = fc.oneof(fc.string({ maxLength: 8 }), fc.integer(), fc.boolean(), fc.constant(null));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.dictionary(
      key,
      fc.oneof({ withCrossShrink: true }, leaf, tie('tree'), fc.array(tie('tree'), { maxLength: 3 })),
      {
        maxKeys: 4,
        noNullPrototype: true,
      },
    ),
  }));
  const forms: readonly ((value: unknown) => string)[] = [
    (value) => JSON.stringify(value),
    (value) => JSON.stringify(value, null, 2),
    (value) => JSON.stringify(value, null, '\t').replaceAll('\n', '\r\n'),
    formatYaml,
  ];

  it('is set in every map of any document, and the rest stays', () => {
    fc.assert(
      fc.property(tree, fc.constantFrom(...forms), (value, format) => {
        const text = format(value);
        const maps = mapsOf(value, []);
        const edits = maps.map(status);
        const { text: made, left } = editYaml(text, edits, 'f');
        expect(left).toEqual([]);
        const expected = structuredClone(value);
        for (const path of maps) (at(expected, path) as Record<string, unknown>)['status'] = 'enabled';
        expect(structuredClone(parseYaml(made, 'f').value ?? {})).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a map in a text', () => {
  it.each<[string, string, YamlEdit, string]>([
    [
      'lines',
      'm:\n  x: 1\n  more:\n    a: 1 # one\n    b:\n      - c\n  y: 2\n',
      lift('m', 'more'),
      'm:\n  x: 1\n  a: 1 # one\n  b:\n    - c\n  y: 2\n',
    ],
    [
      'lines at the end',
      'm:\n  more:\n      a: |\n        text\n          more\n',
      lift('m', 'more'),
      'm:\n  a: |\n    text\n      more\n',
    ],
    ['nothing', 'm:\n  x: 1\n  more: {}\n', lift('m', 'more'), 'm:\n  x: 1\n'],
    ['nothing before others', 'm:\n  more: {}\n  x: 1\n', lift('m', 'more'), 'm:\n  x: 1\n'],
    ['null', 'm:\n- more:\n  x: 1\n', lift('m', 0, 'more'), 'm:\n- x: 1\n'],
    ['braces among lines', 'm:\n  more: {a: 1, b: [2]}\n  x: 1\n', lift('m', 'more'), 'm:\n  a: 1\n  b: [2]\n  x: 1\n'],
    [
      'JSON',
      '{\n  "x": 1,\n  "more": {\n    "a": 1,\n    "b": 2\n  }\n}',
      lift('more'),
      '{\n  "x": 1,\n  "a": 1,\n  "b": 2\n}',
    ],
    ['nothing in JSON', '{"x":1,"more":{}}', lift('more'), '{"x":1}'],
    ['nothing but it in JSON', '{"more":{}}', lift('more'), '{}'],
  ])('gives what it holds one level up: %s', (_what, text, edit, expected) => {
    expect(edited(text, edit)).toEqual(expected);
  });

  it.each<[string, string]>([
    ['a key is there already', 'more: {a: 1}\na: 2\n'],
    ['it is a text', 'more: text\n'],
    ['there is a comment of its own', 'more: {} # why\na: 2\n'],
  ])('stays where %s', (_what, text) => {
    expect(editYaml(text, [lift('more')], 'f')).toEqual({ text, left: [lift('more')] });
  });
});

function mapsOf(value: unknown, path: YamlPath): readonly YamlPath[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => mapsOf(item, [...path, index]));
  if (typeof value !== 'object' || value === null) return [];
  return [path, ...Object.entries(value).flatMap(([key, member]) => mapsOf(member, [...path, key]))];
}

function at(value: unknown, path: YamlPath): unknown {
  return path.reduce<unknown>((here, step) => (here as Record<string | number, unknown>)[step], value);
}
