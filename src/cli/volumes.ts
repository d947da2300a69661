import { type Argv } from 'yargs';
import { OclError } from '../core/errors.ts';
import { countImages } from '../core/names.ts';
import { formatReference, type Reference } from '../core/reference.ts';
import { type LocalSource } from '../core/store.ts';
import { parseVolumeSizes } from '../core/volumeSizes.ts';
import { type ArchiveFile } from '../stores/archive/writer.ts';
import { type Env } from './env.ts';
import { formatBytes, formatTable, plural } from './render/format.ts';

/** The further volumes that a command takes besides the place that it is about. */
export function volumesOption<T>(cli: Argv<T>): Argv<T & { volumes: string[] | undefined }> {
  return cli.positional('volumes', {
    type: 'string',
    array: true,
    describe: 'Where that is a volume of a set: further volumes of it, in any order',
  });
}

/** The set of which some volumes are named. @throws OCL_USAGE where there are further ones of what is no file */
export function withVolumes<T extends Reference>(reference: T, volumes: readonly string[] | undefined): T {
  if (volumes === undefined || volumes.length === 0) return reference;
  if (reference.kind === 'archive' || reference.kind === 'path') return { ...reference, volumes };
  throw new OclError(
    'OCL_USAGE',
    `Cannot take further volumes beside ${formatReference(reference)}: it is no volume of a set`,
  );
}

/** Says what of a set is not here, so that nobody takes a part for the whole. */
export async function tellOfAbsent(source: LocalSource | undefined, env: Pick<Env, 'json' | 'say'>): Promise<void> {
  if (env.json || source === undefined) return;
  const { record, volumes } = source;
  if (record?.kind === 'delta') {
    const { requires = [], unchanged } = record;
    const whole = countImages(unchanged?.images ?? []);
    const also = whole === 0 ? '' : `, and so are ${plural(whole, 'image')} that it only names`;
    env.say(
      `info: a delta: ${plural(requires.length, 'content')} of its images are on the far side and not in it${also}`,
    );
  }
  if (volumes === undefined || volumes.absent.length === 0) return;
  const shown = countImages(await source.roots());
  const missing =
    volumes.absent.length > 20 ? `${volumes.absent.slice(0, 20).join(', ')}, …` : volumes.absent.join(', ');
  const message = `of ${volumes.count} volumes these are not given: ${missing}; ${shown} of ${plural(countImages(volumes.roots), 'image')} are complete without them`;
  env.say(`info: ${message}`);
}

const SIZES = '4GB, 700MiB, cd, dvd, dvd-dl, bd, fat32, usb:64G; several with commas, of which the last repeats';

/** How a command that writes volumes is told of their sizes. */
export const VOLUME_SIZE = {
  type: 'string',
  requiresArg: true,
  describe: `Cut the bundle into volumes of at most so many bytes: ${SIZES}`,
} as const;

/** What `--volume-size` says. @throws OCL_USAGE */
export function volumeSizes(text: string | undefined): readonly number[] | undefined {
  return text === undefined ? undefined : parseVolumeSizes(text);
}

/** A table of volumes that were written, for people. */
export function describeVolumes(files: readonly ArchiveFile[]): string {
  const rows = files.map(({ path, size, capacity, images }) => [
    path,
    formatBytes(size),
    capacity === undefined ? '-' : `${Math.floor((size / capacity) * 100)} %`,
    plural(images, 'image'),
  ]);
  return formatTable(['VOLUME', 'SIZE', 'FULL', 'COMPLETE IN IT'], rows);
}
