import {
  buildDeprecation,
  deprecationOf,
  readDeprecation,
  type Deprecation,
  type DeprecationStatement,
} from '../artifact/deprecation.ts';
import { onlyRoot } from '../artifact/onlyRoot.ts';
import { type Clock } from '../core/clock.ts';
import { type Digest } from '../core/digest.ts';
import { formatReference, wantedName, type Reference } from '../core/reference.ts';
import { type Stores } from '../core/store.ts';
import { type Copier } from '../copy/copier.ts';
import { loadDocument } from '../copy/documents.ts';
import { packedRoots } from './packed.ts';

export interface DeprecateOptions {
  readonly stores: Stores;
  readonly copier: Copier;
  readonly clock: Clock;
}

export interface Deprecated {
  readonly reference: string;
  /** The manifest that the statement is about. */
  readonly digest: Digest;
  readonly outcome: 'stated' | 'unchanged';
  readonly deprecation: Deprecation;
}

/**
 * Says of one version that it is deprecated, or that it is so no more: a referrer beside it, so that its digest and signatures stay.
 * The newest statement counts; saying the same again changes nothing.
 * @throws OCL_UNSUPPORTED for an archive, which is written once
 */
export async function stateDeprecation(
  reference: Reference,
  statement: DeprecationStatement,
  { stores, copier, clock }: DeprecateOptions,
): Promise<Deprecated> {
  // Refuses what cannot be changed before anything is read.
  await stores.editor(reference);
  const source = await stores.source(reference);
  const subject = await onlyRoot(source, wantedName(reference));
  const { document } = await loadDocument(subject, source);
  const before = await readDeprecation(source, subject, document.annotations);
  const facts = { reference: formatReference(reference), digest: subject.digest };
  if (before !== undefined && saysSame(before, statement))
    return { ...facts, outcome: 'unchanged', deprecation: before };
  if (before === undefined && !statement.deprecated)
    return { ...facts, outcome: 'unchanged', deprecation: { ...statement, created: '', digest: undefined } };
  const spoken = before === undefined || before.created === '' ? 0 : Date.parse(before.created) + 1;
  const created = Math.max(clock.now(), spoken);
  const { store, root } = buildDeprecation(subject, statement, created);
  const to = await stores.sink(reference);
  await copier.copy({ from: store, to, root, name: {}, image: `the deprecation of ${facts.reference}` });
  await to.commit();
  return {
    ...facts,
    outcome: 'stated',
    deprecation: { ...statement, created: new Date(created).toISOString(), digest: root.digest },
  };
}

function saysSame(before: Deprecation, statement: DeprecationStatement): boolean {
  if (!before.deprecated && !statement.deprecated) return true;
  return JSON.stringify(membersOf(before)) === JSON.stringify(membersOf(statement));
}

function membersOf(statement: DeprecationStatement): readonly unknown[] {
  const { deprecated, since, reason, replacedBy, endOfLife } = statement;
  return [deprecated, since, reason, replacedBy?.ref, replacedBy?.digest, endOfLife];
}

export interface DeprecatedEntity {
  readonly name: string;
  readonly deprecation: Deprecation;
}

/** The entities of an input that are deprecated as things stand. Files that are no store have no statements beside them. */
export async function deprecationsIn(input: Reference, stores: Stores): Promise<readonly DeprecatedEntity[]> {
  const found: DeprecatedEntity[] = [];
  for await (const { kind, name, version, from, root } of packedRoots(input, stores)) {
    const { document } = await loadDocument(root, from);
    const deprecation = await deprecationOf(from, root, document);
    if (deprecation?.deprecated === true)
      found.push({ name: `the ${kind} ${name} ${version ?? ''}`.trimEnd(), deprecation });
  }
  return found;
}
