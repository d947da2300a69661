import { redact } from './redact.ts';
import { describeSystemError } from './systemError.ts';

/** Every way in which `ocl` fails. The exit status of each is in `cli/exit.ts`; `docs/errors.md` is made from this table. */
export const ERROR_CODES = {
  OCL_NOT_FOUND: 'The image, tag, blob, file or repository that was asked for is not there.',
  OCL_DIGEST_MISMATCH: 'The bytes that came are not the bytes that the digest promises.',
  OCL_SIZE_MISMATCH: 'More or fewer bytes came than the descriptor promises.',
  OCL_INCOMPLETE: 'The run ended, but a part of it failed; each failure is listed.',
  OCL_STALE: 'Something is older than was asked for.',
  OCL_UNAUTHORIZED: 'The registry asks for a login, or refuses the one it was given.',
  OCL_DENIED: 'The registry knows who asks, and says no.',
  OCL_RATE_LIMITED: 'The registry answers that too many requests were made.',
  OCL_UNREACHABLE: 'No connection could be made, or it broke and could not be taken up again.',
  OCL_REGISTRY:
    'The registry answered with something that the specification does not allow, or with a failure of its own.',
  OCL_MISSING_BLOBS:
    'What a manifest names is not there: a registry refuses the manifest for it, or a delta is imported into a target that lacks what it leaves out.',
  OCL_REFERENCE_INVALID: 'The reference cannot be read.',
  OCL_CONFIG_INVALID: 'The configuration file cannot be used as it stands.',
  OCL_USAGE: 'The command line cannot be used as it stands.',
  OCL_DOCUMENT_INVALID: 'A manifest, index or config is not what the specification allows.',
  OCL_LAYOUT_INVALID: 'The directory is not an OCI image layout that can be used.',
  OCL_ARCHIVE_INVALID: 'The archive is broken, or holds what no image archive may hold.',
  OCL_LIMIT: 'Something from outside is larger, deeper or more numerous than is accepted.',
  OCL_UNSAFE: 'Something from outside tried to leave the place it belongs to.',
  OCL_UNSUPPORTED: 'The thing is valid, and this version cannot do it.',
  OCL_AMBIGUOUS: 'Several things answer to that name.',
  OCL_EXISTS: 'The target exists already, and overwriting it was not asked for.',
  OCL_NO_SPACE: 'The disk is full, or too small for what was asked.',
  OCL_LOCKED: 'Another process works on the same layout.',
  OCL_IO: 'The operating system refused to read or write a file.',
  OCL_CANCELLED: 'The run was stopped by a signal; the same command takes it up again.',
  OCL_INTERNAL: 'A fault in the program itself.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetails {
  /** The next command to type, or what to look at. */
  readonly hint?: string | undefined;
  /** Which end of a copy failed. */
  readonly side?: 'source' | 'target' | undefined;
  readonly cause?: unknown;
}

/**
 * A failure that a person can act on. The message reads `Cannot <verb> <thing>: <why>`.
 * Secrets and credentials in URLs are redacted here, so that no caller can forget it.
 */
export class OclError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly side: 'source' | 'target' | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(redact(message), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'OclError';
    this.code = code;
    this.hint = details.hint === undefined ? undefined : redact(details.hint);
    this.side = details.side;
  }
}

/** The failure of one side of a copy, told apart without changing its code. */
export function onSide(error: unknown, side: 'source' | 'target'): OclError {
  const known = toOclError(error);
  if (known.side !== undefined) return known;
  return new OclError(known.code, known.message, { hint: known.hint, side, cause: known.cause ?? known });
}

const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'OCL_NOT_FOUND',
  ENOTDIR: 'OCL_NOT_FOUND',
  ENOSPC: 'OCL_NO_SPACE',
  EDQUOT: 'OCL_NO_SPACE',
  EACCES: 'OCL_IO',
  EPERM: 'OCL_IO',
  EROFS: 'OCL_IO',
  EIO: 'OCL_IO',
  EBUSY: 'OCL_IO',
  EEXIST: 'OCL_IO',
  EMLINK: 'OCL_IO',
  ENOTEMPTY: 'OCL_IO',
  EXDEV: 'OCL_IO',
  ENAMETOOLONG: 'OCL_IO',
  EFBIG: 'OCL_IO',
  EMFILE: 'OCL_IO',
  ENFILE: 'OCL_IO',
  EISDIR: 'OCL_IO',
  ELOOP: 'OCL_UNSAFE',
};

/** Any thrown value as an OclError: system errors by their code, aborts as OCL_CANCELLED, the rest as OCL_INTERNAL. */
export function toOclError(error: unknown): OclError {
  if (error instanceof OclError) return error;
  if (error instanceof Error) {
    if (error.name === 'AbortError') {
      if (error.cause instanceof OclError) return error.cause;
      return new OclError('OCL_CANCELLED', 'Stopped: the run was cancelled', { cause: error });
    }
    const code = SYSTEM_CODES[systemCode(error) ?? ''];
    if (code !== undefined) return ofSystem(error, code);
    return new OclError('OCL_INTERNAL', error.message, { cause: error });
  }
  return new OclError('OCL_INTERNAL', String(error));
}

function ofSystem(error: Error, code: ErrorCode): OclError {
  const failure = describeSystemError(error);
  if (failure === undefined) return new OclError(code, error.message, { cause: error });
  const { message, hint, writing } = failure;
  // Nobody asked for what is missing when a file is to be made there.
  return new OclError(writing && code === 'OCL_NOT_FOUND' ? 'OCL_IO' : code, message, { hint, cause: error });
}

export function isCode(error: unknown, code: ErrorCode): boolean {
  return error instanceof OclError && error.code === code;
}

/** The code of a failed system call (`ENOENT`, …), when the value is one. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/** Whether a system call found nothing of that name; where a name is too long for the file system nothing can be. */
export function isAbsent(error: unknown): boolean {
  const code = systemCode(error);
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG';
}
