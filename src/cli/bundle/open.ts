import { receiveBundle, type ReceiveOptions } from '../../bundle/receive.ts';
import { OclError } from '../../core/errors.ts';
import { type Reference } from '../../core/reference.ts';
import { type LocalSource, type Stores } from '../../core/store.ts';
import { Replay } from '../../io/replay.ts';
import { ownRepository } from '../../stores.ts';
import { type Env } from '../env.ts';
import { spoolStdin } from '../stdin.ts';
import { groupBundles } from './groups.ts';

export interface OpenBundle {
  readonly source: LocalSource;
  /** The repository of images that carry no full name: what its file is called. */
  readonly repository: string;
  /** What one types for it; undefined for what came through a pipe, and for several volumes. */
  readonly file: string | undefined;
}

/** Bundles that are to be taken in, or any other places on disk, each with its volumes; `-` is standard input. */
export class OpenBundles {
  readonly bundles: readonly OpenBundle[];
  readonly #close: () => Promise<void>;

  private constructor(bundles: readonly OpenBundle[], close: () => Promise<void>) {
    this.bundles = bundles;
    this.#close = close;
  }

  /** @throws the failure of the first that cannot be opened */
  static async open(
    files: readonly string[],
    { stores, tmpDir, signal }: Env,
    input?: AsyncIterable<Uint8Array>,
  ): Promise<OpenBundles> {
    const closing: (() => Promise<void>)[] = [];
    const close = async (): Promise<void> => {
      for (const one of closing.splice(0).toReversed()) await one();
    };
    try {
      const paths: string[] = [];
      for (const file of files) {
        const spooled = file === '-' ? await spoolStdin(tmpDir, signal, input) : undefined;
        if (spooled !== undefined) closing.push(async () => await spooled.remove());
        if (spooled?.isEmpty === true) throw nothingCame();
        paths.push(spooled?.path ?? file);
      }
      const groups = await groupBundles(paths, stores, 'beside');
      const [unreadable] = groups.unreadable;
      if (unreadable !== undefined) throw unreadable.error;
      const bundles: OpenBundle[] = [];
      for (const reference of groups.bundles) {
        const source = await openLocal(reference, stores);
        closing.push(async () => await source.close());
        bundles.push({ source, ...calledOf(reference, files, paths) });
      }
      return new OpenBundles(bundles, close);
    } catch (error) {
      await close();
      throw error;
    }
  }

  /**
   * Standard input on its way into a target, with nothing of it on this disk; a file of it, where it has to be read from one.
   * @throws as `receiveBundle`
   */
  static async incoming(options: Omit<ReceiveOptions, 'stores' | 'signal' | 'tmpDir'>, env: Env): Promise<OpenBundles> {
    const { stores, signal, tmpDir } = env;
    const input = new Replay(process.stdin);
    const stop = (): void => void process.stdin.destroy(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    try {
      const received = await receiveBundle(input, { ...options, stores, signal, tmpDir });
      if (received === undefined) return await OpenBundles.open(['-'], env, input.again());
      const { source } = received;
      return new OpenBundles([{ source, repository: FROM_STDIN, file: undefined }], async () => await received.close());
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  async close(): Promise<void> {
    await this.#close();
  }
}

/** @throws OCL_USAGE for a registry */
export async function openLocal(reference: Reference, stores: Stores): Promise<LocalSource> {
  const source = await stores.source(reference);
  if ('roots' in source) return source as LocalSource;
  throw new OclError('OCL_USAGE', `Cannot take ${source.name} for a bundle: it is no file or directory`, {
    hint: 'to copy between registries: ocl copy SOURCE TARGET',
  });
}

function nothingCame(): OclError {
  return new OclError('OCL_ARCHIVE_INVALID', 'Cannot import standard input: nothing came', {
    hint: 'see what the command before the pipe says',
  });
}

/** What came from standard input has no name of its own. */
export const FROM_STDIN = 'images';

function calledOf(
  reference: Reference,
  files: readonly string[],
  paths: readonly string[],
): Omit<OpenBundle, 'source'> {
  const path = reference.kind === 'registry' ? '' : reference.path;
  const isSpooled = files[paths.indexOf(path)] === '-';
  if (isSpooled) return { repository: FROM_STDIN, file: undefined };
  const isOne = reference.kind !== 'registry' && reference.volumes === undefined;
  return { repository: ownRepository(path), file: isOne ? path : undefined };
}
