import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeUploads } from '../../src/cli/uploads.ts';
import { EXIT } from '../../src/cli/exit.ts';
import { parsePlace } from '../../src/cli/place.ts';
import { ended } from '../support/child.ts';
import { ocl, startOcl } from '../support/cli.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { said } from '../support/processes.ts';

const temporary = temporaryDirectories();

/** What a server says until it serves. */
async function sayings(args: readonly string[], cwd: string): Promise<string> {
  const child = startOcl(['serve', ...args], { cwd });
  const [text] = await said(child.stderr, /^[\s\S]*Ctrl-C stops it\n/);
  child.kill('SIGTERM');
  await ended(child);
  return text;
}

describe('a place that is not there', () => {
  it.each([
    ['ls', './nope'],
    ['ls', './nope', '--json'],
    ['check', './nope'],
    ['export', './nope', '-o', 'x.tar'],
    ['serve', './nope', '--read-only'],
    ['serve', './nope.tar'],
    ['diff', '.', 'nope.example.tar'],
  ])('is not found by %s %s %s', async (...args) => {
    const cwd = await temporary();
    const { status, stderr } = await ocl(args, { cwd });
    expect([status, stderr]).toEqual([EXIT.notFound, expect.stringMatching(/nope[.a-z]*: there is no such/)]);
    expect(await readdir(cwd)).toEqual([]);
  });

  it.each(['nope.tar', 'nope.tar:app:1.0', 'in/nope.tgz', 'NOPE.TAR'])(
    'is a file and no image of Docker Hub: %s',
    (text) => {
      expect(() => parsePlace(text)).toThrow(`Cannot read ${text.replace(/:.*/, '')}: there is no such file`);
      expect(parsePlace(`docker.io/library/${text.split(':')[0]?.toLowerCase()}`)).toMatchObject({ kind: 'registry' });
    },
  );

  it('is an image where its name has a registry or is no file name', () => {
    for (const text of ['nope', 'registry.test/nope.tar', 'docker://nope.tar', 'team/nope:1.tar'])
      expect(parsePlace(text)).toMatchObject({ kind: 'registry' });
  });

  it('is made by serve, which says so', async () => {
    const cwd = await temporary();
    expect(await sayings(['new', '--listen', '127.0.0.1:0'], cwd)).toContain('new is not there yet, and is made');
    expect(existsSync(join(cwd, 'new'))).toBe(true);
  });
});

describe('a directory without layouts', () => {
  it('lists nothing, and says why', async () => {
    const cwd = await temporary();
    await mkdir(join(cwd, 'empty'));
    const listed = await ocl(['ls', './empty'], { cwd });
    expect(listed).toMatchObject({ status: 0, stdout: '', stderr: 'no image layouts in ./empty\n' });
    expect(await ocl(['ls', './empty', '--json'], { cwd })).toMatchObject({ status: 0, stdout: '[]\n' });
  });
});

describe('a server', () => {
  it('that a whole network can push to warns of it', async () => {
    const cwd = await temporary();
    const warning = 'anyone who reaches this server can push and delete; --read-only prevents it';
    expect(await sayings(['x', '--listen', '0.0.0.0:0'], cwd)).toContain(`warning: ${warning}`);
    expect(await sayings(['x', '--listen', '127.0.0.1:0'], cwd)).not.toContain(warning);
    expect(await sayings(['x', '--listen', '0.0.0.0:0', '--read-only'], cwd)).not.toContain(warning);
  });

  it.each(['EROFS', 'EACCES'])('serves what cannot be written (%s), and takes nothing', async (code) => {
    const refuse = async (place: string): Promise<string> => {
      if (place !== '/cd') return `${place}/made`;
      throw Object.assign(new Error(`${code}: no, mkdtemp '/cd/x'`), { code, syscall: 'mkdtemp', path: '/cd/x' });
    };
    const uploads = await makeUploads('/cd', tmpdir(), refuse);
    expect(uploads).toMatchObject({ directory: `${tmpdir()}/made`, refused: { code: 'OCL_IO' } });
    expect((await makeUploads('/disk', tmpdir(), refuse)).refused).toBeUndefined();
  });

  it('does not hide any other failure', async () => {
    const full = (): Promise<string> => Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' }));
    await expect(makeUploads('/disk', tmpdir(), full)).rejects.toMatchObject({ code: 'ENOSPC' });
  });
});
