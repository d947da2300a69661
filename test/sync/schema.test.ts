import { readdirSync, readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { surroundings } from '../support/surroundings.ts';
import { parseYaml } from '../../src/io/yaml.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { SECTIONS, syncJsonSchema } from '../../src/sync/jsonSchema.ts';
import { KEYS, keyTable, type KeyNote } from '../../src/sync/schemaKeys.ts';

const root = new URL('../../', import.meta.url);
const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(syncJsonSchema());

/** Where a text is wrong by the schema, and what of; `propertyNames` and the branches of `anyOf` are left out. */
function faults(text: string): readonly string[] {
  const value: unknown = JSON.parse(JSON.stringify(parseYaml(text, 'f').value ?? {}));
  if (validate(value)) return [];
  return (validate.errors ?? [])
    .filter(({ keyword }) => keyword === 'additionalProperties' || keyword === 'enum' || keyword === 'anyOf')
    .map(({ instancePath, params }) => `${instancePath} ${String(params['additionalProperty'] ?? '')}`.trim())
    .filter((fault, at, all) => all.indexOf(fault) === at);
}

describe('the table of keys', () => {
  const names = Object.keys(SECTIONS) as (keyof typeof KEYS)[];

  it.each(names)('has every key of %s, and no other', (name) => {
    expect(Object.keys(KEYS[name]).toSorted()).toEqual(Object.keys(SECTIONS[name].shape).toSorted());
  });

  it.each(names)('tells of every key of %s in sentences', (name) => {
    for (const { does, regsync } of Object.values<KeyNote>(KEYS[name])) {
      expect(does).toMatch(/[.…]$/);
      expect(regsync).not.toBe('');
    }
    expect(keyTable()).toContain(KEYS.step['platforms']?.does ?? '?');
  });
});

describe('the schema of the file', () => {
  const yaml = (directory: string): readonly string[] =>
    readdirSync(new URL(directory, root), { recursive: true })
      .map(String)
      .filter((name) => /\.ya?ml$/.test(name))
      .map((name) => directory + name);

  it.each(yaml('examples/'))('takes %s', (file) => {
    expect(faults(readFileSync(new URL(file, root), 'utf8'))).toEqual([]);
  });

  it.each([['shop.yaml'], ['anchors.yaml']])('takes testdata/sync/%s', (file) => {
    expect(faults(readFileSync(new URL(`testdata/sync/${file}`, root), 'utf8'))).toEqual([]);
  });

  it('finds in everything.yaml what the program warns about, and no more', () => {
    const text = readFileSync(new URL('testdata/sync/everything.yaml', root), 'utf8');
    const { warnings } = loadConfig(text, 'f', surroundings());
    const unknown = warnings.flatMap(({ message }) => /^the key "(.*?)" is unknown/.exec(message)?.[1] ?? []);
    expect(faults(text).toSorted()).toEqual([
      '/defaults Parallel',
      '/defaults paralel',
      '/sync/1/hooks/unchanged/type',
      '/sync/2 Source',
      '/sync/2/type',
      'reports',
    ]);
    expect(unknown.toSorted()).toEqual(['Parallel', 'Source', 'paralel', 'reports']);
  });

  it.each([
    ['defaults: {parallel: many}', '/defaults/parallel'],
    ['defaults: {parallel: -1}', '/defaults/parallel'],
    ['defaults: {interval: 1d}', '/defaults/interval'],
    ['defaults: {sparse: none}', '/defaults/sparse'],
    ['creds: [{registry: a.test, tls: off}]', '/creds/0/tls'],
    ['sync: [{type: repository, tags: {since: yesterday}}]', '/sync/0/tags/since'],
  ])('refuses what the reader refuses: %s', (text, place) => {
    expect(() => loadConfig(text, 'f', surroundings())).toThrow('Cannot read');
    const value: unknown = JSON.parse(JSON.stringify(parseYaml(text, 'f').value));
    expect(validate(value)).toBe(false);
    expect(validate.errors?.map(({ instancePath }) => instancePath)).toContain(place);
  });

  it.each([
    'version: "1"',
    'defaults: {parallel: "3", interval: 60m, maxAge: 7d, sparse: Rewrite, prune: {keep: 2, grace: 1d12h}}',
    'defaults: {interval: 60000000000, referrerFilters: [], hooks: {pre: ~}}',
    'creds: [{registry: a.test:5000, tls: Disabled, reqPerSec: 0.5, blobMax: -1, apiOpts: {disableHead: true}}]',
    'sync: [{type: repository, tags: {since: 2026-01-31, newest: 3, allow: [1.10, ~]}, prune: true}, ~]',
  ])('takes what the reader takes: %s', (text) => {
    expect(loadConfig(text, 'f', surroundings()).config.file).toBe('f');
    expect(faults(text)).toEqual([]);
  });

  it('is the one that is shipped', () => {
    const shipped: unknown = JSON.parse(readFileSync(new URL('schema/sync.schema.json', root), 'utf8'));
    expect(shipped).toEqual(JSON.parse(JSON.stringify(syncJsonSchema())));
  });
});
