import { spawnSync } from 'node:child_process';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openHomes, type Homes } from '../../src/bundle/homes.ts';
import { type ImportTarget } from '../../src/bundle/target.ts';
import { OclError } from '../../src/core/errors.ts';
import { type Library } from '../../src/core/store.ts';
import { ownerMark } from '../../src/io/ownerMark.ts';
import { digestOf } from '../../src/io/verify.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { codeOf } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { withStores } from './support.ts';

const temporary = temporaryDirectories();
const DIGEST = digestOf(Buffer.from('a content'));

function targetOf(library: Library, more: Partial<Extract<ImportTarget, { kind: 'repositories' }>>): ImportTarget {
  return { kind: 'repositories', name: 'target', open: (name) => library.sink(name), holds: library, ...more };
}

it('a repository that could not be opened is asked for again', async () => {
  const library = createMemoryLibrary();
  let asked = 0;
  const open: Library['sink'] = async (name) => {
    asked++;
    if (asked === 1) throw new OclError('OCL_UNREACHABLE', 'Cannot reach the target: it is busy');
    return await library.sink(name);
  };
  await withStores(await temporary(), async (stores) => {
    const homes = await openHomes(targetOf(library, { open }), 'first', stores);
    expect(await codeOf(() => homes.of(DIGEST, undefined))).toBe('OCL_UNREACHABLE');
    const home = await homes.of(DIGEST, undefined);
    expect(await homes.of(DIGEST, 'first')).toBe(home);
    expect(asked).toBe(2);
    await homes.close();
  });
});

describe('what an import leaves in a library', () => {
  const here = ownerMark();
  const dead = here.replace(/^\d+/, String(spawnSync(process.execPath, ['--version']).pid));
  const elsewhere = here.replace(/-[0-9a-f]{8}-/, '-00000000-');
  const old = new Date(Date.now() - 48 * 3_600_000);

  it.each([
    ['is removed when its process is gone', `.ocl-import-${dead}-aaaaaa`, [], false],
    ['stays as long as its process runs, however old it is', `.ocl-import-${here}-bbbbbb`, ['.'], true],
    ['stays for a day when another machine made it', `.ocl-import-${elsewhere}-cccccc`, [], true],
    [
      'stays where another machine still writes a content',
      `.ocl-import-${elsewhere}-dddddd`,
      ['blobs/sha256', 'blobs', '.ocl/tmp', '.ocl', '.'],
      true,
    ],
    [
      'is removed when another machine has not touched it for a day',
      `.ocl-import-${elsewhere}-eeeeee`,
      ['blobs/sha256', 'blobs', '.ocl/tmp/content.part', '.ocl/tmp', '.ocl', '.'],
      false,
    ],
    ['stays when it is somebody else’s', '.ocl-import-notes', ['.'], true],
  ])('%s', async (_what, name, aged, stays) => {
    const library = await temporary();
    const directory = join(library, name);
    await mkdir(join(directory, 'blobs', 'sha256'), { recursive: true });
    await mkdir(join(directory, '.ocl', 'tmp'), { recursive: true });
    await writeFile(join(directory, '.ocl', 'tmp', 'content.part'), 'begun');
    for (const path of aged) await utimes(join(directory, path), old, old);
    const homes = await withStores(await temporary(), async (stores): Promise<Homes> => {
      const target = targetOf(createMemoryLibrary(), { directory: library });
      const opened = await openHomes(target, 'first', stores);
      await opened.close();
      return opened;
    });
    expect(homes).toBeDefined();
    expect(await readdir(library)).toEqual(stays ? [name] : []);
  });
});
