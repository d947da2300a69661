import { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FileWatch } from '../../../src/sync/server/fileWatch.ts';
import { fakeClock } from '../../support/fakeClock.ts';
import { temporaryDirectories } from '../../support/layouts.ts';

const temporary = temporaryDirectories();

/** A mounted config map: the name leads over a link to a directory that is replaced as a whole. */
async function mount(directory: string, version: string, text: string): Promise<void> {
  await mkdir(join(directory, version));
  await writeFile(join(directory, version, 'sync.yaml'), text);
  await symlink(version, join(directory, `${version}.link`));
  await rename(join(directory, `${version}.link`), join(directory, 'data'));
}

it('sees other content, and nothing in a file that was only touched', async () => {
  const path = join(await temporary(), 'sync.yaml');
  await writeFile(path, 'one');
  const watch = await FileWatch.of(path);
  expect(await watch.changed()).toBe(false);
  await utimes(path, 1, 1);
  expect(await watch.changed()).toBe(false);
  await writeFile(path, 'two');
  expect(await watch.changed()).toBe(true);
  expect(await watch.changed()).toBe(false);
});

it('sees that a mounted directory was replaced', async () => {
  const directory = await temporary();
  await mount(directory, '1', 'one');
  const watch = await FileWatch.of(join(directory, 'data', 'sync.yaml'));
  await mount(directory, '2', 'one');
  expect(await watch.changed()).toBe(false);
  await mount(directory, '3', 'two');
  expect(await watch.changed()).toBe(true);
});

it('takes a file that is away for a moment for none, and tells once of one that stays away', async () => {
  const path = join(await temporary(), 'sync.yaml');
  await writeFile(path, 'one');
  const watch = await FileWatch.of(path);
  await rm(path);
  expect(await watch.changed()).toBe(false);
  await writeFile(path, 'one');
  expect(await watch.changed()).toBe(false);
  await rm(path);
  expect([await watch.changed(), await watch.changed(), await watch.changed()]).toEqual([false, true, false]);
  await writeFile(path, 'one');
  expect(await watch.changed()).toBe(true);
});

it('acts upon each change until it is stopped', async () => {
  const path = join(await temporary(), 'sync.yaml');
  await writeFile(path, '0');
  const watch = await FileWatch.of(path);
  const stop = new AbortController();
  const clock = fakeClock();
  let seen = 0;
  await writeFile(path, '01');
  await watch.run(clock, stop.signal, async () => {
    seen++;
    await writeFile(path, 'x'.repeat(seen + 2));
    if (seen === 3) stop.abort();
  });
  expect(seen).toBe(3);
  expect(clock.sleeps).toEqual([5000, 5000, 5000]);
});
