// Writes the table of a page (registries, interop) from what the servers or tools do that are installed here; columns of others stay as they are.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PAGES = {
  registries: ['test/interop/registries.test.ts', 'OCL_WRITE_REGISTRIES'],
  interop: ['test/interop/bundles.test.ts', 'OCL_WRITE_INTEROP'],
};
const page = PAGES[process.argv[2]];
if (page === undefined) throw new Error(`name one of ${Object.keys(PAGES).join(', ')}`);
const [tests, variable] = page;
const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = join(dirname(createRequire(join(root, 'package.json')).resolve('vitest/package.json')), 'vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', tests], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, [variable]: '1' },
});
process.exitCode = status ?? 1;
