import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ocl, oclDone } from '../support/cli.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { makeShop, writeLibrary } from '../support/shop.ts';

const temporary = temporaryDirectories();

interface Layers {
  readonly layers: readonly { readonly digest: string }[];
}

/** A library whose tool lacks its layer. */
async function damaged(): Promise<{ readonly root: string; readonly layer: string }> {
  const root = await temporary();
  const shop = makeShop();
  await writeLibrary(root, shop);
  const { layers } = JSON.parse(Buffer.from(shop.content.bytes(shop.tool)).toString()) as Layers;
  const layer = String(layers[0]?.digest);
  await rm(join(root, 'tool/blobs', ...layer.split(':')));
  return { root, layer };
}

function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

describe('a failure is told once', () => {
  it.each([[[]], [['--quiet']]])('by copy, with its code (%j)', async (options) => {
    const { root } = await damaged();
    const { status, stderr } = await ocl(['copy', `ocidir://${root}/tool:latest`, `ocidir://${root}/c:1`, ...options]);
    expect(status).toBe(3);
    expect(count(stderr, '[OCL_NOT_FOUND]')).toBe(1);
    expect(count(stderr, 'Cannot ')).toBe(1);
  });

  it.each([[[]], [['--quiet']]])('by sync, with its code (%j)', async (options) => {
    const { root } = await damaged();
    const stdin = `version: 1\nsync:\n  - {source: "ocidir://${root}/tool:latest", target: "ocidir://${root}/c:1", type: image}\n`;
    const { status, stderr } = await ocl(['sync', '--config', '-', ...options], { stdin });
    expect(status).toBe(1);
    expect(count(stderr, '[OCL_NOT_FOUND]')).toBe(1);
    expect(count(stderr, 'Cannot ')).toBe(1);
  });

  it('for each image that needs what is broken, by sync', async () => {
    const root = await temporary();
    const shop = makeShop();
    await writeLibrary(root, shop);
    const place = `ocidir://${root}/tool`;
    await oclDone(['copy', `${place}:latest`, `${place}:2`]);
    const { layers } = JSON.parse(Buffer.from(shop.content.bytes(shop.tool)).toString()) as Layers;
    await rm(join(root, 'tool/blobs', ...String(layers[0]?.digest).split(':')));
    const stdin = `version: 1\nsync:\n  - {source: "${place}", target: "ocidir://${root}/c", type: repository}\n`;
    const { status, stderr } = await ocl(['sync', '--config', '-'], { stdin });
    expect(status).toBe(1);
    for (const tag of ['latest', '2']) expect(count(stderr, `failed    ${place}:${tag}  `)).toBe(1);
  });

  it('by import, with its code', async () => {
    const { root } = await damaged();
    const { status, stderr } = await ocl(['import', join(root, 'tool'), join(root, 'far')]);
    expect(status).toBe(1);
    expect(count(stderr, '[OCL_NOT_FOUND]')).toBe(1);
    expect(count(stderr, 'Cannot ')).toBe(1);
  });

  it('and as an object with --json, as ever', async () => {
    const { root } = await damaged();
    const { stdout, stderr } = await ocl(['copy', `ocidir://${root}/tool:latest`, `ocidir://${root}/c:1`, '--json']);
    expect(count(stdout, '"type":"image.failed"')).toBe(1);
    expect(count(stdout, '"type":"error"')).toBe(1);
    expect(count(stderr, 'error: ')).toBe(1);
    await oclDone(['ls', root]);
  });
});
