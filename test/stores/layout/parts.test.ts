import { chmod, link, lstat, mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkStore } from '../../../src/copy/check.ts';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { OclError, type ErrorCode } from '../../../src/core/errors.ts';
import { silent } from '../../../src/core/events.ts';
import { type Open } from '../../../src/core/store.ts';
import { thisOwner } from '../../../src/io/lock.ts';
import { systemClock } from '../../../src/io/systemClock.ts';
import { collectGarbage } from '../../../src/stores/layout/gc.ts';
import { LayoutTree } from '../../../src/stores/layout/library.ts';
import { fakeClock } from '../../support/fakeClock.ts';
import { codeOf, noise, opening, piece } from '../../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories, treeOf } from '../../support/layouts.ts';

const temporary = temporaryDirectories();
const MIB = 1 << 20;
const DAY = 86_400_000;
/** Long enough to be hashed in another thread. */
const large = piece(noise(9 * MIB + 321, 1), 'application/octet-stream');
const small = piece(noise(2 * MIB + 5, 2), 'application/octet-stream');
const GC = { clock: systemClock, emit: silent, grace: 0, dryRun: false };

interface Sending {
  readonly open: Open;
  /** Where each opening began. */
  readonly begun: number[];
  /** Bytes that were handed out in all. */
  sent: number;
}

/** Sends the rest of a content in pieces, and fails after so many bytes of it. */
function sending(bytes: Uint8Array, after = Number.POSITIVE_INFINITY, code: ErrorCode = 'OCL_UNREACHABLE'): Sending {
  const sending: Sending = {
    begun: [],
    sent: 0,
    open: (from = 0) => {
      sending.begun.push(from);
      function* pieces(): Generator<Uint8Array> {
        for (let at = from; at < bytes.length;) {
          const end = Math.min(at + 300_000, bytes.length, from + after);
          if (end > at) yield bytes.subarray(at, end);
          sending.sent += end - at;
          if (end - from >= after) throw new OclError(code, 'Cannot go on: the test says so');
          at = end;
        }
      }
      return Promise.resolve(Readable.from(pieces(), { objectMode: false }));
    },
  };
  return sending;
}

/** One process's visit: puts one content, and leaves. Answers the code of its failure, or `none`. */
async function visit(root: string, descriptor: Descriptor, open: Open): Promise<string> {
  const layout = await newLayout(root);
  try {
    return await codeOf(() => layout.put(descriptor, open));
  } finally {
    await layout.close();
  }
}

function partPath(root: string, { digest }: Descriptor, writer = ''): string {
  return join(root, '.ocl/tmp', `${digest.replace(':', '-')}${writer}.part`);
}

async function plant(root: string, descriptor: Descriptor, bytes: Uint8Array, writer?: string): Promise<string> {
  const path = partPath(root, descriptor, writer);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes, { mode: 0o444 });
  return path;
}

async function newRoot(): Promise<string> {
  const root = join(await temporary(), 'layout');
  const layout = await newLayout(root);
  await layout.begin();
  await layout.close();
  return root;
}

async function expectWhole(
  root: string,
  { descriptor, bytes }: { descriptor: Descriptor; bytes: Uint8Array },
): Promise<void> {
  const path = (await newLayout(root)).blobFile(descriptor.digest);
  expect((await readFile(path)).equals(bytes)).toBe(true);
  expect((await stat(path)).mode & 0o777).toBe(0o444 & ~process.umask());
  expect((await readdir(root)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
}

describe('what came of a content whose transfer broke off', () => {
  it.each([
    ['small', small, 1_500_000],
    ['large', large, 8_400_000],
  ])('is where the next process goes on, when it is %s', async (_, content, cut) => {
    const root = await newRoot();
    expect(await visit(root, content.descriptor, sending(content.bytes, cut).open)).toBe('OCL_UNREACHABLE');
    expect((await readdir(join(root, 'blobs'), { recursive: true })).filter((name) => name.includes('/'))).toEqual([]);
    const rest = sending(content.bytes);
    expect(await visit(root, content.descriptor, rest.open)).toBe('none');
    expect(rest).toMatchObject({ begun: [cut], sent: content.bytes.length - cut });
    await expectWhole(root, content);
  });

  it.each<readonly [ErrorCode, boolean]>([
    ['OCL_UNREACHABLE', true],
    ['OCL_CANCELLED', true],
    ['OCL_RATE_LIMITED', true],
    ['OCL_UNAUTHORIZED', true],
    ['OCL_DENIED', true],
    ['OCL_REGISTRY', true],
    ['OCL_NOT_FOUND', true],
    ['OCL_SIZE_MISMATCH', false],
    ['OCL_DIGEST_MISMATCH', false],
    ['OCL_NO_SPACE', false],
    ['OCL_IO', false],
    ['OCL_INTERNAL', false],
  ])('after %s is kept: %s', async (code, kept) => {
    const root = await newRoot();
    expect(await visit(root, small.descriptor, sending(small.bytes, 1_200_000, code).open)).toBe(code);
    const left = kept ? [{ digest: small.descriptor.digest, size: 1_200_000 }] : [];
    expect(await (await newLayout(root)).unfinished()).toEqual(left);
    expect((await readdir(root)).includes('.ocl')).toBe(kept);
  });

  it('is kept in the layout of its repository, in a library', async () => {
    const root = await temporary();
    const put = async (open: Open): Promise<string> => {
      const sink = await new LayoutTree(root, layoutOptions()).sink('team/app');
      const code = await codeOf(() => sink.put(small.descriptor, open));
      await sink.close();
      return code;
    };
    expect(await put(sending(small.bytes, 1_100_000).open)).toBe('OCL_UNREACHABLE');
    const rest = sending(small.bytes);
    expect(await put(rest.open)).toBe('none');
    expect(rest.begun).toEqual([1_100_000]);
    await expectWhole(join(root, 'team/app'), small);
  });

  const unknown: Descriptor = { ...small.descriptor, digest: 'crc32:9b2c' };
  it.each([
    ['is too little', small.descriptor, 1_000_000],
    ['has a digest that nobody can compute', unknown, 1_500_000],
  ])('is thrown away at once when it %s', async (_, descriptor, cut) => {
    const root = await newRoot();
    const layout = await newLayout(root);
    const broken = sending(small.bytes, cut);
    for (let i = 0; i < 2; i++) expect(await codeOf(() => layout.put(descriptor, broken.open))).toBe('OCL_UNREACHABLE');
    expect(broken.begun).toEqual([0, 0]);
    expect(await readdir(join(root, '.ocl/tmp'))).toEqual([]);
    await layout.close();
  });

  it('is kept at its largest, whoever leaves last', async () => {
    const root = await newRoot();
    await visit(root, large.descriptor, sending(large.bytes, 3 * MIB).open);
    const [first, second] = [await newLayout(root), await newLayout(root)];
    const [long, short] = [sending(large.bytes, 2 * MIB), sending(large.bytes, 2 * MIB)];
    const later: Promise<string>[] = [];
    // While the first goes on with what was there the second begins at zero, and it leaves after the first.
    const firstCode = codeOf(
      async () =>
        await first.put(large.descriptor, async (from) => {
          await new Promise<void>((began) => {
            const open: Open = async (at) => {
              began();
              await firstCode;
              return await short.open(at);
            };
            later.push(codeOf(() => second.put(large.descriptor, open)));
          });
          return await long.open(from);
        }),
    );
    expect(await firstCode).toBe('OCL_UNREACHABLE');
    expect(await Promise.all(later)).toEqual(['OCL_UNREACHABLE']);
    expect([long.begun, short.begun]).toEqual([[3 * MIB], [0]]);
    await Promise.all([first.close(), second.close()]);
    expect(await (await newLayout(root)).unfinished()).toMatchObject([{ size: 5 * MIB }]);
  });

  it('is given to one only of several who ask at once, and all end right', async () => {
    const root = await newRoot();
    await visit(root, large.descriptor, sending(large.bytes, 5 * MIB).open);
    const all = Array.from({ length: 4 }, () => sending(large.bytes));
    const codes = await Promise.all(all.map(async ({ open }) => await visit(root, large.descriptor, open)));
    expect(codes).toEqual(['none', 'none', 'none', 'none']);
    expect(all.flatMap(({ begun }) => begun).toSorted((a, b) => a - b)).toEqual([0, 0, 0, 5 * MIB]);
    await expectWhole(root, large);
  });

  it('asks for nothing but its digest when it is all', async () => {
    const root = await newRoot();
    await plant(root, large.descriptor, large.bytes);
    const none = sending(large.bytes);
    expect(await visit(root, large.descriptor, none.open)).toBe('none');
    expect(none).toMatchObject({ begun: [large.bytes.length], sent: 0 });
  });

  const spoilt = (at: number): Uint8Array => {
    const bytes = Buffer.from(large.bytes.subarray(0, 4 * MIB));
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  };
  it.each([
    ['is altered', spoilt(12_345), [4 * MIB, 0]],
    [
      'ends in zeros, as after a power cut',
      Buffer.concat([large.bytes.subarray(0, 3 * MIB), new Uint8Array(MIB)]),
      [4 * MIB, 0],
    ],
    ['is all there and altered', Buffer.concat([spoilt(3), large.bytes.subarray(4 * MIB)]), [large.bytes.length, 0]],
    ['is longer than the content', Buffer.concat([large.bytes, new Uint8Array(1)]), [0]],
  ])('is fetched again from zero when it %s', async (_, bytes, begun) => {
    const root = await newRoot();
    await plant(root, large.descriptor, bytes);
    const again = sending(large.bytes);
    expect(await visit(root, large.descriptor, again.open)).toBe('none');
    expect(again.begun).toEqual(begun);
    await expectWhole(root, large);
  });

  it('is held against the source only for what that sends from the beginning', async () => {
    const root = await newRoot();
    await plant(root, large.descriptor, large.bytes.subarray(0, 4 * MIB));
    const wrong = sending(noise(large.bytes.length, 7));
    expect(await visit(root, large.descriptor, wrong.open)).toBe('OCL_DIGEST_MISMATCH');
    expect(wrong.begun).toEqual([4 * MIB, 0]);
    expect(await readdir(root)).not.toContain('.ocl');
  });

  it.each<ErrorCode>(['OCL_REGISTRY', 'OCL_SIZE_MISMATCH', 'OCL_UNSUPPORTED'])(
    'does not keep a source from giving the whole that cannot start in the middle (%s)',
    async (code) => {
      const root = await newRoot();
      await plant(root, large.descriptor, large.bytes.subarray(0, 4 * MIB));
      const whole = sending(large.bytes);
      const open: Open = async (from = 0) => {
        if (from > 0) throw new OclError(code, 'Cannot give a part');
        return await whole.open();
      };
      expect(await visit(root, large.descriptor, open)).toBe('none');
      await expectWhole(root, large);
    },
  );

  it.each<ErrorCode>(['OCL_UNREACHABLE', 'OCL_CANCELLED', 'OCL_RATE_LIMITED'])(
    'waits on when the source cannot be asked (%s)',
    async (code) => {
      const root = await newRoot();
      await plant(root, large.descriptor, large.bytes.subarray(0, 4 * MIB));
      let asked = 0;
      const refuse: Open = async () => {
        asked++;
        throw new OclError(code, 'Cannot be asked');
      };
      expect(await visit(root, large.descriptor, refuse)).toBe(code);
      expect(asked).toBe(1);
      expect(await (await newLayout(root)).unfinished()).toMatchObject([{ size: 4 * MIB }]);
    },
  );

  it('ends right after any sequence of breaks, and costs little more than the content once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 4 * MIB }), { maxLength: 6 }),
        fc.boolean(),
        async (cuts, isLarge) => {
          const content = isLarge ? large : small;
          const root = await newRoot();
          let sent = 0;
          for (const cut of [...cuts, Number.POSITIVE_INFINITY]) {
            const sender = sending(content.bytes, cut);
            const code = await visit(root, content.descriptor, sender.open);
            sent += sender.sent;
            if (code === 'none') break;
            expect(code).toBe('OCL_UNREACHABLE');
          }
          // Each break loses less than what is worth keeping.
          expect(sent).toBeLessThan(content.bytes.length + cuts.length * MIB + 1);
          await expectWhole(root, content);
        },
      ),
      { numRuns: 25 },
    );
  }, 60_000);
});

describe('a part of a dead process', () => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  const dead = `.${pid}-0123456789abcdef.01234567`;

  it('is gone on with; of several the largest', async () => {
    const root = await newRoot();
    await plant(root, large.descriptor, large.bytes.subarray(0, 2 * MIB), dead);
    await plant(root, large.descriptor, large.bytes.subarray(0, 6 * MIB), dead.replace('89', '98'));
    await plant(root, large.descriptor, large.bytes.subarray(0, 4 * MIB));
    const rest = sending(large.bytes);
    expect(await visit(root, large.descriptor, rest.open)).toBe('none');
    expect(rest.begun).toEqual([6 * MIB]);
  });

  it('is left alone while its writer lives, or may live on another host', async () => {
    for (const owner of [thisOwner(), { ...thisOwner(), host: 'another.example' }]) {
      const root = await newRoot();
      const path = await plant(
        root,
        large.descriptor,
        large.bytes.subarray(0, 2 * MIB),
        `.${owner.pid}-${owner.nonce}.01234567`,
      );
      const marker = join(root, '.ocl/writers', `${owner.pid}-${owner.nonce}`);
      await mkdir(dirname(marker), { recursive: true });
      await writeFile(marker, JSON.stringify(owner));
      const whole = sending(large.bytes);
      expect(await visit(root, large.descriptor, whole.open)).toBe('none');
      expect(whole.begun).toEqual([0]);
      expect((await lstat(path)).size).toBe(2 * MIB);
      expect(await (await newLayout(root)).unfinished()).toEqual([]);
    }
  });

  it.each([
    [0, 0],
    [2, 2 * MIB],
  ])('of another host is believed for a day after its last byte (%d days)', async (days, begun) => {
    const root = await newRoot();
    const owner = { ...thisOwner(), host: 'another.example' };
    const name = `${owner.pid}-${owner.nonce}`;
    const path = await plant(root, large.descriptor, large.bytes.subarray(0, 2 * MIB), `.${name}.01234567`);
    const marker = join(root, '.ocl/writers', name);
    await mkdir(dirname(marker), { recursive: true });
    await writeFile(marker, JSON.stringify(owner));
    const [long, last] = [new Date(Date.now() - 2 * DAY), new Date(Date.now() - days * DAY)];
    await utimes(marker, long, long);
    await utimes(path, last, last);
    const sender = sending(large.bytes);
    expect(await visit(root, large.descriptor, sender.open)).toBe('none');
    expect(sender.begun).toEqual([begun]);
  });

  it('that is read-only or not is read-only in the end', async () => {
    for (const mode of [0o444, 0o644, 0o600]) {
      const root = await newRoot();
      await chmod(await plant(root, small.descriptor, small.bytes.subarray(0, MIB), dead), mode);
      expect(await visit(root, small.descriptor, sending(small.bytes).open)).toBe('none');
      const path = (await newLayout(root)).blobFile(small.descriptor.digest);
      expect((await stat(path)).mode & 0o777).toBe(mode & 0o444);
    }
  });

  it.each<readonly [string, (path: string, outside: string) => Promise<void>]>([
    ['a link', async (path, outside) => await symlink(outside, path)],
    ['a further name of another file', async (path, outside) => await link(outside, path)],
    ['a directory', async (path) => void (await mkdir(join(path, 'below'), { recursive: true }))],
    ['a pipe', async (path) => void spawnSync('mkfifo', [path])],
  ])('is not followed where it is %s', async (_, make) => {
    for (const writer of ['', dead]) {
      const root = await newRoot();
      const outside = join(root, '..', 'outside');
      await writeFile(outside, small.bytes.subarray(0, 1_500_000), { mode: 0o644 });
      const before = await treeOf(join(root, '..'));
      const path = await plant(root, small.descriptor, new Uint8Array(0), `${writer}.seed`);
      await make(path.replace('.seed', ''), outside);
      expect(await (await newLayout(root)).unfinished()).toEqual([]);
      const whole = sending(small.bytes);
      expect(await visit(root, small.descriptor, whole.open)).toBe('none');
      expect(whole.begun).toEqual([0]);
      await expectWhole(root, small);
      expect((await treeOf(join(root, '..')))['outside']).toBe(before['outside']);
    }
  });

  it('goes when its content has come by another way', async () => {
    const root = await newRoot();
    await plant(root, small.descriptor, small.bytes.subarray(0, MIB));
    const layout = await newLayout(root);
    await layout.begin();
    await mkdir(dirname(layout.blobFile(small.descriptor.digest)), { recursive: true });
    await writeFile(layout.blobFile(small.descriptor.digest), small.bytes, { mode: 0o444 });
    await layout.close();
    expect(await readdir(root)).not.toContain('.ocl');
    await expectWhole(root, small);
  });

  it('goes after a week, whoever writes then', async () => {
    for (const [age, kept] of [
      [6, true],
      [8, false],
    ] as const) {
      const root = await newRoot();
      const path = await plant(root, large.descriptor, large.bytes.subarray(0, 2 * MIB), dead);
      const then = new Date(Date.now() - age * DAY);
      await utimes(path, then, then);
      const layout = await newLayout(root);
      await layout.put(small.descriptor, opening(small.bytes));
      await layout.close();
      expect((await layout.unfinished()).length).toBe(kept ? 1 : 0);
    }
  });

  it('is no damage to the check, which counts it and leaves it', async () => {
    const root = await newRoot();
    await plant(root, large.descriptor, large.bytes.subarray(0, 2 * MIB), dead);
    const before = await treeOf(root);
    expect(await checkStore(await newLayout(root))).toMatchObject({ damaged: false, findings: [], unfinished: 1 });
    expect(await treeOf(root)).toEqual(before);
  });

  it('goes with the garbage after the grace period, is only told in a dry run, and stays before', async () => {
    const root = await newRoot();
    await plant(root, large.descriptor, large.bytes.subarray(0, 2 * MIB), dead);
    const parts = [{ digest: large.descriptor.digest, size: 2 * MIB }];
    const layout = await newLayout(root);
    const later = { ...GC, grace: DAY, clock: fakeClock(Date.now() + 2 * DAY) };
    const before = await treeOf(root);
    expect(await collectGarbage(layout, { ...later, dryRun: true })).toMatchObject({
      parts,
      leftovers: 1,
      bytes: 2 * MIB,
    });
    expect(await treeOf(root)).toEqual(before);
    expect(await collectGarbage(layout, { ...GC, grace: DAY })).toMatchObject({
      parts: [],
      resumable: 1,
      leftovers: 0,
    });
    expect(await layout.unfinished()).toEqual(parts);
    expect(await collectGarbage(layout, later)).toMatchObject({ parts, resumable: 0, leftovers: 1, bytes: 2 * MIB });
    expect(await readdir(root)).not.toContain('.ocl');
  });
});
