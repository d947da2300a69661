import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { expandTemplate, type Surroundings } from '../../src/sync/template/template.ts';
import { goDuration } from '../../src/sync/template/time.ts';
import { GoStruct, TemplateError } from '../../src/sync/template/values.ts';

interface Row {
  readonly template: string;
  /** What Go's text/template made of it; null: it refused. */
  readonly text: string | null;
}

/** Written by a Go program with text/template itself, regclient's functions and the data below. */
const ROWS = JSON.parse(
  readFileSync(new URL('../../testdata/sync/templates.json', import.meta.url), 'utf8'),
) as readonly Row[];

const DATA = new GoStruct('the data', {
  Sync: new GoStruct('the step', {
    Source: 'docker.io/library/alpine',
    Target: 'reg/mirror',
    Type: 'repository',
    Tags: new GoStruct('the tags', { Allow: ['3.*', 'latest'], Deny: [], SemverRange: ['>=1'] }),
    Platforms: ['linux/amd64', 'linux/arm64'],
    RateLimit: new GoStruct('the limit', { Min: 20, Retry: goDuration(90 * 60_000) }),
    Interval: goDuration(3_600_000),
    Anno: new Map([
      ['b', '2'],
      ['a', '<1>'],
    ]),
    Empty: new Map<string, string>(),
  }),
  Ref: new GoStruct('the reference', {
    Registry: 'reg:5000',
    Repository: 'team/app',
    Tag: 'v1.2',
    Digest: '',
    Reference: 'reg:5000/team/app:v1.2',
    CommonName: () => 'reg:5000/team/app:v1.2',
  }),
});

const WORLD: Surroundings = {
  env: (name) => ({ NAME: 'value', PREFIX: 'reg.example/p' })[name] ?? '',
  file: (path) => (path === '/run/secrets/x' ? 'secret\n' : ''),
  now: () => Date.UTC(2026, 2, 7, 4, 5, 6, 789),
};

const zone = process.env['TZ'];
describe('templates come out as Go makes them', () => {
  it.each(ROWS.filter(({ text }) => text !== null))('$template', ({ template, text }) => {
    process.env['TZ'] = 'UTC';
    try {
      expect(expandTemplate(template, DATA, WORLD)).toBe(text);
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
  });
});

describe('what Go refuses is refused', () => {
  it.each(ROWS.filter(({ text }) => text === null))('$template', ({ template }) => {
    expect(() => expandTemplate(template, DATA, WORLD)).toThrow(TemplateError);
  });
});

describe('bounds', () => {
  it.each([
    ['nested blocks', `${'{{if true}}'.repeat(1000)}x${'{{end}}'.repeat(1000)}`],
    ['nested parentheses', `{{${'('.repeat(1000)}1${')'.repeat(1000)}}}`],
    ['much text', `{{range $i := 90000}}${'x'.repeat(100)}{{end}}`],
    ['many actions', '{{range $i := 1000}}{{range $j := 1000}}{{end}}{{end}}'],
    ['a wide number', '{{printf "%100000d" 1}}'],
    ['a long template', `{{"${'x'.repeat(70_000)}"}}`],
  ])('%s', (_, template) => {
    expect(() => expandTemplate(template, DATA, WORLD)).toThrow(TemplateError);
  });

  it('members of JavaScript objects are out of reach', () => {
    for (const name of ['constructor', '__proto__', 'toString'])
      expect(() => expandTemplate(`{{.Sync.${name}}}`, DATA, WORLD)).toThrow(TemplateError);
    expect(expandTemplate('{{.Sync.Anno.constructor}}', DATA, WORLD)).toBe('<no value>');
  });
});
