import { describe, expect, it } from 'vitest';
import { isCode } from '../../src/core/errors.ts';
import { LIMITS } from '../../src/core/limits.ts';
import { parseYaml, YamlScalar } from '../../src/io/yaml.ts';

const read = (text: string): unknown => parseYaml(text, 'f.yaml').value;

function failure(text: string): { code: string; message: string } {
  try {
    parseYaml(text, 'f.yaml');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return { code: String(error.code), message: error.message };
    throw error;
  }
  throw new Error('it was accepted');
}

describe('parseYaml', () => {
  it('gives JavaScript values', () => {
    expect(read('a: [1, 2.5, true, ~, "x"]\nb: {c: d}')).toEqual({ a: [1, 2.5, true, null, 'x'], b: { c: 'd' } });
    expect(read('mirrors: {list: [r.local:5000]}')).toEqual({ mirrors: { list: ['r.local:5000'] } });
  });

  it('takes an empty file for nothing', () => {
    for (const text of ['', '\n', '# only a comment\n', '---\n', '~']) expect(read(text)).toBeUndefined();
  });

  it('keeps keys that name members of every object as data', () => {
    const value = read('__proto__: {polluted: true}\nconstructor: x') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('keeps what was typed when it is asked to', () => {
    const { value } = parseYaml('- 3.10\n- "3.10"\n- v1\n- true\n- ~\n- !!str 3.10', 'f.yaml', { scalars: 'source' });
    expect(value).toEqual([
      new YamlScalar('3.10', 3.1),
      '3.10',
      new YamlScalar('v1', 'v1'),
      new YamlScalar('true', true),
      null,
      '3.10',
    ]);
  });

  it('knows where things stand', () => {
    const document = parseYaml('base: &b\n  x: 1\nlist:\n  - name: one\n    <<: *b\n', 'f.yaml');
    expect(document.at(['list'])).toEqual({ line: 3, column: 1 });
    expect(document.at(['list', 0])).toEqual({ line: 4, column: 5 });
    expect(document.at(['list', 0, 'x'])).toEqual({ line: 2, column: 3 });
    expect(document.at(['list', 0, 'missing', 7])).toEqual({ line: 4, column: 5 });
    expect(document.at(['nowhere'])).toEqual({ line: 1, column: 1 });
  });

  it('reads the first document alone, and says so', () => {
    const document = parseYaml('a: 1\n---\nb: [', 'f.yaml');
    expect(document.value).toEqual({ a: 1 });
    expect(document.warnings).toEqual([
      {
        line: 2,
        column: 1,
        message: 'only the first document of the file is read',
        about: 'several-documents',
      },
    ]);
  });

  it('lets the last of equal keys win, and says so', () => {
    const document = parseYaml('a: 1\nb: 2\na: 3\n', 'f.yaml');
    expect(document.value).toEqual({ a: 3, b: 2 });
    expect(document.warnings).toMatchObject([{ line: 3, column: 1 }]);
  });

  describe('merge keys', () => {
    it('lets explicit keys after << win without a word', () => {
      const document = parseYaml('x: &x {a: 1, b: 1}\ny:\n  <<: *x\n  a: 2\n', 'f.yaml');
      expect(document.value).toMatchObject({ y: { a: 2, b: 1 } });
      expect(document.warnings).toEqual([]);
    });
    it('lets << override what stands before it, as regsync, with a warning', () => {
      const document = parseYaml('x: &x {a: 1, b: 1}\ny:\n  a: 2\n  <<: *x\n', 'f.yaml');
      expect(document.value).toMatchObject({ y: { a: 1, b: 1 } });
      expect(document.warnings).toMatchObject([
        { line: 4, column: 3, message: expect.stringContaining('overrides it') as string },
      ]);
    });
    it('takes a list of maps, the first of which counts', () => {
      const document = parseYaml('p: &p {a: 1}\nq: &q {a: 2, b: 2}\ny:\n  <<: [*p, *q]\n', 'f.yaml');
      expect(document.value).toMatchObject({ y: { a: 1, b: 2 } });
      expect(document.warnings).toHaveLength(1);
    });
    it('takes a quoted << for a key like others', () => {
      expect(read('"<<": 1')).toEqual({ '<<': 1 });
    });
    it('refuses to merge what is no map', () => {
      expect(failure('a:\n  <<: 3\n').message).toBe('Cannot read f.yaml:2:3: << must be followed by a map');
    });
  });

  it.each([
    ['a:\n\tb: 1\n', 'Cannot read f.yaml:2:1: Tabs are not allowed as indentation'],
    ['a: "x\n', 'f.yaml:2:1'],
    ['a: *nobody\n', 'Cannot read f.yaml:1:4: the alias *nobody'],
    ['a: &a [*a]\n', 'the alias *a stands before its anchor, or inside it'],
    ['target: {{ .Sync.Source }}\n', 'a value that starts with {{ needs quotes'],
    ['- a\nb: 1\n', 'f.yaml:'],
  ])('tells where %j is wrong', (text, message) => {
    expect(failure(text).message).toContain(message);
    expect(failure(text).code).toBe('OCL_CONFIG_INVALID');
  });

  describe('bounds', () => {
    it('counts what aliases stand for', () => {
      const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
      for (let i = 1; i < 10; i++)
        lines.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(', ')}]`);
      expect(failure(lines.join('\n'))).toMatchObject({
        code: 'OCL_LIMIT',
        message: expect.stringContaining('aliases') as string,
      });
      expect(
        failure(
          lines.join('\n').replaceAll(
            /\[(.*)\]/g,
            (_, list: string) =>
              `{${list
                .split(', ')
                .map((item, i) => `k${i}: ${item}`)
                .join(', ')}}`,
          ),
        ).code,
      ).toBe('OCL_LIMIT');
    });
    it.each([
      ['brackets', '['.repeat(50_000)],
      ['braces', '{a: '.repeat(50_000)],
      ['dashes', '- '.repeat(50_000)],
      ['question marks', '? '.repeat(50_000)],
      ['indentation', Array.from({ length: 500 }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
      ['lists in maps', Array.from({ length: 500 }, (_, i) => `${' '.repeat(i * 2)}- a:`).join('\n')],
    ])('bounds the depth of %s', (_, text) => {
      expect(failure(text)).toMatchObject({ code: 'OCL_LIMIT', message: expect.stringContaining('nested') as string });
    });
    it('does not take long lists, brackets in texts or long lines for depth', () => {
      const text = `a: |\n  ${'['.repeat(500)}\nb: "${'{'.repeat(500)}"\nlist:\n${'  - {x: [1, 2], y: "["}\n'.repeat(2000)}# ${'- '.repeat(500)}\nc: ${'word '.repeat(500)}\n`;
      expect((read(text) as { list: unknown[] }).list).toHaveLength(2000);
    });
    it('refuses a file that is too large', () => {
      expect(failure(`a: ${'x'.repeat(LIMITS.configFile)}`).code).toBe('OCL_LIMIT');
    });
  });

  it('fails with errors of its own alone', () => {
    for (const text of [
      '%YAML 9.9\n---\na: 1',
      '!!binary x',
      '!<tag:x> {a: b}',
      '\u0000',
      '&a',
      '*',
      '- - a\n - b',
      '{',
      ']',
      '? : ?',
      '@x',
      '`x',
      '%x',
      '"\\xZZ"',
      '!!int x',
      'a: !!timestamp 2001-01-01',
    ]) {
      try {
        parseYaml(text, 'f.yaml');
      } catch (error) {
        expect(
          isCode(error, 'OCL_CONFIG_INVALID') || isCode(error, 'OCL_LIMIT'),
          `${JSON.stringify(text)}: ${String(error)}`,
        ).toBe(true);
      }
    }
  });
});
