import { type Digest } from '../core/digest.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { Refusal } from './errors.ts';
import { type Exchange, type Registry } from './exchange.ts';
import { readRange } from './range.ts';
import { sendEmpty, sendStream } from './send.ts';

const OCTETS = 'application/octet-stream';

/** GET and HEAD of a blob. It is never anything but octets to a browser: its content is a stranger's. */
export function getBlob(registry: Registry, { req, res }: Exchange, repository: string, digest: Digest): Promise<void> {
  return registry.repositories.read(repository, async (source) => {
    const size = await source.size(digest);
    if (size === undefined) throw unknown(digest);
    const etag = `"${digest}"`;
    const headers = { 'Content-Type': OCTETS, 'Docker-Content-Digest': digest, ETag: etag, 'Accept-Ranges': 'bytes' };
    if (mentions(req.headers['if-none-match'], etag)) return sendEmptyNotModified(res, headers);
    const ifRange = req.headers['if-range'];
    const range = readRange(ifRange === undefined || ifRange === etag ? req.headers.range : undefined, size);
    if (range.kind === 'unsatisfiable') {
      throw new Refusal('SIZE_INVALID', `the blob has ${size} bytes`, {
        status: 416,
        headers: { 'Content-Range': `bytes */${size}` },
      });
    }
    const part = range.kind === 'part' ? range : undefined;
    const length = part === undefined ? size : part.end - part.start + 1;
    const status = part === undefined ? 200 : 206;
    const all = {
      ...headers,
      ...(part === undefined ? {} : { 'Content-Range': `bytes ${part.start}-${part.end}/${size}` }),
    };
    if (req.method === 'HEAD') {
      res.writeHead(status, { ...all, 'Content-Length': length, 'X-Content-Type-Options': 'nosniff' }).end();
      return;
    }
    await sendStream(res, status, all, await source.open({ mediaType: OCTETS, digest, size }, part), length);
  });
}

/** Takes a blob away at once. A manifest is not a blob, though a layout keeps both in one place. */
export async function deleteBlob(
  registry: Registry,
  { req, res }: Exchange,
  repository: string,
  digest: Digest,
): Promise<void> {
  await registry.repositories.read(repository, async (source) => {
    if ((await source.size(digest)) === undefined) throw unknown(digest);
    const roots = await source.roots();
    if (roots.some((root) => root.digest === digest && isDocumentType(root.mediaType))) throw unknown(digest);
  });
  const removed = await registry.repositories.write(repository, (sink) => sink.removeBlob(digest));
  if (!removed) throw unknown(digest);
  await sendEmpty(req, res, 202);
}

function unknown(digest: Digest): Refusal {
  return new Refusal('BLOB_UNKNOWN', `there is no blob ${digest}`);
}

function mentions(header: string | undefined, etag: string): boolean {
  return (
    header !== undefined &&
    (header.trim() === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag))
  );
}

function sendEmptyNotModified(res: Exchange['res'], headers: Readonly<Record<string, string>>): void {
  res.writeHead(304, { ETag: headers['ETag'], 'Docker-Content-Digest': headers['Docker-Content-Digest'] }).end();
}
