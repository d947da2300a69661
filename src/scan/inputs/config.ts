import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ANNOTATION, type Descriptor } from '../../core/descriptor.ts';
import { normalMediaType } from '../../core/mediaTypes.ts';
import { type Source } from '../../core/store.ts';
import { writeFileAtomic } from '../../io/atomicFile.ts';
import { readVerified } from '../../io/verify.ts';
import { unpack } from '../rootfs/flatten.ts';
import { Stems } from './stem.ts';

/** Bytes of a configuration that travels as a plain file. */
const FILE_BYTES = 32 << 20;

/**
 * Configuration as files: what is in tar layers in `tar/`, and layers that are files themselves in `files/`, under names of our own
 * making, for titles are paths that somebody else chose.
 * @throws as `unpack`; OCL_LIMIT above 32 MiB
 */
export async function writeConfiguration(
  source: Source,
  layers: readonly Descriptor[],
  directory: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  const tars = layers.filter(isTar);
  if (tars.length > 0) await unpack(source, tars, join(directory, 'tar'), { signal });
  const files = layers.filter((layer) => !isTar(layer));
  if (files.length === 0) return;
  await mkdir(join(directory, 'files'));
  const stems = new Stems();
  for (const layer of files) {
    signal?.throwIfAborted();
    const name = stems.of(
      layer.annotations?.[ANNOTATION.title] ?? `${layer.digest}${ending(layer)}`,
      undefined,
      layer.digest,
    );
    await writeFileAtomic(
      join(directory, 'files', name),
      await readVerified(await source.open(layer), layer, FILE_BYTES),
    );
  }
}

/** `+tar.gz` is what Falco writes; a provenance file beside a chart is none. */
function isTar({ mediaType }: Descriptor): boolean {
  return /(?:^|[./+-])(?:tar|tgz)(?:$|[.+])/.test(normalMediaType(mediaType));
}

function ending({ mediaType }: Descriptor): string {
  return `.${/\+(yaml|json|rego|xml)$/.exec(normalMediaType(mediaType))?.[1] ?? 'txt'}`;
}
