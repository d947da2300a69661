import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { silent } from '../../src/core/events.ts';
import { Linker } from '../../src/io/link.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { openOrCreateLayout, type LayoutOptions, type LayoutStore } from '../../src/stores/layout/layout.ts';

export function layoutOptions(more: Partial<LayoutOptions> = {}): LayoutOptions {
  return { clock: systemClock, emit: silent, linker: new Linker(), lockTimeout: 10_000, ...more };
}

/** Directories that are gone after each test. */
export function temporaryDirectories(): (parent?: string) => Promise<string> {
  const made: string[] = [];
  afterEach(async () => {
    await Promise.all(made.splice(0).map(async (path) => await rm(path, { recursive: true, force: true })));
  });
  return async (parent = tmpdir()) => {
    const path = await mkdtemp(join(parent, 'ocl-test-'));
    made.push(path);
    return path;
  };
}

export async function newLayout(root: string, more: Partial<LayoutOptions> = {}): Promise<LayoutStore> {
  return await openOrCreateLayout(root, layoutOptions(more));
}
