import { silent } from '../../src/core/events.ts';
import { Linker } from '../../src/io/link.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { openOrCreateLayout, type LayoutOptions, type LayoutStore } from '../../src/stores/layout/layout.ts';

export function layoutOptions(more: Partial<LayoutOptions> = {}): LayoutOptions {
  return { clock: systemClock, emit: silent, linker: new Linker(), lockTimeout: 10_000, ...more };
}

export async function newLayout(root: string, more: Partial<LayoutOptions> = {}): Promise<LayoutStore> {
  return await openOrCreateLayout(root, layoutOptions(more));
}
