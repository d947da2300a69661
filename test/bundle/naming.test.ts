import { describe, expect, it } from 'vitest';
import { chooseRoots, type NamingOptions } from '../../src/bundle/naming.ts';
import { parseNameMap } from '../../src/bundle/rename.ts';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { composeEntry } from '../../src/core/names.ts';
import { parseImageName } from '../../src/core/reference.ts';
import { compileRewrite } from '../../src/io/pattern.ts';
import { describe as describeBytes } from '../../src/io/verify.ts';
import { NAMING } from './support.ts';

/** Roots under full names, or tags alone; those that begin alike are one content. */
function roots(...names: readonly string[]): readonly Descriptor[] {
  return names.map((name) => {
    const [content = '', text = content] = name.split('=');
    const root = describeBytes(Buffer.from(content), MEDIA.ociManifest);
    const parsed = text.includes('/') ? parseImageName(text) : undefined;
    return composeEntry(root, parsed === undefined ? { tag: text } : { tag: parsed.tag, imageName: text }, {
      several: true,
    });
  });
}

const PLAIN: NamingOptions = { into: 'repositories', ...NAMING };

function renamed(names: readonly string[], more: Partial<NamingOptions>): readonly string[] {
  return chooseRoots(roots(...names), { ...PLAIN, ...more }).map(
    ({ repository, name }) => `${repository}:${name.tag ?? ''}`,
  );
}

const rewrites = (...rules: readonly string[]): Partial<NamingOptions> => ({
  renaming: { map: new Map(), rewrites: rules.map(compileRewrite) },
});
const mapped = (text: string): Partial<NamingOptions> => ({
  renaming: { map: parseNameMap(text, 'map.yaml'), rewrites: [] },
});

describe('images of a bundle get', () => {
  const ALPINE = 'docker.io/library/alpine:3.20';
  it.each<[string, Partial<NamingOptions>, readonly string[]]>([
    ['their repository without the registry', {}, ['library/alpine:3.20']],
    ['a prefix', { prefix: 'mirror/hub' }, ['mirror/hub/library/alpine:3.20']],
    ['the registry as a part of the path', { scoped: true }, ['docker.io/library/alpine:3.20']],
    ['what a rule makes of the full name', rewrites('s#^docker.io/#hub/#'), ['hub/library/alpine:3.20']],
    ['no registry that a rule has left', rewrites('s#library/##'), ['alpine:3.20']],
    ['it where it is wanted', { ...rewrites('s#library/##'), scoped: true }, ['docker.io/alpine:3.20']],
    ['one rule after the other', rewrites('s#library#a#', 's#/a/#/b/#'), ['b/alpine:3.20']],
    ['another tag', rewrites('s#:3#:v3#'), ['library/alpine:v3.20']],
    ['their own name where no rule fits', rewrites('s#quay#x#'), ['library/alpine:3.20']],
    ['the name that a map has for theirs', mapped('alpine:3.20: base/alpine:stable'), ['base/alpine:stable']],
    ['the repository that a map has for theirs', mapped('docker.io/library/alpine: base'), ['base:3.20']],
    ['a prefix all the same', { ...mapped('alpine: base'), prefix: 'x' }, ['x/base:3.20']],
  ])('%s', (_, options, expected) => {
    expect(renamed([ALPINE], options)).toEqual(expected);
  });

  it('a name by rule also where they have only a tag', () => {
    expect(renamed(['1.0'], rewrites('s#images#app#'))).toEqual(['app:1.0']);
  });

  it('the map before the rules', () => {
    const renaming = { map: parseNameMap('alpine: base', 'm'), rewrites: [compileRewrite('s#.*#never:1#')] };
    expect(renamed([ALPINE, 'quay.io/x/y:2'], { renaming })).toEqual(['base:3.20', 'never:1']);
  });

  it('in one layout full names, below localhost where they have no registry any more', () => {
    const named = (options: Partial<NamingOptions>): unknown =>
      chooseRoots(roots(ALPINE, 'quay.io/x/y:2'), { ...PLAIN, into: 'layout', ...options }).map(({ name }) => name);
    expect(named(rewrites('s#^docker.io/library/#base/#', 's#quay.io#r.local#'))).toEqual([
      { tag: 'localhost/base/alpine:3.20', imageName: 'localhost/base/alpine:3.20' },
      { tag: 'r.local/x/y:2', imageName: 'r.local/x/y:2' },
    ]);
    expect(named({})).toEqual([
      { tag: ALPINE, imageName: ALPINE },
      { tag: 'quay.io/x/y:2', imageName: 'quay.io/x/y:2' },
    ]);
  });

  it.each<[string, readonly string[], Partial<NamingOptions>, string]>([
    ['two registries with one path', ['a=a.io/x:1', 'b=b.io/x:1'], {}, 'OCL_AMBIGUOUS'],
    [
      'two registries that look alike as a part of a path',
      ['a=a.io:5000/x:1', 'b=a.io-5000/x:1'],
      { scoped: true },
      'OCL_AMBIGUOUS',
    ],
    ['two contents under one name', ['a=a.io/x:1', 'b=b.io/y:1'], rewrites('s#.*#one:1#'), 'OCL_AMBIGUOUS'],
    ['two contents under one name as they were', ['a=a.io/x:1', 'b=a.io/x:1'], {}, 'OCL_AMBIGUOUS'],
    ['two contents under one name in one layout', ['a=a.io/x:1', 'b=a.io/x:1'], { into: 'layout' }, 'OCL_AMBIGUOUS'],
    ['two contents under one tag', ['a=1', 'b=1'], {}, 'OCL_AMBIGUOUS'],
    ['a name that is none', ['a=a.io/x:1'], rewrites('s#.*#A B#'), 'OCL_REFERENCE_INVALID'],
    ['a way out of the target', ['a=a.io/x:1'], rewrites('s#.*#../../etc:1#'), 'OCL_REFERENCE_INVALID'],
    ['prefix in one layout', ['a=a.io/x:1'], { into: 'layout', prefix: 'x' }, 'OCL_USAGE'],
    ['a tag that is none', ['a=a.io/x:1'], mapped('a.io/x:1: x:-1'), 'OCL_REFERENCE_INVALID'],
  ])('no %s', (_, names, options, code) => {
    expect(() => renamed(names, options)).toThrow(expect.objectContaining({ code }));
  });

  it('one repository of two by a rule, and one name of two where the content is one', () => {
    expect(renamed(['a=a.io/x:1', 'b=b.io/x:2'], rewrites('s#^[ab].io/##'))).toEqual(['x:1', 'x:2']);
    expect(renamed(['a=a.io/x:1', 'a=b.io/x:1'], rewrites('s#^[ab].io/##'))).toEqual(['x:1', 'x:1']);
  });
});

it.each(['repositories', 'layout'] as const)(
  'one of two contents under one name is taken by its digest into %s',
  (into) => {
    const both = roots('a=a.io/x:1', 'b=a.io/x:1');
    const only = both.slice(1).map(({ digest }) => digest);
    expect(chooseRoots(both, { ...PLAIN, into, only }).map(({ root }) => root.digest)).toEqual(only);
  },
);

describe('a signature of the old kind', () => {
  const [image] = roots('a=a.io/x:1');
  const tag = `${image?.digest.replace(':', '-') ?? ''}.sig`;
  const names = ['a=a.io/x:1', 'a=a.io/x:also', 'b=a.io/y:1', `s=a.io/x:${tag}`];

  it('goes where what it signs goes, to each place of it', () => {
    expect(renamed(names, mapped('a.io/x:1: one:1\na.io/x:also: two:1'))).toEqual([
      'one:1',
      'two:1',
      'y:1',
      `one:${tag}`,
      `two:${tag}`,
    ]);
    expect(renamed(names, {})).toContain(`x:${tag}`);
    const planned = chooseRoots(roots(...names), { ...PLAIN, into: 'layout', ...mapped('a.io/x:1: one:1') });
    expect(planned.map(({ name }) => name.tag)).toEqual([
      'localhost/one:1',
      'a.io/x:also',
      'a.io/y:1',
      `localhost/one:${tag}`,
      `a.io/x:${tag}`,
    ]);
  });

  it('of a part of an image is told apart, for nobody knows yet where that is', () => {
    const other = `sha256-${'0'.repeat(64)}`;
    const [signature] = chooseRoots(roots(`s=a.io/x:${other}`), { ...PLAIN, ...mapped('a.io/x:1: one:1') });
    expect(signature?.follows).toBe(other.replace('-', ':'));
  });
});

describe('a map of names', () => {
  it('may be JSON', () => {
    expect([...parseNameMap('{"alpine:1": "base:1"}', 'm')]).toEqual([['docker.io/library/alpine:1', 'base:1']]);
  });

  it.each([
    ['- alpine', 'it maps no names'],
    ['alpine: [x]', 'm:1:1: the new name must be a text'],
    ['alpine: ""', 'the new name must be a text'],
    ['"A b": x', 'is no image name'],
    ['alpine: a\ndocker.io/library/alpine: b', 'stands there twice'],
  ])('%j is refused', (text, why) => {
    expect(() => parseNameMap(text, 'm')).toThrow(why);
  });
});
