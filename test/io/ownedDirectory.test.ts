import { spawnSync } from 'node:child_process';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { makeOwnedDirectory } from '../../src/io/ownedDirectory.ts';
import { ownerMark } from '../../src/io/ownerMark.ts';
import { temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();

it('takes away what a killed process left of the same kind, and nothing else', async () => {
  const place = join(await temporary(), 'new');
  const dead = ownerMark().replace(/^\d+/, String(spawnSync(process.execPath, ['--version']).pid));
  const first = await makeOwnedDirectory(place, '.kind');
  const others = [`.other-${dead}-aaaaaa`, `.kind-more-${dead}-aaaaaa`, '.kind-notes', 'images'];
  for (const name of [`.kind-${dead}-aaaaaa`, ...others]) await mkdir(join(place, name));
  const second = await makeOwnedDirectory(place, '.kind');
  expect((await readdir(place)).map((name) => join(place, name)).toSorted()).toEqual(
    [first, second, ...others.map((name) => join(place, name))].toSorted(),
  );
});
