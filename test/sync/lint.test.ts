import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { surroundings } from '../support/surroundings.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { KEYS, type KeyNote } from '../../src/sync/schemaKeys.ts';
import { lintPlatform } from '../../src/sync/lintPlatforms.ts';

/** `level line:column message` of everything that lint says. */
function lint(text: string, server = false): readonly string[] {
  const { warnings } = loadConfig(text, 'f', surroundings({ SET: 'set' }), { lint: { server } });
  return warnings.map(({ level, line, column, message }) => `${level} ${line}:${column} ${message}`);
}

const IMAGE = 'type: image, source: a.test/x:1, target: b.test/x:1, interval: 1h';
const REPOSITORY = 'type: repository, source: a.test/x, target: b.test/x, interval: 1h';

describe('lint', () => {
  it('has nothing against a file that is in order', () => {
    expect(
      lint(
        `sync:\n  - {${IMAGE}}\n  - {${REPOSITORY}2}\n`.replace('b.test/x, interval: 1h2', 'b.test/y, interval: 1h'),
      ),
    ).toEqual([]);
  });

  // The mark stands where the finding does.
  it.each<[string, string, string]>([
    [
      'an unknown key',
      `sync: [{${IMAGE}, ¶plattform: x}]`,
      'warning the key "plattform" is unknown and ignored; did you mean "platform"?',
    ],
    ['a text that changes', `sync: [{${REPOSITORY}, tags: {allow: [¶3.10]}}]`, 'warning 3.10 is kept as it is written'],
    [
      'a top-level |',
      `sync: [{${REPOSITORY}, tags: {allow: [¶"a|b"]}}]`,
      'warning the pattern "a|b" has a | outside of parentheses',
    ],
    [
      'a tag in a repository',
      `sync: [{type: repository, ¶source: a.test/x:1, target: b.test/x, interval: 1h}]`,
      'warning the source of a repository step has a tag',
    ],
    ['a password in clear', `creds: [{registry: a.test, user: me, ¶pass: hush}]`, 'warning pass stands in clear'],
    ['a token in clear', `creds: [{registry: a.test, ¶token: hush}]`, 'warning token stands in clear'],
    ['a key in clear', `creds: [{registry: a.test, ¶clientKey: hush}]`, 'warning clientKey stands in clear'],
    [
      'a platform that is none',
      `sync: [{${IMAGE}, ¶platform: linux/amd46}]`,
      'warning there is no platform "linux/amd46"; did you mean "linux/amd64"?',
    ],
    [
      'a platform among others',
      `sync: [{${IMAGE}, platforms: [linux/amd64, ¶linux/sparc]}]`,
      'warning there is no platform "linux/sparc"',
    ],
    ['a short retry', `defaults: {ratelimit: {min: 5, ¶retry: 1m}}`, 'warning less than 5m is read as 5m'],
    ['a date that never comes', `defaults: {¶schedule: "0 0 31 2 *"}`, 'warning the schedule "0 0 31 2 *" never comes'],
    [
      'a schedule that is none',
      `defaults: {¶schedule: "0 99 * * *"}`,
      'warning the schedule "0 99 * * *" cannot be used',
    ],
    [
      'newest of no versions',
      `sync: [{${REPOSITORY}, tags: {¶newest: 2, allow: [latest, stable]}}]`,
      'warning newest goes by versions',
    ],
    [
      'a pattern with a repository',
      `sync: [{${REPOSITORY}, tags: {allow: [¶"alpine:3.*"]}}]`,
      'warning the pattern "alpine:3.*" fits no tag',
    ],
    [
      'a filter that denies all',
      `sync: [{${REPOSITORY}, tags: {deny: [¶".*"]}}]`,
      'warning the pattern ".*" denies every tag',
    ],
    [
      'no source',
      `sync: [¶{type: image, target: b.test/x, interval: 1h}]`,
      'warning the step has no source: it will fail',
    ],
    [
      'no target',
      `sync: [¶{type: image, source: b.test/x, interval: 1h}]`,
      'warning the step has no target: it will fail',
    ],
    [
      'no feed',
      `sync: [¶{type: feed, target: b.test/x, interval: 1h}]`,
      'warning the step has neither feed nor source: it will fail',
    ],
    [
      'a variable that is not set',
      `sync: [{type: image, ¶source: '{{env "NOT"}}/x', target: b.test/x, interval: 1h}]`,
      'warning the template of source gives a path of this machine, "/x"',
    ],
    [
      'an archive as target',
      `sync: [{type: image, source: a.test/x, ¶target: 'oci-archive:x.tar', interval: 1h}]`,
      'warning Cannot sync to',
    ],
    [
      'a registry without a list',
      `sync: [{type: registry, ¶source: docker.io, target: b.test/x, interval: 1h}]`,
      'warning Cannot list the repositories of docker.io',
    ],
    ['tags of an image', `sync: [{${IMAGE}, ¶tags: {allow: [x]}}]`, 'warning tags has no effect here'],
    ['prune of an image', `sync: [{${IMAGE}, ¶prune: true}]`, 'warning prune has no effect here'],
    ['repos of a repository', `sync: [{${REPOSITORY}, ¶repos: {allow: [x]}}]`, 'warning repos has no effect here'],
    [
      'filters of no referrers',
      `sync: [{${IMAGE}, ¶referrerFilters: [{artifactType: x}]}]`,
      'warning referrerFilters has no effect here',
    ],
    ['sparse without platforms', `sync: [{${IMAGE}, ¶sparse: rewrite}]`, 'warning sparse has no effect here'],
    ['a hook of no kind', `defaults: {hooks: {¶pre: {type: log}}}`, 'warning the type must be exec or webhook'],
    ['a hook without a program', `defaults: {hooks: {¶pre: {type: exec}}}`, 'warning params must have a program'],
    ['fastCopy', 'defaults: {¶fastCopy: true}', 'warning fastCopy is read as fastCheck'],
    ['scheme', 'creds: [{registry: a.test, ¶scheme: http}]', 'warning scheme changes nothing'],
    ['api', 'creds: [{registry: a.test, ¶api: auto}]', 'info api changes nothing: there is one API'],
    ['blobLimit', 'defaults: {¶blobLimit: 9}', 'info blobLimit changes nothing: contents flow through'],
    ['cacheCount', 'defaults: {¶cacheCount: 9}', 'info cacheCount changes nothing: a run asks for nothing twice'],
    ['cacheTime', 'defaults: {¶cacheTime: 5m}', 'info cacheTime changes nothing: a run asks for nothing twice'],
    ['repoAuth', 'creds: [{registry: a.test, ¶repoAuth: true}]', 'info repoAuth changes nothing'],
    ['referrerSlow', 'defaults: {¶referrerSlow: true}', 'info referrerSlow changes nothing'],
    [
      'priority',
      'creds: [{registry: a.test, mirrors: [b.test]}, {registry: b.test, ¶priority: 2}]',
      'info lower numbers are asked first',
    ],
  ])('finds %s', (_, marked, said) => {
    const found = lint(marked.replace('¶', ''));
    expect(found).toHaveLength(1);
    const [, level, at, message] = /^(\w+) 1:(\d+) (.*)$/.exec(found[0] ?? '') ?? [];
    expect(`${level} ${message}`.slice(0, said.length)).toBe(said);
    expect(Number(at)).toBe(marked.indexOf('¶') + 1);
  });

  it.each<[string, string]>([
    ['a password from a template', `creds: [{registry: a.test, user: me, pass: '{{env "SET"}}', regcert: PEM}]`],
    [
      'classes and groups of a pattern',
      `sync: [{${REPOSITORY}, tags: {allow: ['(?:a|b)[[:digit:]]+', '(?i:x)[:/]?']}}]`,
    ],
    ['newest of versions', `sync: [{${REPOSITORY}, tags: {newest: 2, allow: ["1.2", latest]}}]`],
    ['newest by date', `sync: [{${REPOSITORY}, tags: {newest: 2, newestBy: date, allow: [latest]}}]`],
    ['a leap day', 'defaults: {schedule: "0 0 29 2 *"}'],
    ['a priority without mirrors', 'creds: [{registry: b.test, priority: 2}]'],
    [
      'two filters of one repository',
      `sync: [{${REPOSITORY}, tags: {allow: [a]}}, {${REPOSITORY}, tags: {allow: [b]}}]`,
    ],
    ['an archive as source', `sync: [{type: image, source: 'oci-archive:x.tar:1', target: b.test/x, interval: 1h}]`],
    [
      'an archive of a repository',
      "sync: [{type: repository, source: 'oci-archive:x.tar', target: b.test/x, interval: 1h}]",
    ],
    ['a directory of layouts', 'sync: [{type: registry, source: ocidir://mirror, target: b.test, interval: 1h}]'],
  ])('says nothing of %s', (_, text) => {
    expect(lint(text)).toEqual([]);
  });

  it('tells of targets that are written twice, where the first stands', () => {
    const twice = `sync:\n  - {${IMAGE}}\n  - {${IMAGE.replace('a.test', 'c.test')}}\n`;
    expect(lint(twice)).toEqual([
      'warning 2:5 line 3 writes b.test/x:1 again: what this step copies there is not kept',
    ]);
    const same = `sync:\n  - {${REPOSITORY}}\n  - {${REPOSITORY}}\n`;
    expect(lint(same)).toEqual(['warning 2:5 line 3 has the same source, target and filters']);
    const mixed = `sync:\n  - {${REPOSITORY}}\n  - {${REPOSITORY.replace('a.test', 'c.test')}}\n`;
    expect(lint(mixed)).toEqual([
      'warning 2:5 line 3 writes to b.test/x too: of tags that both have, the one from there is kept',
    ]);
  });

  it('takes steps that never run by themselves for a fault where they are for a server', () => {
    const some = `sync:\n  - {${IMAGE.replace(', interval: 1h', '')}}\n  - {${REPOSITORY}}\n`;
    const message = '2:5 the step has no interval and no schedule: ocl sync server leaves it out';
    expect(lint(some)).toEqual([`info ${message}`]);
    expect(lint(some, true)).toEqual([`warning ${message}`]);
    const none = `sync:\n  - {${IMAGE.replace(', interval: 1h', '')}}\n`;
    expect(lint(none)).toEqual(['info 1:1 no step has an interval or a schedule: ocl sync server has nothing to do']);
  });

  it('gives the reason of every key that changes nothing', () => {
    const idle = [...Object.entries<KeyNote>(KEYS.creds), ...Object.entries<KeyNote>(KEYS.defaults)]
      .filter(([, { does }]) => does.startsWith('Changes nothing'))
      .map(([key]) => key);
    const host = 'creds: [{registry: a.test, api: x, scheme: http, repoAuth: true}]';
    const said = lint(`${host}\ndefaults: {blobLimit: 9, cacheCount: 9, cacheTime: 5m, referrerSlow: true}`);
    expect(said.flatMap((line) => /(\w+) changes nothing/.exec(line)?.[1] ?? []).toSorted()).toEqual(idle.toSorted());
  });

  it('is more than what every run says', () => {
    const text = `creds: [{registry: a.test, pass: hush, api: x, scheme: http}]`;
    expect(loadConfig(text, 'f', surroundings()).warnings.map(({ message }) => message.slice(0, 6))).toEqual([
      'scheme',
    ]);
  });

  it('holds thousands of steps', () => {
    const text = `sync:\n${Array.from({ length: 8000 }, (_, i) => `  - {type: repository, source: a.test/x${i}, target: b.test/x${i}, interval: 1h, platforms: [linux/amd64]}\n`).join('')}`;
    expect(lint(text)).toEqual([]);
  });
});

describe('examples', () => {
  const directory = new URL('../../examples/', import.meta.url);
  const names = readdirSync(directory, { recursive: true }).map(String);

  it.each(names.filter((name) => name.endsWith('.yaml')))('%s is in order', (name) => {
    const text = readFileSync(new URL(name, directory), 'utf8');
    expect(loadConfig(text, name, surroundings()).config.steps.length).toBeGreaterThan(0);
    expect(lint(text).filter((line) => !line.startsWith('info'))).toEqual([]);
  });
});

describe('platforms', () => {
  it.each<[string, string | undefined]>([
    ['linux/amd64', undefined],
    ['linux/arm/v7', undefined],
    ['linux/arm64', undefined],
    ['linux/amd64/v3', undefined],
    ['windows/amd64,osver=10.0.20348.1', undefined],
    ['freebsd/riscv64', undefined],
    ['local', undefined],
    ['linux/arm64/v8', 'info "linux/arm64/v8" is read as linux/arm64'],
    ['linux/x86_64', 'info "linux/x86_64" is read as linux/amd64'],
    ['linux/arm', 'info "linux/arm" is read as linux/arm/v7'],
    ['macos/arm64', 'info "macos/arm64" is read as darwin/arm64'],
    ['linux/arm/v9', 'warning there is no variant "v9" of linux/arm'],
    ['linux/amd64/v8', 'warning there is no variant "v8" of linux/amd64'],
    ['linus/amd64', 'warning there is no platform "linus/amd64"; did you mean "linux/amd64"?'],
    ['linux/*', 'warning Cannot read the platform "linux/*"'],
    ['linux,amd64', 'warning Cannot read the platform'],
    ['constructor/amd64', 'warning there is no platform "constructor/amd64"'],
    ['unknown/unknown', 'warning attestations come along'],
    ['', 'warning an empty platform chooses nothing'],
  ])('%j', (text, said) => {
    const found = lintPlatform(text);
    const line = found === undefined ? undefined : `${found.level} ${found.message}`.slice(0, said?.length ?? 1);
    expect(line).toBe(said);
  });

  it('says what a processor alone is here', () => {
    expect(lintPlatform('amd64')).toEqual({
      level: 'warning',
      message: '"amd64" is linux/amd64 on this machine, and may be another elsewhere',
    });
  });
});

describe('docs/sync.md', () => {
  const page = readFileSync(new URL('../../docs/sync.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, block = '']) => block);
  const files = blocks.filter((block) => !block.startsWith('apiVersion'));

  it.each(files)('shows what can be used: %s', (block) => {
    const step = 'sync:\n  - type: repository\n    source: a.test/x\n    target: b.test/x\n';
    const text = block.startsWith('    ') ? step + block : block.startsWith('  ') ? `sync:\n${block}` : block;
    expect(lint(text).filter((line) => !line.startsWith('info'))).toEqual([]);
  });
});
