// The quick start: `npm run quickstart`. Fills a registry on this machine with real content, then runs the commands that a
// user types to carry it over a gap, and compares what arrives with what was made. Needs no network; may be run again.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { choosePort, ocl, root, serve } from './quickstart/commands.mjs';
import { differences, readLayout } from './quickstart/compare.mjs';
import { makeContent } from './quickstart/content.mjs';
import { push } from './quickstart/push.mjs';
import { isSignatureOf, newKey } from './quickstart/signature.mjs';

const OUT = 'quickstart-out';
const CONFIG = 'examples/quickstart/sync.yaml';

const started = performance.now();
try {
  await carryOver();
} catch (error) {
  console.error(`\nThe quick start stopped: ${error.message}. What there is so far is in ${OUT}/.`);
  process.exitCode = 1;
}

async function carryOver() {
  rmSync(join(root, OUT), { recursive: true, force: true });
  mkdirSync(join(root, OUT));
  const key = newKey();
  writeFileSync(join(root, OUT, 'cosign.pub'), key.publicKey.export({ type: 'spki', format: 'pem' }));
  const content = makeContent(join(root, 'testdata', 'quickstart'), key);
  await mirrorAndPack(content);
  await importAndPull(content);
  report(compare(content));
}

async function mirrorAndPack(content) {
  heading('A registry with something in it');
  const { config, port } = await chooseConfig();
  const upstream = await serve(`${OUT}/upstream`, '--listen', `127.0.0.1:${port}`);
  try {
    for (const repository of [...content.wanted, content.unwanted]) {
      await push(upstream.url, repository);
      for (const tag of repository.tags.keys()) console.log(`pushed ${repository.name}:${tag}`);
    }
    heading('Where there is a network: mirror it, and pack it into one file');
    await ocl('sync', '--config', config);
    await ocl('ls', `${OUT}/mirror`);
    await ocl('tree', `ocidir://${OUT}/mirror/demo/hello:1.0.0`);
    await ocl('export', `${OUT}/mirror`, '-o', `${OUT}/bundle.tar`);
  } finally {
    await upstream.stop();
  }
  console.log('\nThe registry is stopped: from here on there is only the file.');
}

async function importAndPull(content) {
  heading('On the far side: check the file, import it, serve it, and pull');
  await ocl('check', `${OUT}/bundle.tar`);
  await ocl('import', `${OUT}/bundle.tar`, `${OUT}/library`);
  const far = await serve(`${OUT}/library`, '--listen', '127.0.0.1:0');
  try {
    for (const { name, tags } of content.wanted) {
      for (const tag of tags.keys()) {
        await ocl('copy', '--quiet', `${far.host}/${name}:${tag}`, `ocidir://${OUT}/pulled/${name}:${tag}`);
      }
    }
  } finally {
    await far.stop();
  }
}

function report(wrong) {
  for (const line of wrong) console.error(`DIFFERENT  ${line}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (wrong.length > 0) {
    console.error(`\nWhat arrived is not what was sent (${seconds} s). All of it is in ${OUT}/.`);
    process.exitCode = 1;
    return;
  }
  console.log(`
All digests are equal: what was pulled on the far side is what was pushed here (${seconds} s).

${OUT}/ has the results:
  upstream/    the registry that was mirrored    mirror/    what sync made of it
  bundle.tar   the file that is carried over     library/   what import made of the file
  pulled/      what came out of that registry    cosign.pub the key that signed the image

Go on with:
  ocl inspect ocidir://${OUT}/mirror/demo/hello:1.0.0
  ocl serve ${OUT}/bundle.tar
  ocl --help
Without ocl on the PATH it is: node bin/ocl.js`);
}

/** The example as it is; when its port is taken, a copy with a free one. */
async function chooseConfig() {
  const text = readFileSync(join(root, CONFIG), 'utf8');
  const [address, wanted] = /127\.0\.0\.1:(\d+)/.exec(text);
  const chosen = await choosePort(Number(wanted));
  if (chosen === Number(wanted)) return { config: CONFIG, port: chosen };
  const copy = `${OUT}/sync.yaml`;
  writeFileSync(join(root, copy), text.replaceAll(address, `127.0.0.1:${chosen}`));
  console.log(`Port ${wanted} is taken, so ${copy} is ${CONFIG} with port ${chosen}.`);
  return { config: copy, port: chosen };
}

/** Everything that was pushed must be there after the journey, bit by bit; what the filter names must not. */
function compare(content) {
  heading('Is it the same?');
  const found = [];
  for (const repository of content.wanted) {
    const layout = readLayout(join(root, OUT, 'pulled', repository.name));
    const lines = differences(repository, layout);
    found.push(...lines);
    if (lines.length > 0) continue;
    const count = repository.blobs.size + repository.documents.size;
    for (const [tag, { digest }] of repository.tags) console.log(`same  ${repository.name}:${tag}  ${digest}`);
    console.log(`      with all its ${count} contents`);
  }
  const mirror = readLayout(join(root, OUT, 'mirror', content.unwanted.name));
  for (const tag of content.unwanted.tags.keys()) {
    if (mirror.tags.has(tag)) found.push(`${content.unwanted.name}:${tag} is there, and the filter leaves it out`);
    else console.log(`left out  ${content.unwanted.name}:${tag}`);
  }
  if (found.length === 0) {
    if (signatureHolds(content)) console.log(`signed  ${content.hello.name}:1.0.0, verified with ${OUT}/cosign.pub`);
    else found.push(`the signature of ${content.hello.name}:1.0.0 does not verify`);
  }
  return found;
}

function signatureHolds(content) {
  const layout = readLayout(join(root, OUT, 'pulled', content.hello.name));
  const [signature] = content.referrers;
  const { layers } = JSON.parse(layout.bytesOf(signature).toString());
  const publicKey = readFileSync(join(root, OUT, 'cosign.pub'), 'utf8');
  return isSignatureOf(layout.bytesOf(layers[0]), content.index.digest, publicKey);
}

function heading(text) {
  console.log(`\n=== ${text}`);
}
