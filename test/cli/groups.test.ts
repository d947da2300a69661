import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { groupBundles } from '../../src/cli/bundle/groups.ts';
import { image, noise, piece } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { writeVolumes } from '../support/volumes.ts';
import { withStores } from '../bundle/support.ts';

const temporary = temporaryDirectories();
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
let volumes: readonly string[];

beforeEach(async () => {
  const directory = await temporary();
  const graph = image({ name: 'app', layers: [1, 2].map((seed) => piece(noise(60_000, seed), LAYER)) });
  volumes = await writeVolumes(join(directory, 'set.tar'), [{ graph, name: 'example.com/app:1' }], { sizes: [80_000] });
});

/** What is told of files: those of one bundle beside one another, and codes of those that cannot be read. */
async function told(paths: readonly string[], again: 'apart' | 'beside' = 'beside'): Promise<readonly string[]> {
  return await withStores(await temporary(), async (stores) => {
    const { bundles, unreadable } = await groupBundles(paths, stores, again);
    return [
      ...bundles.map((each) =>
        each.kind === 'registry' ? '' : [each.path, ...(each.volumes ?? [])].map((path) => basename(path)).join(' '),
      ),
      ...unreadable.map(({ path, error }) => `${basename(path)}: ${error.code}`),
    ];
  });
}

async function altered(path: string, change: (text: string) => string): Promise<string> {
  const text = await readFile(path, 'latin1');
  const changed = change(text);
  expect(changed).not.toBe(text);
  const file = join(await temporary(), 'altered.tar');
  await writeFile(file, changed, 'latin1');
  return file;
}

describe('bundles among files', () => {
  it('have all of their volumes, in whatever order they are named', async () => {
    expect(volumes).toHaveLength(2);
    const names = volumes.map((path) => basename(path));
    expect(await told(volumes.toReversed())).toEqual([names.toReversed().join(' ')]);
  });

  it('have a volume that is named again beside the first, or apart', async () => {
    const [one = ''] = volumes.map((path) => basename(path));
    const twice = [...volumes.slice(0, 1), ...volumes.slice(0, 1)];
    expect([await told(twice), await told(twice, 'apart')]).toEqual([[`${one} ${one}`], [one, one]]);
  });

  it.each<readonly [string, (text: string) => string, string]>([
    // Where it begins, it is as it was.
    ['does not fit its set', (text) => text.replace('"everywhere":[{', '"everywhere":[ '), 'OCL_DOCUMENT_INVALID'],
    [
      'has a number beyond it',
      (text) => text.replace('"volume":2,"volumes"', '"volume":9,"volumes"'),
      'OCL_ARCHIVE_INVALID',
    ],
  ])('do without a volume whose record %s', async (_what, change, code) => {
    const [one = '', two = ''] = volumes;
    const spoilt = await altered(two, change);
    expect(await told([one, spoilt])).toEqual([basename(one), `altered.tar: ${code}`]);
    expect(await told([spoilt, one])).toEqual([basename(one), `altered.tar: ${code}`]);
  });
});
