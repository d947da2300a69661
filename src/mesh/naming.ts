import { createHash } from 'node:crypto';
import { OclError } from '../core/errors.ts';
import { isRepository, isTag } from '../core/reference.ts';
import { type Entity, type EntityKind } from './entity.ts';

const PLURAL: Readonly<Partial<Record<EntityKind, string>>> = { policy: 'policies' };

/** `designs/my-design`: where an entity lies below a registry's or layout's prefix. */
export function entityRepository({ kind, name }: Pick<Entity, 'kind' | 'name'>): string {
  const repository = `${PLURAL[kind] ?? `${kind}s`}/${slug(name)}`;
  if (isRepository(repository)) return repository;
  // A name of other letters than Latin ones.
  if (name.trim() !== '') return `${PLURAL[kind] ?? `${kind}s`}/${shortHash(name)}`;
  throw new OclError('OCL_REFERENCE_INVALID', `Cannot name a ${kind} in a registry: it has no name`);
}

/** `1.2.0`, and for a model the version of its software before its own: `1.29.1-v1.0.0`. `+` is written `_`, as helm does. */
export function entityTag({ kind, version, modelVersion }: Pick<Entity, 'kind' | 'version' | 'modelVersion'>): string {
  const text = kind === 'model' && modelVersion !== undefined ? `${modelVersion}-${version}` : version;
  const tag = text
    .replaceAll('+', '_')
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[.-]+/, '');
  return isTag(tag) ? tag : 'latest';
}

/** A name as registries take it: lower case, accents off, all else a hyphen. */
export function slug(name: string): string {
  return name
    .normalize('NFKD')
    .replaceAll(/[\u0300-\u036F]/g, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
}

/** Eight digits that stand for a content. */
export function shortHash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 8);
}
