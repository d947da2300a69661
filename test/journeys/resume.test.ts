import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type OclEvent } from '../../src/core/events.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { blobPath } from '../../src/io/verify.ts';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { startBrittleRegistry, type BrittleRegistry } from '../support/brittleRegistry.ts';
import { jsonLines, ocl, oclDone, resultOf, startOcl } from '../support/cli.ts';
import { image, namesIn, noise, piece } from '../support/graphs.ts';
import { layoutOptions, temporaryDirectories } from '../support/layouts.ts';

const MIB = 1 << 20;
const temporary = temporaryDirectories();
const large = piece(noise(24 * MIB + 99, 1), MEDIA.ociLayerGzip);
const small = piece(noise(3 * MIB, 2), MEDIA.ociLayerGzip);
const graph = image({ layers: [large, small] });
const { digest, size } = large.descriptor;
/** Bytes that may be on their way when a connection breaks or a process ends: in buffers here, there and in the kernel. */
const UNDER_WAY = 6 * MIB;
let registry: BrittleRegistry;

beforeAll(async () => {
  registry = await startBrittleRegistry(graph, digest);
});

beforeEach(() => {
  registry.setMood({ kind: 'whole' });
});

afterAll(async () => {
  await registry.close();
});

interface Done {
  readonly type: string;
  readonly totals?: { readonly bytes: number; readonly streamed: number };
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** Bytes of the content that lie unfinished in a layout. */
async function leftIn(root: string): Promise<number> {
  const directory = join(root, '.ocl/tmp');
  const names = await readdir(directory).catch(() => []);
  const name = names.find((candidate) => candidate.startsWith(digest.replace(':', '-')));
  return name === undefined ? 0 : (await stat(join(directory, name)).catch(() => ({ size: 0 }))).size;
}

/** Starts a copy, and waits until so much of the content is on the disk, and all else. @throws when it ends before */
async function startCopy(
  root: string,
  bytes: number,
): Promise<{ kill(signal: NodeJS.Signals): Promise<number | null> }> {
  const child = startOcl(['copy', `${registry.host}/app:1`, `ocidir://${root}:1`]);
  const result = resultOf(child);
  while ((await leftIn(root)) < bytes || !(await exists(join(root, blobPath(small.descriptor.digest))))) {
    if (child.exitCode !== null) throw new Error(`the copy ended: ${(await result).stderr}`);
    await wait(5);
  }
  return {
    async kill(signal) {
      child.kill(signal);
      return (await result).status;
    },
  };
}

/** Runs the copy that finishes it, and says how the registry was asked. */
async function expectRest(root: string, atLeast: number): Promise<void> {
  const left = await leftIn(root);
  expect(left).toBeGreaterThanOrEqual(atLeast);
  registry.setMood({ kind: 'whole' });
  const { stdout } = await oclDone(['copy', `${registry.host}/app:1`, `ocidir://${root}:1`, '--json']);
  expect(registry.told).toEqual([{ range: `bytes=${left}-`, sent: size - left }]);
  const lines = jsonLines<OclEvent & Done>(stdout);
  expect(lines).toContainEqual({ type: 'blob.resume', blob: expect.objectContaining({ digest }), bytes: left });
  const done = lines.find(({ type }) => type === 'image.done');
  expect(done?.totals?.streamed).toBeLessThanOrEqual((done?.totals?.bytes ?? 0) - left);
  expect((await oclDone(['check', root])).stdout).toMatch(/: ok, .* hashed\n$/);
  expect((await readdir(root)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
}

describe('a copy into a layout', () => {
  it.each([
    ['SIGKILL', null],
    ['SIGTERM', 130],
    ['SIGINT', 130],
  ] as const)(
    'goes on inside a blob after %s',
    async (signal, expected) => {
      const root = join(await temporary(), 'tree/app');
      registry.setMood({ kind: 'stuck', after: 16 * MIB });
      const copy = await startCopy(root, 16 * MIB);
      expect(await copy.kill(signal)).toBe(expected);
      expect((await ocl(['check', root, '--json'])).stdout).toContain('"unfinished":1,"damaged":false');
      await expectRest(root, 16 * MIB);
    },
    60_000,
  );

  it('goes on inside a blob after the registry went away for good', async () => {
    const root = join(await temporary(), 'layout');
    registry.setMood({ kind: 'gone', after: 18 * MIB });
    const { status, stderr } = await ocl(['copy', `${registry.host}/app:1`, `ocidir://${root}:1`]);
    expect([status, stderr]).toEqual([expect.any(Number), expect.stringContaining('[OCL_UNREACHABLE]')]);
    expect(status).not.toBe(0);
    await expectRest(root, 18 * MIB - UNDER_WAY);
  }, 60_000);

  it('gives what is left to one of two that run side by side, and both end right', async () => {
    const root = join(await temporary(), 'layout');
    registry.setMood({ kind: 'stuck', after: 16 * MIB });
    await (await startCopy(root, 16 * MIB)).kill('SIGKILL');
    registry.setMood({ kind: 'whole' });
    const both = await Promise.all(
      ['1', '2'].map(
        async (tag) => await resultOf(startOcl(['copy', `${registry.host}/app:1`, `ocidir://${root}:${tag}`])),
      ),
    );
    expect(both.map(({ status }) => status)).toEqual([0, 0]);
    const resumed = registry.told.filter(({ range }) => range !== undefined);
    expect(resumed).toEqual([{ range: `bytes=${16 * MIB}-`, sent: size - 16 * MIB }]);
    expect((await oclDone(['check', root])).stdout).toMatch(/: ok, /);
    expect((await namesIn(await openLayout(root, layoutOptions()))).length).toBe(2);
    expect((await readdir(root)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
  }, 60_000);

  it('leaves what gc tells of, keeps for its grace period, and removes', async () => {
    const root = join(await temporary(), 'layout');
    registry.setMood({ kind: 'stuck', after: 16 * MIB });
    await (await startCopy(root, 16 * MIB)).kill('SIGKILL');
    expect((await oclDone(['check', root])).stdout).toMatch(/: ok, .*, 1 unfinished transfer\n/);
    expect((await oclDone(['gc', root])).stderr).toContain('left 1 unfinished transfer for the next copy');
    const dry = await oclDone(['gc', root, '--grace', '0', '--dry-run']);
    expect(dry.stdout).toContain(`${digest}  16.8 MB of an unfinished transfer\n`);
    expect(await leftIn(root)).toBe(16 * MIB);
    const real = await oclDone(['gc', root, '--grace', '0', '--json']);
    expect(jsonLines(real.stdout)).toMatchObject([{ parts: [{ digest, size: 16 * MIB }], resumable: 0 }]);
    expect((await readdir(root)).toSorted()).toEqual(['blobs', 'index.json', 'oci-layout']);
  }, 60_000);
});
