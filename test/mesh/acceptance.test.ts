import { readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tarLayer } from '../../src/artifact/build.ts';
import { digestOf } from '../../src/io/verify.ts';
import { imageConfig } from '../../src/mesh/standIn.ts';
import { judgeArchive } from '../../src/mesh/verdict.ts';
import { pax, paxEntry, rawTar, type RawEntry } from '../support/tarCases.ts';
import { GENUINE, packOne, readAll, sample } from './kit.ts';
import { openPlaces, type Places } from './places.ts';

let places: Places;
let design: Buffer;
beforeAll(async () => {
  places = await openPlaces();
  design = await sample('designs/from-genuine-oci-export.v1beta1.design.yml');
  await packOne(places, GENUINE, `oci-archive:${places.path('hybrid.tar')}:v1`);
});
afterAll(() => places.close());

interface Image {
  readonly layer?: Uint8Array;
  readonly config?: Uint8Array;
  /** How often the image stands in manifest.json. */
  readonly times?: number;
}

/** The entries of a docker archive with one design. */
function docker({ layer, config, times = 1 }: Image = {}): RawEntry[] {
  const good = tarLayer([{ path: 'design.yml', bytes: design }], { rootMode: 0o700 });
  const image = { Config: 'sha256:c', RepoTags: ['x:latest'], Layers: ['l.tar.gz'] };
  return [
    { name: 'sha256:c', body: config ?? imageConfig([layer === undefined ? good.diffId : digestOf(layer)]) },
    { name: 'l.tar.gz', body: layer ?? good.bytes },
    { name: 'manifest.json', body: JSON.stringify(Array.from({ length: times }, () => image)) },
  ];
}

const plainLayer = (): Buffer => rawTar([{ name: 'design.yml', body: design }]);
/** gzip, with the config that fits what is in it. */
function gzipped(tar: Uint8Array): Image {
  return { layer: gzipSync(tar), config: imageConfig([digestOf(tar)]) };
}
const hybrid = async (): Promise<Buffer> => await readFile(places.path('hybrid.tar'));

/** A frame of zstd with raw blocks alone: Node has no zstd before 22.15. */
function zstdStored(content: Uint8Array): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < content.length; at += 65_536) {
    const part = content.subarray(at, at + 65_536);
    const last = at + 65_536 >= content.length ? 1 : 0;
    const head = Buffer.alloc(3);
    head.writeUIntLE(last | (part.length << 3), 0, 3);
    blocks.push(head, Buffer.from(part));
  }
  // Magic number; a window of 1 MiB, no checksum, no size.
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50]), ...blocks]);
}

const RAW = Buffer.from(
  '{"id":"11111111-1111-4111-8111-111111111111","name":"x","schemaVersion":"designs.meshery.io/v1beta3"}',
);

// Meshery's rules, as they were tried with its own code; and what `ocl` makes of the same file.
const MATRIX: readonly (readonly [
  string,
  () => Promise<Uint8Array> | Uint8Array,
  { readonly recognised: boolean; readonly model: string; readonly design: string },
  readonly string[] | string,
])[] = [
  ['the genuine export', () => readFile(GENUINE), { recognised: true, model: 'taken', design: 'taken' }, ['my design']],
  ['a docker archive', () => rawTar(docker()), { recognised: true, model: 'taken', design: 'taken' }, ['my design']],
  ['the hybrid that ocl writes', hybrid, { recognised: true, model: 'taken', design: 'taken' }, ['my design']],
  [
    'a layout without manifest.json',
    async () => {
      const { digest } = await packOne(places, GENUINE, `ocidir://${places.path('pure')}:v1`);
      const files = ['oci-layout', 'index.json'].map(async (name) => ({
        name,
        body: await readFile(places.path('pure', name)),
      }));
      const blobs = [digest, ...(await blobsOf(digest))].map(async (each) => ({
        name: `blobs/sha256/${each.slice(7)}`,
        body: await readFile(places.path('pure', 'blobs', 'sha256', each.slice(7))),
      }));
      return rawTar(await Promise.all([...files, ...blobs]));
    },
    { recognised: true, model: 'refused', design: 'refused' },
    ['my design'],
  ],
  [
    'gzip around it',
    async () => gzipSync(await hybrid()),
    { recognised: true, model: 'refused', design: 'refused' },
    ['my design'],
  ],
  [
    'two images',
    () => rawTar(docker({ times: 2 })),
    { recognised: true, model: 'refused', design: 'refused' },
    ['my design'],
  ],
  [
    'names that begin with ./',
    () => rawTar(docker().map((entry) => ({ ...entry, name: `./${entry.name}` }))),
    { recognised: false, model: 'refused', design: 'refused' },
    ['my design'],
  ],
  [
    'an entry for the root',
    () => rawTar([{ name: '.', type: '5' }, ...docker()]),
    { recognised: true, model: 'taken', design: 'refused' },
    ['my design'],
  ],
  [
    'a layer that is not compressed',
    () => rawTar(docker({ layer: plainLayer() })),
    { recognised: true, model: 'taken', design: 'taken' },
    ['my design'],
  ],
  [
    'a layer that is no tar file',
    () => rawTar(docker({ layer: RAW, config: imageConfig([digestOf(RAW)]) })),
    { recognised: true, model: 'refused', design: 'refused' },
    ['x'],
  ],
  [
    'one path twice in the layer',
    () =>
      rawTar(
        docker(
          gzipped(
            rawTar([
              { name: 'design.yml', body: design },
              { name: 'design.yml', body: 'x: 1' },
            ]),
          ),
        ),
      ),
    { recognised: true, model: 'refused', design: 'refused' },
    'OCL_ARCHIVE_INVALID',
  ],
  [
    'extended headers',
    () =>
      rawTar(
        docker(
          gzipped(rawTar([paxEntry(pax('path', 'design.yml'), pax('mtime', '1.5')), { name: 'x', body: design }])),
        ),
      ),
    { recognised: true, model: 'taken', design: 'taken' },
    ['my design'],
  ],
  [
    'an empty config',
    () => rawTar(docker({ config: Buffer.from('{}') })),
    { recognised: true, model: 'crash', design: 'crash' },
    'OCL_ARCHIVE_INVALID',
  ],
  [
    'a config without diff_ids',
    () => rawTar(docker({ config: imageConfig([]) })),
    { recognised: true, model: 'crash', design: 'crash' },
    'OCL_ARCHIVE_INVALID',
  ],
  [
    'a layer that is compressed with zstd',
    () => rawTar(docker({ layer: zstdStored(plainLayer()), config: imageConfig([digestOf(plainLayer())]) })),
    { recognised: true, model: 'refused', design: 'refused' },
    ['my design'],
  ],
  [
    'a layer that is not what the config promises',
    () => rawTar(docker({ config: imageConfig([digestOf(Buffer.from('x'))]) })),
    { recognised: true, model: 'refused', design: 'refused' },
    ['my design'],
  ],
  [
    'a link in the layer',
    () =>
      rawTar(
        docker(
          gzipped(
            rawTar([
              { name: 'a', type: '2', link: '/etc/passwd' },
              { name: 'design.yml', body: design },
            ]),
          ),
        ),
      ),
    { recognised: true, model: 'taken', design: 'taken' },
    ['my design'],
  ],
  [
    'a path that leads out of the layer',
    () => rawTar(docker(gzipped(rawTar([{ name: '../design.yml', body: design }])))),
    { recognised: true, model: 'refused', design: 'refused' },
    'OCL_UNSAFE',
  ],
  [
    'a plain tar file of a design',
    () => rawTar([{ name: 'design.yml', body: design }]),
    { recognised: false, model: 'refused', design: 'refused' },
    ['my design'],
  ],
];

async function blobsOf(digest: string): Promise<string[]> {
  const manifest = await readFile(places.path('pure', 'blobs', 'sha256', digest.slice(7)));
  const { config, layers } = JSON.parse(manifest.toString()) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  return [config.digest, ...layers.map((layer) => layer.digest)];
}

describe('an archive', () => {
  it.each(MATRIX)('with %s', async (name, make, verdict, read) => {
    const path = places.path(`${name.replaceAll(/[^a-z]/gi, '-')}.tar`);
    await writeFile(path, await make());
    const judged = await judgeArchive(path, places.directory);
    expect(judged).toMatchObject(verdict);
    expect(judged?.why === undefined).toBe(judged?.model === 'taken' && judged.design === 'taken');
    if (typeof read === 'string') await expect(readAll(places, path)).rejects.toMatchObject({ code: read });
    else expect((await readAll(places, path)).map((entity) => entity.name)).toEqual(read);
  });

  it('that is none has no verdict', async () => {
    expect(await judgeArchive(places.path('hybrid.tar'), places.directory)).toBeDefined();
    await writeFile(places.path('x.yml'), design);
    expect(await judgeArchive(places.path('x.yml'), places.directory)).toBeUndefined();
  });
});
