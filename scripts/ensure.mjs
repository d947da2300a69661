// Makes a fresh clone ready with Node and npm alone: `node scripts/ensure.mjs [build]`.
// Every npm script starts here, so nobody has to know whether to install or to build first. When all is fresh it
// costs a hash of src/ and starts no process. To build again regardless, remove dist/ first.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const windows = process.platform === 'win32';

const installed = join(root, 'node_modules', '.ocl-stamp');
const locked = hashOf(['package-lock.json']);
if (read(installed) !== locked) {
  run('npm', ['ci', '--no-audit', '--no-fund']);
  mkdirSync(join(root, 'node_modules'), { recursive: true });
  writeFileSync(installed, locked);
}

if (process.argv[2] === 'build') {
  const built = join(root, 'dist', '.ocl-stamp');
  const sources = hashOf([
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/build.mjs',
    ...filesBelow('src'),
  ]);
  if (read(built) !== sources || !['ocl.mjs', 'command'].every((name) => existsSync(join(root, 'dist', name)))) {
    run(process.execPath, [join('scripts', 'build.mjs')]);
    writeFileSync(built, sources);
  }
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    shell: windows && command === 'npm',
  });
  if (error) console.error(`Cannot run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function filesBelow(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
    .toSorted();
}

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files) {
    const bytes = readFileSync(join(root, file));
    hash.update(`${file}\0${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}
