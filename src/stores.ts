import { rm, stat } from 'node:fs/promises';
import { basename, dirname, extname } from 'node:path';
import { shellQuote } from './artifact/types/commands.ts';
import { type Clock } from './core/clock.ts';
import { type BundleRecord } from './core/bundleRecord.ts';
import { type Descriptor, type Platform } from './core/descriptor.ts';
import { OclError, systemCode } from './core/errors.ts';
import { type Emit } from './core/events.ts';
import { formatReference, isRepository, type FileReference, type Reference } from './core/reference.ts';
import {
  type Editor,
  type Library,
  type LocalSource,
  type NamedRoot,
  type Sink,
  type Source,
  type Stores,
} from './core/store.ts';
import { Linker } from './io/link.ts';
import { meshStandIn } from './mesh/standIn.ts';
import { type VolumeNumber } from './stores/archive/openSet.ts';
import { numberVolumes, openArchive, openVolumes } from './stores/archive/reader.ts';
import { planArchive, type DeltaOptions, type PlanOptions } from './stores/archive/plan.ts';
import {
  createArchive,
  LINUX,
  type ArchiveDestination,
  type ArchiveForm,
  type ArchiveSink,
} from './stores/archive/writer.ts';
import { collectGarbage, type GcReport } from './stores/layout/gc.ts';
import {
  isLayout,
  openLayout,
  openOrCreateLayout,
  type LayoutOptions,
  type LayoutStore,
} from './stores/layout/layout.ts';
import { LayoutTree } from './stores/layout/library.ts';
import { importsPath } from './stores/layout/session.ts';
import { NamedEntries } from './stores/named/library.ts';
import { type Registries } from './stores/registry/registries.ts';

export interface StoresOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly registries: Registries;
  /** Where a compressed archive is decompressed to. */
  readonly tmpDir: string;
  readonly signal?: AbortSignal | undefined;
  /** Files of other layouts are hashed again instead of linked on trust. */
  readonly reverify?: boolean | undefined;
  /** Which image of an index `docker load` gets from an archive. */
  readonly dockerPlatform?: Platform | undefined;
  /** Who writes, for what bundles say of themselves. */
  readonly tool?: { readonly name: string; readonly version: string } | undefined;
  /** The form of archives that are written; a layout that docker reads too, when it is not said. */
  readonly archiveForm?: ArchiveForm | undefined;
  /** Archives that exist may be replaced. */
  readonly overwrite?: boolean | undefined;
  /** Whether disks are asked for room before archives are written; yes, unless it is said. */
  readonly spaceCheck?: boolean | undefined;
  /** Milliseconds to wait for another process's lock. */
  readonly lockTimeout?: number | undefined;
}

/** The stores of a run, and what only one kind of them can do. */
export interface AllStores extends Stores {
  /** An archive that is written anew, to a file or a stream; a delta leaves out what the far side has. */
  archive(
    destination: ArchiveDestination,
    options?: { readonly delta?: DeltaOptions | undefined; readonly form?: ArchiveForm | undefined },
  ): Promise<ArchiveSink>;
  /** What an archive of these contents would be, without writing any of it. */
  planArchive(
    nodes: readonly Descriptor[],
    names: readonly NamedRoot[],
    options: Pick<PlanOptions, 'read' | 'volumeSizes' | 'delta'>,
  ): Promise<PlannedArchive>;
  /**
   * Tells of one file after the other which volume of which set it is; undefined for all that is none. What volumes of one set have in common
   * is read once. @throws as opening the file does
   */
  numberVolumes(): (reference: Reference) => Promise<VolumeNumber | undefined>;
  /** Removes what nothing reaches, in one layout or in each of a library. */
  collectGarbage(
    reference: FileReference,
    options: { readonly grace: number; readonly dryRun: boolean; readonly forgetImports?: boolean },
  ): Promise<readonly { readonly layout: string; readonly report: GcReport }[]>;
}

/** Sizes in bytes. */
export interface PlannedArchive {
  readonly volumes: readonly { readonly size: number; readonly images: number }[];
  readonly record: BundleRecord | undefined;
}

type FileKind = 'layout' | 'library' | 'archive' | 'nothing';

/** Opens whatever a reference names. The only place that tells kinds of stores apart. */
export function createStores(options: StoresOptions): AllStores {
  const { clock, emit, signal, registries, tmpDir, reverify, lockTimeout } = options;
  const layouts: LayoutOptions = { clock, emit, signal, reverify, lockTimeout, linker: new Linker() };
  const opened: { close(): Promise<void> }[] = [];

  function keep<T extends { close(): Promise<void> }>(store: T): T {
    opened.push(store);
    return store;
  }

  async function openFile(reference: FileReference): Promise<LocalSource> {
    if (reference.volumes !== undefined && reference.volumes.length > 0)
      return await openVolumes([reference.path, ...reference.volumes], { tmpDir });
    if (reference.kind === 'layout') return await openLayout(reference.path, layouts);
    if (reference.kind === 'docker-archive') return await openArchive(reference.path, { tmpDir, as: 'docker' });
    if (reference.kind === 'archive') return await openArchive(reference.path, { tmpDir });
    const kind = await kindOfPath(reference.path);
    if (kind === 'nothing')
      throw new OclError('OCL_NOT_FOUND', `Cannot open ${reference.path}: there is no such file or directory`);
    if (kind === 'archive') return await openArchive(reference.path, { tmpDir });
    if (kind === 'library') {
      throw new OclError(
        'OCL_LAYOUT_INVALID',
        `Cannot open ${reference.path}: it is no image layout, but may be a library of several`,
        { hint: `ocl ls ${reference.path}, then name one layout of it` },
      );
    }
    return await openLayout(reference.path, layouts);
  }

  async function writableLayout(reference: FileReference): Promise<LayoutStore> {
    return await openOrCreateLayout(reference.path, layouts);
  }

  async function archive(
    destination: ArchiveDestination,
    { delta, form }: { readonly delta?: DeltaOptions | undefined; readonly form?: ArchiveForm | undefined } = {},
  ): Promise<ArchiveSink> {
    const { dockerPlatform, tool, overwrite, spaceCheck, archiveForm } = options;
    // What stands for a set has names of its own, which are known when its volumes are.
    if ('path' in destination) await requireDirectory(dirname(destination.path));
    if ('path' in destination && !('volumeSizes' in destination) && overwrite !== true)
      await refuseExisting(destination.path);
    return keep(
      createArchive(destination, {
        emit,
        dockerPlatform,
        delta,
        tool,
        overwrite,
        spaceCheck,
        form: form ?? archiveForm,
        standIn: meshStandIn,
      }),
    );
  }

  async function sink(reference: Reference): Promise<Sink> {
    if (reference.kind === 'registry') return keep(registries.repository(reference));
    if (reference.kind === 'docker-archive') return await archive({ path: reference.path }, { form: 'docker' });
    if (reference.kind === 'archive' || (reference.kind === 'path' && (await isArchivePath(reference.path))))
      return await archive({ path: reference.path });
    return keep(await writableLayout(reference));
  }

  return {
    sink,
    async source(reference): Promise<Source> {
      return keep(reference.kind === 'registry' ? registries.repository(reference) : await openFile(reference));
    },
    async editor(reference): Promise<Editor & Pick<Sink, 'commit'>> {
      if (reference.kind === 'registry') return keep(registries.repository(reference));
      if (
        reference.kind === 'archive' ||
        reference.kind === 'docker-archive' ||
        (reference.kind === 'path' && (await kindOfPath(reference.path)) === 'archive')
      ) {
        throw new OclError(
          'OCL_UNSUPPORTED',
          `Cannot change ${formatReference(reference)}: an archive is written once`,
          { hint: 'import it into a layout, change that, and export again' },
        );
      }
      await openLayout(reference.path, layouts);
      return keep(await writableLayout(reference));
    },
    async library(reference, { create = false } = {}): Promise<Library> {
      if (reference.kind === 'registry')
        throw new OclError('OCL_USAGE', `Cannot use ${formatReference(reference)} as a library: it is a registry`, {
          hint: 'name a directory or an archive; a bare name is taken as an image, so write ./name',
        });
      const isSet = reference.volumes !== undefined;
      const kind =
        (reference.kind === 'path' && !isSet) || reference.kind === 'layout'
          ? await kindOfPath(reference.path)
          : 'archive';
      if (kind === 'library' || (create && kind === 'nothing' && reference.kind === 'path'))
        return keep(new LayoutTree(reference.path, layouts));
      const store = await openFile(reference);
      return keep(
        new NamedEntries(
          store,
          ownRepository(reference.path),
          kind === 'layout' ? await writableLayout(reference) : undefined,
        ),
      );
    },
    archive,
    async planArchive(nodes, names, { read, volumeSizes, delta }) {
      const { dockerPlatform = LINUX, tool } = options;
      const plan = await planArchive(nodes, names, { read, volumeSizes, delta, tool, dockerPlatform });
      return { volumes: plan.volumes.map(({ size, images }) => ({ size, images })), record: plan.record };
    },
    numberVolumes() {
      const numberOf = numberVolumes({ tmpDir });
      return async (reference) => {
        const isFile =
          reference.kind === 'archive' ||
          (reference.kind === 'path' && (await kindOfPath(reference.path)) === 'archive');
        return isFile ? await numberOf(reference.path) : undefined;
      };
    },
    async collectGarbage(reference, { grace, dryRun, forgetImports }) {
      const paths = await layoutsBelow(reference, layouts);
      const reports: { layout: string; report: GcReport }[] = [];
      for (const path of paths)
        reports.push({
          layout: path,
          report: await collectGarbage(await openLayout(path, layouts), {
            clock,
            emit,
            signal,
            grace,
            dryRun,
            forgetImports,
          }),
        });
      // Slices for a library lie beside its layouts.
      if (forgetImports === true && !dryRun) await rm(importsPath(reference.path), { recursive: true, force: true });
      return reports;
    },
    async close() {
      for (const store of opened.splice(0)) await store.close();
    },
  };
}

/** Where an archive goes is not made for it: it may be a disc that is not there. */
async function requireDirectory(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isDirectory() === true) return;
  throw new OclError('OCL_NOT_FOUND', `Cannot write into ${path}: there is no such directory`, {
    hint: `mkdir -p ${shellQuote(path)}`,
  });
}

/** A new archive replaces the old one with all that was in it, which is asked for or refused. */
async function refuseExisting(path: string): Promise<void> {
  const kind = await kindOfPath(path);
  if (kind === 'nothing') return;
  const hint =
    kind === 'archive'
      ? 'name another file, or add --overwrite'
      : 'name a file; for a layout directory write ocidir://DIR:TAG';
  throw new OclError('OCL_EXISTS', `Cannot write ${path}: it exists already`, { hint });
}

async function layoutsBelow(reference: FileReference, layouts: LayoutOptions): Promise<readonly string[]> {
  const kind = await kindOfPath(reference.path);
  if (kind === 'layout') return [reference.path];
  if (kind === 'archive')
    throw new OclError('OCL_UNSUPPORTED', `Cannot collect garbage in ${reference.path}: an archive is written once`);
  if (kind === 'nothing')
    throw new OclError('OCL_NOT_FOUND', `Cannot open ${reference.path}: there is no such directory`);
  const names = await new LayoutTree(reference.path, layouts).repositories();
  if (names.length === 0)
    throw new OclError(
      'OCL_LAYOUT_INVALID',
      `Cannot collect garbage in ${reference.path}: there is no image layout in it`,
    );
  return names.map((name) => `${reference.path.replace(/\/+$/, '')}/${name}`);
}

async function kindOfPath(path: string): Promise<FileKind> {
  try {
    const stats = await stat(path);
    if (!stats.isDirectory()) return 'archive';
    return (await isLayout(path)) ? 'layout' : 'library';
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return 'nothing';
    throw error;
  }
}

/** What is not there yet is a file when its name says so. */
async function isArchivePath(path: string): Promise<boolean> {
  const kind = await kindOfPath(path);
  return kind === 'nothing' ? ['.tar', '.oci'].includes(extname(path)) : kind === 'archive';
}

/** The repository of what carries no name of its own: the file's or directory's name, as far as it is a valid one. */
export function ownRepository(path: string): string {
  const stem = basename(path)
    .replace(/\.(?:tar|oci|tgz|tar\.gz|tar\.zst)$/i, '')
    .replace(/\.vol\d+of\d+$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return isRepository(stem) ? stem : 'images';
}
