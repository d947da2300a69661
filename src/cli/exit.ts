import { type ErrorCode } from '../core/errors.ts';

/** Exit statuses. Scripts rely on them: they change only with a major version. */
export const EXIT = {
  done: 0,
  /** Something failed, or a check found damage. */
  failed: 1,
  /** There is something left to do: what `--exit-code` asks for, or volumes of a set that are still to come. */
  drift: 2,
  notFound: 3,
  refused: 4,
  network: 5,
  content: 6,
  disk: 7,
  unsupported: 8,
  usage: 64,
  fault: 70,
  cancelled: 130,
} as const;

export const EXIT_OF: Readonly<Record<ErrorCode, number>> = {
  OCL_NOT_FOUND: EXIT.notFound,
  OCL_DIGEST_MISMATCH: EXIT.content,
  OCL_SIZE_MISMATCH: EXIT.content,
  OCL_INCOMPLETE: EXIT.failed,
  OCL_STALE: EXIT.failed,
  OCL_UNAUTHORIZED: EXIT.refused,
  OCL_DENIED: EXIT.refused,
  OCL_RATE_LIMITED: EXIT.network,
  OCL_UNREACHABLE: EXIT.network,
  OCL_REGISTRY: EXIT.network,
  OCL_MISSING_BLOBS: EXIT.network,
  OCL_REFERENCE_INVALID: EXIT.usage,
  OCL_CONFIG_INVALID: EXIT.usage,
  OCL_USAGE: EXIT.usage,
  OCL_DOCUMENT_INVALID: EXIT.content,
  OCL_LAYOUT_INVALID: EXIT.content,
  OCL_ARCHIVE_INVALID: EXIT.content,
  OCL_LIMIT: EXIT.content,
  OCL_UNSAFE: EXIT.content,
  OCL_UNSUPPORTED: EXIT.unsupported,
  OCL_AMBIGUOUS: EXIT.unsupported,
  OCL_EXISTS: EXIT.unsupported,
  OCL_NO_SPACE: EXIT.disk,
  OCL_LOCKED: EXIT.disk,
  OCL_IO: EXIT.disk,
  OCL_CANCELLED: EXIT.cancelled,
  OCL_INTERNAL: EXIT.fault,
};
