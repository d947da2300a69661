import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type BundleRecord } from '../../core/bundleRecord.ts';
import { OclError } from '../../core/errors.ts';
import { openRegularFile, Tarball } from '../../io/tarball.ts';
import { type ArchivePlan } from './plan.ts';
import { readRecord } from './readRecord.ts';

const VOLUME = /^(.+)\.vol\d{2,}of\d{2,}\.tar$/;

/** The files of a set: `images.vol01of03.tar` for `images.tar`. */
export class VolumeFiles {
  readonly #path: string;
  readonly #overwrite: boolean;
  #names: ReadonlySet<string> = new Set();

  /** @param path what the set is called, with or without `.tar` */
  constructor(path: string, overwrite: boolean) {
    this.#path = path.replace(/\.tar$/i, '');
    this.#overwrite = overwrite;
  }

  /** Whether a file of that name is a volume of a set of this name, be it of this or an earlier export. */
  isVolume(name: string): boolean {
    return VOLUME.exec(name)?.[1] === basename(this.#path);
  }

  /**
   * The paths of the volumes.
   * @throws OCL_EXISTS when there are volumes of that name already, other than what a killed run of the same export left
   */
  async begin({ volumes, record }: ArchivePlan): Promise<readonly string[]> {
    const width = Math.max(2, String(volumes.length).length);
    const number = (n: number): string => String(n).padStart(width, '0');
    const paths = volumes.map((_, i) => `${this.#path}.vol${number(i + 1)}of${number(volumes.length)}.tar`);
    this.#names = new Set(paths.map((path) => basename(path)));
    if (!this.#overwrite) await this.#refuseOthers(record);
    return paths;
  }

  /** Removes volumes of an earlier set of this name, which would be taken for volumes of this one. */
  async finish(): Promise<void> {
    for (const name of await this.#existing())
      if (!this.#names.has(name)) await rm(join(dirname(this.#path), name), { force: true });
  }

  async #existing(): Promise<readonly string[]> {
    return (await readdir(dirname(this.#path))).filter((name) => this.isVolume(name)).toSorted();
  }

  /** Volumes get their names one after the other: who is killed meanwhile leaves some of them, and the same command makes them all. */
  async #refuseOthers(record: BundleRecord | undefined): Promise<void> {
    const existing = await this.#existing();
    const [first] = existing;
    if (first === undefined) return;
    const isPart = existing.length < this.#names.size && existing.every((name) => this.#names.has(name));
    if (isPart) {
      const ids = await Promise.all(existing.map(async (name) => await setIdIn(join(dirname(this.#path), name))));
      if (ids.every((id) => id !== undefined && id === record?.set?.id)) return;
    }
    throw new OclError('OCL_EXISTS', `Cannot write ${join(dirname(this.#path), first)}: it exists already`, {
      hint: 'name another file, or add --overwrite, which replaces all volumes of that name',
    });
  }
}

async function setIdIn(path: string): Promise<string | undefined> {
  const tarball = await Tarball.read(await openRegularFile(path)).catch(() => undefined);
  try {
    return tarball === undefined ? undefined : (await readRecord(tarball, path))?.set?.id;
  } catch {
    return undefined;
  } finally {
    await tarball?.close();
  }
}
