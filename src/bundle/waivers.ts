import { isDigest } from '../core/digest.ts';
import { OclError, toOclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { formatReference, parseImageName } from '../core/reference.ts';

/** Failures that are no answer to whether something can be had. */
const OTHER = new Set(['OCL_CANCELLED', 'OCL_INTERNAL', 'OCL_USAGE', 'OCL_NO_SPACE', 'OCL_LOCKED']);

/** What may be missing from a bundle, by name. Everything else that cannot be had is an error. */
export class Waivers {
  /** Parts of an index and referrers, which have no other name. */
  readonly digests: ReadonlySet<string>;
  readonly #names: ReadonlySet<string>;
  readonly #emit: Emit;
  readonly #missing: string[] = [];

  /** @param names images as they are typed or called in the bundle, places, and digests of referrers and of parts of an index */
  constructor(names: readonly string[], emit: Emit) {
    this.#emit = emit;
    this.digests = new Set(names.filter(isDigest));
    this.#names = new Set(names.flatMap((name) => [name, taggedName(name)]));
  }

  /** What was left out. */
  get missing(): readonly string[] {
    return this.#missing;
  }

  allows(name: string): boolean {
    return this.#names.has(name) || this.#names.has(taggedName(name));
  }

  /** Whether a failure is waived; then it is told, and remembered. */
  spare(name: string, error: unknown): boolean {
    const known = toOclError(error);
    if (OTHER.has(known.code) || !this.allows(name)) return false;
    this.#missing.push(name);
    this.#emit({ type: 'notice', level: 'warning', message: `${name} is left out, as allowed: ${known.message}` });
    return true;
  }

  /** Does something for what has a name; a failure that is waived ends it without one. @throws others, with the option that would waive them */
  async attempt(name: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (this.spare(name, error)) return;
      throw withHint(error, name);
    }
  }
}

function taggedName(name: string): string {
  const parsed = parseImageName(name);
  if (parsed === undefined) return name;
  return formatReference(
    parsed.tag === undefined && parsed.digest === undefined ? { ...parsed, tag: 'latest' } : parsed,
  );
}

function withHint(error: unknown, name: string): OclError {
  const known = toOclError(error);
  const { code, message, hint, side } = known;
  if (code !== 'OCL_NOT_FOUND') return known;
  const without = `to export without it: --allow-missing ${name}`;
  return new OclError(code, message, {
    side,
    cause: known,
    hint: hint === undefined ? without : `${hint}; ${without}`,
  });
}
