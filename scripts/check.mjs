// The gate: types, lint (the floors among it), format, dead code. All four at once, each one's words only when it fails.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(join(root, 'package.json'));
const checks = [
  { name: 'types', tool: 'typescript', args: ['-p', 'tsconfig.json'], bin: 'tsc' },
  { name: 'lint', tool: 'oxlint', args: ['--deny-warnings'] },
  { name: 'format', tool: 'oxfmt', args: ['--check'] },
  { name: 'dead code', tool: 'knip', args: ['--no-progress'] },
];

const started = performance.now();
const results = await Promise.all(checks.map(run));
for (const { name, code, output } of results) if (code !== 0) console.error(`check: ${name} failed\n${output}`);
const failed = results.filter(({ code }) => code !== 0).map(({ name }) => name);
const seconds = ((performance.now() - started) / 1000).toFixed(1);
if (failed.length > 0) {
  console.error(`check: ${failed.join(', ')} failed (${seconds} s)`);
  process.exitCode = 1;
} else {
  console.log(`check: ${checks.map(({ name }) => name).join(', ')} passed (${seconds} s)`);
}

function run({ name, tool, args, bin = tool }) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [binary(tool, bin), ...args], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', reject).on('close', (code) => resolve({ name, code, output }));
  });
}

function binary(tool, bin) {
  const file = join(root, 'node_modules', tool, 'package.json');
  const paths = require(file).bin;
  return join(dirname(file), typeof paths === 'string' ? paths : paths[bin]);
}
