import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatYaml } from '../../src/io/yaml.ts';
import { fixFiles, fixText } from '../../src/mesh/fix.ts';
import { type ValidateInput } from '../../src/mesh/validate.ts';
import { altered, COMPONENT, DESIGN, findings, MODEL, RELATIONSHIP, sample } from './support.ts';

/** The text as `--fix` leaves it, and the rules that it was mended by. */
async function mended(
  text: string,
  name: string,
  form: ValidateInput['form'] = 'file',
): Promise<{ readonly text: string; readonly rules: readonly string[] }> {
  const rules: string[] = [];
  let now = text;
  for (let round = 0; round < 4; round++) {
    const { text: next, fixed } = fixText(now, await findings({ [name]: now }, form), name);
    if (next === now) break;
    rules.push(...fixed.map(({ rule }) => rule));
    now = next;
  }
  return { text: now, rules };
}

/** What differs, line by line: `-` and `+` with the lines. */
function difference(before: string, after: string): readonly string[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  return [
    ...a.filter((line) => !b.includes(line)).map((line) => `-${line}`),
    ...b.filter((line) => !a.includes(line)).map((line) => `+${line}`),
  ];
}

describe('what is mended', () => {
  it.each<[string, string, readonly string[], readonly string[]]>([
    [
      'a component without status',
      sample('models/meshkit-generated/acm-controller/Broker.json'),
      ['year-one', 'component-status'],
      [
        '-"created_at": "0001-01-01T00:00:00Z",',
        '-"updated_at": "0001-01-01T00:00:00Z",',
        '-"status": null,',
        '-"createdAt": "0001-01-01T00:00:00Z",',
        '-"updatedAt": "0001-01-01T00:00:00Z",',
      ],
    ],
    [
      'a version of the template',
      JSON.stringify(altered(COMPONENT, ['schemaVersion', 'components.meshery.io/v1beta3']), null, 1),
      ['schema-version'],
      ['- "schemaVersion": "components.meshery.io/v1beta3",'],
    ],
    [
      'an old relationship',
      JSON.stringify(altered(RELATIONSHIP, ['schemaVersion', 'relationships.meshery.io/v1beta1']), null, 1),
      ['schema-version'],
      ['- "schemaVersion": "relationships.meshery.io/v1beta1",'],
    ],
    [
      'an old connection',
      JSON.stringify(
        altered('minimal/connection.v1beta3.json', ['schemaVersion', 'connections.meshery.io/v1beta1']),
        null,
        1,
      ),
      ['schema-version'],
      ['- "schemaVersion": "connections.meshery.io/v1beta1",'],
    ],
    [
      'no kind of registrant',
      JSON.stringify(altered(MODEL, ['registrant.kind', '']), null, 1),
      ['model-registrant'],
      ['-  "kind": "",'],
    ],
    [
      'no registrant',
      JSON.stringify(altered(MODEL, ['registrant', null]), null, 1),
      ['model-registrant'],
      ['- "registrant": null,'],
    ],
    ['empty identifiers', JSON.stringify(altered(DESIGN, ['id', '']), null, 1), ['uuid'], ['- "id": "",']],
  ])('%s', async (_what, text, rules, gone) => {
    const { text: after, rules: done } = await mended(text, 'x.json');
    expect(done).toEqual(rules);
    expect(difference(text, after).filter((line) => line.startsWith('-'))).toEqual(expect.arrayContaining([...gone]));
    expect(after.split('\n').length).toBe(text.split('\n').length);
    expect((await findings({ 'x.json': after }, 'file')).filter(({ edits }) => edits !== undefined)).toEqual([]);
  });

  it('in a genuine export touches nothing else', async () => {
    const before = sample('designs/from-genuine-oci-export.v1beta1.design.yml');
    const { text: after, rules } = await mended(before, 'design.yml');
    expect(rules).toEqual(['additional-properties', 'year-one']);
    expect(new Set(difference(before, after).map((line) => line.replace(/ {2,}/, ' ')))).toEqual(
      new Set([
        '- additionalproperties:',
        '- additionalproperties: {}',
        '- source_uri: git://github.com/kubernetes/kubernetes/master/api/openapi-spec/v3',
        '+ source_uri: git://github.com/kubernetes/kubernetes/master/api/openapi-spec/v3',
        ...['created_at', 'updated_at', 'deleted_at'].flatMap((key) => [
          `- ${key}: 0001-01-01T00:00:00Z`,
          `+ ${key}: null`,
        ]),
      ]),
    );
    expect((await mended(after, 'design.yml')).text).toBe(after);
  });

  it('stays mended, in every form of text', async () => {
    const breaks: readonly (readonly [string, unknown])[] = [
      ['status', null],
      ['status', undefined],
      ['id', ''],
      ['schemaVersion', 'components.meshery.io/v1beta3'],
      ['model.registrant.id', ''],
      ['model.registrant.user_id', ''],
      ['model.registrant.deleted_at', '0001-01-01T00:00:00Z'],
      ['createdAt', '0001-01-01T00:00:00Z'],
      ['description', '😀 a/b'],
      ['metadata.additionalproperties', {}],
      ['metadata.additionalproperties', { a: { b: [1, { c: 'text\n  more\n' }] }, on: 'no' }],
      ['model.metadata.additionalproperties', null],
      ['metadata.mine', ['0001-01-01T00:00:00Z']],
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.subarray([...breaks.keys()], { minLength: 1 }),
        fc.constantFrom<(value: object) => string>(
          (value) => JSON.stringify(value),
          (value) => JSON.stringify(value, null, 2),
          (value) =>
            JSON.stringify(value, null, 2)
              .replaceAll('/', String.raw`\/`)
              .replaceAll('😀', String.raw`\uD83D\ude00`),
          formatYaml,
          (value) => formatYaml(value).replaceAll('\n', '\r\n'),
        ),
        async (chosen, format) => {
          const changes = chosen.flatMap((index) => (breaks[index] === undefined ? [] : [breaks[index]]));
          const text = format(altered(COMPONENT, ...changes));
          const { text: after, rules } = await mended(text, 'c.yml');
          expect(rules.length > 0 || chosen.every((index) => breaks[index]?.[0] === 'description')).toBe(true);
          const left = await findings({ 'c.yml': after }, 'file');
          expect(left.filter(({ edits }) => edits !== undefined)).toEqual([]);
          expect(left.map(({ rule }) => rule)).toEqual(['part-alone']);
          expect((await mended(after, 'c.yml')).text).toBe(after);
        },
      ),
      { numRuns: 25 },
    );
  });

  it('is no guess: an identifier that is none stays', async () => {
    const text = JSON.stringify(altered(DESIGN, ['id', 'mine']));
    expect(await mended(text, 'd.json')).toEqual({ text, rules: [] });
  });

  it('keeps a byte order mark', async () => {
    const text = `\uFEFF${JSON.stringify(altered(COMPONENT, ['status', null]))}`;
    expect((await mended(text, 'c.json')).text).toBe(`\uFEFF${JSON.stringify(altered(COMPONENT))}`);
  });
});

describe('files', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'ocl-fix-'));
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  it('are written as a whole, keep their rights, and stay where a link leads', async () => {
    const [file, link, good] = ['c.json', 'link.json', 'good.json'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(file, JSON.stringify(altered(COMPONENT, ['status', null])));
    writeFileSync(good, sample(COMPONENT));
    chmodSync(file, 0o640);
    symlinkSync('c.json', link);
    const before = statSync(good).mtimeMs;
    const all = [
      ...(await findings({ [link]: readFileSync(link, 'utf8') }, 'file')),
      ...(await findings({ [good]: sample(COMPONENT) }, 'file')),
    ];
    expect((await fixFiles(all, (name) => name)).map(({ rule, file: of }) => `${rule} ${of}`)).toEqual([
      `component-status ${link}`,
    ]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(altered(COMPONENT));
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(statSync(good).mtimeMs).toBe(before);
    expect(await fixFiles([], (name) => name)).toEqual([]);
  });
});
