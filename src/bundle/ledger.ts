import { type BundleRecord } from '../core/bundleRecord.ts';
import { type Clock } from '../core/clock.ts';
import { type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { LINE_BYTES, LineFile } from '../io/lineFile.ts';
import { digestOf } from '../io/verify.ts';
import { rootsOf, type Surveyed } from '../copy/copier.ts';
import { inOrder } from '../copy/walk.ts';
import { bundleId, type Delta, type Known } from './delta.ts';
import { BlobSet, PREFIX_BYTES } from './inventoryBlobs.ts';
import { decodeLine, type LedgerLine } from './ledgerSchema.ts';

/** A bundle that was written for a far side, and what that far side has once it was imported. */
export interface Sent {
  readonly id: Digest;
  /** The file's name, for people. */
  readonly file: string;
  /** What its images are made of, carried or not. */
  readonly blobs: Iterable<Digest>;
  /** By full name, what it was before as far as is known, and what it is now, last. */
  readonly names: ReadonlyMap<string, readonly Digest[]>;
}

/** Of one line, which may have twice as much. */
const MAX_LINE = LINE_BYTES / 2;
const HEAD = Buffer.from('{"kind":"ledger"');
const BLOBS_A_LINE = Math.floor((MAX_LINE / 4) * 3) / PREFIX_BYTES;

/** Whether a file is a ledger, by its first 16 bytes. */
export function isLedger(head: Uint8Array): boolean {
  return HEAD.equals(head.subarray(0, HEAD.length));
}

/**
 * What was sent to one far side, kept on the near side: a file of lines that is appended to. What a crash left half-written does not count, so the
 * next delta carries it again. Nobody knows whether what was sent has arrived.
 */
export class Ledger {
  readonly #file: LineFile;
  readonly #clock: Clock;
  #ids: readonly Digest[] = [];
  #blobs: readonly BlobSet[] = [];
  readonly #names = new Map<string, readonly Digest[]>();

  private constructor(path: string, { clock, emit }: { readonly clock: Clock; readonly emit: Emit }) {
    this.#clock = clock;
    this.#file = new LineFile(path, { clock, emit, kind: 'ledger', option: '--ledger' });
  }

  /** @throws OCL_USAGE when the file is something else, OCL_UNSUPPORTED when it is of a newer version */
  static async open(path: string, options: { readonly clock: Clock; readonly emit: Emit }): Promise<Ledger> {
    const ledger = new Ledger(path, options);
    await ledger.#load();
    return ledger;
  }

  /** Makes the file where there is none, so that a place that cannot be written to is found before a bundle is. */
  async prepare(): Promise<void> {
    await this.#file.append([]);
  }

  /** What the far side should have. @throws OCL_NOT_FOUND when nothing was sent */
  known(): Known {
    if (this.#ids.length === 0)
      throw new OclError('OCL_NOT_FOUND', `Cannot use the ledger ${this.#file.path}: nothing was sent by it`, {
        hint: `write the first bundle without --since: ocl export … --ledger ${this.#file.path}`,
      });
    const id = digestOf(Buffer.from(this.#ids.join('\n')));
    return {
      basis: { kind: 'ledger', id, assumed: true, bundles: this.#ids.length },
      has: (digest) => this.#has(digest),
      before: (name) => this.#names.get(name) ?? [],
      remembers: (name) => this.#names.has(name),
    };
  }

  /** As what each full name was sent the last time. */
  latest(): readonly (readonly [string, Digest])[] {
    return [...this.#names].flatMap(([name, digests]) => {
      const last = digests.at(-1);
      return last === undefined ? [] : [[name, last] as const];
    });
  }

  /** Notes a bundle that is whole. Returns when that is durable. */
  async add({ id, file, blobs, names }: Sent): Promise<void> {
    // Somebody else may have sent something meanwhile.
    await this.#load();
    const fresh = [...new Set(blobs)].filter((digest) => !this.#has(digest));
    const lines: LedgerLine[] = [{ kind: 'sent', id, time: new Date(this.#clock.now()).toISOString(), file }];
    for (let at = 0; at < fresh.length; at += BLOBS_A_LINE) {
      const set = BlobSet.of(fresh.slice(at, at + BLOBS_A_LINE));
      const { others } = set;
      const has = Buffer.from(set.encode()).toString('base64');
      lines.push({ kind: 'blobs', has, ...(others.length === 0 ? {} : { others: [...others] }) });
    }
    const news = [...names].flatMap(([name, digests]) => {
      const before = this.#names.get(name) ?? [];
      const last = digests.at(-1);
      const older = digests.slice(0, -1).filter((digest) => !before.includes(digest));
      return last === undefined || before.at(-1) === last
        ? []
        : [[name, [...older, last]] satisfies [string, Digest[]]];
    });
    for (const some of inLines(news)) lines.push({ kind: 'names', names: Object.fromEntries(some) });
    lines.push({ kind: 'end', id });
    await this.#file.append(lines.map((line) => JSON.stringify(line)));
  }

  async #load(): Promise<void> {
    const ids: Digest[] = [];
    const blobs: BlobSet[] = [];
    this.#names.clear();
    let open: LedgerLine[] = [];
    for await (const text of this.#file.read()) {
      const line = decodeLine(text);
      if (line === undefined) continue;
      if (line.kind === 'sent') open = [line];
      else open.push(line);
      const [first] = open;
      if (line.kind !== 'end' || first?.kind !== 'sent' || first.id !== line.id) continue;
      ids.push(first.id);
      for (const each of open) this.#take(each, blobs);
      open = [];
    }
    this.#ids = ids;
    this.#blobs = [BlobSet.union(blobs)];
  }

  #take(line: LedgerLine, blobs: BlobSet[]): void {
    if (line.kind === 'blobs') {
      const set = BlobSet.decode(Buffer.from(line.has, 'base64'), line.others ?? []);
      if (set !== undefined) blobs.push(set);
    }
    if (line.kind !== 'names') return;
    for (const [name, digests] of Object.entries(line.names)) {
      const known = (this.#names.get(name) ?? []).filter((digest) => !digests.includes(digest));
      this.#names.set(name, [...known, ...digests]);
    }
  }

  #has(digest: Digest): boolean {
    return this.#blobs.some((set) => set.has(digest));
  }
}

/** As many names together as a line takes. */
function inLines(names: readonly [string, Digest[]][]): readonly [string, Digest[]][][] {
  const lines: [string, Digest[]][][] = [];
  let room = 0;
  for (const each of names) {
    const bytes = Buffer.byteLength(JSON.stringify(each));
    if (bytes > room || lines.length === 0) {
      lines.push([]);
      room = MAX_LINE;
    }
    lines.at(-1)?.push(each);
    room -= bytes;
  }
  return lines;
}

export interface Exported {
  /** All images of the export. */
  readonly surveyed: readonly Surveyed[];
  /** Those of which the bundle brings something. */
  readonly carried: readonly Surveyed[];
  readonly delta: Delta | undefined;
  readonly record: BundleRecord | undefined;
  readonly file: string;
}

/** What a ledger keeps of an export. */
export function sentBy({ surveyed, carried, delta, record, file }: Exported): Sent {
  const names = new Map((delta?.more().names ?? []).map(({ name, before }) => [name, before]));
  const blobs = new Set(surveyed.flatMap(({ graph }) => [...inOrder(graph)].map((node) => node.descriptor.digest)));
  const left = new Set((record?.requires ?? []).map(({ digest }) => digest));
  const brought = carried.flatMap(({ graph }) => [...inOrder(graph)].map((node) => node.descriptor.digest));
  const roots = carried.flatMap(rootsOf).map(({ root }) => root.digest);
  const sent = new Map<string, readonly Digest[]>();
  for (const { root, name } of surveyed.flatMap(rootsOf)) {
    const full = name.imageName ?? name.tag;
    if (full !== undefined) sent.set(full, [...(names.get(full) ?? []), root.digest]);
  }
  const id = bundleId(
    record,
    roots,
    brought.filter((digest) => !left.has(digest)),
  );
  return { id, file, blobs, names: sent };
}
