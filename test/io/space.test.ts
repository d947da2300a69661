import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { measureSpace, requireSpace } from '../../src/io/space.ts';
import { temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();

it('is added up for each file system, also for places that are not there yet', async () => {
  const directory = await temporary();
  const { bsize, blocks } = await statfs(directory);
  const [space, ...others] = await measureSpace([
    { path: join(directory, 'not/there/yet'), bytes: 3 },
    { path: directory, bytes: 4 },
  ]);
  expect(others).toEqual([]);
  expect(space).toMatchObject({ path: join(directory, 'not/there/yet'), needed: 7 });
  expect(space?.free).toBeGreaterThan(0);
  expect(space?.free).toBeLessThanOrEqual(bsize * blocks);
});

it('is refused with the numbers, and granted to the last byte', async () => {
  const path = await temporary();
  const [space] = await measureSpace([{ path, bytes: 0 }]);
  await requireSpace([{ path, bytes: 1 }]);
  await expect(requireSpace([{ path, bytes: 2 ** 50 }])).rejects.toMatchObject({
    code: 'OCL_NO_SPACE',
    message: expect.stringMatching(/1125899906842624 bytes\) are needed, and .* are free/) as string,
    hint: expect.stringContaining('--no-space-check') as string,
  });
  expect(space?.needed).toBe(0);
});

it.skipIf(process.platform !== 'linux')('is not told by file systems that have none', async () => {
  const [space] = await measureSpace([{ path: '/proc', bytes: 1 }]);
  expect(space?.free).toBeUndefined();
});
