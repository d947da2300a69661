import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { spawn, spawnSync } from 'node:child_process';
import { describe, expect, it, vi } from 'vitest';
import { silent, type OclEvent } from '../../src/core/events.ts';
import { isAlive, readOwner, thisOwner, withLock, type Owner } from '../../src/io/lock.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { codeOf } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();
const options = { clock: systemClock, emit: silent, timeout: 10_000 };

/** An owner on this host whose process is over. */
function deadOwner(): Owner {
  const { pid } = spawnSync(process.execPath, ['--version']);
  return { ...thisOwner(), pid, started: '1', nonce: 'dead' };
}

async function lockHeldBy(owner: unknown): Promise<string> {
  const path = join(await temporary(), 'lock');
  await writeFile(path, typeof owner === 'string' ? owner : JSON.stringify(owner));
  return path;
}

describe('a lock', () => {
  it('lets one in at a time, and is gone afterwards', async () => {
    const directory = await temporary();
    const path = join(directory, 'lock');
    let inside = 0;
    let most = 0;
    let total = 0;
    await Promise.all(
      Array.from({ length: 12 }, () =>
        withLock(path, options, async () => {
          most = Math.max(most, ++inside);
          const seen = total;
          await new Promise((resolve) => setImmediate(resolve));
          total = seen + 1;
          inside--;
        }),
      ),
    );
    expect([most, total]).toEqual([1, 12]);
    expect(await readdir(directory)).toEqual([]);
  });

  it('is let go when the action fails', async () => {
    const directory = await temporary();
    const path = join(directory, 'lock');
    await expect(withLock(path, options, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withLock(path, options, () => Promise.resolve(7))).toBe(7);
    expect(await readdir(directory)).toEqual([]);
  });

  it('says whose it is while it is held', async () => {
    const path = join(await temporary(), 'lock');
    await withLock(path, options, async () => {
      expect(await readOwner(path)).toMatchObject({ pid: process.pid, host: hostname() });
    });
  });

  it('makes its directory anew when somebody tidied it away', async () => {
    const directory = join(await temporary(), 'work');
    expect(await withLock(join(directory, 'lock'), options, () => Promise.resolve('in'))).toBe('in');
    await mkdir(directory, { recursive: true });
  });

  it.each([
    ['whose process is over', () => deadOwner()],
    ['whose process number was given to another', () => ({ ...thisOwner(), started: '1' })],
  ])('is taken over from one %s, by one only, and that is said', async (_, owner) => {
    const dead = owner();
    const path = await lockHeldBy(dead);
    const events: OclEvent[] = [];
    let inside = 0;
    await Promise.all(
      Array.from({ length: 5 }, () =>
        withLock(path, { ...options, emit: (event) => void events.push(event) }, async () => {
          expect(++inside).toBe(1);
          await new Promise((resolve) => setImmediate(resolve));
          inside--;
        }),
      ),
    );
    expect(events).toMatchObject([
      { type: 'notice', level: 'warning', message: expect.stringContaining(`process ${dead.pid}`) },
    ]);
    expect(await readdir(join(path, '..'))).toEqual([]);
  });

  it.each([
    ['one that lives', thisOwner()],
    ['one on another host', { ...deadOwner(), host: 'elsewhere.example' }],
    ['nobody knows whom', 'no JSON'],
    ['nobody knows whom, with JSON', '{"pid":"7"}'],
  ])('is not taken over from %s', async (_, owner) => {
    const path = await lockHeldBy(owner);
    const before = await readFile(path, 'utf8');
    expect(await codeOf(() => withLock(path, { ...options, timeout: 60 }, () => Promise.resolve()))).toBe('OCL_LOCKED');
    expect(await readFile(path, 'utf8')).toBe(before);
    expect(await readdir(join(path, '..'))).toEqual(['lock']);
  });

  it.each([
    ['on another host', { ...deadOwner(), host: 'elsewhere.example' }],
    ['in a container of the same host name', { ...deadOwner(), space: 'pid:[1]' }],
  ])('of a process that nothing can be known of, %s, is named for removal', async (_, owner) => {
    const path = await lockHeldBy(owner);
    await expect(withLock(path, { ...options, timeout: 60 }, () => Promise.resolve())).rejects.toMatchObject({
      code: 'OCL_LOCKED',
      hint: expect.stringContaining(`remove the file: rm ${path}`),
    });
  });

  it('that stayed empty is taken over after a while, and not before', async () => {
    const path = await lockHeldBy('');
    expect(await codeOf(() => withLock(path, { ...options, timeout: 60 }, () => Promise.resolve()))).toBe('OCL_LOCKED');
    const old = new Date(Date.now() - 60_000);
    const foreign = await lockHeldBy('no JSON');
    for (const aged of [path, foreign]) await utimes(aged, old, old);
    expect(await codeOf(() => withLock(foreign, { ...options, timeout: 60 }, () => Promise.resolve()))).toBe(
      'OCL_LOCKED',
    );
    const events: OclEvent[] = [];
    const emit = (event: OclEvent): void => void events.push(event);
    expect(await withLock(path, { ...options, emit }, () => Promise.resolve('in'))).toBe('in');
    expect(events).toMatchObject([
      { level: 'warning', message: expect.stringContaining('a process that is no longer') },
    ]);
    expect(await readdir(join(path, '..'))).toEqual([]);
  });

  it('survives one that died while it took over', async () => {
    const path = await lockHeldBy(deadOwner());
    await writeFile(`${path}.takeover`, '');
    const old = new Date(Date.now() - 60_000);
    await utimes(`${path}.takeover`, old, old);
    expect(await withLock(path, options, () => Promise.resolve('in'))).toBe('in');
    expect(await readdir(join(path, '..'))).toEqual([]);
  });

  it('is waited for, until it is free or the signal says otherwise', async () => {
    const path = await lockHeldBy(thisOwner());
    const controller = new AbortController();
    const waiting = withLock(path, { ...options, signal: controller.signal }, () => Promise.resolve());
    controller.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
    const free = withLock(path, options, () => Promise.resolve('in'));
    await rm(path);
    expect(await free).toBe('in');
  });
});

describe('whether a process lives', () => {
  it('is known on this host only', () => {
    expect(isAlive(thisOwner())).toBe(true);
    expect(isAlive({ ...thisOwner(), started: '' })).toBe(true);
    expect(isAlive(deadOwner())).toBe(false);
    expect(isAlive({ ...thisOwner(), host: 'elsewhere.example' })).toBeUndefined();
  });

  it.skipIf(process.platform !== 'linux')(
    'is not so of one that ended and that its parent does not ask for',
    async () => {
      // What the shell became never asks how its first child ended.
      const parent = spawn('sh', ['-c', 'sh -c "echo \\$\\$" & exec sleep 60'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      try {
        const [line] = (await once(parent.stdout, 'data')) as [Buffer];
        const pid = Number(line.toString());
        await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/stat`, 'utf8')).toContain(') Z '));
        expect(isAlive({ ...thisOwner(), pid, started: '' })).toBe(false);
      } finally {
        parent.kill('SIGKILL');
      }
    },
  );
});
