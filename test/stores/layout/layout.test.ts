import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { plainDescriptor, type Descriptor } from '../../../src/core/descriptor.ts';
import { ALGORITHMS } from '../../../src/core/digest.ts';
import { MEDIA } from '../../../src/core/mediaTypes.ts';
import { blobPath } from '../../../src/io/verify.ts';
import { openLayout, openOrCreateLayout } from '../../../src/stores/layout/layout.ts';
import {
  all,
  bytesIn,
  codeOf,
  image,
  index,
  jsonPiece,
  multiPlatform,
  noise,
  opening,
  piece,
  put,
  rootBytes,
  signature,
} from '../../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories, treeOf } from '../../support/layouts.ts';
import { newCopier } from '../../support/worlds.ts';

const temporary = temporaryDirectories();
const REF = 'org.opencontainers.image.ref.name';
const NAME = 'io.containerd.image.name';

async function rawIndex(
  root: string,
): Promise<{ readonly [key: string]: unknown; readonly manifests: readonly Record<string, unknown>[] }> {
  return JSON.parse(await readFile(join(root, 'index.json'), 'utf8')) as Awaited<ReturnType<typeof rawIndex>>;
}

/** A layout directory with this index.json and nothing else. */
async function layoutWithIndex(text: string): Promise<string> {
  const root = join(await temporary(), 'layout');
  await mkdir(join(root, 'blobs'), { recursive: true });
  await writeFile(join(root, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(root, 'index.json'), text);
  return root;
}

describe('index.json', () => {
  it('keeps what it does not know, in its order, to the letter', async () => {
    const foreign = `{"mediaType":"application/xml","size":7143,"digest":"sha256:${'a'.repeat(64)}","annotations":{"${REF}":"v1.0","z":"1","a":"2"},"x-own":{"b":1,"a":[null,1.50]}}`;
    const nested = `{"digest":"sha256:${'b'.repeat(64)}","mediaType":"${MEDIA.ociIndex}","size":3}`;
    const root = await layoutWithIndex(
      `{"x-first":true,"schemaVersion":2,"manifests":[${foreign},${nested}],"annotations":{"k":"v"},"x-last":[1]}`,
    );
    const layout = await newLayout(root);
    await put(layout, image(), 'new');
    await layout.close();
    const text = await readFile(join(root, 'index.json'), 'utf8');
    const kept = foreign.replace('1.50', '1.5');
    expect(text.startsWith(`{"x-first":true,"schemaVersion":2,"manifests":[${kept},${nested},{`)).toBe(true);
    expect(text.endsWith(`],"annotations":{"k":"v"},"x-last":[1]}`)).toBe(true);
    const before = text;
    await put(layout, image(), 'new');
    await layout.close();
    expect(await readFile(join(root, 'index.json'), 'utf8')).toBe(before);
  });

  it.each([
    '',
    '{',
    '[]',
    '{"schemaVersion":2}',
    '{"schemaVersion":2,"manifests":[{}]}',
    '{"schemaVersion":2,"manifests":[],"manifests":[]}',
  ])('is left untouched when it cannot be read: %s', async (text) => {
    const root = await layoutWithIndex(text);
    const before = await treeOf(root);
    const layout = await newLayout(root);
    expect(await codeOf(() => put(layout, image(), 'a'))).toBe('OCL_LAYOUT_INVALID');
    expect(await readFile(join(root, 'index.json'), 'utf8')).toBe(text);
    await layout.close();
    expect(await codeOf(() => openLayout(root, layoutOptions()))).toBe('OCL_LAYOUT_INVALID');
    expect((await treeOf(root))['index.json']).toBe(before['index.json']);
  });

  it('reads manifests: null, as Go writes an empty list', async () => {
    const root = await layoutWithIndex('{"schemaVersion":2,"manifests":null}');
    const layout = await newLayout(root);
    await put(layout, image(), 'a');
    await layout.close();
    expect((await rawIndex(root)).manifests.length).toBe(1);
  });

  it('has one entry a name: the same name is replaced where it stands, doubles of it go', async () => {
    const entry = (digit: string, name: string): string =>
      `{"mediaType":"${MEDIA.ociManifest}","digest":"sha256:${digit.repeat(64)}","size":1,"annotations":{"${REF}":"${name}"}}`;
    const root = await layoutWithIndex(
      `{"schemaVersion":2,"manifests":[${entry('1', 'a')},${entry('2', 'b')},${entry('3', 'a')}]}`,
    );
    const layout = await newLayout(root);
    expect(await layout.find('a')).toBeUndefined();
    const graph = image();
    await put(layout, graph, 'a');
    await layout.close();
    const { manifests } = await rawIndex(root);
    expect(manifests.map(({ digest }) => digest)).toEqual([graph.root.digest, `sha256:${'2'.repeat(64)}`]);
  });

  it('addresses images by full names where it has several repositories', async () => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    const [one, two] = [image({ name: 'one' }), image({ name: 'two' })];
    const names = ['docker.io/library/one:latest', 'ghcr.io/team/two:latest'] as const;
    await put(layout, one, { tag: names[0], imageName: names[0] });
    await put(layout, two, { tag: names[1], imageName: names[1] });
    await layout.close();
    const opened = await openLayout(root, layoutOptions());
    expect(await all(opened.tags())).toEqual([...names]);
    expect((await opened.resolve(names[0])).digest).toBe(one.root.digest);
    expect((await opened.resolve('one')).digest).toBe(one.root.digest);
    expect((await opened.resolve('ghcr.io/team/two:latest')).digest).toBe(two.root.digest);
    expect(await codeOf(() => opened.resolve('latest'))).toBe('OCL_AMBIGUOUS');
    expect(await opened.find('latest')).toBeUndefined();
    expect((await opened.find(names[1]))?.digest).toBe(two.root.digest);
  });

  it('finds, replaces and takes away by its bare tag what another tool wrote under a full name', async () => {
    const graph = image();
    const root = await layoutWithIndex(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [{ ...plainDescriptor(graph.root), annotations: { [REF]: 'docker.io/library/app:1' } }],
      }),
    );
    const layout = await newLayout(root);
    expect(await all(layout.tags())).toEqual(['1']);
    expect((await layout.find('1'))?.digest).toBe(graph.root.digest);
    const fresh = image({ name: 'fresh' });
    await put(layout, fresh, '1');
    expect((await rawIndex(root)).manifests).toMatchObject([
      { digest: fresh.root.digest, annotations: { [REF]: '1', [NAME]: 'docker.io/library/app:1' } },
    ]);
    expect(await layout.untag('2')).toBe(false);
    expect(await layout.untag('1')).toBe(true);
    await layout.commit();
    expect((await rawIndex(root)).manifests).toEqual([]);
    await layout.close();
  });

  it('takes a thousand names in one run, asking for each before it sets it', async () => {
    const layout = await newLayout(join(await temporary(), 'layout'));
    const { root } = image();
    await put(layout, image());
    const open = opening(rootBytes(image()));
    const started = performance.now();
    for (let i = 0; i < 1000; i++) {
      expect(await layout.find(`t${i}`)).toBeUndefined();
      await layout.tag(root, { tag: `t${i}`, imageName: `example.com/app:t${i}` }, open);
    }
    expect((await layout.find('t500'))?.digest).toBe(root.digest);
    expect(performance.now() - started).toBeLessThan(10_000);
    await layout.commit();
    expect(await all(layout.tags())).toHaveLength(1000);
    await layout.close();
  });

  it('writes the name of an image that has no tag besides', async () => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    await put(layout, image(), { imageName: 'ghcr.io/team/app:7' });
    await layout.close();
    expect((await rawIndex(root)).manifests).toMatchObject([
      { annotations: { [REF]: '7', [NAME]: 'ghcr.io/team/app:7' } },
    ]);
  });

  it('does not let the author of a manifest choose names', async () => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    const graph = image();
    await put(layout, graph, 'latest');
    const thief = image({
      name: 'thief',
      subject: graph.root,
      annotations: { [REF]: 'latest', [NAME]: 'docker.io/library/app:latest', kept: 'yes' },
    });
    await put(layout, thief, {});
    await layout.tag({ ...thief.root, annotations: { [REF]: 'latest' } }, {}, opening(rootBytes(thief)));
    await layout.commit();
    await layout.close();
    const { manifests } = await rawIndex(root);
    expect(manifests.map(({ annotations }) => annotations)).toEqual([{ [REF]: 'latest' }, { kept: 'yes' }]);
    expect((await (await openLayout(root, layoutOptions())).resolve('latest')).digest).toBe(graph.root.digest);
  });

  it('lists a referrer that was put as an entry, once', async () => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    const graph = image();
    const signed = signature(graph.root);
    await put(layout, graph, 'a');
    await put(layout, signed);
    await put(layout, signed, {});
    await layout.close();
    expect((await rawIndex(root)).manifests).toMatchObject([
      { annotations: { [REF]: 'a' } },
      { digest: signed.root.digest, artifactType: 'application/vnd.example.signature' },
    ]);
  });

  it('loses the nameless entry of a digest that gets a name', async () => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    await put(layout, image(), {});
    await put(layout, image(), 'a');
    await layout.close();
    expect((await rawIndex(root)).manifests.length).toBe(1);
  });

  it('has no entry whose content is gone after a manifest was removed', async () => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    const graph = image();
    await put(layout, graph, 'a');
    await put(layout, graph, 'b');
    expect(await layout.remove(graph.root.digest)).toBe(true);
    expect(existsSync(join(root, blobPath(graph.root.digest)))).toBe(true);
    await layout.commit();
    expect(existsSync(join(root, blobPath(graph.root.digest)))).toBe(false);
    expect((await rawIndex(root)).manifests).toEqual([]);
    expect(await layout.remove(graph.root.digest)).toBe(false);
    await layout.close();
  });
});

describe('the files of a layout', () => {
  afterEach(() => void process.umask(0o022));

  it.each([
    [0o022, '444', '644'],
    [0o077, '400', '600'],
    [0o027, '440', '640'],
  ])('are read-only and as the umask wants them: %o', async (umask, blobMode, indexMode) => {
    process.umask(umask);
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    await put(layout, image(), 'a');
    await layout.close();
    for (const [path, entry] of Object.entries(await treeOf(root))) {
      if (!entry.startsWith('file')) continue;
      expect([path, entry.split(' ')[1]]).toEqual([path, path.startsWith('blobs') ? blobMode : indexMode]);
    }
  });

  it.each(ALGORITHMS)('may have %s digests, also nested', async (algorithm) => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    const graph = index([index([image({ algorithm })], { algorithm })], { algorithm });
    await put(layout, graph, 'a');
    await layout.close();
    const opened = await openLayout(root, layoutOptions());
    expect((await opened.resolve('a')).digest.startsWith(`${algorithm}:`)).toBe(true);
    for (const { descriptor, bytes } of graph.pieces)
      expect(Buffer.from(await bytesIn(opened, descriptor)).equals(bytes)).toBe(true);
  });

  it('are made by the first write, not by questions', async () => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    expect(await layout.find('a')).toBeUndefined();
    expect(await layout.has(image().root)).toBe(false);
    expect(await layout.roots()).toEqual([]);
    expect(await all(layout.blobs())).toEqual([]);
    await layout.commit();
    await layout.close();
    expect(existsSync(root)).toBe(false);
    await layout.begin();
    await layout.close();
    expect(await treeOf(root)).toMatchObject({
      blobs: 'directory',
      'index.json': expect.any(String),
      'oci-layout': expect.any(String),
    });
    expect(Object.keys(await treeOf(root)).length).toBe(3);
  });

  it('are not made where other things are', async () => {
    const root = await temporary();
    await writeFile(join(root, 'thesis.tex'), 'years of work');
    expect(await codeOf(() => openOrCreateLayout(root, layoutOptions()))).toBe('OCL_LAYOUT_INVALID');
    expect(await codeOf(() => openOrCreateLayout(join(root, 'thesis.tex'), layoutOptions()))).toBe(
      'OCL_LAYOUT_INVALID',
    );
    expect(await codeOf(() => openLayout(join(root, 'nothing'), layoutOptions()))).toBe('OCL_NOT_FOUND');
    expect(await codeOf(() => openLayout(root, layoutOptions()))).toBe('OCL_LAYOUT_INVALID');
    expect(Object.keys(await treeOf(root))).toEqual(['thesis.tex']);
  });

  it('heal a manifest that was altered when it is copied again', async () => {
    const from = join(await temporary(), 'from');
    const to = join(await temporary(), 'to');
    const graph = multiPlatform();
    for (const root of [from, to]) {
      const layout = await newLayout(root);
      await put(layout, graph, 'a');
      await layout.close();
    }
    const child = graph.pieces[3]?.descriptor as Descriptor;
    const path = join(to, blobPath(child.digest));
    await chmod(path, 0o644);
    await writeFile(path, noise(child.size, 1));
    const source = await openLayout(from, layoutOptions());
    const sink = await newLayout(to);
    await newCopier().copy({ from: source, to: sink, root: graph.root, name: { tag: 'a' }, image: 'a' });
    await sink.commit();
    await sink.close();
    expect(await bytesIn(sink, child)).toEqual(await bytesIn(source, child));
  });
});

describe('links between layouts', () => {
  const layer = piece(noise(100_000, 2), MEDIA.ociLayerGzip);
  const graph = image({ layers: [layer] });

  async function copyBetween(
    options: { readonly parent?: string; readonly reverify?: boolean; readonly writable?: boolean } = {},
  ): Promise<{ readonly same: boolean; readonly outcomes: readonly string[] }> {
    const from = join(await temporary(), 'from');
    const to = join(await temporary(options.parent), 'to');
    const layout = await newLayout(from);
    await put(layout, graph, 'a');
    await layout.close();
    if (options.writable === true) await chmod(join(from, blobPath(layer.descriptor.digest)), 0o644);
    const sink = await newLayout(to, { reverify: options.reverify });
    const result = await newCopier().copy({
      from: await openLayout(from, layoutOptions()),
      to: sink,
      root: graph.root,
      name: { tag: 'a' },
      image: 'a',
    });
    await sink.commit();
    await sink.close();
    const [a, b] = await Promise.all([from, to].map((root) => stat(join(root, blobPath(layer.descriptor.digest)))));
    expect((await treeOf(to))[blobPath(layer.descriptor.digest)]?.split(' ')[2]).toBe(layer.descriptor.digest.slice(7));
    return { same: a?.ino === b?.ino && a?.dev === b?.dev, outcomes: [result.streamed === 0 ? 'linked' : 'streamed'] };
  }

  it('make one file of equal contents', async () => {
    expect(await copyBetween()).toEqual({ same: true, outcomes: ['linked'] });
  });

  it('are not made of what somebody could still change', async () => {
    expect(await copyBetween({ writable: true })).toEqual({ same: false, outcomes: ['streamed'] });
  });

  it('are not made where content is to be verified', async () => {
    expect(await copyBetween({ reverify: true })).toEqual({ same: false, outcomes: ['streamed'] });
  });

  it.skipIf(!existsSync('/dev/shm'))('give way to copies between devices', async () => {
    expect(await copyBetween({ parent: '/dev/shm' })).toEqual({ same: false, outcomes: ['streamed'] });
  });
});

describe('referrers in a layout', () => {
  it('are found as entries, below a fallback tag, and as contents that nothing names', async () => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    const graph = image();
    const [entry, listed, orphan] = ['entry', 'listed', 'orphan'].map((body) => signature(graph.root, body)) as [
      ReturnType<typeof signature>,
      ReturnType<typeof signature>,
      ReturnType<typeof signature>,
    ];
    await put(layout, graph, 'a');
    await put(layout, entry, {});
    await put(layout, index([listed]), graph.root.digest.replace(':', '-'));
    await put(layout, orphan, {});
    await layout.close();
    // As cosign and regclient leave them: only the first is an entry of its own.
    const { manifests, ...rest } = await rawIndex(root);
    const kept = manifests.filter(({ digest }) => digest !== orphan.root.digest && digest !== listed.root.digest);
    await writeFile(join(root, 'index.json'), JSON.stringify({ ...rest, manifests: kept }));
    const opened = await openLayout(root, layoutOptions());
    const found = (await all(opened.referrers(graph.root))).map(({ digest }) => digest);
    expect(found.toSorted()).toEqual([entry, listed, orphan].map((it) => it.root.digest).toSorted());
  });

  it('are no document that merely lies there with a subject of its own', async () => {
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    const graph = image();
    await put(layout, graph, 'a');
    const odd = jsonPiece({ subject: graph.root, hello: 'world' }, 'application/json');
    await layout.put(odd.descriptor, opening(odd.bytes));
    expect(await all(layout.referrers(graph.root))).toEqual([]);
    await layout.close();
  });
});
