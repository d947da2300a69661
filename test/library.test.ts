import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as ocl from '../src/index.ts';
import { image, put } from './support/graphs.ts';
import { newLayout, temporaryDirectories } from './support/layouts.ts';

const temporary = temporaryDirectories();
const { systemClock: clock } = ocl;
const emit: ocl.Emit = () => {};

/** A program with nothing but the library: plan, lock, export, verify, import from the file and from a stream, receipt. */
it('is enough to carry images across the gap', async () => {
  const directory = await temporary();
  const path = (name: string): string => join(directory, name);
  for (const name of ['one', 'two']) {
    const layout = await newLayout(path(`near/${name}`));
    await put(layout, image({ name }), { tag: '1' });
    await layout.close();
  }
  const http = ocl.createHttp({ userAgent: 'program' });
  const registries = ocl.createRegistries({ http, clock, credentials: ocl.anonymous, emit });
  const stores = ocl.createStores({ clock, emit, registries, tmpDir: directory });
  const copier = new ocl.Copier({ clock, emit });
  const sources = new ocl.BundleSources(stores, new ocl.Waivers([], emit));
  try {
    await sources.add({ reference: ocl.parsePathReference(path('near')), select: {} });
    let lock: ocl.LockFile | undefined;
    const bundle = path('images.tar');
    await ocl.exportImages(sources.images, await stores.archive({ path: bundle }), {
      copier,
      before: async (surveyed) => {
        lock = await ocl.makeLock(surveyed, { copier, dockerPlatform: 'linux/amd64' });
      },
    });
    if (lock === undefined) throw new Error('an export surveys before it writes');
    expect([...ocl.parseLock(Buffer.from(ocl.formatLock(lock)), 'images.lock').images.keys()]).toEqual([
      'localhost/one:1',
      'localhost/two:1',
    ]);

    const source = (await stores.source(ocl.parsePathReference(bundle))) as ocl.LocalSource;
    expect(await ocl.verifyBundle(source, { clock, emit })).toMatchObject({ kind: 'full', damaged: false, roots: 2 });

    const map = ocl.parseNameMap('localhost/one:1: base/one:stable', 'names.yaml');
    const renaming: ocl.Renaming = { map, rewrites: [ocl.compileRewrite('s#^localhost/two#other/two#')] };
    const naming: Omit<ocl.NamingOptions, 'into'> = {
      scoped: false,
      repository: 'images',
      only: [],
      prefix: '',
      renaming,
    };
    const into = async (name: string): Promise<ocl.ImportTarget> => {
      const holds = await stores.library({ kind: 'path', path: path(name) }, { create: true });
      const open = async (repository: string): Promise<ocl.Sink> => await holds.sink(repository);
      return { kind: 'repositories', name, directory: path(name), open, holds };
    };
    const target = await into('far');
    const report = await ocl.importBundles([{ source, naming }], target, { copier, clock, emit, select: {} });
    expect(report.arrived.map(({ repository, tag }) => `${repository}:${tag ?? ''}`)).toEqual([
      'base/one:stable',
      'other/two:1',
    ]);
    const receipt = await ocl.makeReceipt(
      report,
      { target, bundles: [source] },
      { clock, emit, reread: 'all', started: 0, version: '1' },
    );
    const text = Buffer.from(JSON.stringify(receipt));
    await writeFile(path('receipt.json'), text);
    expect((await ocl.parseReceipt(text, 'receipt.json')).images).toHaveLength(2);

    const other = await into('streamed');
    const received = await ocl.receiveBundle(new ocl.Replay(createReadStream(bundle)), {
      target: other,
      naming,
      stores,
      copier,
      tmpDir: directory,
    });
    if (received === undefined) throw new Error('a plain bundle can be read from a stream');
    const streamed = await ocl.importBundles([{ source: received.source, naming }], other, {
      copier,
      clock,
      emit,
      select: {},
    });
    await received.close();
    expect(streamed.arrived).toHaveLength(2);
  } finally {
    await sources.close();
    await stores.close();
    await http.close();
  }
});
