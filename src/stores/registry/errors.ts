import { OclError, type ErrorCode } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { printable } from '../../core/redact.ts';
import { header, type HttpResponse } from '../../io/httpMessages.ts';
import { adviceOn } from './hints.ts';
import { type Quirks } from './quirks.ts';

/** A registry said no. Callers in this room read the status and the codes. */
export class AnswerError extends OclError {
  readonly status: number;
  /** Codes of the distribution specification, as `MANIFEST_UNKNOWN`. */
  readonly codes: readonly string[];

  constructor(
    code: ErrorCode,
    message: string,
    details: { hint?: string | undefined; status: number; codes: readonly string[] },
  ) {
    super(code, message, details);
    this.name = 'AnswerError';
    this.status = details.status;
    this.codes = details.codes;
  }
}

/** What a failed request was about. */
export interface Failed {
  /** Completes "Cannot …". */
  readonly action: string;
  readonly method: string;
  /** As people know the registry. */
  readonly host: string;
  readonly repository?: string | undefined;
  readonly quirks: Quirks;
}

interface Said {
  readonly codes: readonly string[];
  readonly text: string;
  readonly isPage: boolean;
}

const MAX_TEXT = 300;
const MAX_ERRORS = 5;
/** Characters of an answer that is no JSON that are searched for its gist. */
const MAX_PAGE = 8 << 10;

/** The codes of the specification that do not pass by waiting (spec oci.md 2.2). */
const LASTING: ReadonlySet<string> = new Set([
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'UNAUTHORIZED',
  'DENIED',
  'UNSUPPORTED',
]);

/** The failure that an answer tells. Reads at most LIMITS.errorBody of its body. */
export async function failureOf(response: HttpResponse, failed: Failed): Promise<AnswerError> {
  const said = readSaid(await readSome(response, LIMITS.errorBody));
  const { status } = response;
  const { action, host } = failed;
  const code = errorCode(status, said.codes);
  const retryAfter = header(response.headers, 'retry-after');
  const advice = adviceOn({ repository: undefined, ...failed, ...said, status, retryAfter }, code);
  const words = `${host} answered ${status}${said.text === '' ? '' : ` (${said.text})`}`;
  const why = advice.why === undefined ? words : `${advice.why}; ${words}`;
  return new AnswerError(advice.code ?? code, `Cannot ${action}: ${why}`, {
    status,
    codes: said.codes,
    hint: advice.hint,
  });
}

/** docker-registry 2.8 answers 500 to a manifest whose layers it lacks: what a code of the specification explains is an answer, and no passing trouble. */
export function isAnswer({ status, codes }: AnswerError): boolean {
  return status === 500 && codes.some((code) => LASTING.has(code));
}

export function hasStatus(error: unknown, ...statuses: readonly number[]): error is AnswerError {
  return error instanceof AnswerError && statuses.includes(error.status);
}

function errorCode(status: number, codes: readonly string[]): ErrorCode {
  if (codes.includes('MANIFEST_BLOB_UNKNOWN')) return 'OCL_MISSING_BLOBS';
  if (status === 429 || codes.includes('TOOMANYREQUESTS')) return 'OCL_RATE_LIMITED';
  if (status === 401) return 'OCL_UNAUTHORIZED';
  if (status === 403) return 'OCL_DENIED';
  if (status === 404) return 'OCL_NOT_FOUND';
  if (status === 405 || status === 501 || codes.includes('UNSUPPORTED')) return 'OCL_UNSUPPORTED';
  return 'OCL_REGISTRY';
}

/** Up to `limit` bytes; a body that breaks gives what came. */
async function readSome(response: HttpResponse, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      chunks.push(chunk.subarray(0, limit - bytes));
      bytes += chunk.length;
      if (bytes >= limit) break;
    }
  } catch {
    // The status is the news; its explanation may be cut short.
  } finally {
    response.body.destroy();
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** The OCI error JSON, or the gist of what a proxy wrote instead. */
function readSaid(body: string): Said {
  const errors = errorList(body);
  if (errors === undefined) return { codes: [], text: plainText(body), isPage: /^\s*</.test(body) };
  const codes = errors.map(({ code }) => code).filter((code) => code !== '');
  const texts = errors
    .slice(0, MAX_ERRORS)
    .map(({ code, message }) => (message === '' ? code : code === '' ? message : `${code}: ${message}`));
  return { codes, text: shorten(texts.filter((text) => text !== '').join('; ')), isPage: false };
}

function errorList(body: string): { code: string; message: string }[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!isObject(value) || !Array.isArray(value['errors'])) return undefined;
  return value['errors']
    .slice(0, 100)
    .filter(isObject)
    .map((entry) => ({ code: stringOf(entry['code']), message: stringOf(entry['message']) }));
}

function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** Looks at the beginning alone: these patterns take time with the square of what never closes its tag. */
function plainText(whole: string): string {
  const body = whole.slice(0, MAX_PAGE);
  const title = /<title[^>]*>([^<]{1,300})<\/title>/i.exec(body)?.[1];
  if (title !== undefined) return shorten(title);
  return shorten(/^\s*</.test(body) ? body.replaceAll(/<[^>]*>/g, ' ') : body);
}

function shorten(text: string): string {
  const line = text
    .slice(0, 4 * MAX_TEXT)
    .replaceAll(/\s+/g, ' ')
    .trim();
  return printable(line.length > MAX_TEXT ? `${line.slice(0, MAX_TEXT)}…` : line);
}
