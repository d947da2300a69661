import { isRepository } from '../../core/reference.ts';
import { type RegistryClient } from './client.ts';
import { namesOf, pages } from './paging.ts';

/**
 * The repositories that a registry lists under `_catalog` (not in the specification; Docker Hub and others do not have it).
 * Names below the settings' path prefix come without it, others are left out. @throws OCL_NOT_FOUND, OCL_UNAUTHORIZED, OCL_DENIED, …
 */
export async function* listRepositories(client: RegistryClient): AsyncGenerator<string> {
  const action = `list the repositories of ${client.registry}`;
  const prefix =
    client.settings.pathPrefix === undefined ? '' : `${client.settings.pathPrefix.replaceAll(/^\/+|\/+$/g, '')}/`;
  const need = { scopes: ['registry:catalog:*'], repository: undefined };
  for await (const page of pages(client, { method: 'GET', to: '_catalog', need, action, ok: [200] })) {
    for (const name of namesOf(page, 'repositories', action)) {
      if (isRepository(name) && name.startsWith(prefix)) yield name.slice(prefix.length);
    }
  }
}
