import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeReceipt, type Receipt, type RereadMode } from '../../src/bundle/receipt.ts';
import { parseReceipt } from '../../src/bundle/receiptSchema.ts';
import { silent } from '../../src/core/events.ts';
import { isImageConfigType } from '../../src/core/mediaTypes.ts';
import { openArchive } from '../../src/stores/archive/reader.ts';
import { type LayoutTree } from '../../src/stores/layout/library.ts';
import { fakeClock } from '../support/fakeClock.ts';
import { codeOf, multiPlatform } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { importFiles, knownFrom, layered, nearOf, openFar, writeBundle, type Far, type Release } from './deltaWorld.ts';

const temporary = temporaryDirectories();
const multi: Release = { repository: 'multi', tag: '1', graph: multiPlatform('multi') };
const app: Release = { repository: 'team/app', tag: '1', graph: layered('app', [1, 2, 3], 500) };

async function receiptFor(far: Far, path: string, reread: RereadMode): Promise<Receipt> {
  const clock = fakeClock(Date.UTC(2026, 7, 1));
  const started = clock.now();
  const report = await importFiles(far, [path]);
  clock.advance(1500);
  const source = await openArchive(path, { tmpDir: await temporary() });
  const given = { target: await far.target(), bundles: [source] };
  const receipt = await makeReceipt(report, given, { clock, emit: silent, version: '1.2.3', reread, started });
  await source.close();
  return receipt;
}

describe('a receipt', () => {
  it.each(['memory', 'library', 'layout', 'registry'] as const)(
    'of a %s says what arrived, and is a basis',
    async (kind) => {
      const far = await openFar(kind);
      const directory = await temporary();
      const near = await nearOf([multi, app]);
      const { path } = await writeBundle(near, join(directory, 'full.tar'));
      const receipt = await receiptFor(far, path, 'all');
      expect(receipt).toMatchObject({
        receiptVersion: 1,
        time: '2026-08-01T00:00:01.500Z',
        tool: { name: 'ocl', version: '1.2.3' },
        bundles: [{ kind: 'full', id: (await knownFrom(path)).basis.id }],
        ms: 1500,
        counts: { copied: 2, unchanged: 0, kept: 0, failed: 0 },
        failed: [],
        reread: { mode: 'all', damaged: [] },
      });
      expect(receipt.reread.blobs).toBe(receipt.reread.of.blobs);
      expect(receipt.images.map(({ name, digest, platforms }) => [name, digest, Object.keys(platforms)])).toEqual([
        ['near.example/multi:1', multi.graph.root.digest, ['linux/amd64', 'linux/arm64/v8']],
        ['near.example/team/app:1', app.graph.root.digest, ['linux/amd64']],
      ]);
      // Carried back, it is worth an inventory.
      await writeFile(join(directory, 'receipt.json'), JSON.stringify(receipt));
      const known = await knownFrom(join(directory, 'receipt.json'));
      expect(known.basis).toMatchObject({ kind: 'receipt', assumed: false });
      expect(known.before('near.example/team/app:1')).toEqual([app.graph.root.digest]);
      const { record } = await writeBundle(near, join(directory, 'delta.tar'), [known]);
      expect([record?.provides, record?.unchanged?.images.length]).toEqual([[], 2]);
      await far.close();
    },
  );

  it('finds what is damaged in the target, which a sample may miss', async () => {
    const far = await openFar('library');
    const directory = await temporary();
    const { path } = await writeBundle(await nearOf([app]), join(directory, 'full.tar'));
    await importFiles(far, [path]);
    const library = (await far.holds()) as LayoutTree;
    const config = app.graph.pieces.find(({ descriptor }) => isImageConfigType(descriptor.mediaType));
    if (config === undefined) throw new Error('an image has a config');
    const { digest, size } = config.descriptor;
    const file = join(library.root, 'team/app/blobs', ...digest.split(':'));
    await chmod(file, 0o644);
    await writeFile(file, Buffer.alloc(size, 'x'));
    for (const mode of ['all', 'sample'] as const) {
      const { reread } = await receiptFor(far, path, mode);
      expect(reread.damaged).toEqual([expect.objectContaining({ digest, code: 'OCL_DIGEST_MISMATCH' })]);
    }
    const none = await receiptFor(far, path, 'none');
    expect([none.reread.damaged, none.reread.blobs]).toEqual([[], 1]);
    await far.close();
  });

  const right = { receiptVersion: 1, target: 'far', time: '2026-08-01T00:00:00Z', images: [], inventory: '' };
  it.each([
    ['another document', { a: 1 }, 'OCL_DOCUMENT_INVALID'],
    ['one of a newer version', { ...right, receiptVersion: 2 }, 'OCL_UNSUPPORTED'],
    ['one without its inventory', { ...right, inventory: undefined }, 'OCL_DOCUMENT_INVALID'],
    ['one whose inventory is none', { ...right, inventory: 'AAAA' }, 'OCL_DOCUMENT_INVALID'],
    ['one with a wrong digest', { ...right, images: [{ name: 'a', digest: 'sha256:1' }] }, 'OCL_DOCUMENT_INVALID'],
  ])('is not read from %s', async (_, value, code) => {
    expect(await codeOf(() => parseReceipt(Buffer.from(JSON.stringify(value)), 'it'))).toBe(code);
  });
});
