import { readDeprecation, type Deprecation } from '../artifact/deprecation.ts';
import { type Digest } from '../core/digest.ts';
import { formatReference, type Reference } from '../core/reference.ts';
import { loadDocument } from '../copy/documents.ts';
import { type Entity } from './entity.ts';
import { packageOf } from './packageFile.ts';
import { packedRoots } from './packed.ts';
import { readEntities, type ReadOptions } from './read.ts';

/** What a store knows of an entity, and its files do not. */
export interface StoreFacts {
  /** By its digest; undefined of files. */
  readonly reference: string | undefined;
  readonly digest: Digest | undefined;
  /** What was said of it last, where anything was; of files, what they say of themselves. */
  readonly deprecation: Deprecation | undefined;
}

/** Every entity of an input, with what a store knows of it. @throws as `readEntities` */
export async function* readKnown(
  input: Reference,
  options: ReadOptions,
): AsyncGenerator<StoreFacts & { readonly entity: Entity }> {
  let packed = 0;
  for await (const { from, root, reference } of packedRoots(input, options.stores)) {
    const { document } = await loadDocument(root, from);
    const deprecation = await readDeprecation(from, root, document.annotations);
    for await (const entity of readEntities(reference, options)) {
      packed++;
      yield { entity, reference: formatReference(reference), digest: root.digest, deprecation };
    }
  }
  if (packed > 0) return;
  for await (const entity of readEntities(input, options))
    yield { entity, reference: undefined, digest: undefined, deprecation: ownWord(entity) };
}

/** What an `artifacthub-pkg.yml` beside it says. */
function ownWord({ files }: Entity): Deprecation | undefined {
  return packageOf(files)?.deprecated === true ? { deprecated: true, created: '', digest: undefined } : undefined;
}
