// Runs the tests with each Node that is promised to work: `npm run test:nodes [-- <vitest arguments>]`.
// The engines come as the npm package `node`, into node_modules/.cache/nodes/<version>, once.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSIONS = ['20.19', '22', '24'];
const root = fileURLToPath(new URL('..', import.meta.url));
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');

const failed = VERSIONS.filter((version) => {
  const node = engine(version);
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  console.log(`\ntest:nodes: Node ${stdout?.trim()} (${version})`);
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
  return spawnSync(node, [vitest, 'run', ...process.argv.slice(2)], { cwd: root, stdio: 'inherit', env }).status !== 0;
});
console.log(
  failed.length === 0
    ? `\ntest:nodes: passed on ${VERSIONS.join(', ')}`
    : `\ntest:nodes: failed on ${failed.join(', ')}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

function engine(version) {
  const home = join(root, 'node_modules', '.cache', 'nodes', version);
  const node = join(home, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(node)) return node;
  mkdirSync(home, { recursive: true });
  // Its own package, or npm would walk up to ours.
  writeFileSync(join(home, 'package.json'), '{ "private": true, "allowScripts": { "node": true } }\n');
  const args = ['install', '--no-package-lock', '--no-audit', '--no-fund', `node@${version}`];
  const { status } = spawnSync('npm', args, { cwd: home, stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0 || !existsSync(node)) {
    console.error(`Cannot get Node ${version}: npm ${args.join(' ')} did not bring ${node}`);
    process.exit(1);
  }
  return node;
}
