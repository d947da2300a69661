import { printable } from '../../core/redact.ts';
import { type Reference } from '../../core/reference.ts';
import { relocateImages, type RelocatedImage, type Relocation } from '../../mesh/relocate.ts';
import { unpackEntities } from '../../mesh/unpack.ts';
import { type Env } from '../env.ts';
import { plural } from '../render/format.ts';
import { noteTo } from './input.ts';

export interface UnpackCall {
  readonly output: string;
  readonly overwrite: boolean;
  readonly relocation: Relocation | undefined;
}

/** Writes the files of entities and says so, with their images under other names where that is asked for. */
export async function unpackAndTell(
  input: Reference,
  { output, overwrite, relocation }: UnpackCall,
  env: Env,
): Promise<void> {
  const { stores, tmpDir, emit, signal } = env;
  const note = noteTo(emit);
  const renamed = new Map<string, RelocatedImage>();
  const entities = await unpackEntities(input, output, {
    stores,
    tmpDir,
    signal,
    overwrite,
    onNote: note,
    alter(entity) {
      if (relocation === undefined) return entity;
      const { entity: altered, images, left } = relocateImages(entity, relocation);
      for (const image of images) renamed.set(image.from, image);
      for (const place of left)
        note(`${entity.origin}: the image at ${place} cannot be changed without changing more; change it by hand`);
      return altered;
    },
  });
  for (const { origin, notes } of entities) for (const each of notes) note(`${origin}: ${each}`);
  for (const { from, to } of renamed.values()) {
    if (env.json) env.print(JSON.stringify({ type: 'renamed', from, to }));
    else env.say(printable(`${from} -> ${to}`));
  }
  for (const { kind, name, version, id, schemaVersion, origin, directory, files } of entities) {
    if (env.json)
      env.print(JSON.stringify({ type: 'unpacked', kind, name, version, id, schemaVersion, origin, directory, files }));
    else env.print(printable(`${directory}  ${kind} ${name} ${version}, ${plural(files.length, 'file')}`));
  }
}
