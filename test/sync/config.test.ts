import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { surroundings } from '../support/surroundings.ts';
import { DEFAULT_PARALLEL, loadConfig, type LoadedConfig } from '../../src/sync/config.ts';

function loadFile(name: string): LoadedConfig {
  return loadConfig(
    readFileSync(new URL(`../../testdata/sync/${name}`, import.meta.url), 'utf8'),
    name,
    surroundings(),
  );
}

function failure(text: string): string {
  try {
    loadConfig(text, 'sync.yaml', surroundings());
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'it loads';
}

/** `line: start of the message` */
function told({ warnings }: LoadedConfig): readonly string[] {
  return warnings.map(({ line, message }) => `${line}: ${message}`);
}

function step(text: string): LoadedConfig['config']['steps'][number] {
  const [first] = loadConfig(text, 'sync.yaml', surroundings()).config.steps;
  if (first === undefined) throw new Error('no step');
  return first;
}

describe('shop.yaml', () => {
  const loaded = loadFile('shop.yaml');
  const { config } = loaded;

  it('has hosts for the registry room', () => {
    expect(config.creds).toEqual([
      { registry: 'docker.io', user: 'shop-bot', pass: 'not-a-real-password', repoAuth: false },
      {
        registry: 'registry.shop.test:5000',
        hostname: '10.0.0.5:5000',
        tls: 'disabled',
        reqConcurrent: 8,
        pathPrefix: 'proxy',
        repoAuth: true,
      },
    ]);
    expect(config).toMatchObject({ parallel: 3, skipDockerConfig: true, userAgent: '' });
  });
  it('merges the defaults into the steps', () => {
    const filters = [
      {
        artifactType: 'application/vnd.example.sbom',
        annotations: { 'org.example.kind': 'full', 'org.example.any': '' },
      },
    ];
    expect(config.steps).toMatchObject([
      {
        type: 'image',
        source: 'busybox:1.36',
        referrers: true,
        referrerFilters: filters,
        tagSets: [],
        place: { line: 21 },
      },
      { type: 'repository', referrers: true, referrerFilters: [], digestTags: true },
      { type: 'image', referrers: false, fastCheck: true, platform: 'linux/arm64', digestTags: false },
    ]);
  });
  it('keeps 3.10 and says what regsync reads', () => {
    expect(config.steps[1]?.tagSets).toMatchObject([
      { allow: ['3.10', '3.11', '2\\.9\\.\\d+', ''], deny: ['.*-arm$'], semverRange: [] },
    ]);
    expect(told(loaded)).toEqual(['29: 3.10 is kept as it is written, but regsync reads 3.1; put it between quotes']);
  });
});

describe('anchors.yaml', () => {
  const loaded = loadFile('anchors.yaml');

  it('merges anchors as regsync does', () => {
    const deny = ['latest', '.*(alpha|beta|rc).*'];
    expect(loaded.config.steps.map(({ tagSets }) => tagSets)).toMatchObject([
      [{ allow: [], deny, semverRange: [] }],
      [{ allow: ['v2.*'], deny, semverRange: [] }],
      [{ allow: [], deny, semverRange: [] }],
      [
        { allow: [], deny: [], semverRange: ['>=1.2 <2', '^0'] },
        { allow: ['v1|v2', '*-lts'], deny: [], semverRange: [] },
        { allow: [], deny: [], semverRange: [] },
      ],
    ]);
    expect(loaded.config.steps.map(({ type, mediaTypes }) => [type, mediaTypes.length])).toEqual([
      ['repository', 1],
      ['repository', 1],
      ['repository', 1],
      ['registry', 1],
    ]);
    expect(loaded.config.steps[3]).toMatchObject({
      source: 'registry.eu.test',
      targets: ['registry.us.test'],
      repos: { allow: ['team/.*'], deny: [] },
    });
  });
  it('warns of what reads otherwise than it looks', () => {
    expect(told(loaded).map((line) => line.slice(0, 44))).toEqual([
      '26: << stands after tags and overrides it, a',
      '33: ^0 means >=0 <0.0.1 here, as in regsync;',
      '34: the pattern "v1|v2" has a | outside of p',
      '34: the pattern "*-lts" matches whatever end',
    ]);
  });
});

describe('everything.yaml', () => {
  const loaded = loadFile('everything.yaml');
  const [first, second, third] = loaded.config.steps;

  it('loads, and merges schedules as a pair', () => {
    expect(first).toMatchObject({ interval: 5_400_000, schedule: '' });
    expect(second).toMatchObject({ interval: 0, schedule: '@daily' });
    expect(third).toMatchObject({ interval: 0, schedule: '15 3 * * *' });
  });
  it('lets an empty value take no default away, and false one', () => {
    expect(second).toMatchObject({
      backup: 'old-{{.Ref.Tag}}',
      fastCheck: false,
      rateLimit: { min: 60, retry: 600_000 },
      hooks: { pre: { type: 'exec' }, unchanged: { type: 'log', params: [] } },
    });
    expect(second?.hooks.post).toBeUndefined();
    expect(second?.mediaTypes).toHaveLength(4);
    expect(first).toMatchObject({ fastCheck: true, rateLimit: { retry: 300_000 } });
  });
  it('keeps texts as they are typed', () => {
    expect(third?.tagSets[0]?.allow).toEqual([
      '010',
      '1.0',
      '0x1F',
      '1_000',
      '1234567.5',
      '.5',
      'yes',
      'true',
      '1.20.0',
      '1e3',
      '2024-01-01',
      '',
    ]);
    expect(
      told(loaded)
        .filter((line) => line.includes('is kept'))
        .map((line) => /: (\S+) is kept .* reads (\S+);/.exec(line)?.slice(1).join(' → ')),
    ).toEqual(['010 → 8', '1.0 → 1', '0x1F → 31', '1_000 → 1000', '1234567.5 → 1.2345675e+06', '.5 → 0.5']);
  });
  it('merges the hosts of one registry', () => {
    expect(loaded.config.creds).toEqual([
      {
        registry: 'plain.test:5000',
        tls: 'disabled',
        credExpire: 3_600_000,
        credHost: 'other',
        repoAuth: false,
        mirrors: ['mirror.test:5000'],
        priority: 2,
        disableHead: true,
        blobChunk: 1 << 20,
        reqPerSec: 0.5,
      },
      { registry: 'docker.io', credHelper: 'docker-credential-example', repoAuth: false },
    ]);
  });
  it.each([
    [14, 'scheme changes nothing'],
    [19, 'the entry has no registry and is ignored'],
    [23, 'the key "paralel" is unknown and ignored; did you mean "parallel"?'],
    [36, 'fastCopy is read as fastCheck'],
    [37, 'the key "Parallel" is unknown and ignored; did you mean "parallel"?'],
    [43, 'the source of a repository step has a tag'],
    [54, 'the type must be image, repository, registry or feed'],
    [55, 'a bare number counts nanoseconds'],
    [57, 'the key "Source" is unknown and ignored; did you mean "source"?'],
    [60, 'the key "reports" is unknown and ignored'],
  ])('warns at line %i: %s', (line, message) => {
    expect(told(loaded).map((one) => one.slice(0, `${line}: ${message}`.length))).toContain(`${line}: ${message}`);
  });
  it('is silent about x- keys', () => {
    expect(told(loaded).join('\n')).not.toContain('x-note');
  });
});

describe('loadConfig', () => {
  it('takes an empty file for an empty configuration', () => {
    for (const text of ['', '# nothing\n', '{}', 'sync:\n', 'version: "1"\ncreds: ~\ndefaults:\nsync: []\n']) {
      expect(loadConfig(text, 'sync.yaml', surroundings())).toEqual({
        config: {
          file: 'sync.yaml',
          creds: [],
          parallel: DEFAULT_PARALLEL,
          skipDockerConfig: false,
          userAgent: '',
          steps: [],
        },
        warnings: [],
      });
    }
  });
  it('takes parallel: 0 for unset', () => {
    expect(loadConfig('defaults: {parallel: 0}', 'f', surroundings()).config.parallel).toBe(DEFAULT_PARALLEL);
  });

  it.each([
    ['version: 2', 'Cannot read sync.yaml:1:1: version 2 of the format is not known, only version 1'],
    ['sync: {source: a}', 'Cannot read sync.yaml:1:1: sync must be a list of steps'],
    ['- a', 'Cannot read sync.yaml:1:1: the file must be a map with creds, defaults and sync'],
    [
      'sync:\n  - source: a\n    tags:\n      allow: latest\n',
      'Cannot read sync.yaml:4:7: sync[0].tags.allow must be a list of texts',
    ],
    ['defaults:\n  referrers: yes\n', 'Cannot read sync.yaml:2:3: defaults.referrers must be true or false'],
    ['defaults:\n  referrers: "true"\n', 'Cannot read sync.yaml:2:3: defaults.referrers must be true or false'],
    ['defaults: {parallel: many}', 'defaults.parallel must be a whole number that is not negative'],
    ['defaults: {parallel: 1.5}', 'defaults.parallel must be a whole number that is not negative'],
    ['defaults: {interval: 1d}', 'defaults.interval must be a duration such as 90m'],
    ['creds: [{registry: a.test, tls: off}]', 'creds[0].tls must be enabled, insecure or disabled'],
    ['creds: [{registry: a.test, tls: true}]', 'creds[0].tls must be enabled, insecure or disabled'],
    ['creds: [{registry: a.test, priority: -1}]', 'creds[0].priority must be a whole number that is not negative'],
    ['sync: [{source: [a]}]', 'sync[0].source must be a text'],
    ['sync:\n  - hooks: {pre: [x]}\n', 'sync[0].hooks.pre must be a map with type and params'],
  ])('refuses %j', (text, message) => {
    expect(failure(text)).toContain(message);
  });
  it('names the other faults in the hint', () => {
    expect(() => loadConfig('sync:\n  - source: [a]\n  - target: [b]\n', 'f', surroundings())).toThrow(
      expect.objectContaining({ hint: 'there are more: line 3: sync[1].target must be a text' }),
    );
  });

  it.each<[string, number]>([
    ['60m', 3_600_000],
    ['"5m"', 300_000],
    ['1h30m', 5_400_000],
    ['1.5s', 1500],
    ['500us', 0.5],
    ['"0s"', 0],
    ['60000000000', 60_000],
  ])('reads the duration %s', (text, ms) => {
    expect(step(`sync: [{source: a, interval: ${text}}]`).interval).toBe(ms);
  });
  it('lets an interval of 0s inherit', () => {
    expect(step('defaults: {interval: 2h}\nsync: [{source: a, interval: "0s"}]').interval).toBe(7_200_000);
    expect(step('defaults: {interval: 2h, schedule: "0 1 * * *"}\nsync: [{source: a, interval: "1h"}]')).toMatchObject({
      interval: 3_600_000,
      schedule: '',
    });
  });
  it('warns of a schedule that cannot be used', () => {
    const { warnings } = loadConfig(
      'defaults: {schedule: "0 25 * * *"}\nsync: [{source: a, target: b, type: image, schedule: "@never"}]',
      'f',
      surroundings(),
    );
    expect(
      warnings.map(({ line, message }) => [line, message]).filter(([, m]) => String(m).includes('cannot be used')),
    ).toEqual([
      [1, expect.stringContaining('it goes from 0 to 23')],
      [2, expect.stringContaining('there is no "@never"')],
    ]);
  });
  it('shares the warning of a shared part', () => {
    const { warnings } = loadConfig(
      'x: &t {allow: [3.10]}\nsync:\n  - {source: a, target: b, type: repository, tags: *t}\n  - {source: a, target: c, type: repository, tags: *t}\n',
      'f',
      surroundings(),
    );
    expect(warnings.map(({ line, message }) => [line, message.slice(0, 4)])).toEqual([
      [1, 'the '],
      [1, '3.10'],
    ]);
  });
  it('loads thousands of steps at once', () => {
    const text = `sync:\n${Array.from({ length: 8000 }, (_, i) => `  - source: docker.io/rancher/image-${i}\n    target: registry.test/rancher/image-${i}\n    type: repository\n    tags: {allow: [v${i}.0.1, v2]}\n`).join('')}`;
    expect(loadConfig(text, 'f', surroundings()).config.steps).toHaveLength(8000);
  });
});

describe('templates', () => {
  const load = (text: string): ReturnType<typeof loadConfig>['config'] =>
    loadConfig(text, 'sync.yaml', surroundings({ HUB_USER: 'who', HUB_PASS: 'p: "w', MIRROR: 'mirror.test' })).config;

  it('are expanded in creds and in the ends of steps', () => {
    const config = load(
      `creds: [{registry: '{{env "MIRROR"}}', user: '{{env "HUB_USER"}}', pass: '{{ env "HUB_PASS" }}'}]
defaults: {referrerTarget: 'r.test/{{.Sync.Source}}'}
sync:
  - {source: 'hub.test/{{.Sync.Type}}/a', target: '{{env "MIRROR"}}/{{.Sync.Source}}', type: image}
`,
    );
    expect(config.creds).toEqual([{ registry: 'mirror.test', user: 'who', pass: 'p: "w', repoAuth: false }]);
    expect(config.steps[0]).toMatchObject({
      source: 'hub.test/image/a',
      targets: ['mirror.test/hub.test/image/a'],
      referrerTarget: 'r.test/hub.test/image/a',
    });
  });

  it.each(['user', 'pass'])(
    'that leave %s empty are warned about, since the registry is then asked by nobody',
    (empty) => {
      const entry = { registry: 'a.test', user: 'me', pass: 'hush', [empty]: '{{env "NOT_SET"}}' };
      const load = (text: string): readonly string[] => told(loadConfig(text, 'f', surroundings()));
      const says = `${empty} is empty, so a.test is asked without this login`;
      expect(load(`creds: [${JSON.stringify(entry)}]`)).toEqual([expect.stringContaining(says)]);
      expect(load(`creds: [${JSON.stringify({ ...entry, [empty]: 'x' })}]`)).toEqual([]);
    },
  );

  it('of referrerTarget see the target as it is written, as in regsync', () => {
    const [first] = load(
      `sync: [{source: a, target: 't/{{.Sync.Source}}', referrerTarget: 'r/{{.Sync.Target}}', type: image}]`,
    ).steps;
    expect(first).toMatchObject({ targets: ['t/a'], referrerTarget: 'r/t/{{.Sync.Source}}' });
  });

  it.each([
    [`creds:\n  - registry: a.test\n    pass: '{{ nofunc }}'\n`, 'sync.yaml:3:5', 'there is no function "nofunc"'],
    [`sync:\n  - source: a\n    target: '{{ .Sync.Nope }}'\n`, 'sync.yaml:3:5', 'the step has no "Nope"'],
    [`sync:\n  - source: '{{ if }}'\n`, 'sync.yaml:2:5', 'a value is missing'],
  ])('that cannot be expanded end the reading: %j', (text, place, why) => {
    expect(() => load(text)).toThrow(
      expect.objectContaining({ code: 'OCL_CONFIG_INVALID', message: expect.stringContaining(why) }),
    );
    expect(() => load(text)).toThrow(place);
  });
});
