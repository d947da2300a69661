import { OclError, type ErrorCode } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import { LIMITS } from '../../core/limits.ts';
import { printable } from '../../core/redact.ts';
import { header, type HttpResponse } from '../../io/httpMessages.ts';

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

interface Said {
  readonly codes: readonly string[];
  readonly text: string;
}

const MAX_TEXT = 300;
const MAX_ERRORS = 5;
/** Characters of an answer that is no JSON that are searched for its gist. */
const MAX_PAGE = 8 << 10;

/**
 * The failure that an answer tells. Reads at most LIMITS.errorBody of its body.
 * @param action completes "Cannot …"
 * @param host as people know the registry
 */
export async function failureOf(response: HttpResponse, action: string, host: string): Promise<AnswerError> {
  const said = readSaid(await readSome(response, LIMITS.errorBody));
  const { status } = response;
  const code = errorCode(status, said.codes);
  const why = `${host} answered ${status}${said.text === '' ? '' : ` (${said.text})`}`;
  return new AnswerError(code, `Cannot ${action}: ${why}`, {
    status,
    codes: said.codes,
    hint: hintFor(code, host, header(response.headers, 'retry-after')),
  });
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

function hintFor(code: ErrorCode, host: string, retryAfter: string | undefined): string | undefined {
  if (code === 'OCL_UNAUTHORIZED') return `check the credentials for ${host} in docker's config.json`;
  if (code === 'OCL_DENIED')
    return `the account that is used for ${host} needs the right to do this; some registries also want the repository to be made first`;
  if (code === 'OCL_RATE_LIMITED') {
    if (retryAfter !== undefined)
      return `try again after ${printable(retryAfter.slice(0, 40))}${/^\d+$/.test(retryAfter) ? ' seconds' : ''}`;
    return `try again later, or give credentials for ${host}: limits are higher for known accounts`;
  }
  return undefined;
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
  if (errors === undefined) return { codes: [], text: plainText(body) };
  const codes = errors.map(({ code }) => code).filter((code) => code !== '');
  const texts = errors
    .slice(0, MAX_ERRORS)
    .map(({ code, message }) => (message === '' ? code : code === '' ? message : `${code}: ${message}`));
  return { codes, text: shorten(texts.filter((text) => text !== '').join('; ')) };
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
