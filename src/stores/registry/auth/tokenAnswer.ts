import { OclError } from '../../../core/errors.ts';
import { isObject } from '../../../core/json.ts';

export interface Token {
  readonly value: string;
  /** Milliseconds since the epoch: from here on a new one is fetched before a request is sent. */
  readonly renewAt: number;
  /** The same for requests whose body flows, since those take long and cannot be broken off for a new token. */
  readonly renewForStreamAt: number;
}

/** Seconds that a token lives when its server does not say (Docker token specification). */
const DEFAULT_LIFE = 60;
const LONGEST_LIFE = 30 * 24 * 3600;
/** Seconds, and the part of its life, that a token has to have before it. */
const MARGIN = 5;
const MARGIN_PART = 0.2;

/**
 * The token in the answer of a token server. Its age (`issued_at`) counts up to half of its life: beyond that rather the clocks differ, and
 * a registry that no longer takes it says so.
 * @param action completes "Cannot …"
 * @param now milliseconds since the epoch
 * @throws OCL_REGISTRY
 */
export function readToken(value: unknown, action: string, now: number): Token {
  const members = isObject(value) ? value : {};
  const token = readSecret(value, ['token', 'access_token'], action);
  const told = members['expires_in'];
  const life = typeof told === 'number' && told > 0 ? Math.min(told, LONGEST_LIFE) : DEFAULT_LIFE;
  const issued = typeof members['issued_at'] === 'string' ? Date.parse(members['issued_at']) : Number.NaN;
  const age = Number.isNaN(issued) ? 0 : Math.min(Math.max((now - issued) / 1000, 0), life / 2);
  const left = life - age;
  const margin = Math.min(Math.max(life * MARGIN_PART, MARGIN), left / 2);
  return { value: token, renewAt: now + (left - margin) * 1000, renewForStreamAt: now + (left / 2) * 1000 };
}

/** The first of some members that is a secret. What goes into a header must not be able to end it. @throws OCL_REGISTRY */
export function readSecret(value: unknown, names: readonly string[], action: string): string {
  const members = isObject(value) ? value : {};
  const secret = names.map((name) => members[name]).find((text) => typeof text === 'string' && text !== '');
  if (typeof secret !== 'string') throw new OclError('OCL_REGISTRY', `Cannot ${action}: the answer holds no token`);
  if (!/^[\x21-\x7e]+$/.test(secret))
    throw new OclError('OCL_REGISTRY', `Cannot ${action}: the token holds characters that no token has`);
  return secret;
}
