import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fillCommand, isWellQuoted, shellQuote, unknownPlaceholder } from '../../src/artifact/types/commands.ts';
import { icon, CATEGORIES } from '../../src/artifact/types/icons.ts';
import { builtInTypes } from '../../src/artifact/types/table.ts';

/** What a shell makes of the words, each ended by a zero byte; a second command would write more. */
function words(commands: readonly string[]): readonly string[] {
  const script = commands.map((command) => `printf '%s\\0' ${command}`).join('\n');
  const { stdout, stderr } = spawnSync('sh', ['-s'], {
    input: script,
    encoding: 'utf8',
    env: { PATH: '/usr/bin:/bin' },
  });
  expect(stderr).toBe('');
  return stdout.split('\0').slice(0, -1);
}

const NASTY = [
  `'; touch /tmp/pwned; '`,
  '$(id)',
  '`id`',
  '"; id; "',
  '\\',
  `\\'`,
  `'`,
  `''`,
  '!!',
  '~root',
  '$HOME',
  'a b',
  '*',
  '{a,b}',
  '#x',
  '&& id',
  '| id',
  '<(id)',
  '%s',
  '=ls',
];

describe('a value in a command', () => {
  it('is one word to a shell, whatever is in it', () => {
    const strings = fc.sample(fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }), 1500);
    const symbols = fc.sample(
      fc.string({ unit: fc.constantFrom(...`'"\\\`$(){}[]<>|&;!*?~# =-a`), minLength: 1, maxLength: 12 }),
      1500,
    );
    const values = [...NASTY, ...strings, ...symbols].filter(
      (value) => fillCommand('x {{layout}}', { layout: value }) !== undefined,
    );
    expect(values.length).toBeGreaterThan(1500);
    const commands = values.map((layout) => `oci:${fillCommand('x {{layout}}:t', { layout })?.slice(2) ?? ''}`);
    expect(words(commands)).toEqual(values.map((value) => `oci:${value.startsWith('-') ? './' : ''}${value}:t`));
    expect(words(values.map(shellQuote))).toEqual(values);
  });

  it.each(['a\nb', 'a\0b', '\u001b[2J', 'a\u202eb', 'a\u009bb', ''])('%j is not offered at all', (layout) => {
    expect(fillCommand('podman run oci:{{layout}}', { layout })).toBeUndefined();
  });

  it('is no option where it begins a word', () => {
    expect(fillCommand('ls {{layout}}', { layout: '-rf' })).toBe('ls ./-rf');
    expect(fillCommand('oras pull {{ref}}', { ref: '--help' })).toBeUndefined();
    expect(fillCommand('podman run oci:{{layout}}', { layout: '-rf' })).toBe("podman run oci:'-rf'");
  });

  it('is left out with its command where it is not known', () => {
    expect(fillCommand('helm pull oci://{{repo}} --version {{tag}}', { repo: 'a/b' })).toBeUndefined();
    expect(fillCommand("x {{ref}} '{{json .SBOM}}'", { ref: 'a/b:1' })).toBe("x a/b:1 '{{json .SBOM}}'");
  });

  it('with text like a placeholder is not filled again', () => {
    expect(fillCommand('x {{layout}} {{tag}}', { layout: '{{tag}}', tag: '1' })).toBe("x '{{tag}}' 1");
  });
});

describe('a template', () => {
  it.each([
    ['podman run {{ref}}', true],
    ["x '{{ref}}'", false],
    ['x "{{ref}}"', false],
    ['x `{{ref}}`', false],
    ['x $(cat {{ref}})', true],
    ['x ${{ref}}', false],
    [String.raw`x \{{ref}}`, false],
    ['{{ref}} x', false],
    ['x | {{ref}}', false],
    ['x; {{ref}} y', false],
    ["x 'a", false],
    ['x # {{ref}}', false],
    ['x a#{{ref}}', true],
    ['x {{ref}}\nrm -rf /', false],
    ["x '{{json .SBOM}}' {{ref}}", true],
    [String.raw`x "\"" {{ref}}`, true],
    ['x > {{tag}}', true],
  ])('%j may be filled: %j', (template, may) => {
    expect(isWellQuoted(template)).toBe(may);
  });

  it.each([
    ['x {{image}}', '{{image}}'],
    ['x {{Ref}}', '{{Ref}}'],
    ["x '{{json .SBOM}}'", undefined],
    ['x {{ref}}', undefined],
  ])('%j has the unknown placeholder %j', (template, unknown) => {
    expect(unknownPlaceholder(template)).toBe(unknown);
  });

  it('of each type that is built in gives one line for a registry or for a layout', () => {
    const values = { ref: 'r.example/a/b:1', repo: 'r.example/a/b', tag: '1', digest: 'sha256:ab', blob: 'sha256:cd' };
    for (const { actions } of builtInTypes())
      for (const { command } of actions) {
        const filled = fillCommand(command, command.includes('{{layout}}') ? { ...values, layout: '/srv/m' } : values);
        expect(filled).toMatch(/^[a-z][^\n]*$/);
        expect(filled).not.toMatch(/\{\{[a-z]+\}\}/);
      }
  });
});

it.each(CATEGORIES)('the icon of %s is small, and nothing but lines', (category) => {
  const svg = icon(category);
  expect(svg.length).toBeLessThan(700);
  expect(svg).toMatch(
    /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" [^<>]*>(?:<(?:path|circle|ellipse|rect) [a-z0-9="., A-Z-]*\/>)+<\/svg>$/,
  );
});
