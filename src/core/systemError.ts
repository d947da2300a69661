/** A failed system call in words: what was tried, on what, and why it failed. */
export interface SystemFailure {
  readonly message: string;
  readonly hint?: string | undefined;
  /** Whether it was to change something: what is missing then is not what was asked for. */
  readonly writing: boolean;
}

const VERBS: Readonly<Record<string, string>> = {
  access: 'open',
  chmod: 'change the mode of',
  copyfile: 'copy',
  datasync: 'write',
  fdatasync: 'write',
  fstat: 'look at',
  fsync: 'write',
  ftruncate: 'write',
  link: 'link',
  lstat: 'look at',
  mkdir: 'make the directory',
  mkdtemp: 'make a directory as',
  open: 'open',
  opendir: 'list',
  read: 'read',
  readlink: 'read',
  realpath: 'find',
  rename: 'rename',
  rm: 'remove',
  rmdir: 'remove',
  scandir: 'list',
  stat: 'look at',
  symlink: 'link',
  truncate: 'write',
  unlink: 'remove',
  utime: 'set the time of',
  write: 'write',
};

const WRITING: ReadonlySet<string> = new Set(['copyfile', 'link', 'mkdir', 'mkdtemp', 'rename', 'symlink', 'write']);

const PERMISSIONS = 'look at the permissions of the file and of the directories above it, and who you are';

const REASONS: Readonly<Record<string, { readonly why: string; readonly hint?: string }>> = {
  EACCES: { why: 'permission denied', hint: PERMISSIONS },
  EBUSY: { why: 'it is in use' },
  EDQUOT: { why: 'your share of the disk is used up', hint: 'free space, or name another disk' },
  EEXIST: { why: 'it exists already' },
  EFBIG: { why: 'the file would be larger than the file system allows' },
  EIO: { why: 'the disk failed', hint: 'the log of the system (dmesg) may say more' },
  EISDIR: { why: 'it is a directory' },
  ELOOP: { why: 'there are symbolic links where none may be, or too many' },
  EMFILE: { why: 'too many files are open', hint: 'raise the limit with ulimit -n, or lower --concurrency' },
  EMLINK: { why: 'the file has as many names as the file system allows' },
  ENAMETOOLONG: { why: 'the name is too long' },
  ENFILE: { why: 'too many files are open on this machine' },
  ENOENT: { why: 'there is no such file or directory' },
  ENOSPC: { why: 'no space is left on the disk', hint: 'free space; --tmpdir names another disk for temporary files' },
  ENOTDIR: { why: 'a part of the path is a file, not a directory' },
  ENOTEMPTY: { why: 'the directory is not empty' },
  EPERM: { why: 'the operating system does not allow it', hint: PERMISSIONS },
  EROFS: { why: 'the file system is read-only' },
  EXDEV: { why: 'the two places are on different file systems' },
};

/** Nothing when it is no system call that failed, or for a reason that has no words here. */
export function describeSystemError(error: NodeJS.ErrnoException): SystemFailure | undefined {
  const { code = '', syscall, path } = error;
  const reason = REASONS[code];
  if (reason === undefined || syscall === undefined) return undefined;
  const verb = VERBS[syscall] ?? syscall;
  const dest = 'dest' in error && typeof error.dest === 'string' ? ` to ${error.dest}` : '';
  return {
    message: `Cannot ${verb} ${path === undefined ? 'a file' : `${path}${dest}`}: ${reason.why}`,
    hint: reason.hint,
    writing: WRITING.has(syscall),
  };
}
