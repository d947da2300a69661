// What is measured with: the same bytes on every machine and in every run, for they are a cipher's key stream.
import { createCipheriv, createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Raise it when what is written here changes: a kept corpus of another format is not used. */
const FORMAT = 2;
const MIB = 1 << 20;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const EMPTY = 'application/vnd.oci.empty.v1+json';

/**
 * Layouts below `root`, made when they are not there yet:
 * `big`, one image of four large layers; `plain`, the same with files that their owner may write to, as other tools leave them;
 * `shared`, twenty images with a common base; `hundred`, a hundred images on ten bases; `small`, a thousand artifacts of 1 KiB;
 * `changed`, the same thousand, of which twenty tags have other artifacts.
 * @returns by name: path, tags (name to manifest digest) and blobs (digest to size)
 */
export function makeCorpus(root, { quick, say }) {
  const directory = join(root, `corpus-${FORMAT}-${quick ? 'quick' : 'full'}`);
  if (!existsSync(directory)) {
    say('writing the corpus');
    const partial = `${directory}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    writeFileSync(join(partial, 'corpus.json'), JSON.stringify(write(partial, (quick ? 32 : 256) * MIB)));
    renameSync(partial, directory);
  }
  const facts = JSON.parse(readFileSync(join(directory, 'corpus.json'), 'utf8'));
  return Object.fromEntries(
    Object.entries(facts).map(([name, layout]) => [name, { ...layout, name, path: join(directory, name) }]),
  );
}

/** What is carried over a gap: one image of sixteen large layers, 4 GiB in all. Made only where it is measured. */
export function makeGapCorpus(root, { quick, say }) {
  const path = join(root, `corpus-gap-${FORMAT}-${quick ? 'quick' : 'full'}`);
  const facts = `${path}.json`;
  if (!existsSync(facts)) {
    say('writing what is carried over the gap');
    rmSync(path, { recursive: true, force: true });
    const gap = new Layout(path);
    const layers = Array.from({ length: 16 }, (_, number) => gap.layer(`gap ${number}`, (quick ? 32 : 256) * MIB));
    gap.image('v1', layers);
    writeFileSync(facts, JSON.stringify(gap.close()));
  }
  return { ...JSON.parse(readFileSync(facts, 'utf8')), name: 'gap', path };
}

function write(root, largeLayer) {
  const big = new Layout(join(root, 'big'));
  big.image(
    'v1',
    [0, 1, 2, 3].map((number) => big.layer(`big ${number}`, largeLayer)),
  );
  const shared = new Layout(join(root, 'shared'));
  const base = [0, 1, 2].map((number) => shared.layer(`base ${number}`, 8 * MIB));
  for (let number = 1; number <= 20; number++)
    shared.image(`i${number}`, [...base, shared.layer(`own ${number}`, MIB)]);
  const small = new Layout(join(root, 'small'));
  for (let number = 1; number <= 1000; number++) small.artifact(`t${number}`, keyStream(`small ${number}`, 1024));
  const hundred = new Layout(join(root, 'hundred'));
  const bases = Array.from({ length: 10 }, (_, number) =>
    [2 * MIB, MIB, 256 << 10].map((size) => hundred.layer(`base ${number} ${size}`, size)),
  );
  for (let number = 1; number <= 100; number++)
    hundred.image(`h${number}`, [...bases[number % 10], hundred.layer(`hundred ${number}`, 64 << 10)]);
  const changed = new Layout(join(root, 'changed'));
  for (let number = 1; number <= 1000; number++)
    changed.artifact(`t${number}`, keyStream(`${number % 50 === 1 ? 'changed' : 'small'} ${number}`, 1024));
  const facts = {
    big: big.close(),
    shared: shared.close(),
    hundred: hundred.close(),
    small: small.close(),
    changed: changed.close(),
  };
  cpSync(join(root, 'big'), join(root, 'plain'), { recursive: true });
  for (const digest of Object.keys(facts.big.blobs)) chmodSync(blobFile(join(root, 'plain'), digest), 0o644);
  return { ...facts, plain: facts.big };
}

class Layout {
  #path;
  #tags = {};
  #blobs = {};
  #index = [];

  constructor(path) {
    this.#path = path;
    mkdirSync(join(path, 'blobs', 'sha256'), { recursive: true });
  }

  /** A tar of one file in gzip without compression: valid to tools that look inside, and cheap to make. */
  layer(seed, size) {
    const file = keyStream(seed, size);
    const tar = Buffer.concat([tarHeader(`${seed.replaceAll(' ', '-')}.bin`, size), file, Buffer.alloc(1024)]);
    const descriptor = this.#blob(
      gzipSync(tar, { level: 0, chunkSize: MIB }),
      'application/vnd.oci.image.layer.v1.tar+gzip',
    );
    return { descriptor, diffId: digestOf(tar) };
  }

  image(tag, layers) {
    const config = {
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(() => ({ created_by: tag })),
    };
    this.#manifest(tag, {
      config: this.#json(config, 'application/vnd.oci.image.config.v1+json'),
      layers: layers.map(({ descriptor }) => descriptor),
    });
  }

  artifact(tag, bytes) {
    this.#manifest(tag, {
      artifactType: 'application/vnd.example.bench.v1',
      config: this.#json({}, EMPTY),
      layers: [this.#blob(bytes, 'application/octet-stream')],
    });
  }

  close() {
    writeFileSync(join(this.#path, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    writeFileSync(join(this.#path, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: this.#index }));
    return { tags: this.#tags, blobs: this.#blobs };
  }

  #manifest(tag, parts) {
    const descriptor = this.#json({ schemaVersion: 2, mediaType: MANIFEST, ...parts }, MANIFEST);
    this.#index.push({ ...descriptor, annotations: { 'org.opencontainers.image.ref.name': tag } });
    this.#tags[tag] = descriptor.digest;
  }

  #json(value, mediaType) {
    return this.#blob(Buffer.from(JSON.stringify(value)), mediaType);
  }

  #blob(bytes, mediaType) {
    const digest = digestOf(bytes);
    // Read-only, as ocl leaves them.
    if (this.#blobs[digest] === undefined) writeFileSync(blobFile(this.#path, digest), bytes, { mode: 0o444 });
    this.#blobs[digest] = bytes.length;
    return { mediaType, digest, size: bytes.length };
  }
}

export function blobFile(layout, digest) {
  return join(layout, 'blobs', ...digest.split(':'));
}

function digestOf(bytes) {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** Bytes that nothing compresses. */
function keyStream(seed, size) {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(size));
}

function tarHeader(name, size) {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0'.padEnd(8), 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
