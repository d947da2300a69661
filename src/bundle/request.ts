import { type StoredBlob } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { entryName } from '../core/names.ts';
import { type LocalSource } from '../core/store.ts';
import { collectionOf } from './collection.ts';
import { idOf, type Known } from './delta.ts';
import { type Incomplete } from './deltaCheck.ts';
import { encodeInventory, takeInventory, type InventoryOptions } from './inventory.ts';
import { type BlobRequest } from './requestSchema.ts';
import { heldBy, nameOf, type ImportTarget } from './target.ts';

export interface AskingFor {
  readonly target: ImportTarget;
  /** The bundles that were to be imported: what they bring is not asked for. */
  readonly bundles: readonly LocalSource[];
  readonly options: InventoryOptions;
}

/** A request for what images lack. @throws the failures of the target */
export async function makeRequest(
  incomplete: readonly Incomplete[],
  { target, bundles, options }: AskingFor,
): Promise<BlobRequest> {
  const missing = new Map(incomplete.flatMap((each) => each.missing.map((blob) => [blob.digest, blob] as const)));
  const whole = incomplete.some((image) => image.missing.some(({ digest }) => digest === image.root.digest));
  const [refused] = bundles.filter(({ record }) => record?.kind === 'delta');
  if (refused === undefined) throw new OclError('OCL_INTERNAL', 'Cannot ask for anything: no bundle is a delta');
  const repositories = new Set(incomplete.map(({ repository }) => repository));
  return {
    of: nameOf(target),
    time: new Date(options.clock.now()).toISOString(),
    tool: { name: 'ocl', version: options.version },
    bundle: await idOf(refused),
    images: incomplete.map(({ root, history }) => ({
      root,
      before: history?.before ?? [],
      all: history?.all ?? false,
    })),
    missing: [...missing.values()].toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
    have: whole
      ? await takeInventory([heldBy(target, [...repositories]), ...bundles.map(collectionOf)], options)
      : undefined,
  };
}

/** The text of a request file. */
export async function formatRequest({ of, time, tool, bundle, images, missing, have }: BlobRequest): Promise<string> {
  const inventory = have === undefined ? undefined : Buffer.from(await encodeInventory(have)).toString('base64');
  const plain = { requestVersion: 1, of, time, tool, bundle, images, missing, have: inventory };
  return `${JSON.stringify(plain, undefined, 2)}\n`;
}

/** What a request tells of the far side: it has all but what it asks for. */
export function knownOfRequest(request: BlobRequest, id: string): Known {
  const missing = new Set(request.missing.map(({ digest }) => digest));
  const { of, time, bundle, have } = request;
  const images = new Map(
    request.images.map((image) => {
      const { tag, imageName } = entryName(image.root);
      return [imageName ?? tag ?? '', image];
    }),
  );
  return {
    basis: { kind: 'request', id, assumed: false, of, time, bundle },
    has: (digest) => !missing.has(digest) && (have === undefined || have.blobs.has(digest)),
    before: (name) => images.get(name)?.before ?? [],
    remembers: (name) => images.get(name)?.all ?? false,
  };
}

/** Bytes of all together. */
export function sumOf(blobs: readonly StoredBlob[]): number {
  return blobs.reduce((sum, { size }) => sum + size, 0);
}
