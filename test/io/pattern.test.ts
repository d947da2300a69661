import { describe, expect, it } from 'vitest';
import { compilePattern, compileRewrite } from '../../src/io/pattern.ts';

describe('a rule like that of sed', () => {
  it.each([
    ['s#^docker.io/library/#base/#', 'docker.io/library/alpine:3', 'base/alpine:3'],
    ['s|a|b|', 'aaa', 'baa'],
    ['s|a|b|g', 'aaa', 'bbb'],
    ['s#ALPINE#x#i', 'docker.io/alpine', 'docker.io/x'],
    [String.raw`s#^([^/]+)/(.+)#\2-\1#`, 'a.io/b', 'b-a.io'],
    ['s#^([^/]+)/(.+)#$2/$1#', 'a.io/b', 'b/a.io'],
    ['s#b+#<&>#', 'abbc', 'a<bb>c'],
    [String.raw`s/a\/b/c\/d/`, 'a/b', 'c/d'],
    [String.raw`s#\.#\&#`, 'a.b', 'a&b'],
    [String.raw`s#(x)?a#[\1]#`, 'a', '[]'],
    ['s#z#y#', 'abc', 'abc'],
    ['s#$#:1#', 'abc', 'abc:1'],
  ])('%s makes of %s %s', (rule, text, made) => {
    expect(compileRewrite(rule)(text)).toBe(made);
  });

  it.each(['', 's', 's#a', 's#a#b', 's#a#b#c#', 's#a#b#x', 's##b#', 'sxaxbx', 'y#a#b#', 's#(#b#', 's#(?=a)#b#'])(
    '%j is refused',
    (rule) => {
      expect(() => compileRewrite(rule)).toThrow(expect.objectContaining({ code: 'OCL_USAGE' }));
    },
  );

  it('takes no longer for a text that would stop other engines', () => {
    expect(compileRewrite('s#(a+)+$#x#')('a'.repeat(5000).concat('b'))).toHaveLength(5001);
  });
});

it('a pattern anchors as it is told', () => {
  expect(compilePattern('a|b', { whole: true }).matcher('xb').find()).toBe(true);
  expect(compilePattern('(a|b)', { whole: true }).matcher('xb').find()).toBe(false);
  expect(() => compilePattern('(')).toThrow(expect.objectContaining({ code: 'OCL_CONFIG_INVALID' }));
});
