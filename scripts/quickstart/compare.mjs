import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf } from './pieces.mjs';

/** Reads a layout as it lies on the disk: without `ocl`, which is the one to be judged here. */
export function readLayout(folder) {
  const { manifests } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
  const tags = manifests
    .map(({ digest, annotations }) => [annotations?.['org.opencontainers.image.ref.name'], digest])
    .filter(([tag]) => tag !== undefined);
  return {
    tags: new Map(tags),
    bytesOf: ({ digest }) => readFileSync(join(folder, 'blobs', ...digest.split(':'))),
  };
}

/** What of a repository is missing or different in a layout, one line each. */
export function differences({ name, tags, blobs, documents }, layout) {
  const found = [];
  for (const [tag, { digest }] of tags) {
    const other = layout.tags.get(tag);
    if (other !== digest) found.push(`${name}:${tag} is ${other ?? 'missing'}, and was ${digest}`);
  }
  for (const { descriptor } of [...blobs.values(), ...documents.values()]) {
    const { digest } = descriptor;
    try {
      const now = `sha256:${hashOf('sha256', layout.bytesOf(descriptor))}`;
      if (now !== digest) found.push(`${name}: ${digest} has become ${now}`);
    } catch {
      found.push(`${name}: ${digest} is missing`);
    }
  }
  return found;
}
