// Runs the distribution-spec's conformance suites against `ocl serve` as users start it, over layouts, and against its handler over memory:
//   npm run build && node scripts/conformance.mjs [--main PROGRAM] [--v1 PROGRAM]
// PROGRAM is a suite that you have built yourself: --main the one of the main branch, --v1 the test program of v1.1.1.
// Both talk to a port on 127.0.0.1 only. A suite that is not named is skipped; the exit status is 1 when one fails.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { main: { type: 'string' }, v1: { type: 'string' } } });

const v1 = (url, results, extra) => ({
  OCI_ROOT_URL: url,
  OCI_NAMESPACE: `v${extra.OCI_AUTOMATIC_CROSSMOUNT ?? 0}/b`,
  OCI_CROSSMOUNT_NAMESPACE: `v${extra.OCI_AUTOMATIC_CROSSMOUNT ?? 0}/c`,
  OCI_TEST_PULL: '1',
  OCI_TEST_PUSH: '1',
  OCI_TEST_CONTENT_DISCOVERY: '1',
  OCI_TEST_CONTENT_MANAGEMENT: '1',
  OCI_HIDE_SKIPPED_WORKFLOWS: '0',
  OCI_DEBUG: '0',
  OCI_DELETE_MANIFEST_BEFORE_BLOBS: '1',
  OCI_REPORT_DIR: results,
  ...extra,
});
const main = (url, results, extra) => ({
  OCI_REGISTRY: new URL(url).host,
  OCI_TLS: 'disabled',
  OCI_REPO1: `m${extra.OCI_VERSION}/one`,
  OCI_REPO2: `m${extra.OCI_VERSION}/two`,
  OCI_RESULTS_DIR: results,
  ...extra,
});
const runs = [
  { name: 'v1.1.1, mounts by name', program: values.v1, environment: v1, extra: {} },
  { name: 'v1.1.1, mounts by itself', program: values.v1, environment: v1, extra: { OCI_AUTOMATIC_CROSSMOUNT: '1' } },
  { name: 'main, version 1.1', program: values.main, environment: main, extra: { OCI_VERSION: '1.1' } },
  {
    name: 'main, version dev, sparse',
    program: values.main,
    environment: main,
    extra: { OCI_VERSION: 'dev', OCI_DATA_SPARSE: 'true' },
  },
];

const work = await mkdtemp(join(tmpdir(), 'ocl-conformance-'));
let failed = false;
try {
  for (const [kind, open] of [
    ['serve', serve],
    ['memory', embed],
  ]) {
    const server = await open();
    try {
      for (const run of runs) failed = !(await report(kind, run, server.url)) || failed;
    } finally {
      await server.stop();
    }
  }
} finally {
  await rm(work, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;

/** The built command over a new library. */
async function serve() {
  const program = join(root, 'bin', 'ocl.js');
  if (!existsSync(join(root, 'dist', 'ocl.mjs'))) throw new Error('Cannot find dist/ocl.mjs: run npm run build');
  const args = [program, 'serve', join(work, 'library'), '--listen', '127.0.0.1:0', '--json'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((done) => child.once('close', done));
  const url = await new Promise((found, fail) => {
    child.once('error', fail).once('close', (status) => fail(new Error(`ocl serve ends with ${status}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const event = JSON.parse(line);
      if (event.type === 'listening') found(event.url);
    });
  });
  return {
    url,
    async stop() {
      child.kill('SIGINT');
      await ended;
    },
  };
}

/** The handler over a library in memory, which the command does not have, in one file that Node can run. */
async function embed() {
  const outfile = join(work, 'embedded.mjs');
  await build({
    entryPoints: [join(root, 'test', 'support', 'embedded.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  const { LIBRARIES, startEmbedded } = await import(pathToFileURL(outfile).href);
  const [, open] = LIBRARIES.find(([name]) => name === 'memory');
  const opened = await open();
  const server = await startEmbedded(opened.library, { sparse: 'all' });
  return {
    url: server.url,
    async stop() {
      await server.close();
      await opened.close();
    },
  };
}

async function report(kind, { name, program, environment, extra }, url) {
  const title = `${kind.padEnd(7)} ${name.padEnd(26)}`;
  if (program === undefined || !existsSync(program)) {
    console.log(`${title} skipped: ${program === undefined ? 'no program given' : `there is no ${program}`}`);
    return true;
  }
  const results = await mkdtemp(join(work, 'results-'));
  await mkdir(results, { recursive: true });
  const { status, output } = await start(resolve(program), results, environment(url, results, extra));
  const junit = await readFile(join(results, 'junit.xml'), 'utf8').catch(() => '');
  console.log(`${title} ${status === 0 ? 'passed' : 'FAILED'}: ${numbers(junit)}`);
  if (status !== 0)
    console.log(
      output
        .split('\n')
        .filter((line) => /\bFAIL/.test(line))
        .join('\n'),
    );
  return status === 0;
}

/** The suite sees nothing of this process's environment but what it needs to run. */
function start(program, cwd, environment) {
  return new Promise((done, reject) => {
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(program, [], { cwd, env: { PATH, HOME, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.once('error', reject).once('close', (status) => done({ status, output }));
  });
}

function numbers(junit) {
  const head = /<testsuite [^>]*>/.exec(junit)?.[0];
  if (head === undefined) return 'it wrote no results';
  const of = (name) => Number(new RegExp(`\\b${name}="([0-9]+)"`).exec(head)?.[1] ?? 0);
  const broken = of('failures') + of('errors');
  const left = of('skipped') + of('disabled');
  return `${of('tests') - broken - left} passed, ${left} skipped, ${broken} failed`;
}
