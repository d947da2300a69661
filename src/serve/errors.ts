import { type ServerResponse, type IncomingMessage } from 'node:http';
import { OclError, toOclError, type ErrorCode } from '../core/errors.ts';
import { printable } from '../core/redact.ts';
import { sendBytes } from './send.ts';

/** distribution-spec, "Error Codes", and three of our own for what it has no word for. */
const OCI_CODES = {
  BLOB_UNKNOWN: { status: 404, code: 'OCL_NOT_FOUND' },
  BLOB_UPLOAD_INVALID: { status: 400, code: 'OCL_USAGE' },
  BLOB_UPLOAD_UNKNOWN: { status: 404, code: 'OCL_NOT_FOUND' },
  DIGEST_INVALID: { status: 400, code: 'OCL_DIGEST_MISMATCH' },
  MANIFEST_BLOB_UNKNOWN: { status: 404, code: 'OCL_NOT_FOUND' },
  MANIFEST_INVALID: { status: 400, code: 'OCL_DOCUMENT_INVALID' },
  MANIFEST_UNKNOWN: { status: 404, code: 'OCL_NOT_FOUND' },
  NAME_INVALID: { status: 400, code: 'OCL_REFERENCE_INVALID' },
  NAME_UNKNOWN: { status: 404, code: 'OCL_NOT_FOUND' },
  SIZE_INVALID: { status: 400, code: 'OCL_SIZE_MISMATCH' },
  DENIED: { status: 403, code: 'OCL_DENIED' },
  UNSUPPORTED: { status: 405, code: 'OCL_UNSUPPORTED' },
  TOOMANYREQUESTS: { status: 429, code: 'OCL_LIMIT' },
  PAGINATION_NUMBER_INVALID: { status: 400, code: 'OCL_USAGE' },
  UNAVAILABLE: { status: 503, code: 'OCL_LOCKED' },
  UNKNOWN: { status: 500, code: 'OCL_INTERNAL' },
} as const satisfies Readonly<Record<string, { readonly status: number; readonly code: ErrorCode }>>;

export type OciCode = keyof typeof OCI_CODES;

export interface RefusalDetails {
  /** Where the code alone does not tell it. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** A request that is answered with an error. The message goes to the client as it is. */
export class Refusal extends OclError {
  readonly ociCode: OciCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(ociCode: OciCode, message: string, details: RefusalDetails = {}) {
    super(OCI_CODES[ociCode].code, message, { cause: details.cause });
    this.name = 'Refusal';
    this.ociCode = ociCode;
    this.status = details.status ?? OCI_CODES[ociCode].status;
    this.headers = details.headers ?? {};
  }
}

/** What a failure of the store means to a client. Its own message stays here: it may name paths. */
export function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const known = toOclError(error);
  const cause = { cause: known };
  switch (known.code) {
    case 'OCL_LOCKED':
      return new Refusal('UNAVAILABLE', 'the repository is being written by another process', {
        ...cause,
        headers: { 'Retry-After': '1' },
      });
    case 'OCL_NO_SPACE':
      return new Refusal('UNKNOWN', 'there is no space left to store this', { ...cause, status: 507 });
    case 'OCL_UNSUPPORTED':
      return new Refusal('UNSUPPORTED', 'this repository cannot do that', cause);
    case 'OCL_AMBIGUOUS':
      return new Refusal('MANIFEST_UNKNOWN', 'several images answer to that name', { ...cause, status: 409 });
    case 'OCL_NOT_FOUND':
      return new Refusal('UNKNOWN', 'the content is not there', { ...cause, status: 404 });
    default:
      return new Refusal('UNKNOWN', 'the server failed', cause);
  }
}

/** Answers the error, or cuts the connection when the answer has begun already: a client must not take half a body for a whole one. */
export async function answerError(req: IncomingMessage, res: ServerResponse, refusal: Refusal): Promise<void> {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const error = { code: refusal.ociCode, message: printable(refusal.message) };
  for (const name of res.getHeaderNames()) if (name.startsWith('content-')) res.removeHeader(name);
  await sendBytes(req, res, refusal.status, Buffer.from(`${JSON.stringify({ errors: [error] })}\n`), {
    'Content-Type': 'application/json',
    ...refusal.headers,
  });
}
