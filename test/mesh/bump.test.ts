import { lstat, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bumpFile } from '../../src/mesh/bump.ts';
import { pushEntities } from '../../src/mesh/push.ts';
import { openShelves } from '../../src/mesh/shelves.ts';
import { newCopier } from '../support/worlds.ts';
import { openPlaces, type Places } from './places.ts';

let places: Places;
beforeAll(async () => {
  places = await openPlaces();
});
afterAll(async () => {
  await places.close();
});

let count = 0;
async function file(text: string): Promise<string> {
  const path = places.path(`document-${++count}`);
  await writeFile(path, text, { mode: 0o640 });
  return path;
}

const JSON_DESIGN = (version: string): string =>
  `{\n\t"schemaVersion": "designs.meshery.io/v1beta3", "name": "shop",\n\t${version}"components": [ ], "relationships":[]}\n`;
const YAML_DESIGN = (version: string): string =>
  `# a comment\nname: shop\nschemaVersion: designs.meshery.io/v1beta3\n${version}components: [] # none yet\n`;

describe('a bump', () => {
  it.each([
    ['JSON', JSON_DESIGN('"version": "1.2.3", '), 'patch', JSON_DESIGN('"version": "1.2.4", ')],
    ['JSON', JSON_DESIGN('"version" :"v1.2.3", '), 'minor', JSON_DESIGN('"version" :"v1.3.0", ')],
    ['YAML', YAML_DESIGN("version: '1.2.3' # ours\n"), 'major', YAML_DESIGN('version: "2.0.0" # ours\n')],
    [
      'YAML with CRLF',
      YAML_DESIGN('version: 0.0.1\n').replaceAll('\n', '\r\n'),
      'patch',
      YAML_DESIGN('version: "0.0.2"\n').replaceAll('\n', '\r\n'),
    ],
    [
      'JSON with a mark',
      `\uFEFF${JSON_DESIGN('"version": "1.0.0-rc.1", ')}`,
      'patch',
      `\uFEFF${JSON_DESIGN('"version": "1.0.0", ')}`,
    ],
    ['YAML with an empty version', YAML_DESIGN('version: ""\n'), 'patch', YAML_DESIGN('version: "0.0.1"\n')],
  ] as const)('changes the version of %s and nothing else', async (_, before, part, after) => {
    const path = await file(before);
    await bumpFile(path, { part, dryRun: false });
    expect(await readFile(path, 'utf8')).toBe(after);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
  });

  it('adds the first version where there is none', async () => {
    const path = await file(YAML_DESIGN(''));
    expect(await bumpFile(path, { part: 'patch', dryRun: false })).toMatchObject({ from: undefined, to: '0.0.1' });
    expect(await bumpFile(path, { part: 'patch', dryRun: false })).toMatchObject({ from: '0.0.1', to: '0.0.2' });
  });

  it('writes where a link leads, and nothing in a dry run', async () => {
    const path = await file(JSON_DESIGN('"version": "1.0.0", '));
    const link = `${path}-link`;
    await symlink(path, link);
    await bumpFile(link, { part: 'patch', dryRun: true });
    expect(await readFile(path, 'utf8')).toContain('"1.0.0"');
    await bumpFile(link, { part: 'patch', dryRun: false });
    expect(await readFile(path, 'utf8')).toContain('"1.0.1"');
    expect((await lstat(link)).isSymbolicLink()).toBe(true);
  });

  it('goes after the last that is published', async () => {
    const copier = newCopier();
    const place = { kind: 'registry', registry: places.host, prefix: 'meshery' } as const;
    const shelves = openShelves(place, { stores: places.stores, copier });
    const published = await file(JSON_DESIGN('"version": "1.4.0", '));
    const input = { kind: 'path', path: published } as const;
    for await (const one of pushEntities(input, shelves, {
      stores: places.stores,
      tmpDir: places.directory,
      copier,
      force: false,
    }))
      expect(one).toMatchObject({ repository: `${places.host}/meshery/designs/shop`, tag: '1.4.0' });
    const behind = await file(JSON_DESIGN('"version": "1.0.0", '));
    expect(await bumpFile(behind, { part: 'patch', after: shelves, dryRun: true })).toMatchObject({ to: '1.4.1' });
    const ahead = await file(JSON_DESIGN('"version": "2.0.0", '));
    expect(await bumpFile(ahead, { part: 'minor', after: shelves, dryRun: true })).toMatchObject({ to: '2.1.0' });
  });

  it.each([
    ['{"a": 1}', 'OCL_UNSUPPORTED'],
    ['{"schemaVersion":"environments.meshery.io/v1beta3","name":"e"}', 'OCL_UNSUPPORTED'],
    [JSON_DESIGN('"version": "one", '), 'OCL_DOCUMENT_INVALID'],
  ])('refuses %s with %s', async (text, code) => {
    await expect(bumpFile(await file(text), { part: 'patch', dryRun: false })).rejects.toMatchObject({ code });
  });
});
