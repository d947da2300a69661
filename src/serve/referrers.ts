import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { MEDIA } from '../core/mediaTypes.ts';
import { type LocalSource } from '../core/store.ts';
import { type Exchange, type Registry } from './exchange.ts';
import { type ServeLimits } from './limits.ts';
import { byteOrder, nextLink } from './paging.ts';
import { sendJson } from './send.ts';

/** What refers to a digest, as an index. Nothing refers to what is not there: that is an empty index, not an error. */
export async function listReferrers(
  registry: Registry,
  exchange: Exchange,
  repository: string,
  asked: string,
  digest: Digest,
): Promise<void> {
  const { query, req, res } = exchange;
  const type = query.get('artifactType') || undefined;
  const all = (await registry.repositories.exists(repository))
    ? await registry.repositories.read(repository, (source) => collect(source, digest))
    : [];
  const wanted = type === undefined ? all : all.filter(({ artifactType }) => artifactType === type);
  const { entries, next } = cut(wanted, query.get('last') || undefined, registry.limits);
  await sendJson(
    req,
    res,
    { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: entries },
    {
      'Content-Type': MEDIA.ociIndex,
      ...(type === undefined ? {} : { 'OCI-Filters-Applied': 'artifactType' }),
      ...(next === undefined ? {} : { Link: nextLink(`/v2/${asked}/referrers/${digest}`, query, { last: next }) }),
    },
  );
}

async function collect(source: LocalSource, digest: Digest): Promise<readonly Descriptor[]> {
  const found = new Map<Digest, Descriptor>();
  for await (const { mediaType, digest: referrer, size, artifactType, annotations } of source.referrers({
    mediaType: MEDIA.ociManifest,
    digest,
    size: 0,
  })) {
    found.set(referrer, {
      mediaType,
      digest: referrer,
      size,
      ...(artifactType === undefined ? {} : { artifactType }),
      ...(annotations === undefined ? {} : { annotations }),
    });
  }
  return [...found.values()].toSorted((a, b) => byteOrder(a.digest, b.digest));
}

/** The entries after `last` that one answer may hold, and the `last` of the next one. */
function cut(
  sorted: readonly Descriptor[],
  last: string | undefined,
  limits: ServeLimits,
): { readonly entries: readonly Descriptor[]; readonly next: string | undefined } {
  const rest = last === undefined ? sorted : sorted.filter(({ digest }) => digest > last);
  const entries: Descriptor[] = [];
  let bytes = 0;
  for (const entry of rest) {
    bytes += JSON.stringify(entry).length;
    if (entries.length > 0 && (bytes > limits.pageBytes || entries.length >= limits.pageEntries)) break;
    entries.push(entry);
  }
  return { entries, next: entries.length < rest.length ? entries.at(-1)?.digest : undefined };
}
