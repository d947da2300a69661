import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { toOclError } from '../../src/core/errors.ts';
import { temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();

function failed(code: string, syscall: string, more: { readonly path?: string; readonly dest?: string } = {}): Error {
  return Object.assign(new Error(`${code}: raw, ${syscall} '/x'`), { code, syscall, ...more });
}

describe('a failed system call', () => {
  it.each([
    ['ENOENT', 'open', 'OCL_NOT_FOUND', 'Cannot open /x: there is no such file or directory'],
    ['ENOENT', 'mkdir', 'OCL_IO', 'Cannot make the directory /x: there is no such file or directory'],
    ['ENOTDIR', 'mkdir', 'OCL_IO', 'Cannot make the directory /x: a part of the path is a file, not a directory'],
    ['ENOTDIR', 'scandir', 'OCL_NOT_FOUND', 'Cannot list /x: a part of the path is a file, not a directory'],
    ['EACCES', 'open', 'OCL_IO', 'Cannot open /x: permission denied'],
    ['EPERM', 'unlink', 'OCL_IO', 'Cannot remove /x: the operating system does not allow it'],
    ['EROFS', 'mkdtemp', 'OCL_IO', 'Cannot make a directory as /x: the file system is read-only'],
    ['ENOSPC', 'write', 'OCL_NO_SPACE', 'Cannot write /x: no space is left on the disk'],
    ['EDQUOT', 'write', 'OCL_NO_SPACE', 'Cannot write /x: your share of the disk is used up'],
    ['EISDIR', 'read', 'OCL_IO', 'Cannot read /x: it is a directory'],
    ['ENAMETOOLONG', 'open', 'OCL_IO', 'Cannot open /x: the name is too long'],
    ['EMFILE', 'open', 'OCL_IO', 'Cannot open /x: too many files are open'],
    ['EEXIST', 'mkdir', 'OCL_IO', 'Cannot make the directory /x: it exists already'],
    ['EBUSY', 'rename', 'OCL_IO', 'Cannot rename /x: it is in use'],
    ['EIO', 'fsync', 'OCL_IO', 'Cannot write /x: the disk failed'],
    ['ELOOP', 'open', 'OCL_UNSAFE', 'Cannot open /x: there are symbolic links where none may be, or too many'],
    ['EXDEV', 'link', 'OCL_IO', 'Cannot link /x: the two places are on different file systems'],
  ])('(%s of %s) is %s, in words', (code, syscall, expected, message) => {
    expect(toOclError(failed(code, syscall, { path: '/x' }))).toMatchObject({ code: expected, message });
  });

  it('says what to do where something can be done', () => {
    expect(toOclError(failed('ENOSPC', 'write')).hint).toContain('--tmpdir');
    expect(toOclError(failed('EACCES', 'open')).hint).toContain('permissions');
  });

  it('names both ends of a rename, and no file where the system names none', () => {
    expect(toOclError(failed('EACCES', 'rename', { path: '/a', dest: '/b' })).message).toContain('/a to /b:');
    expect(toOclError(failed('ENOSPC', 'write')).message).toBe('Cannot write a file: no space is left on the disk');
  });

  it('of this system is one of those', async () => {
    const root = await temporary();
    await writeFile(join(root, 'file'), '');
    const fault = async (action: Promise<unknown>): Promise<object> =>
      toOclError(await action.catch((error: unknown) => error));
    expect(await fault(mkdir(join(root, 'file/x')))).toMatchObject({ code: 'OCL_IO' });
    expect(await fault(readFile(tmpdir()))).toMatchObject({
      code: 'OCL_IO',
      message: expect.stringMatching(/it is a directory$/) as string,
    });
    expect(await fault(rename(join(root, 'none'), join(root, 'b')))).toMatchObject({ code: 'OCL_IO' });
  });

  it('without a call keeps its message: it is of someone else', () => {
    const error = Object.assign(new Error('as it was'), { code: 'ENOENT' });
    expect(toOclError(error)).toMatchObject({ code: 'OCL_NOT_FOUND', message: 'as it was' });
  });
});
