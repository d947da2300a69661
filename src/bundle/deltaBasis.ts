import { type Clock } from '../core/clock.ts';
import { type Digest } from '../core/digest.ts';
import { type Emit } from '../core/events.ts';
import { parseImageName } from '../core/reference.ts';
import { type LocalSource } from '../core/store.ts';
import { readHead, readSmallFile } from '../io/smallFile.ts';
import { digestOf } from '../io/verify.ts';
import { LIMITS } from '../core/limits.ts';
import { type Tags } from './collection.ts';
import { bundleId, knownOfBundle, type Known } from './delta.ts';
import { decodeInventory, isInventory, type Inventory } from './inventory.ts';
import { isLedger, Ledger } from './ledger.ts';
import { parseReceipt, type ReadReceipt } from './receiptSchema.ts';

/** Bytes by which the kinds of files are told apart. */
const HEAD_BYTES = 16;
const OPENING_BRACE = 0x7b;

export interface ReadKnownOptions {
  readonly clock: Clock;
  readonly emit: Emit;
  /** Opens what is none of the other kinds. */
  readonly openBundle: (path: string) => Promise<LocalSource>;
}

/**
 * What a file tells of the far side, whichever kind of file it is: an inventory, a receipt, a ledger, or a bundle that was sent.
 * @throws OCL_NOT_FOUND, OCL_DOCUMENT_INVALID, OCL_LIMIT, and what opening a bundle throws
 */
export async function readKnown(path: string, { clock, emit, openBundle }: ReadKnownOptions): Promise<Known> {
  // A layout is a directory, and has no first bytes.
  const head = Buffer.from(await readHead(path, HEAD_BYTES, path));
  if (isInventory(head)) {
    const what = `the inventory ${path}`;
    const bytes = await readSmallFile(path, LIMITS.inventoryBytes, what);
    return knownOfInventory(await decodeInventory(bytes, what), digestOf(bytes));
  }
  if (isLedger(head)) return (await Ledger.open(path, { clock, emit })).known();
  if (head[0] === OPENING_BRACE) {
    const what = `the receipt ${path}`;
    const bytes = await readSmallFile(path, LIMITS.receiptBytes, what);
    return knownOfReceipt(await parseReceipt(bytes, what), digestOf(bytes));
  }
  const source = await openBundle(path);
  try {
    return await readBundle(source);
  } finally {
    await source.close();
  }
}

function knownOfInventory({ of, time, tags, blobs }: Inventory, id: string): Known {
  return {
    basis: { kind: 'inventory', id, assumed: false, of, time },
    has: (digest) => blobs.has(digest),
    before: (name) => lookUp(tags, name),
    remembers: () => false,
  };
}

async function readBundle(source: LocalSource): Promise<Known> {
  const roots = await source.roots();
  const contents: Digest[] = [];
  for await (const { digest } of source.blobs()) contents.push(digest);
  const { record } = source;
  const id = bundleId(
    record,
    roots.map(({ digest }) => digest),
    contents,
  );
  return { basis: { kind: 'bundle', id, assumed: true }, ...knownOfBundle(roots, contents, record) };
}

function knownOfReceipt({ of, time, images, inventory }: ReadReceipt, id: string): Known {
  const { has, before } = knownOfInventory(inventory, id);
  return {
    basis: { kind: 'receipt', id, assumed: false, of, time },
    has,
    before: (name) => {
      const digest = images.get(name);
      return [...new Set([...before(name), ...(digest === undefined ? [] : [digest])])];
    },
    remembers: () => false,
  };
}

/** A full name under the names that its repository may have there: whole, scoped by its registry, or the path alone. */
function lookUp(tags: Tags, name: string): readonly Digest[] {
  const parsed = parseImageName(name);
  if (parsed?.tag === undefined) return [];
  const { registry, repository, tag } = parsed;
  const whole = `${registry}/${repository}`;
  for (const candidate of [whole, whole.replaceAll(/[:[\]]/g, '-'), repository]) {
    const digest = tags.get(candidate)?.get(tag);
    if (digest !== undefined) return [digest];
  }
  return [];
}
