import { OclError } from '../../core/errors.ts';
import { parsePathReference } from '../../core/reference.ts';
import { type LocalSource } from '../../core/store.ts';
import { type Env } from '../env.ts';
import { spoolStdin } from '../stdin.ts';

export interface OpenBundle {
  readonly source: LocalSource;
  close(): Promise<void>;
}

/** A bundle that is to be taken in, or any other place on disk; `-` is standard input. */
export async function openBundle(text: string, { stores, tmpDir, signal }: Env): Promise<OpenBundle> {
  const spooled = text === '-' ? await spoolStdin(tmpDir, signal) : undefined;
  try {
    const source = await stores.source(parsePathReference(spooled?.path ?? text));
    if (!('roots' in source))
      throw new OclError('OCL_USAGE', `Cannot import ${source.name}: it is no file or directory`, {
        hint: 'to copy between registries: ocl copy SOURCE TARGET',
      });
    return {
      source: source as LocalSource,
      async close(): Promise<void> {
        await source.close();
        await spooled?.remove();
      },
    };
  } catch (error) {
    await spooled?.remove();
    throw error;
  }
}
