import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { type Descriptor } from '../../core/descriptor.ts';
import { toJsonBytes } from '../../core/json.ts';
import { MEDIA } from '../../core/mediaTypes.ts';
import { syncDirectory, TemporaryFile } from '../../io/atomicFile.ts';
import { TAR_END, tarFileHeader, tarPadding } from '../../io/tarball.ts';
import { LAYOUT } from './thick.ts';

/** Contents are compressed already: more effort would cost time and gain nothing. */
const LEVEL = 1;

/**
 * Writes a thick bundle: the bundle file, then the layout with its blobs in the order of their names, packed with gzip. The file is seen when it is whole.
 * @param entries of the layout's `index.json`, whose names are those of the bundle
 */
export async function packThick(
  path: string,
  bundle: Uint8Array,
  { layout, entries }: { readonly layout: string; readonly entries: readonly Descriptor[] },
): Promise<void> {
  const file = await TemporaryFile.create(dirname(path), 0o644, `.${basename(path)}.${process.pid}.tmp`);
  try {
    const zipped = Readable.from(packed(bundle, layout, entries), { objectMode: false }).pipe(
      createGzip({ level: LEVEL }),
    );
    for await (const chunk of zipped as AsyncIterable<Uint8Array>) await file.write(chunk);
    await file.moveTo(path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await file.discard();
    throw error;
  }
}

async function* packed(bundle: Uint8Array, layout: string, entries: readonly Descriptor[]): AsyncGenerator<Uint8Array> {
  yield* entry('bundle.json', bundle);
  yield* entry(`${LAYOUT}oci-layout`, toJsonBytes({ imageLayoutVersion: '1.0.0' }));
  yield* entry(`${LAYOUT}index.json`, toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: entries }));
  const blobs = join(layout, 'blobs');
  for (const algorithm of (await readdir(blobs)).toSorted())
    for (const name of (await readdir(join(blobs, algorithm))).toSorted()) {
      const path = join(blobs, algorithm, name);
      const { size } = await stat(path);
      yield tarFileHeader(`${LAYOUT}blobs/${algorithm}/${name}`, size, 0o644);
      yield* createReadStream(path) as AsyncIterable<Uint8Array>;
      yield new Uint8Array(tarPadding(size));
    }
  yield TAR_END;
}

function* entry(name: string, bytes: Uint8Array): Generator<Uint8Array> {
  yield tarFileHeader(name, bytes.length, 0o644);
  yield bytes;
  yield new Uint8Array(tarPadding(bytes.length));
}
