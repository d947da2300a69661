import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { LIMITS } from '../core/limits.ts';
import { decompressStream, detectCompression, type Compression } from '../io/compression.ts';
import { HEAD_BYTES, readHead } from '../io/fileHead.ts';
import { readSmallFile } from '../io/smallFile.ts';
import { looksLikeTar } from '../io/tarball.ts';
import { openTar, type OpenTar } from '../io/tarSpool.ts';
import { readBounded } from '../io/verify.ts';
import { looksLikeZip, openZip } from '../io/zip.ts';
import { memoryTree, withoutSecrets, type Tree } from './tree.ts';

/** What an archive holds: files to look through, or artifacts that a store reads. */
export type Opened = { readonly kind: 'tree'; readonly tree: Tree } | { readonly kind: 'oci' | 'docker' };

/** Meshery's exports are read with their faults: text behind the end of a tar file, and links, which are passed over. */
const LENIENT = { links: 'pass', tail: 'ignore' } as const;
const MAX_DOCKER_MANIFEST = 1 << 20;

/** Whether the first bytes are those of an archive, packed or not. */
export function looksLikeArchive(head: Uint8Array): boolean {
  return looksLikeZip(head) || detectCompression(head) !== 'none' || looksLikeTar(head);
}

/**
 * Opens a file as what its content says, not its name: a tar file (also compressed), a zip file, or a single file (also compressed).
 * @param tmpDir holds what a compressed tar file is unpacked to until the tree is closed
 * @throws OCL_NOT_FOUND, OCL_ARCHIVE_INVALID, OCL_UNSAFE, OCL_LIMIT, OCL_UNSUPPORTED
 */
export async function openFile(path: string, tmpDir: string): Promise<Opened> {
  const head = await readHead(path);
  if (looksLikeZip(head)) return { kind: 'tree', tree: await zipTree(path) };
  const compression = detectCompression(head);
  const start = compression === 'none' ? head : await decompressedHead(path, compression);
  if (looksLikeTar(start)) return await openTarFile(path, tmpDir);
  const bytes =
    compression === 'none'
      ? await readSmallFile(path, LIMITS.meshFile, path)
      : await readBounded(decompress(path, compression), LIMITS.meshFile, path);
  return { kind: 'tree', tree: memoryTree(path, [{ path: basename(path).replace(/\.(?:gz|zst)$/i, ''), bytes }]) };
}

async function openTarFile(path: string, tmpDir: string): Promise<Opened> {
  const open = await openTar(path, tmpDir, LENIENT);
  const { tarball } = open;
  if (tarball.find('oci-layout') !== undefined && tarball.find('index.json') !== undefined) {
    await open.close();
    return { kind: 'oci' };
  }
  if (await isDockerArchive(open)) {
    await open.close();
    return { kind: 'docker' };
  }
  return { kind: 'tree', tree: tarTree(open, path) };
}

/** `manifest.json` may also be a file of somebody's own; docker's is a list that names configs. */
async function isDockerArchive({ tarball }: OpenTar): Promise<boolean> {
  const entry = tarball.find('manifest.json');
  if (entry === undefined || entry.size > MAX_DOCKER_MANIFEST) return false;
  const text = Buffer.from(await tarball.bytes(entry, MAX_DOCKER_MANIFEST, 'manifest.json')).toString('utf8');
  return /^\s*\[/.test(text) && text.includes('"Config"');
}

function tarTree(open: OpenTar, name: string): Tree {
  const { tarball } = open;
  const { kept, notes } = withoutSecrets([...tarball.names()], tarball.passed.length);
  const stream = (path: string, end?: number): Readable => {
    const entry = tarball.find(path);
    return entry === undefined ? Readable.from([]) : tarball.stream(entry, { start: 0, end });
  };
  return {
    name,
    paths: kept,
    layouts: [],
    notes,
    read: async (path) => await readBounded(stream(path), LIMITS.meshFile, `${path} in ${name}`),
    head: async (path) => await readBounded(stream(path, HEAD_BYTES - 1), HEAD_BYTES, path),
    locate: () => undefined,
    close: () => open.close(),
  };
}

async function zipTree(path: string): Promise<Tree> {
  const zip = await openZip(path, path);
  const { kept, notes } = withoutSecrets([...zip.files.keys()], zip.passed.length);
  const read = async (name: string): Promise<Uint8Array> => await zip.read(name, LIMITS.meshFile);
  return {
    name: path,
    paths: kept,
    layouts: [],
    notes,
    read,
    head: read,
    locate: () => undefined,
    close: () => zip.close(),
  };
}

function decompress(path: string, kind: Compression): Readable {
  return decompressStream(createReadStream(path), kind, { what: path });
}

async function decompressedHead(path: string, kind: Compression): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const stream = decompress(path, kind);
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= HEAD_BYTES) break;
    }
  } finally {
    stream.destroy();
  }
  return Buffer.concat(chunks).subarray(0, HEAD_BYTES);
}
