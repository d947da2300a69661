import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe as suite, expect, test } from 'vitest';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { FileRange } from '../../src/io/fileRange.ts';
import { digestOf, verifying, verifyInto } from '../../src/io/verify.ts';

const SIZE = (9 << 20) + 12_345;
let directory = '';
let path = '';
const bytes = new Uint8Array(SIZE);

beforeAll(async () => {
  for (let i = 0; i < SIZE; i++) bytes[i] = (i * 31 + (i >> 9)) & 0xff;
  directory = await mkdtemp(join(tmpdir(), 'ocl-hash-'));
  path = join(directory, 'content');
  await writeFile(path, bytes);
});

afterAll(async () => {
  await rm(directory, { recursive: true, force: true });
});

async function stream(): Promise<FileRange> {
  return new FileRange(await open(path), { start: 0, length: SIZE, owned: true });
}

function promised(changes: Partial<Descriptor> = {}): Descriptor {
  return { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: SIZE, ...changes };
}

const WRONG: readonly (readonly [string, Partial<Descriptor>, string])[] = [
  ['another digest', { digest: `sha256:${'0'.repeat(64)}` }, 'OCL_DIGEST_MISMATCH'],
  ['a smaller size', { size: SIZE - 1 }, 'OCL_SIZE_MISMATCH'],
  ['a larger size', { size: SIZE + 1 }, 'OCL_SIZE_MISMATCH'],
];

suite('large contents, hashed in another thread', () => {
  test.each(['sha256', 'sha384', 'sha512'] as const)('are right by %s, many at a time', async (algorithm) => {
    const descriptor = promised({ digest: digestOf(bytes, algorithm) });
    const sums = await Promise.all(
      Array.from({ length: 5 }, async () => {
        let sum = 0;
        await verifyInto(await stream(), descriptor, (chunk) => {
          sum += chunk.length;
        });
        return sum;
      }),
    );
    expect(sums).toEqual(Array.from({ length: 5 }, () => SIZE));
  });

  test.each(WRONG)('are refused for %s', async (_, changes, code) => {
    await expect(verifyInto(await stream(), promised(changes))).rejects.toMatchObject({ code });
    const sent = async (): Promise<void> => {
      for await (const chunk of verifying(await stream(), promised(changes))) expect(chunk).toBeInstanceOf(Uint8Array);
    };
    await expect(sent()).rejects.toMatchObject({ code });
  });

  test('leave the thread fit for others when their reader gives up', async () => {
    const failure = new Error('the disk is full');
    const given = verifyInto(await stream(), promised(), () => Promise.reject(failure));
    await expect(given).rejects.toBe(failure);
    await verifyInto(await stream(), promised());
  });
});
