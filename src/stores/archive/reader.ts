import { OclError } from '../../core/errors.ts';
import { type Tarball } from '../../io/tarball.ts';
import { shown } from '../../io/tarName.ts';
import { DockerContents } from './docker.ts';
import { distinctVolumes, VolumeOpener, type VolumeNumber } from './openSet.ts';
import { OciContents } from './ociContents.ts';
import { readRecord } from './readRecord.ts';
import { ArchiveSource, type ArchiveKind } from './source.ts';
import { openTar, type OpenTar } from '../../io/tarSpool.ts';
import { type OpenVolume } from './openVolume.ts';
import { VolumeSet } from './volumeSet.ts';

export interface OpenArchiveOptions {
  /** Where a compressed archive is decompressed to, until it is closed. */
  readonly tmpDir: string;
  /** Which side is wanted of an archive that is both, as docker has written them since version 25. The OCI side, when it is not said. */
  readonly as?: ArchiveKind;
}

/**
 * Opens an image archive: a layout in a tar file, or what `docker save` writes; also one that is compressed with gzip or zstd. A
 * volume of a set shows what is complete in it.
 * @throws OCL_NOT_FOUND, OCL_ARCHIVE_INVALID, OCL_DOCUMENT_INVALID, OCL_UNSAFE, OCL_LIMIT, OCL_UNSUPPORTED
 */
export async function openArchive(path: string, options: OpenArchiveOptions): Promise<ArchiveSource> {
  const open = await openTar(path, options.tmpDir);
  const { tarball } = open;
  try {
    const kind = kindOf(tarball, path, options.as);
    if (kind === 'docker')
      return new ArchiveSource(`docker-archive:${path}`, kind, await DockerContents.read(tarball, path), () =>
        open.close(),
      );
    const record = await readRecord(tarball, path);
    const contents =
      record?.set === undefined
        ? await OciContents.read(tarball, path, record)
        : new VolumeSet([await new VolumeOpener().open(tarball, path)]);
    return new ArchiveSource(`oci-archive:${path}`, kind, contents, () => open.close());
  } catch (error) {
    await open.close();
    throw error;
  }
}

/**
 * Opens volumes of one set as one source, in any order. What is complete with those that are given can be read.
 * @throws as `openArchive`; OCL_USAGE for an archive that is no volume; OCL_ARCHIVE_INVALID for volumes that do not belong together
 */
export async function openVolumes(
  paths: readonly string[],
  options: Pick<OpenArchiveOptions, 'tmpDir'>,
): Promise<ArchiveSource> {
  const open: OpenTar[] = [];
  const close = async (): Promise<void> => {
    for (const each of open) await each.close();
  };
  try {
    const volumes: OpenVolume[] = [];
    const opener = new VolumeOpener();
    for (const path of paths) {
      const opened = await openTar(path, options.tmpDir);
      open.push(opened);
      volumes.push(await opener.open(opened.tarball, path));
    }
    const contents = new VolumeSet(distinctVolumes(volumes));
    const [first = ''] = paths;
    const name = paths.length === 1 ? first : `${first} (${volumes.length} of ${contents.volumes.count} volumes)`;
    return new ArchiveSource(`oci-archive:${name}`, 'oci', contents, close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** Tells of one file after the other which volume of which set it is; undefined for all that is none. @throws as `openArchive` */
export function numberVolumes(
  options: Pick<OpenArchiveOptions, 'tmpDir'>,
): (path: string) => Promise<VolumeNumber | undefined> {
  const opener = new VolumeOpener();
  return async (path) => {
    const open = await openTar(path, options.tmpDir);
    try {
      return await opener.numberOf(open.tarball, path);
    } finally {
      await open.close();
    }
  };
}

function kindOf(tarball: Tarball, path: string, wanted: ArchiveKind | undefined): ArchiveKind {
  const oci = tarball.find('oci-layout') !== undefined;
  const docker = tarball.find('manifest.json') !== undefined;
  if (wanted === 'docker') {
    if (docker) return 'docker';
    throw new OclError(
      'OCL_ARCHIVE_INVALID',
      `Cannot open the archive ${path}: it has no manifest.json`,
      oci ? { hint: `it is a layout: use oci-archive:${path}` } : {},
    );
  }
  if (oci) return 'oci';
  if (docker) return 'docker';
  throw new OclError(
    'OCL_ARCHIVE_INVALID',
    `Cannot open the archive ${path}: it has neither oci-layout nor manifest.json`,
    { hint: whereInstead(tarball, path) },
  );
}

/** Where bundles of CNAB have their images. */
const THICK = 'artifacts/layout';

/** Archives are often packed with the directory around the layout. */
function whereInstead(tarball: Tarball, path: string): string | undefined {
  for (const name of tarball.names()) {
    const slash = name.lastIndexOf('/');
    const base = name.slice(slash + 1);
    if (slash > 0 && (base === 'oci-layout' || base === 'manifest.json')) {
      const directory = name.slice(0, slash);
      if (directory.endsWith(THICK)) return `it is a bundle of CNAB with its images: ocl cnab inspect ${path}`;
      return `its files lie below ${shown(directory)}: unpack it, and pack it again with tar -C ${shown(directory)} -cf FILE .`;
    }
  }
  return undefined;
}
