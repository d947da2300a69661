// Writes the table of docs/registries.md from what the servers do that are installed here; columns of others stay as they are.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = join(dirname(createRequire(join(root, 'package.json')).resolve('vitest/package.json')), 'vitest.mjs');
const { status } = spawnSync(process.execPath, [vitest, 'run', 'test/interop/registries.test.ts'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, OCL_WRITE_REGISTRIES: '1' },
});
process.exitCode = status ?? 1;
