/** Puts a repository into a registry, by the distribution API: contents first, then documents, then names. */
export async function push(registry, { name, blobs, documents, tags }) {
  const base = `${registry}/v2/${name}`;
  for (const { descriptor, bytes } of blobs.values()) {
    const headers = { 'Content-Type': 'application/octet-stream' };
    await created(
      fetch(`${base}/blobs/uploads/?digest=${descriptor.digest}`, { method: 'POST', body: bytes, headers }),
    );
  }
  for (const { descriptor, bytes } of documents.values()) {
    await putManifest(`${base}/manifests/${descriptor.digest}`, descriptor.mediaType, bytes);
  }
  for (const [tag, { digest, mediaType }] of tags) {
    await putManifest(`${base}/manifests/${tag}`, mediaType, documents.get(digest).bytes);
  }
}

async function putManifest(url, mediaType, body) {
  await created(fetch(url, { method: 'PUT', body, headers: { 'Content-Type': mediaType } }));
}

async function created(request) {
  const answer = await request;
  if (answer.status !== 201) throw new Error(`Cannot push to ${answer.url}: ${answer.status} ${await answer.text()}`);
}
