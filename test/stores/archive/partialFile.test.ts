import { mkdtemp, open, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { PartialFile } from '../../../src/stores/archive/partialFile.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ocl-partial-'));
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true, force: true });
});

/** Linux tells of lost bytes once: what asks first is told, and the sync after it works. */
it('does not take a file for whole of which the disk has lost something under way', async () => {
  const handle = await open(directory, 'r');
  const methods = Object.getPrototypeOf(handle) as { datasync: () => Promise<void> };
  await handle.close();
  const lost = Object.assign(new Error('i/o error'), { code: 'EIO' });
  const datasync = vi.spyOn(methods, 'datasync').mockRejectedValueOnce(lost);
  const file = await PartialFile.create(join(directory, 'x.tar'), 64 << 20);
  await file.write([Buffer.alloc(64 << 20, 1)], 0);
  expect(datasync).toHaveBeenCalledOnce();
  await expect(file.sync()).rejects.toBe(lost);
  await file.discard();
  expect(await readdir(directory)).toEqual([]);
});
