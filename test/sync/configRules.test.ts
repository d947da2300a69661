import { describe, expect, it } from 'vitest';
import { surroundings } from '../support/surroundings.ts';
import { loadConfig, type LoadedConfig } from '../../src/sync/config.ts';

/** The rules by which regsync reads its files (spec/regsync.md 1.2), a row for each; what is not said otherwise is warned about by nobody. */

function load(text: string): LoadedConfig {
  return loadConfig(text, 'f', surroundings({ REG: 'r.test' }));
}

/** Texts as patterns of a step, which take any. */
function allowed(scalar: string): { readonly text: string | undefined; readonly theirs: string | undefined } {
  const { config, warnings } = load(`sync: [{type: repository, source: a, target: b, tags: {allow: [${scalar}]}}]`);
  const theirs = warnings
    .map(({ message }) => /regsync reads (.*);/.exec(message)?.[1])
    .find((each) => each !== undefined);
  return { text: config.steps[0]?.tagSets[0]?.allow[0], theirs };
}

const STEP = 'type: image, source: a, target: b';

describe('of keys and documents', () => {
  it.each<[string, string, object, RegExp | undefined]>([
    ['unknown keys are ignored', `sync: [{${STEP}, colour: red}]`, { steps: [{ source: 'a' }] }, /"colour" is unknown/],
    ['x- keys are not mentioned', `x-a: 1\nsync: [{${STEP}, x-b: 2}]`, { steps: [{ source: 'a' }] }, undefined],
    [
      'keys know upper and lower case',
      `sync: [{${STEP}, Platform: x}]`,
      { steps: [{ platform: '' }] },
      /"Platform" is unknown/,
    ],
    ['of equal keys the last wins', `sync: [{${STEP}, source: c}]`, { steps: [{ source: 'c' }] }, /stands twice/],
    [
      'the first document counts',
      `sync: [{${STEP}}]\n---\nsync: []`,
      { steps: [{ source: 'a' }] },
      /only the first document/,
    ],
    ['an empty file has no steps', '', { steps: [] }, undefined],
    [
      'null is absent',
      `creds: ~\ndefaults: ~\nsync: [{${STEP}, tags: ~, hooks: ~}]`,
      { creds: [], steps: [{ source: 'a' }] },
      undefined,
    ],
    [
      'an explicit key after a merge wins',
      `x: &x {source: a, target: b}\nsync: [{<<: *x, type: image, source: c}]`,
      { steps: [{ source: 'c', targets: ['b'] }] },
      /"x" is unknown/,
    ],
    [
      'a merge after an explicit key overrides it',
      `x-x: &x {source: a}\nsync: [{${STEP.replace('source: a', 'source: c')}, <<: *x}]`,
      { steps: [{ source: 'a' }] },
      /<< stands after source/,
    ],
    [
      'a list of merges is accepted, the first wins',
      `x-x: &x {source: a, type: image}\nx-y: &y {source: c, target: b}\nsync: [{<<: [*x, *y]}]`,
      { steps: [{ source: 'a', targets: ['b'] }] },
      /regsync refuses a list after <</,
    ],
    [
      'an alias is the value of its anchor',
      `x-x: &x [v1]\nsync: [{type: repository, source: a, target: b, tags: {allow: *x}}]`,
      { steps: [{ tagSets: [{ allow: ['v1'] }] }] },
      undefined,
    ],
    [
      'defaults can be merged into a step',
      `defaults: &d {referrers: true}\nsync: [{<<: *d, ${STEP}}]`,
      { steps: [{ referrers: true }] },
      undefined,
    ],
    ['no version is version 1', `sync: [{${STEP}}]`, { steps: [{ source: 'a' }] }, undefined],
    ['version 0 is version 1', 'version: 0', { steps: [] }, undefined],
    ['version "1" is version 1', 'version: "1"', { steps: [] }, undefined],
    ['version 1.0 is version 1', 'version: 1.0', { steps: [] }, undefined],
    [
      'a null set of tags is every tag',
      'sync: [{type: repository, source: a, target: b, tagSets: [~]}]',
      { steps: [{ tagSets: [{ allow: [], deny: [] }] }] },
      undefined,
    ],
    [
      'an empty set of tags is every tag',
      'sync: [{type: repository, source: a, target: b, tagSets: [{}]}]',
      { steps: [{ tagSets: [{ allow: [], deny: [] }] }] },
      undefined,
    ],
    [
      'an address in a list on one line is a text',
      'creds: [{registry: a.test, mirrors: [r.local:5000]}]',
      { creds: [{ mirrors: ['r.local:5000'] }] },
      undefined,
    ],
    [
      'a template within a value needs no quotes',
      `sync:\n  - type: image\n    source: reg.test/{{ env "REG" }}\n    target: b`,
      { steps: [{ source: 'reg.test/r.test' }] },
      undefined,
    ],
  ])('%s', (_, text, config, warning) => {
    const loaded = load(text);
    expect(loaded.config).toMatchObject(config);
    const messages = loaded.warnings.map(({ message }) => message).join('\n');
    if (warning === undefined) expect(messages).toBe('');
    else expect(messages).toMatch(warning);
  });
});

describe('of scalars', () => {
  it.each([
    ['3', '3'],
    ['3.9', '3.9'],
    ['3.10', '3.1'],
    ['1.0', '1'],
    ['7.', '7'],
    ['.5', '0.5'],
    ['+5', '5'],
    ['010', '8'],
    ['0o17', '15'],
    ['0x1F', '31'],
    ['1_000', '1000'],
    ['1234567.5', '1.2345675e+06'],
    ['true', 'true'],
    ['yes', 'yes'],
    ['.inf', '+Inf'],
    ['1.20.0', '1.20.0'],
    ['1e3', '1e3'],
    ['2024-01-01', '2024-01-01'],
    ['20240101', '20240101'],
    ['12345678901234567890123', '12345678901234567890123'],
  ])('%s stays as it is, and a warning says that regsync reads %s, if it does', (scalar, theirs) => {
    expect(allowed(scalar)).toEqual({ text: scalar, theirs: theirs === scalar ? undefined : theirs });
    expect(allowed(`"${scalar}"`)).toEqual({ text: scalar, theirs: undefined });
  });

  it.each(['~', 'null', '""'])('%s is the empty text', (scalar) => {
    expect(allowed(scalar)).toEqual({ text: '', theirs: undefined });
  });

  it.each<[string, object]>([
    ['defaults: {parallel: "3"}', { parallel: 3 }],
    ['defaults: {skipDockerConfig: true}', { skipDockerConfig: true }],
    [
      'creds: [{registry: a.test, tls: DisaBled, reqConcurrent: "4", apiOpts: {disableHead: true}}]',
      { creds: [{ tls: 'disabled', reqConcurrent: 4, disableHead: true }] },
    ],
    ['creds: [{registry: a.test, credExpire: 1h}]', { creds: [{ credExpire: 3_600_000 }] }],
    [`defaults: {interval: 1h}\nsync: [{${STEP}, interval: "0s"}]`, { steps: [{ interval: 3_600_000 }] }],
    [
      `sync: [{${STEP}, interval: 1h30m, ratelimit: {retry: 10m}}]`,
      { steps: [{ interval: 5_400_000, rateLimit: { retry: 600_000 } }] },
    ],
    [`sync: [{${STEP}, interval: 60000000000}]`, { steps: [{ interval: 60_000 }] }],
  ])('%s fits', (text, config) => {
    expect(load(text).config).toMatchObject(config);
  });

  it.each([
    ['version: 2', 'version 2 of the format is not known'],
    ['defaults: {referrers: yes}', 'must be true or false'],
    ['defaults: {referrers: "true"}', 'must be true or false'],
    ['sync: [{tags: {allow: latest}}]', 'must be a list of texts'],
    ['sync: {source: a}', 'must be a list of steps'],
    ['sync:\n\t- source: a', 'tab'],
    ['defaults: {interval: 1d}', 'must be a duration'],
    ['creds: [{registry: a.test, tls: off}]', 'must be enabled, insecure or disabled'],
    ['creds: [{registry: a.test, tls: true}]', 'must be enabled, insecure or disabled'],
    ['creds: [{registry: a.test, priority: -1}]', 'must be a whole number that is not negative'],
    ['sync:\n  - target: {{ .Sync.Source }}', 'needs quotes'],
    [`sync: [{source: '{{ nothing }}'}]`, 'there is no function "nothing"'],
    [`sync: [{source: '{{ .Sync.Nothing }}'}]`, 'has no "Nothing"'],
  ])('%s is refused: %s', (text, why) => {
    expect(() => load(text)).toThrow(expect.objectContaining({ code: 'OCL_CONFIG_INVALID' }));
    expect(() => load(text)).toThrow(new RegExp(why, 'i'));
  });
});

it.each([
  'type: nothing',
  'source: "A:B:C"',
  'target: ""',
  'platform: x/y/z/w',
  'platforms: ["*"]',
  'schedule: "99 * * * *"',
  'mediaTypes: [x]',
  'type: repository, tags: {allow: ["("]}',
  'type: repository, tags: {semverRange: ["=>1"]}',
  'backup: "{{ nothing }}"',
])('is looked at when a step runs, and not before: %s', (keys) => {
  expect(load(`sync: [{${keys}}]`).config.steps).toHaveLength(1);
});
