import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isObject, parseJson, toJsonBytes } from '../../src/core/json.ts';
import { bytesOf, codeOf } from '../support/graphs.ts';

const parse = (text: string): unknown => parseJson(bytesOf(text), 'it');

describe('JSON from outside', () => {
  it('is read as JSON.parse reads it, where no name stands twice', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 20 }), (text) => {
        expect(parse(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('is written and read back', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const plain = JSON.parse(JSON.stringify(value)) as unknown;
        expect(parseJson(toJsonBytes(value), 'it')).toEqual(plain);
      }),
    );
  });

  it.each([
    ['a name twice', '{"a":1,"a":2}'],
    ['a name twice, deep', '[{"x":{"b":[{"a":1,"a":1}]}}]'],
    ['a name twice, once with an escape', '{"a":1,"\\u0061":2}'],
    ['a name twice with blank space', '{"a" :1,"a"\n:2}'],
    ['a name twice around a nested object', '{"a":{"b":1},"c":[],"a":1}'],
    ['__proto__ twice', '{"__proto__":1,"__proto__":2}'],
    ['a byte order mark', '\uFEFF{}'],
    ['nothing', ''],
    ['blank space', ' \n'],
    ['two values', '{} {}'],
    ['NaN', '{"a":NaN}'],
    ['Infinity', '-Infinity'],
    ['a comment', '{/* */}'],
    ['a comma at the end', '[1,]'],
    ['single quotes', "{'a':1}"],
    ['an open string', '{"a":"'],
    ['an open object', '{"a":1'],
    ['a control character', '"\n"'],
    ['hexadecimal', '0x10'],
  ])('is refused with %s', async (_, text) => {
    expect(await codeOf(() => parse(text))).toBe('OCL_DOCUMENT_INVALID');
  });

  it.each([
    ['a lone continuation', [0x22, 0x80, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['half of a character', [0x22, 0xe2, 0x82, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
  ])('is refused as no UTF-8: %s', async (_, bytes) => {
    expect(await codeOf(() => parseJson(Uint8Array.from(bytes), 'it'))).toBe('OCL_DOCUMENT_INVALID');
  });

  it('may repeat a name in different objects, and as a value', () => {
    const text = '[{"a":1},{"a":1},{"b":{"a":"a"},"a":["a","a"]}]';
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it.each([
    [100, 'none'],
    [101, 'OCL_LIMIT'],
    [1_000_000, 'OCL_LIMIT'],
  ])('may be nested %i deep: %s', async (depth, code) => {
    expect(await codeOf(() => parse('['.repeat(depth) + ']'.repeat(depth)))).toBe(code);
    expect(await codeOf(() => parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`))).toBe(code);
  });

  it('is not taken for deep because of brackets in texts', () => {
    const text = JSON.stringify({ a: '[{"'.repeat(1000), ['{['.repeat(500)]: 1 });
    expect(parse(text)).toEqual(JSON.parse(text));
  });

  it('keeps __proto__ as a name of its own', () => {
    const value = parse('{"__proto__":{"polluted":true},"constructor":1}');
    expect(isObject(value) && Object.keys(value)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
