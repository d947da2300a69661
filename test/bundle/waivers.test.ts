import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Library } from '../../src/core/store.ts';
import { codeOf } from '../support/graphs.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { entriesOf, makeShop } from '../support/shop.ts';
import { exported, image, stockedLibrary } from './support.ts';

const temporary = temporaryDirectories();
const shop = makeShop();
let library: Library;
let registry: Embedded;

beforeAll(async () => {
  library = await stockedLibrary(shop);
  registry = await startEmbedded(library);
});
afterAll(() => registry.close());

describe('what cannot be had', () => {
  it('fails the export, and says how it can be done without', async () => {
    const failure = await exported(await temporary(), [image(`${registry.host}/gone:1`)]).catch(
      (error: { code: string; hint?: string }) => error,
    );
    expect(failure).toMatchObject({ code: 'OCL_NOT_FOUND' });
    expect(failure).toHaveProperty('hint', expect.stringContaining(`--allow-missing ${registry.host}/gone:1`));
  });

  it('is left out when it is waived by name, and told', async () => {
    const wanted = [image(`${registry.host}/gone:1`), image(`${registry.host}/tool:latest`)];
    const { lock, missing, notices } = await exported(await temporary(), wanted, [`${registry.host}/gone:1`]);
    expect([...lock.images.keys()]).toEqual([`${registry.host}/tool:latest`]);
    expect(missing).toEqual([`${registry.host}/gone:1`]);
    expect(notices).toEqual([expect.stringContaining('is left out, as allowed')]);
    const other = await temporary();
    const code = await codeOf(() => exported(other, wanted.slice(0, 1), [`${registry.host}/gone:1`]));
    expect(code).toBe('OCL_NOT_FOUND');
  });

  it('may be a platform, a referrer, or a layer of an image', async () => {
    const other = await stockedLibrary(shop);
    const server = await startEmbedded(other);
    try {
      const web = image(`${server.host}/team/web:2.0`);
      const sink = await other.sink('team/web');
      const [first, second] = entriesOf(shop.content, shop.web);
      const [signature] = shop.referrers;
      if (first === undefined || second === undefined || signature === undefined) throw new Error('the shop has them');
      await sink.remove(second.digest);
      await sink.commit();
      expect(await codeOf(async () => exported(await temporary(), [web]))).toBe('OCL_NOT_FOUND');
      const { lock } = await exported(await temporary(), [web], [second.digest]);
      expect([...lock.images.values()].map(({ entries }) => entries)).toEqual([[first.digest]]);

      const tool = await other.sink('tool');
      const layer = (JSON.parse(Buffer.from(shop.content.bytes(shop.tool)).toString()) as { layers: (typeof first)[] })
        .layers[0];
      await tool.removeBlob(layer?.digest ?? first.digest);
      const both = [image(`${server.host}/tool:latest`), image(`${server.host}/team/web:1.0`)];
      expect(await codeOf(async () => exported(await temporary(), both))).toBe('OCL_NOT_FOUND');
      const { missing } = await exported(await temporary(), both, [`${server.host}/tool`]);
      expect(missing).toEqual([`${server.host}/tool:latest`]);
    } finally {
      await server.close();
    }
  });
});
