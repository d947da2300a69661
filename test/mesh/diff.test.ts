import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatYaml } from '../../src/io/yaml.ts';
import { diffEntities, type MeshDiff } from '../../src/mesh/diff.ts';
import { type Entity, type EntityKind } from '../../src/mesh/entity.ts';
import { altered, bytesOf, COMPONENT, GOOD_MODEL, MODEL, RELATIONSHIP, sample, type Files } from './support.ts';

function entity(files: Files, kind: EntityKind, main: string): Entity {
  return {
    kind,
    name: 'x',
    version: '1.0.0',
    files: Object.entries(files).map(([path, content]) => ({ path, bytes: bytesOf(content) })),
    main,
    origin: main,
    notes: [],
  };
}

function design(value: object, format: (value: object) => string = JSON.stringify): Entity {
  return entity({ 'design.yml': format({ name: 'd', ...value }) }, 'design', 'design.yml');
}

function model(files: Files = {}): Entity {
  return entity({ ...GOOD_MODEL, ...files }, 'model', 'v1.0.0/model.json');
}

/** One line for each difference. */
function lines({ fields, parts, files }: MeshDiff): readonly string[] {
  return [
    ...fields.map((path) => `~ ${path}`),
    ...parts.flatMap(({ kind, added, removed, changed }) => [
      ...added.map(({ name }) => `+ ${kind} ${name}`),
      ...removed.map(({ name }) => `- ${kind} ${name}`),
      ...changed.map(({ name, paths }) => `~ ${kind} ${name}: ${paths.join(' ')}`),
    ]),
    ...files.added.map((path) => `+ ${path}`),
    ...files.removed.map((path) => `- ${path}`),
    ...files.changed.map((path) => `~ ${path}`),
  ];
}

const id = (digit: number): string => `${String(digit).repeat(8)}-0000-4000-8000-000000000000`;
const component = (digit: number, kind: string, displayName: string, more: object = {}): object => ({
  id: id(digit),
  displayName,
  component: { kind, version: 'v1' },
  ...more,
});
const edge = (digit: number, from: string, to: string): object => ({
  id: id(digit),
  kind: 'edge',
  type: 'non-binding',
  subType: 'network',
  selectors: [{ allow: { from: [{ kind: from }], to: [{ kind: to }] } }],
});

describe('the difference of two designs', () => {
  it.each<[string, object, object, readonly string[]]>([
    ['nothing', { version: '1' }, { version: '1' }, []],
    [
      'a member of its own',
      { version: '1', preferences: { layers: { a: true } } },
      { version: '2', preferences: { layers: {} } },
      ['~ preferences.layers.a', '~ version'],
    ],
    ['a member that is gone', { metadata: { a: 1 } }, {}, ['~ metadata']],
    ['a new component', { components: [] }, { components: [component(1, 'Pod', 'a')] }, ['+ component Pod a']],
    ['a component that is gone', { components: [component(1, 'Pod', 'a')] }, {}, ['- component Pod a']],
    [
      'a component that changed',
      { components: [component(1, 'Pod', 'a', { configuration: { spec: { x: [1, 2] } } })] },
      { components: [component(1, 'Pod', 'b', { configuration: { spec: { x: [1, 3, 4] }, y: 1 } })] },
      ['~ component Pod b: configuration.spec.x.1 configuration.spec.x.2 configuration.y displayName'],
    ],
    [
      'another order of them',
      { components: [component(1, 'Pod', 'a'), component(2, 'Pod', 'b')] },
      { components: [component(2, 'Pod', 'b'), component(1, 'Pod', 'a')] },
      [],
    ],
    [
      'another id of the same',
      { components: [component(1, 'Pod', 'a', { x: 1 })] },
      { components: [component(2, 'Pod', 'a', { x: 2 })] },
      ['~ component Pod a: x'],
    ],
    [
      'another id and nothing else',
      { components: [component(1, 'Pod', 'a')] },
      { components: [component(2, 'Pod', 'a')] },
      [],
    ],
    [
      'one of another name',
      { components: [component(1, 'Pod', 'a')] },
      { components: [component(2, 'Pod', 'b')] },
      ['+ component Pod b', '- component Pod a'],
    ],
    [
      'ids that are none',
      { components: [{ ...component(0, 'Pod', 'a'), id: '00000000-0000-0000-0000-000000000000' }] },
      { components: [{ ...component(0, 'Pod', 'b'), id: '00000000-0000-0000-0000-000000000000' }] },
      ['+ component Pod b', '- component Pod a'],
    ],
    [
      'a new relationship',
      { relationships: [edge(1, 'Pod', 'Service')] },
      { relationships: [edge(1, 'Pod', 'Service'), edge(2, 'Pod', 'Pod')] },
      ['+ relationship edge/non-binding/network: Pod → Pod'],
    ],
    [
      'a relationship of other ends',
      { relationships: [edge(1, 'Pod', 'Service')] },
      { relationships: [edge(1, 'Pod', 'Pod')] },
      ['~ relationship edge/non-binding/network: Pod → Pod: selectors.0.allow.to.0.kind'],
    ],
    [
      'what an old export added',
      { components: [{ metadata: { additionalproperties: { a: 1 } } }] },
      { components: [{ metadata: { a: 1 } }] },
      [],
    ],
  ])('is %s', (_what, before, after, expected) => {
    const found = diffEntities(design(before), design(after));
    expect(lines(found)).toEqual(expected);
    expect(found.differs).toBe(expected.length > 0);
  });

  it('is none where one is YAML and the other JSON', () => {
    const value = { version: '1', components: [component(1, 'Pod', 'a')] };
    expect(diffEntities(design(value), design(value, formatYaml)).differs).toBe(false);
  });

  it('is none with itself, and turns round', () => {
    const part = fc.record({
      id: fc.constantFrom(id(1), id(2), id(3), '', undefined),
      displayName: fc.constantFrom('a', 'b', 'c'),
      component: fc.record({ kind: fc.constantFrom('Pod', 'Service'), version: fc.constantFrom('v1', 'v2') }),
      configuration: fc.dictionary(fc.constantFrom('x', 'y'), fc.jsonValue({ maxDepth: 2 }), { noNullPrototype: true }),
    });
    const relation = fc.record({
      id: fc.constantFrom(id(1), id(2)),
      kind: fc.constantFrom('edge', 'sibling'),
      selectors: fc.constantFrom([], [{ allow: { from: [{ kind: 'Pod' }] } }]),
    });
    const any = fc.record({
      version: fc.constantFrom('1', '2'),
      components: fc.array(part, { maxLength: 5 }),
      relationships: fc.array(relation, { maxLength: 3 }),
    });
    const names = (parts: readonly { readonly name: string }[]): readonly string[] =>
      parts.map(({ name }) => name).toSorted();
    fc.assert(
      fc.property(any, any, (a, b) => {
        expect(diffEntities(design(a), design(a)).differs).toBe(false);
        const [there, back] = [diffEntities(design(a), design(b)), diffEntities(design(b), design(a))];
        expect(back.differs).toBe(there.differs);
        expect(back.fields).toEqual(there.fields);
        for (const kind of ['component', 'relationship'] as const) {
          const [one, other] = [there, back].map(({ parts }) => parts.find((each) => each.kind === kind));
          expect(names(other?.added ?? [])).toEqual(names(one?.removed ?? []));
          expect(names(other?.removed ?? [])).toEqual(names(one?.added ?? []));
          expect(other?.changed.map(({ paths }) => paths.join(' ')).toSorted()).toEqual(
            one?.changed.map(({ paths }) => paths.join(' ')).toSorted(),
          );
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe('the difference of two models', () => {
  it.each<[string, Entity, Entity, readonly string[]]>([
    ['nothing', model(), model(), []],
    [
      'a new name of a file',
      model(),
      entity(
        Object.fromEntries(
          Object.entries(GOOD_MODEL).map(([path, content]) => [path.replace('Widget.', 'w.'), content]),
        ),
        'model',
        'v1.0.0/model.json',
      ),
      [],
    ],
    ['the model itself', model(), model({ 'v1.0.0/model.json': altered(MODEL, ['version', 'v2.0.0']) }), ['~ version']],
    [
      'a component',
      model(),
      model({
        'v1.0.0/components/B.json': altered(COMPONENT, ['id', id(9)], ['component.kind', 'B'], ['displayName', 'B']),
      }),
      ['+ component B B'],
    ],
    [
      'a component of another version',
      model(),
      model({
        'v1.0.0/components/Widget.json': altered(
          COMPONENT,
          ['id', id(9)],
          ['displayName', 'New'],
          ['version', 'v2.0.0'],
        ),
      }),
      ['~ component Widget New: displayName version'],
    ],
    [
      'a relationship',
      model(),
      model({ 'v1.0.0/relationships/edge.json': altered(RELATIONSHIP, ['subType', 'mount']) }),
      ['~ relationship edge/non-binding/mount: Widget → Widget: subType'],
    ],
    [
      'a connection',
      model(),
      model({
        'v1.0.0/connections/registry.json': altered('minimal/connection.v1beta3.json', ['status', 'connected']),
      }),
      ['~ connection OCI Registry: status'],
    ],
    [
      'other files',
      model({ 'a.rego': 'package a\n', 'b.rego': 'package b\n' }),
      model({ 'b.rego': 'package c\n', 'c.svg': '<svg/>' }),
      ['+ c.svg', '- a.rego', '~ b.rego'],
    ],
  ])('is %s', (_what, before, after, expected) => {
    expect(lines(diffEntities(before, after))).toEqual(expected);
  });
});

describe('the difference of others', () => {
  it('is found in a connection alone, and in a module', () => {
    const connection = (text: string | object): Entity => entity({ 'c.json': text }, 'connection', 'c.json');
    const path = 'minimal/connection.v1beta3.json';
    expect(lines(diffEntities(connection(sample(path)), connection(altered(path, ['name', 'x']))))).toEqual(['~ name']);
    const filter = (...bytes: readonly number[]): Entity =>
      entity({ 'f.wasm': new Uint8Array(bytes) }, 'filter', 'f.wasm');
    expect(lines(diffEntities(filter(0, 0x61, 0x73, 0x6d), filter(0, 0x61, 0x73, 0x6d, 1)))).toEqual(['~ f.wasm']);
  });

  it('begins with the kind', () => {
    expect(lines(diffEntities(design({}), entity({ 'c.json': { name: 'd' } }, 'view', 'c.json')))).toEqual(['~ kind']);
  });
});
