import { type ErrorCode } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { fittingName, type Quirks } from './quirks.ts';

/** An answer that says no, and what it was the answer to. */
export interface Refusal {
  readonly status: number;
  readonly codes: readonly string[];
  /** What the server said, cut short. */
  readonly text: string;
  /** A page for people came instead of an answer of the API. */
  readonly isPage: boolean;
  readonly method: string;
  /** As people know the registry. */
  readonly host: string;
  readonly repository: string | undefined;
  readonly quirks: Quirks;
  readonly retryAfter: string | undefined;
}

/** What a person is told besides the server's own words. */
export interface Advice {
  /** In place of the code that the status stands for. */
  readonly code?: ErrorCode;
  /** What the server's words mean, in plain ones. */
  readonly why?: string;
  /** A command, or a thing to do. */
  readonly hint?: string;
}

/** A refusal of which the repository is known. */
type InRepository = Refusal & { readonly repository: string };

const WRITING: readonly string[] = ['POST', 'PUT', 'PATCH'];
const NOT_ALLOWED: readonly number[] = [400, 401, 403, 404, 405];

/** What registries say in words of their own (spec oci.md 8.1, 8.2). The first rule that fits counts. */
const RULES: readonly ((no: InRepository) => Advice | undefined)[] = [
  (no) => {
    if (no.method === 'POST' || ![400, 403, 405, 409, 412].includes(no.status)) return undefined;
    if (!/immutab|cannot be overwritten/i.test(no.text)) return undefined;
    const hint = `take another tag (ocl tag ls ${nameOf(no)} shows those that are there), or let the settings of the registry change this one`;
    return { code: 'OCL_DENIED', why: 'the tag is immutable there', hint };
  },
  (no) => {
    if (no.method !== 'DELETE' || !/dangling_tag|referenced by tag/i.test(no.codes.join(' ') + no.text))
      return undefined;
    return { hint: `take its tags away first: ocl tag rm ${nameOf(no)}:TAG` };
  },
  (no) => {
    if (!isWriting(no) || !/proxy(?:[- ]cache)? project|proxy[- ]cache|pull[- ]through/i.test(no.text))
      return undefined;
    const hint = `push to a project that is no proxy cache, such as ${no.host}/OTHER/${no.repository.split('/').slice(1).join('/') || no.repository}`;
    return { code: 'OCL_DENIED', why: 'a proxy cache takes no pushes', hint };
  },
  (no) => {
    if (no.method === 'DELETE' || !NOT_ALLOWED.includes(no.status)) return undefined;
    const fitting = fittingName(no.repository, no.quirks);
    if (fitting === undefined) return undefined;
    const { product, shape } = no.quirks;
    const hint = isWriting(no) ? `name it ${no.host}/${fitting}` : 'check the name of the repository';
    return { why: `${product} has names like ${shape} alone`, hint };
  },
  (no) => {
    if (!isWriting(no) || !no.codes.includes('NAME_INVALID')) return undefined;
    const parts = no.repository.split('/');
    if (parts.length < 3) return undefined;
    const flat = [parts[0], parts.slice(1).join('-')].join('/');
    return { hint: `the registry may not take names of ${parts.length} parts; try ${no.host}/${flat}` };
  },
  (no) => {
    const isMissing =
      no.codes.includes('NAME_UNKNOWN') ||
      /\b(?:repository|project)\b.{0,200}\b(?:not found|does not exist|not known)/i.test(no.text);
    if (!isWriting(no) || !isMissing) return undefined;
    const hint = no.quirks.textWhenRepositoryMissing?.(no) ?? `create ${nameOf(no)} there first, or check the name`;
    return { code: 'OCL_NOT_FOUND', why: 'there is no such repository, and a push does not make it', hint };
  },
  (no) => {
    if (no.method !== 'PUT' || no.quirks.product !== 'ECR') return undefined;
    if (/invalid json syntax/i.test(no.text))
      return { hint: 'ECR wants the field mediaType in a manifest: build or push the image again with a current tool' };
    if (no.status === 405) return { hint: 'ECR may refuse what refers to another manifest: copy with --no-referrers' };
    return undefined;
  },
  (no) => {
    if ((no.status !== 401 && no.status !== 403) || !isWriting(no)) return undefined;
    // Harbor and others do not tell a stranger which projects there are.
    const create = no.quirks.textWhenRepositoryMissing?.(no);
    return create === undefined ? undefined : { hint: `${loginHint(no)}; if it is not there yet: ${create}` };
  },
];

/** @param code that the status stands for */
export function adviceOn(no: Refusal, code: ErrorCode): Advice {
  if (no.status === 400 && PLAIN_TO_TLS.test(no.text)) return plainToTls(no);
  if (code !== 'OCL_RATE_LIMITED' && hasRepository(no)) {
    for (const rule of RULES) {
      const advice = rule(no);
      if (advice !== undefined) return advice;
    }
  }
  const hint = hintFor(no, code);
  return hint === undefined ? {} : { hint };
}

/** What Go's servers and nginx answer on a port of TLS. */
const PLAIN_TO_TLS = /HTTP request to an HTTPS server|plain HTTP request was sent to HTTPS port/i;

function plainToTls({ host }: Refusal): Advice {
  const hint = `leave --plain-http and tls: disabled away; a host of this machine is spoken to by https where it has certificates: --cert-dir DIR, or --insecure ${host}`;
  return { why: 'it speaks TLS, and plain http was spoken to it', hint };
}

function hintFor(no: Refusal, code: ErrorCode): string | undefined {
  if (code === 'OCL_UNAUTHORIZED' || code === 'OCL_DENIED') return loginHint(no);
  if (code === 'OCL_RATE_LIMITED') {
    const { host, retryAfter } = no;
    if (retryAfter === undefined)
      return `try again later, or use an account, for which limits are higher: ocl login ${host}; ocl ratelimit ${host} shows what is left`;
    return `try again after ${printable(retryAfter.slice(0, 40))}${/^\d+$/.test(retryAfter) ? ' seconds' : ''}`;
  }
  if (no.isPage || no.status >= 500) return `ocl ping ${no.host}`;
  return undefined;
}

/** What to do where a login is missing, wrong or too weak. */
export function loginHint({ host, status }: Pick<Refusal, 'host' | 'status'>): string {
  return status === 401
    ? `ocl login ${host}; ocl ping ${host} shows which account is used`
    : `the account needs the right to do this: ocl whoami ${host} shows which one is used, ocl login ${host} changes it`;
}

function isWriting(no: Refusal): boolean {
  return WRITING.includes(no.method);
}

function hasRepository(no: Refusal): no is InRepository {
  return no.repository !== undefined;
}

function nameOf({ host, repository }: InRepository): string {
  return `${host}/${repository}`;
}
