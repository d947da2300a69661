import { type Descriptor } from '../core/descriptor.ts';
import { splitDigest, type Digest } from '../core/digest.ts';
import { type ErrorCode } from '../core/errors.ts';
import { isImageConfigType } from '../core/mediaTypes.ts';
import { type LocalSource } from '../core/store.ts';
import { Reread } from '../copy/reread.ts';
import { idOf } from './delta.ts';
import { type ImportReport } from './import.ts';
import { encodeInventory, takeInventory, type InventoryOptions } from './inventory.ts';
import { heldBy, nameOf, nameThere, sourceOf, type ImportTarget } from './target.ts';

/** How much of what has arrived is read again besides its documents: configs and one in ten of the other contents, all, or nothing. */
export const REREAD_MODES = ['sample', 'all', 'none'] as const;
export type RereadMode = (typeof REREAD_MODES)[number];

/** One content in so many is read again in a sample. */
const SAMPLE = 10;

export interface ReceiptOptions extends InventoryOptions {
  readonly reread: RereadMode;
  /** When the import began, in milliseconds since the epoch. */
  readonly started: number;
}

/** What an import came to, for whoever has to answer for it, and for the near side's next delta. */
export interface Receipt {
  readonly receiptVersion: 1;
  readonly time: string;
  readonly tool: { readonly name: string; readonly version: string };
  readonly target: string;
  readonly bundles: readonly { readonly id: Digest; readonly kind: 'full' | 'delta'; readonly name: string }[];
  /** Milliseconds. */
  readonly ms: number;
  readonly counts: {
    readonly copied: number;
    readonly unchanged: number;
    readonly kept: number;
    readonly failed: number;
  };
  /** Of all that has arrived, and those that flowed. */
  readonly bytes: { readonly all: number; readonly streamed: number };
  readonly images: readonly {
    readonly name: string;
    /** In the target: `REPOSITORY:TAG`, or the repository with the digest; in one layout without the repository. */
    readonly as: string;
    readonly digest: Digest;
    readonly platforms: Readonly<Record<string, Digest>>;
    readonly outcome: 'copied' | 'current' | 'kept';
  }[];
  readonly failed: readonly { readonly name: string; readonly code: string; readonly message: string }[];
  /** Sets of volumes of which more has to come, and the images that wait for them. */
  readonly awaited: readonly {
    readonly set: Digest;
    readonly volumes: number;
    readonly missing: readonly number[];
    readonly images: readonly { readonly name: string; readonly digest: Digest; readonly missing: readonly number[] }[];
  }[];
  readonly reread: {
    readonly mode: RereadMode;
    readonly blobs: number;
    readonly bytes: number;
    /** What could have been read. */
    readonly of: { readonly blobs: number; readonly bytes: number };
    readonly damaged: readonly {
      readonly name: string;
      readonly digest: Digest;
      readonly code: ErrorCode;
      readonly message: string;
    }[];
  };
  /** What the target has in the repositories of these images, as a `.ocli` file in base64. */
  readonly inventory: string;
}

/** @throws the failures of the target, but for damage, which is in the receipt */
export async function makeReceipt(
  report: ImportReport,
  { target, bundles }: { readonly target: ImportTarget; readonly bundles: readonly LocalSource[] },
  options: ReceiptOptions,
): Promise<Receipt> {
  const ids = await Promise.all(bundles.map(idOf));
  const reread = new Reread({ ...options, chosen: chooser(options.reread, ids) });
  const kept = new Set(report.kept.map(({ image }) => image));
  const images: Receipt['images'][number][] = [];
  for (const arrived of report.arrived) {
    const { image, root, repository, outcome } = arrived;
    const source = await sourceOf(target, repository);
    const platforms = source === undefined ? [] : await reread.image(image, root, source);
    images.push({
      name: image,
      as: nameThere(arrived),
      digest: root.digest,
      platforms: Object.fromEntries(platforms),
      outcome: kept.has(image) ? 'kept' : outcome,
    });
  }
  const repositories = [...new Set(report.arrived.map(({ repository }) => repository))];
  const inventory = await takeInventory([heldBy(target, repositories)], options);
  const { results, streamed, failed } = report;
  const sum = (of: (result: ImportReport['results'][number]) => number): number =>
    results.reduce((total, result) => total + of(result), 0);
  const now = options.clock.now();
  return {
    receiptVersion: 1,
    time: new Date(now).toISOString(),
    tool: { name: 'ocl', version: options.version },
    target: nameOf(target),
    bundles: bundles.map(({ name, record }, i) => ({ id: ids[i] as Digest, kind: record?.kind ?? 'full', name })),
    ms: now - options.started,
    counts: {
      copied: results.filter(({ outcome }) => outcome === 'copied').length - kept.size,
      unchanged: results.filter(({ outcome }) => outcome === 'current').length,
      kept: kept.size,
      failed: failed.length,
    },
    bytes: { all: sum(({ bytes }) => bytes), streamed },
    images,
    failed: failed.map(({ image, error }) => ({ name: image, code: error.code, message: error.message })),
    awaited: report.awaited.map(({ set, volumes, missing, images: waiting }) => ({
      set,
      volumes,
      missing,
      images: waiting.map(({ image, root, volumes: lacking }) => ({
        name: image,
        digest: root.digest,
        missing: lacking,
      })),
    })),
    reread: describeReread(reread, options.reread),
    inventory: Buffer.from(await encodeInventory(inventory)).toString('base64'),
  };
}

function describeReread({ right, all, damaged }: Reread, mode: RereadMode): Receipt['reread'] {
  const sum = (sizes: ReadonlyMap<Digest, number>): number =>
    [...sizes.values()].reduce((total, size) => total + size, 0);
  return {
    mode,
    blobs: right.size,
    bytes: sum(right),
    of: { blobs: all.size, bytes: sum(all) },
    damaged: damaged.map(({ image, digest, error }) => ({
      name: image,
      digest,
      code: error.code,
      message: error.message,
    })),
  };
}

/** A sample is the same for the same bundles, and another for others: configs, and one in ten of all else. */
function chooser(mode: RereadMode, bundles: readonly Digest[]): (descriptor: Descriptor) => boolean {
  if (mode !== 'sample') return () => mode === 'all';
  const seed = bundles.reduce((sum, id) => sum + numberOf(id), 0);
  return ({ digest, mediaType }) => isImageConfigType(mediaType) || (numberOf(digest) + seed) % SAMPLE === 0;
}

/** Some digits of a digest; zero for one in other letters. */
function numberOf(digest: Digest): number {
  const number = Number.parseInt(splitDigest(digest).encoded.slice(0, 8), 16);
  return Number.isNaN(number) ? 0 : number;
}
