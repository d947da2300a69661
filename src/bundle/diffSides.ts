import { type BundleRecord } from '../core/bundleRecord.ts';
import { type Clock } from '../core/clock.ts';
import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { isObject, parseJson } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { entryName } from '../core/names.ts';
import { parseImageName } from '../core/reference.ts';
import { readHead, readSmallFile } from '../io/smallFile.ts';
import { type ReachOptions } from '../copy/reach.ts';
import { readHoldings, type Collection, type Tags } from './collection.ts';
import { knownOfBundle } from './delta.ts';
import { type DiffSide } from './diff.ts';
import { decodeInventory, isInventory } from './inventory.ts';
import { isLedger, Ledger } from './ledger.ts';
import { parseLock } from './lockSchema.ts';
import { parseReceipt } from './receiptSchema.ts';

const HEAD_BYTES = 16;
const OPENING_BRACE = 0x7b;

/**
 * A file that says what a place has, should have or is to have: an inventory, a receipt, a ledger or a lock. Undefined: it is something else.
 * @throws OCL_NOT_FOUND, OCL_DOCUMENT_INVALID, OCL_CONFIG_INVALID, OCL_LIMIT
 */
export async function readSideFile(
  path: string,
  options: { readonly clock: Clock; readonly emit: Emit },
): Promise<DiffSide | undefined> {
  const head = await readHead(path, HEAD_BYTES, path);
  if (isLedger(head)) {
    const ledger = await Ledger.open(path, options);
    const { has } = ledger.known();
    return { name: path, tags: tagsOf(ledger.latest()), sizes: undefined, has };
  }
  if (isInventory(head)) {
    const what = `the inventory ${path}`;
    const { tags, blobs } = await decodeInventory(await readSmallFile(path, LIMITS.inventoryBytes, what), what);
    return { name: path, tags, sizes: undefined, has: (digest) => blobs.has(digest) };
  }
  if (head[0] !== OPENING_BRACE) return undefined;
  const bytes = await readSmallFile(path, LIMITS.receiptBytes, path);
  const value = parseJson(bytes, path);
  if (isObject(value) && 'receiptVersion' in value) {
    const { inventory } = await parseReceipt(bytes, `the receipt ${path}`);
    return { name: path, tags: inventory.tags, sizes: undefined, has: (digest) => inventory.blobs.has(digest) };
  }
  if (isObject(value) && 'lockVersion' in value) {
    const { images } = parseLock(bytes, path);
    const names = [...images].map(([name, { root }]) => [name, root.digest] as const);
    return { name: path, tags: tagsOf(names), sizes: undefined, has: undefined };
  }
  throw new OclError('OCL_USAGE', `Cannot compare ${path}: it is no inventory, receipt, ledger or lock`);
}

/** A place as it is. Of a bundle also what it leaves to the far side, and what lies in volumes that are not given. */
export async function readSide(place: Collection, options: ReachOptions): Promise<DiffSide> {
  const { tags, blobs } = await readHoldings([place], options);
  const record = place.whole?.record;
  if (record === undefined) return { name: place.name, tags, sizes: blobs, has: (digest) => blobs.has(digest) };
  const roots = await place.whole?.roots();
  const sizes = new Map([...blobs, ...sizesIn(record)]);
  const { has } = knownOfBundle(roots ?? [], [...sizes.keys()], record);
  const entries = [...(roots ?? []), ...(record.roots ?? []), ...(record.unchanged?.images ?? [])];
  return { name: place.name, tags: tagsOf(entries.flatMap(named)), sizes, has };
}

function sizesIn({ requires = [], placement }: BundleRecord): readonly (readonly [Digest, number])[] {
  const { everywhere = [], blobs = [], cut = [] } = placement ?? {};
  return [...requires, ...everywhere, ...blobs, ...cut].map(({ digest, size }) => [digest, size] as const);
}

function named(root: Descriptor): readonly (readonly [string, Digest])[] {
  const { tag, imageName } = entryName(root);
  const name = imageName ?? tag;
  return name === undefined ? [] : [[name, root.digest]];
}

/** Full names by repository and tag; what is none has no repository. */
function tagsOf(names: readonly (readonly [string, Digest])[]): Tags {
  const tags = new Map<string, Map<string, Digest>>();
  for (const [name, digest] of names) {
    const parsed = parseImageName(name);
    const isFull = parsed?.tag !== undefined && name.includes('/');
    const repository = isFull ? `${parsed.registry}/${parsed.repository}` : '';
    // What refers to an image has no tag.
    if (!isFull && (name.includes('@') || name.includes('/'))) continue;
    const known = tags.get(repository) ?? new Map<string, Digest>();
    tags.set(repository, known.set(isFull ? (parsed.tag ?? name) : name, digest));
  }
  return tags;
}
