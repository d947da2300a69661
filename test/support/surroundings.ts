import { type Surroundings } from '../../src/sync/template/template.ts';

/** What templates of sync files see in tests. */
export function surroundings(env: Readonly<Record<string, string>> = {}): Surroundings {
  return { env: (name) => env[name] ?? '', file: () => '', now: () => Date.UTC(2026, 2, 7, 4, 5, 6) };
}
