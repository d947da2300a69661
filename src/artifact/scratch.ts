import { createMemory, type MemoryStore } from '../stores/memory/store.ts';

/** An empty store in memory, for what a feature makes before it goes to its place. */
export function createScratch(name: string): MemoryStore {
  return createMemory({ name });
}
