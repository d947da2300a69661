import { OclError } from '../../core/errors.ts';
import { isRepository } from '../../core/reference.ts';
import { type RegistryClient } from './client.ts';
import { AnswerError, hasStatus } from './errors.ts';
import { names } from './paging.ts';
import { type Quirks } from './quirks.ts';

/** Answers by which a registry says that it shows no list, or not to everybody. */
const REFUSED: readonly number[] = [400, 401, 403, 404, 405, 501];

/**
 * The repositories that a registry lists under `_catalog` (not in the specification; Docker Hub and others do not have it).
 * Names below the settings' path prefix come without it, others are left out. @throws OCL_NOT_FOUND, OCL_UNAUTHORIZED, OCL_DENIED, …
 */
export async function* listRepositories(client: RegistryClient): AsyncGenerator<string> {
  const action = `list the repositories of ${client.registry}`;
  const prefix =
    client.settings.pathPrefix === undefined ? '' : `${client.settings.pathPrefix.replaceAll(/^\/+|\/+$/g, '')}/`;
  const need = { scopes: ['registry:catalog:*'], repository: undefined };
  const isName = (name: string): boolean => isRepository(name) && name.startsWith(prefix);
  try {
    for await (const name of names(client, { to: '_catalog', need, action, member: 'repositories', isName }))
      yield name.slice(prefix.length);
  } catch (error) {
    const hint = hasStatus(error, ...REFUSED) ? hintFor(client) : undefined;
    if (hint === undefined || !(error instanceof AnswerError)) throw error;
    throw new OclError(error.code, error.message, { hint, cause: error });
  }
}

const HINTS: Readonly<Record<Quirks['catalog'], (product: string, host: string) => string | undefined>> = {
  yes: () => undefined,
  privileged: (product, host) =>
    `${product} shows this list to accounts with rights over all of it: ocl login ${host}, or name repositories one by one`,
  no: (product) => `${product} has no such list: name repositories one by one`,
};

function hintFor({ learned, registry }: RegistryClient): string | undefined {
  const { catalog, product = registry } = learned.quirks;
  return HINTS[catalog](product, registry);
}
