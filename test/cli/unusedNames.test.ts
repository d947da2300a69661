import { describe, expect, it } from 'vitest';
import { warnOfUnused } from '../../src/cli/bundle/naming.ts';
import { type OclEvent } from '../../src/core/events.ts';
import { compileRewrite } from '../../src/io/pattern.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { image, put } from '../support/graphs.ts';

/** Counts how often somebody goes through all of it. */
class CountedMap extends Map<string, string> {
  passes = 0;

  override keys(): ReturnType<Map<string, string>['keys']> {
    this.passes++;
    return super.keys();
  }
}

/** What is said of a map and of rules for images of these names. */
async function warned(
  images: readonly string[],
  { map = [], rewrite = [] }: { readonly map?: readonly string[]; readonly rewrite?: readonly string[] },
): Promise<{ readonly warnings: readonly string[]; readonly passes: number }> {
  const library = createMemoryLibrary();
  const sink = await library.sink('all');
  const graph = image({ name: 'one' });
  for (const [i, imageName] of images.entries()) await put(sink, graph, { tag: `t${i}`, imageName });
  const source = await library.source('all');
  if (source === undefined) throw new Error('what was put is there');
  const counted = new CountedMap(map.map((old) => [old, 'new']));
  const renaming = { map: counted, rewrites: rewrite.map(compileRewrite) };
  const naming = { scoped: false, repository: 'images', only: [], prefix: '', renaming };
  const warnings: string[] = [];
  const emit = (event: OclEvent): void => void (event.type === 'notice' && warnings.push(event.message));
  const args = { only: [], prefix: '', rewrite, map: map.length === 0 ? undefined : 'map.yaml', scoped: false };
  await warnOfUnused(args, [{ source, naming }], emit);
  return { warnings, passes: counted.passes };
}

const HEX = 'a'.repeat(64);

describe('a map', () => {
  it.each<[string, string, boolean]>([
    ['a.test/app:1', 'a.test/app:1', true],
    ['a.test/app:1', 'a.test/app', true],
    ['a.test:5000/app:1', 'a.test:5000/app', true],
    [`a.test:5000/app:1@sha256:${HEX}`, 'a.test:5000/app:1', true],
    [`a.test/app@sha256:${HEX}`, 'a.test/app', true],
    ['a.test/app:1', 'a.test/app:2', false],
    ['a.test/app:12', 'a.test/app:1', false],
    ['a.test/apple:1', 'a.test/app', false],
    ['a.test/app/more:1', 'a.test/app', false],
  ])('of %s with %s: %s', async (name, old, isUsed) => {
    const { warnings } = await warned([name], { map: [old] });
    expect(warnings).toEqual(isUsed ? [] : [expect.stringContaining(`what is not in the bundle: ${old};`)]);
  });

  it('is gone through as often for a hundred images as for one', async () => {
    const names = Array.from({ length: 100 }, (_, i) => `a.test/app${i}:1`);
    const [many, one] = [await warned(names, { map: names }), await warned(names.slice(0, 1), { map: names })];
    expect(many.warnings).toEqual([]);
    expect(many.passes).toBe(one.passes);
  });

  it('comes before the rules, which have nothing left to do then', async () => {
    const { warnings } = await warned(['a.test/app:1'], { map: ['a.test/app'], rewrite: ['s#^a.test/#b/#'] });
    expect(warnings).toEqual([expect.stringContaining('--rewrite s#^a.test/#b/# fits no image')]);
  });
});
