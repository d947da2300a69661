import { isTag } from '../core/reference.ts';
import { type Exchange, type Registry } from './exchange.ts';
import { byteOrder, page } from './paging.ts';
import { sendJson } from './send.ts';

/** `tags/list`. `asked` is the name in the request, which may be another than that of the repository that answers it. */
export function listTags(
  registry: Registry,
  { req, res, query }: Exchange,
  repository: string,
  asked: string,
): Promise<void> {
  return registry.repositories.read(repository, async (source) => {
    const tags = new Set<string>();
    for await (const tag of source.tags()) if (isTag(tag)) tags.add(tag);
    const { names, headers } = page(
      [...tags].toSorted(byteOrder),
      `/v2/${asked}/tags/list`,
      query,
      registry.limits.pageEntries,
    );
    await sendJson(req, res, { name: asked, tags: names }, headers);
  });
}

/** `_catalog`: no part of the specification, and asked for all the same. */
export async function listRepositories(registry: Registry, { req, res, query }: Exchange): Promise<void> {
  const all = await registry.repositories.library.repositories();
  const { names, headers } = page([...all].toSorted(byteOrder), '/v2/_catalog', query, registry.limits.pageEntries);
  await sendJson(req, res, { repositories: names }, headers);
}
