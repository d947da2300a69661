import { describe, expect, it } from 'vitest';
import { foldAdditionalProperties } from '../../src/mesh/additional.ts';

describe('what an old export put too deep', () => {
  it.each<[string, unknown, unknown]>([
    ['comes up', { metadata: { a: 1, additionalproperties: { b: 2 } } }, { metadata: { a: 1, b: 2 } }],
    [
      'comes up in every part',
      { components: [{ model: { metadata: { additionalproperties: { a: [1] } } } }] },
      { components: [{ model: { metadata: { a: [1] } } }] },
    ],
    ['goes where it is empty', { metadata: { additionalproperties: null } }, { metadata: {} }],
    [
      'does not hide what is there',
      { metadata: { a: 1, additionalproperties: { a: 2, b: 3 } } },
      { metadata: { a: 1, b: 3 } },
    ],
  ])('%s', (_what, value, expected) => {
    expect(foldAdditionalProperties(value)).toEqual(expected);
    expect(foldAdditionalProperties(expected)).toBe(expected);
  });

  it('leaves no member out for its name', () => {
    const folded = foldAdditionalProperties(
      JSON.parse('{"__proto__": {"a": 1}, "metadata": {"additionalproperties": {"b": 1}}}'),
    );
    expect(JSON.stringify(folded)).toBe('{"__proto__":{"a":1},"metadata":{"b":1}}');
  });

  it.each<[string, unknown]>([
    ['outside of metadata', { additionalproperties: { a: 1 } }],
    ['in what users configure', { configuration: { metadata: { additionalproperties: { a: 1 } } } }],
    ['as a text', { metadata: { additionalproperties: 'a' } }],
    ['nowhere', [1, null, 'a', { metadata: null }]],
  ])('stays %s', (_what, value) => {
    expect(foldAdditionalProperties(value)).toBe(value);
  });
});
