// dist/ holds the library (js + d.ts, one file per source) and the command twice: command/ in pieces, of which each action loads
// what it needs, and ocl.mjs in one file, which can be carried across the gap by itself.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');

// Made beside it and put in its place when it is whole: whoever starts the command meanwhile has the old one.
const fresh = join(root, `dist.${process.pid}`);
process.on('exit', () => rmSync(fresh, { recursive: true, force: true }));
const types = new Promise((resolve, reject) => {
  const args = [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh];
  const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit' });
  child.on('error', reject).on('close', resolve);
});
const options = {
  absWorkingDir: root,
  entryPoints: { ocl: 'src/cli/main.ts' },
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Imports of types alone load nothing.
  tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: false } },
  minifyWhitespace: true,
  minifySyntax: true,
  minifyIdentifiers: true,
  // The packages that draw help and bars measure text with regular expressions that take 50 ms to compile.
  alias: { 'string-width': './src/cli/render/textWidth.ts' },
  define: { OCL_VERSION: JSON.stringify(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version) },
  legalComments: 'none',
  logLevel: 'warning',
  // CommonJS dependencies call require() for Node's own modules.
  banner: { js: "import{createRequire as __oclRequire}from'node:module';const require=__oclRequire(import.meta.url);" },
};
const bundles = Promise.all([
  build({ ...options, outdir: fresh }),
  build({ ...options, outdir: join(fresh, 'command'), splitting: true }),
]);
// Both have said what is wrong by themselves.
const [bundled, status] = await Promise.all([
  bundles.then(
    () => true,
    () => false,
  ),
  types,
]);
if (bundled) {
  const before = join(root, `dist.before.${process.pid}`);
  if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), before);
  renameSync(fresh, join(root, 'dist'));
  rmSync(before, { recursive: true, force: true });
}
process.exitCode = bundled && status === 0 ? 0 : 1;
