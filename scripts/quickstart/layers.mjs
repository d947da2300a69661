import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Header } from 'tar';

/** The files below a folder, by path with slashes: `{ path, mode, bytes }`. */
export function filesBelow(folder, prefix = '') {
  return readdirSync(folder, { recursive: true })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => ({
      path: prefix + name.split(sep).join('/'),
      mode: 0o644,
      bytes: readFileSync(join(folder, name)),
    }));
}

/** A tar file that depends on nothing but the files: sorted, owned by root, without times. */
export function tarOf(files, { root = false } = {}) {
  const folders = new Set(files.flatMap(({ path }) => parentsOf(path)));
  const entries = [
    ...[...folders].map((path) => ({ path: `${path}/`, mode: 0o755, type: 'Directory', bytes: Buffer.alloc(0) })),
    ...files.map((file) => ({ ...file, type: 'File' })),
  ].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  if (root) entries.unshift({ path: './', mode: 0o755, type: 'Directory', bytes: Buffer.alloc(0) });
  return Buffer.concat([...entries.flatMap(entryOf), Buffer.alloc(1024)]);
}

/** Compressed, and again without the time and the system that it was made on. */
export function gzipOf(tar) {
  const bytes = gzipSync(tar, { level: 9 });
  bytes.fill(0, 4, 8);
  bytes[9] = 0xff;
  return bytes;
}

function entryOf({ path, mode, type, bytes }) {
  const header = Buffer.alloc(512);
  new Header({ path, mode, type, size: bytes.length, uid: 0, gid: 0, mtime: new Date(0) }).encode(header, 0);
  return [header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)];
}

function parentsOf(path) {
  const parent = dirname(path);
  return parent === '.' ? [] : [...parentsOf(parent), parent];
}
