import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/io/verify.ts';
import { Content } from './content.ts';

/** One entry as an attacker would write it: nothing is checked. */
export interface RawEntry {
  readonly name: string;
  readonly body?: string | Uint8Array;
  readonly type?: string;
  readonly link?: string;
  /** Bytes of the size field, in place of the size of the body. */
  readonly sizeField?: Uint8Array;
  /** What the header promises, in place of the size of the body. */
  readonly size?: number;
  readonly checksum?: string;
  readonly magic?: string;
  readonly prefix?: string;
  readonly mode?: number;
  /** Owner and group. */
  readonly id?: number;
  /** Seconds since the epoch. */
  readonly mtime?: number;
}

function header(entry: RawEntry, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(entry.name, 0, 100, 'utf8');
  const id = octal(entry.id ?? 0, 7);
  block.write(`${octal(entry.mode ?? 0o644, 7)}${id}${id}`, 100, 'latin1');
  if (entry.sizeField === undefined) block.write(octal(entry.size ?? size, 11), 124, 'latin1');
  else block.set(entry.sizeField, 124);
  block.write(octal(entry.mtime ?? 0, 11), 136, 'latin1');
  block.write(entry.type ?? '0', 156, 'latin1');
  block.write(entry.link ?? '', 157, 100, 'utf8');
  block.write(entry.magic ?? 'ustar\u000000', 257, 8, 'latin1');
  block.write(entry.prefix ?? '', 345, 155, 'utf8');
  block.write('        ', 148, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(entry.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')}\0`;
}

/** A tar file made of such entries, with its end unless it is not wanted. */
export function rawTar(entries: readonly RawEntry[], end = true): Buffer {
  const parts = entries.flatMap((entry) => {
    const body = Buffer.from(entry.body ?? '');
    return [header(entry, body.length), body, Buffer.alloc((512 - (body.length % 512)) % 512)];
  });
  return Buffer.concat(end ? [...parts, Buffer.alloc(1024)] : parts);
}

/** One record of an extended header. */
export function pax(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + 1;
  while (String(length).length + rest !== length) length = String(length).length + rest;
  return `${length} ${key}=${value}\n`;
}

export function paxEntry(...records: readonly string[]): RawEntry {
  return { name: 'PaxHeader/x', type: 'x', body: records.join('') };
}

const LAYOUT: RawEntry = { name: 'oci-layout', body: '{"imageLayoutVersion":"1.0.0"}' };

interface Good {
  readonly entries: readonly RawEntry[];
  readonly manifest: string;
  readonly layer: string;
  readonly content: Content;
}

/** A small archive with nothing wrong in it. */
export function goodArchive(): Good {
  const content = new Content();
  const root = content.image({ layers: ['layer'] });
  const blobs = content.descriptors.map(({ digest }) => ({
    name: `blobs/sha256/${digest.slice(7)}`,
    body: content.blobs.get(digest)?.bytes ?? '',
  }));
  const layer = content.descriptors[0]?.digest.slice(7) ?? '';
  const index = JSON.stringify({
    schemaVersion: 2,
    manifests: [{ ...root, annotations: { 'org.opencontainers.image.ref.name': '1' } }],
  });
  return {
    entries: [LAYOUT, { name: 'index.json', body: index }, ...blobs],
    manifest: `blobs/sha256/${root.digest.slice(7)}`,
    layer: `blobs/sha256/${layer}`,
    content,
  };
}

function replaced(name: string, change: Partial<RawEntry>): Buffer {
  return rawTar(goodArchive().entries.map((entry) => (entry.name === name ? { ...entry, ...change } : entry)));
}

function with1(...extra: readonly RawEntry[]): Buffer {
  return rawTar([...goodArchive().entries, ...extra]);
}

function without(name: string): Buffer {
  return rawTar(goodArchive().entries.filter((entry) => entry.name !== name));
}

function index(manifests: unknown, more: object = {}): Buffer {
  return replaced('index.json', { body: JSON.stringify({ schemaVersion: 2, manifests, ...more }) });
}

function dockerWith(
  manifest: unknown,
  files: Readonly<Record<string, string>> = {},
  extra: readonly RawEntry[] = [],
): Buffer {
  const entries = Object.entries(files).map(([name, body]) => ({ name, body }));
  return rawTar([
    ...entries,
    ...extra,
    { name: 'manifest.json', body: typeof manifest === 'string' ? manifest : JSON.stringify(manifest) },
  ]);
}

export function base256(value: bigint, negative = false): Buffer {
  const field = Buffer.alloc(12, negative ? 0xff : 0);
  let rest = BigInt.asUintN(88, value);
  for (let i = 11; i > 0; i--) {
    field[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  field[0] = negative ? 0xff : 0x80;
  return field;
}

export function zstdFrame(window: number, blocks: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, window]), ...blocks]);
}

/** A block that says one byte many times over. */
export function zstdRun(count: number, last: boolean): Buffer {
  const head = (count << 3) | 2 | (last ? 1 : 0);
  return Buffer.from([head & 0xff, (head >> 8) & 0xff, (head >> 16) & 0xff, 0]);
}

/** A block of bytes as they are. */
export function zstdRaw(bytes: Buffer, last: boolean): Buffer {
  const head = (bytes.length << 3) | (last ? 1 : 0);
  return Buffer.concat([Buffer.from([head & 0xff, (head >> 8) & 0xff, (head >> 16) & 0xff]), bytes]);
}

const DIGEST_A = `sha256:${'a'.repeat(64)}`;
const SIZE_AND_TYPE = { mediaType: 'application/vnd.oci.image.manifest.v1+json', size: 10 };
const CONFIG = JSON.stringify({
  os: 'linux',
  architecture: 'amd64',
  rootfs: { type: 'layers', diff_ids: [digestOf(Buffer.from('l1')), digestOf(Buffer.from('l2'))] },
});

export interface TarCase {
  readonly what: string;
  readonly bytes: () => Buffer;
  /** The code of the error that opening it, or reading all of it, has to end with. */
  readonly code: string;
}

const layerTwice = [{ Config: 'c.json', RepoTags: ['a:1'], Layers: ['l1.tar', 'l1.tar'] }];
const dockerGood = [{ Config: 'c.json', RepoTags: ['a:1'], Layers: ['l1.tar', 'l2.tar'] }];
const dockerFiles = { 'c.json': CONFIG, 'l1.tar': 'l1', 'l2.tar': 'l2' };

/** Archives that must be refused, after section 9.2 of the notes on attacks (A: documents, B: archives). */
export const HOSTILE_TARS: readonly TarCase[] = [
  // names
  ...[
    '../evil',
    'a/../../evil',
    '..',
    '/etc/passwd',
    '//x',
    'C:\\evil',
    'C:evil',
    'a\\b',
    '\\\\?\\x',
    './../x',
    'a//b',
    'a/./b',
  ].map((name) => ({ what: `the name ${name}`, bytes: () => with1({ name, body: 'x' }), code: 'OCL_UNSAFE' })),
  {
    what: 'a prefix that leads outside',
    bytes: () => with1({ name: 'x', prefix: '..', body: 'x' }),
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a PAX path that leads outside',
    bytes: () => with1(paxEntry(pax('path', '../../x')), { name: 'harmless', body: 'x' }),
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a GNU long name that leads outside',
    bytes: () => with1({ name: '././@LongLink', type: 'L', body: '../x\0' }, { name: 'harmless', body: 'x' }),
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a NUL in a PAX path',
    bytes: () => with1(paxEntry(pax('path', 'a\0b')), { name: 'a', body: 'x' }),
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a name that is not UTF-8',
    bytes: () => rawTar([{ name: 'x', body: 'x' }]).fill(0xff, 0, 1),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'an entry without a name', bytes: () => with1({ name: '', body: 'x' }), code: 'OCL_ARCHIVE_INVALID' },
  // links and devices
  {
    what: 'a symbolic link',
    bytes: () => with1({ name: 'link', type: '2', link: 'index.json' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'oci-layout as a symbolic link',
    bytes: () => replaced('oci-layout', { type: '2', link: 'index.json', body: '' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a symbolic link to the outside',
    bytes: () => with1({ name: 'v1/layer.tar', type: '2', link: '../../etc/shadow' }),
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a symbolic link to an absolute path',
    bytes: () => with1({ name: 'v1/layer.tar', type: '2', link: '/etc/shadow' }),
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a hard link to the outside',
    bytes: () => with1({ name: 'v1/layer.tar', type: '1', link: '../x' }),
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a link to nothing',
    bytes: () => with1({ name: 'v1/layer.tar', type: '2', link: '../nothing.tar' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a link to a link',
    bytes: () =>
      with1(
        { name: 'v1/layer.tar', type: '2', link: '../v2/layer.tar' },
        { name: 'v2/layer.tar', type: '2', link: '../index.json' },
      ),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a link to itself',
    bytes: () => with1({ name: 'v1/layer.tar', type: '2', link: 'layer.tar' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a PAX link target that leads outside',
    bytes: () =>
      with1(paxEntry(pax('linkpath', '../../x')), { name: 'v1/layer.tar', type: '2', link: '../index.json' }),
    code: 'OCL_UNSAFE',
  },
  {
    what: 'a link with a body',
    bytes: () => with1({ name: 'v1/layer.tar', type: '1', link: 'index.json', body: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a directory with a body',
    bytes: () => with1({ name: 'd/', type: '5', body: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  ...['3', '4', '6', 'S', 'V', 'M', 'X', 'Z'].map((type) => ({
    what: `an entry of type ${type}`,
    bytes: () => with1({ name: 'odd', type }),
    code: 'OCL_ARCHIVE_INVALID',
  })),
  {
    what: 'a PAX sparse file',
    bytes: () =>
      with1(paxEntry(pax('GNU.sparse.major', '1'), pax('GNU.sparse.realsize', '999999999999')), {
        name: 'sparse',
        body: 'x',
      }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  // twice
  {
    what: 'index.json twice',
    bytes: () => with1({ name: 'index.json', body: '{"schemaVersion":2,"manifests":[]}' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'index.json twice, once with ./',
    bytes: () => with1({ name: './index.json', body: '{}' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'index.json twice, once by PAX',
    bytes: () => with1(paxEntry(pax('path', 'index.json')), { name: 'other', body: '{}' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'a blob twice', bytes: () => with1({ name: goodArchive().layer, body: 'x' }), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'a file where a directory is',
    bytes: () => with1({ name: 'd/', type: '5' }, { name: 'd', body: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a directory where a file is',
    bytes: () => with1({ name: 'index.json/', type: '5' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  // headers
  {
    what: 'a wrong checksum',
    bytes: () => replaced('index.json', { checksum: '012345\0 ' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a header with one bit changed',
    bytes: () => flipped(rawTar(goodArchive().entries), 100),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a size that is no number',
    bytes: () => with1({ name: 'x', sizeField: Buffer.from('0000zz00000\0') }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a size with a minus',
    bytes: () => with1({ name: 'x', sizeField: Buffer.from('-0000000001\0') }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a negative base-256 size',
    bytes: () => with1({ name: 'x', sizeField: base256(-512n, true) }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a huge base-256 size',
    bytes: () => with1({ name: 'x', sizeField: base256(1n << 80n) }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a base-256 size of 2^62',
    bytes: () => with1({ name: 'x', sizeField: base256(1n << 62n) }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a base-256 size beyond the file',
    bytes: () => with1({ name: 'x', sizeField: base256(1n << 40n) }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'a size beyond the file', bytes: () => with1({ name: 'x', size: 1 << 30 }), code: 'OCL_ARCHIVE_INVALID' },
  // extended headers
  { what: 'a GNU long name of 1 GB', bytes: () => with1({ name: 'L', type: 'L', size: 1 << 30 }), code: 'OCL_LIMIT' },
  {
    what: 'a GNU long name of 8 KiB',
    bytes: () => with1({ name: 'L', type: 'L', body: 'x'.repeat(8192) }, { name: 'x' }),
    code: 'OCL_LIMIT',
  },
  { what: 'a GNU long link of 1 GB', bytes: () => with1({ name: 'K', type: 'K', size: 1 << 30 }), code: 'OCL_LIMIT' },
  {
    what: 'a long name that goes on after its NUL',
    bytes: () => with1({ name: 'L', type: 'L', body: 'a\0b' }, { name: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a PAX header of 2 MiB',
    bytes: () => with1({ name: 'x', type: 'x', body: Buffer.alloc(2 << 20, 0x61) }),
    code: 'OCL_LIMIT',
  },
  {
    what: 'a PAX path of 64 KiB',
    bytes: () => with1(paxEntry(pax('path', 'x'.repeat(65536))), { name: 'x' }),
    code: 'OCL_LIMIT',
  },
  {
    what: 'a PAX record that lies about its length',
    bytes: () => with1(paxEntry('99 path=index.json\n'), { name: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a PAX record of length 0',
    bytes: () => with1(paxEntry('0 path=x\n'), { name: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a PAX record without a value',
    bytes: () => with1(paxEntry('7 path\n'), { name: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a PAX record twice',
    bytes: () => with1(paxEntry(pax('path', 'a'), pax('path', 'b')), { name: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a negative PAX size',
    bytes: () => with1(paxEntry(pax('size', '-1')), { name: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a PAX size in hexadecimal',
    bytes: () => with1(paxEntry(pax('size', '0x10')), { name: 'x', body: 'x'.repeat(16) }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a huge PAX size',
    bytes: () => with1(paxEntry(pax('size', '9007199254740993')), { name: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'two PAX headers for one entry',
    bytes: () => with1(paxEntry(pax('path', 'a')), paxEntry(pax('path', 'b')), { name: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a PAX path and another GNU long name',
    bytes: () => with1(paxEntry(pax('path', 'a')), { name: 'L', type: 'L', body: 'b\0' }, { name: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a global header that sets a path',
    bytes: () => with1({ name: 'g', type: 'g', body: pax('path', 'a') }, { name: 'x' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'an extended header with nothing after it',
    bytes: () => with1(paxEntry(pax('path', 'a'))),
    code: 'OCL_ARCHIVE_INVALID',
  },
  // the end
  { what: 'nothing', bytes: () => Buffer.alloc(0), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'no tar file', bytes: () => Buffer.from('hello world'.repeat(100)), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'only zeros', bytes: () => Buffer.alloc(10240), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'no end', bytes: () => rawTar(goodArchive().entries, false), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'garbage after the end',
    bytes: () => Buffer.concat([rawTar(goodArchive().entries), Buffer.from('garbage')]),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a second archive after the end',
    bytes: () => Buffer.concat([rawTar(goodArchive().entries), rawTar(goodArchive().entries)]),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'garbage between the empty blocks',
    bytes: () => Buffer.concat([rawTar(goodArchive().entries, false), Buffer.alloc(512), Buffer.alloc(512, 1)]),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: '65 MiB of zeros after the end',
    bytes: () => Buffer.concat([rawTar(goodArchive().entries), Buffer.alloc(65 << 20)]),
    code: 'OCL_LIMIT',
  },
  // compression
  { what: 'a gzip bomb', bytes: () => gzipSync(Buffer.alloc(300 << 20)), code: 'OCL_LIMIT' },
  {
    what: 'a cut gzip file',
    bytes: () => gzipSync(rawTar(goodArchive().entries)).subarray(0, -20),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a broken gzip file',
    bytes: () => flipped(gzipSync(rawTar(goodArchive().entries)), 200),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'garbage after a gzip member',
    bytes: () => Buffer.concat([gzipSync(rawTar(goodArchive().entries)), Buffer.from('garbage')]),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'two archives in two gzip members',
    bytes: () => Buffer.concat([gzipSync(rawTar(goodArchive().entries)), gzipSync(rawTar(goodArchive().entries))]),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'gzip in gzip', bytes: () => gzipSync(gzipSync(rawTar(goodArchive().entries))), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'a zstd window of 2 GiB',
    bytes: () => zstdFrame(21 << 3, [zstdRaw(rawTar(goodArchive().entries).subarray(0, 1024), true)]),
    code: 'OCL_LIMIT',
  },
  { what: 'a zstd window of 3.75 TiB', bytes: () => zstdFrame(0xff, [zstdRun(10, true)]), code: 'OCL_LIMIT' },
  {
    what: 'a zstd bomb',
    bytes: () =>
      zstdFrame(7 << 3, [...Array.from({ length: 4000 }, () => zstdRun(128 << 10, false)), zstdRun(1, true)]),
    code: 'OCL_LIMIT',
  },
  {
    what: 'a zstd block of 2 MiB',
    bytes: () => zstdFrame(7 << 3, [zstdRun((1 << 21) - 1, true)]),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a cut zstd file',
    bytes: () => zstdFrame(7 << 3, [zstdRaw(Buffer.alloc(1024), false)]),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'garbage after a zstd frame',
    bytes: () => Buffer.concat([zstdFrame(7 << 3, [zstdRaw(Buffer.alloc(1024), true)]), Buffer.from('garbage')]),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'xz', bytes: () => Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0, 0]), code: 'OCL_UNSUPPORTED' },
  // the layout
  { what: 'no oci-layout', bytes: () => without('oci-layout'), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'no index.json', bytes: () => without('index.json'), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'oci-layout as a directory',
    bytes: () => replaced('oci-layout', { name: 'oci-layout/', type: '5', body: '' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'another layout version',
    bytes: () => replaced('oci-layout', { body: '{"imageLayoutVersion":"2.0.0"}' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a layout version that is a number',
    bytes: () => replaced('oci-layout', { body: '{"imageLayoutVersion":1}' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'oci-layout that is no JSON',
    bytes: () => replaced('oci-layout', { body: '{"imageLayoutVersion":1.0.0}' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'oci-layout of 1 MiB',
    bytes: () => replaced('oci-layout', { body: `{"imageLayoutVersion":"1.0.0"${' '.repeat(1 << 20)}}` }),
    code: 'OCL_LIMIT',
  },
  { what: 'index.json as an array', bytes: () => replaced('index.json', { body: '[]' }), code: 'OCL_DOCUMENT_INVALID' },
  { what: 'index.json as null', bytes: () => replaced('index.json', { body: 'null' }), code: 'OCL_DOCUMENT_INVALID' },
  {
    what: 'index.json with a byte order mark',
    bytes: () => replaced('index.json', { body: '\ufeff{"schemaVersion":2,"manifests":[]}' }),
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'index.json that is a manifest',
    bytes: () =>
      replaced('index.json', {
        body: JSON.stringify({ schemaVersion: 2, mediaType: SIZE_AND_TYPE.mediaType, config: {}, layers: [] }),
      }),
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'index.json that is an index and a manifest',
    bytes: () => index([], { config: {}, layers: [] }),
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'a name twice in index.json',
    bytes: () => replaced('index.json', { body: '{"schemaVersion":2,"manifests":[],"manifests":[]}' }),
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'index.json with another case',
    bytes: () => replaced('index.json', { body: '{"schemaVersion":2,"manifests":[],"Manifests":[]}' }),
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'index.json 100,000 levels deep',
    bytes: () => replaced('index.json', { body: '['.repeat(100_000) }),
    code: 'OCL_LIMIT',
  },
  {
    what: 'a digest that is a path',
    bytes: () => index([{ ...SIZE_AND_TYPE, digest: 'sha256:../../etc/passwd' }]),
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'a digest in upper case',
    bytes: () => index([{ ...SIZE_AND_TYPE, digest: `sha256:${'A'.repeat(64)}` }]),
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'a short digest',
    bytes: () => index([{ ...SIZE_AND_TYPE, digest: 'sha256:abc' }]),
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'a negative size',
    bytes: () => index([{ ...SIZE_AND_TYPE, digest: DIGEST_A, size: -1 }]),
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'a size as text',
    bytes: () => index([{ ...SIZE_AND_TYPE, digest: DIGEST_A, size: '10' }]),
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'a size of 2^62',
    bytes: () => index([{ ...SIZE_AND_TYPE, digest: DIGEST_A, size: 2 ** 62 }]),
    code: 'OCL_DOCUMENT_INVALID',
  },
  { what: 'a missing blob', bytes: () => index([{ ...SIZE_AND_TYPE, digest: DIGEST_A }]), code: 'OCL_NOT_FOUND' },
  {
    what: 'data that is not the content',
    bytes: () => index([{ ...SIZE_AND_TYPE, digest: DIGEST_A, data: 'AAAAAAAAAAAAAA==' }]),
    code: 'OCL_DIGEST_MISMATCH',
  },
  {
    what: 'data of another size',
    bytes: () => index([{ ...SIZE_AND_TYPE, digest: DIGEST_A, data: 'e30=' }]),
    code: 'OCL_SIZE_MISMATCH',
  },
  {
    what: 'a blob that is altered',
    bytes: () => replaced(goodArchive().layer, { body: Buffer.alloc(goodArchive().content.descriptors[0]?.size ?? 0) }),
    code: 'OCL_DIGEST_MISMATCH',
  },
  {
    what: 'a blob that is shorter',
    bytes: () => replaced(goodArchive().layer, { body: 'x' }),
    code: 'OCL_SIZE_MISMATCH',
  },
  {
    what: 'a manifest that is altered',
    bytes: () => replaced(goodArchive().manifest, { body: '{}' }),
    code: 'OCL_SIZE_MISMATCH',
  },
  // docker archives
  { what: 'manifest.json as null', bytes: () => dockerWith('null'), code: 'OCL_ARCHIVE_INVALID' },
  { what: 'manifest.json as an object', bytes: () => dockerWith('{}'), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'Config and config',
    bytes: () => dockerWith([{ ...dockerGood[0], config: 'other.json' }], dockerFiles),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'no config',
    bytes: () => dockerWith(dockerGood, { 'l1.tar': 'l1', 'l2.tar': 'l2' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a config outside',
    bytes: () => dockerWith([{ ...dockerGood[0], Config: '../../c.json' }], dockerFiles),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a missing layer',
    bytes: () => dockerWith(dockerGood, { 'c.json': CONFIG, 'l1.tar': 'l1' }),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'fewer layers than diff_ids',
    bytes: () => dockerWith([{ ...dockerGood[0], Layers: ['l1.tar'] }], dockerFiles),
    code: 'OCL_ARCHIVE_INVALID',
  },
  { what: 'one layer for two diff_ids', bytes: () => dockerWith(layerTwice, dockerFiles), code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'one layer for two diff_ids by way of a link',
    bytes: () =>
      dockerWith([{ ...dockerGood[0], Layers: ['l1.tar', 'v1/layer.tar'] }], dockerFiles, [
        { name: 'v1/layer.tar', type: '2', link: '../l1.tar' },
      ]),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a layer that is not its diffID',
    bytes: () => dockerWith(dockerGood, { ...dockerFiles, 'l2.tar': 'l3' }),
    code: 'OCL_DIGEST_MISMATCH',
  },
  {
    what: 'a RepoTag without a tag',
    bytes: () => dockerWith([{ ...dockerGood[0], RepoTags: ['app'] }], dockerFiles),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a RepoTag that is a path',
    bytes: () => dockerWith([{ ...dockerGood[0], RepoTags: ['../../app:1'] }], dockerFiles),
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'a layer in bzip2',
    bytes: () => dockerWith(dockerGood, { ...dockerFiles, 'l2.tar': 'BZh9' }),
    code: 'OCL_UNSUPPORTED',
  },
  { what: 'manifest.json of 21 MiB', bytes: () => dockerWith(`[${' '.repeat(21 << 20)}]`), code: 'OCL_LIMIT' },
];

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0x01;
  return copy;
}
