import { describe, expect, it } from 'vitest';
import { CNAB_ANNOTATION } from '../../src/artifact/cnab/find.ts';
import { inspectBundle } from '../../src/artifact/cnab/inspect.ts';
import { openFile, openIndex, openThick, withStrangers, type OpenBundle } from '../../src/artifact/cnab/open.ts';
import { relocateBundle, relocationMap, type RelocateOptions } from '../../src/artifact/cnab/relocate.ts';
import { canonicalBundle, parseBundle } from '../../src/artifact/cnab/schema.ts';
import { Copier } from '../../src/copy/copier.ts';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { type Index } from '../../src/core/manifest.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { type RegistryReference } from '../../src/core/reference.ts';
import { loadDocument } from '../../src/copy/documents.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { createMemory, type MemoryStore } from '../../src/stores/memory/store.ts';
import { buildArtifact } from '../../src/artifact/build.ts';
import { bundleFile, cnabIndex, DATABASE, INVOCATION, WEB, type CnabSpec } from './cnabThings.ts';
import { thing } from './thing.ts';
import { OCI, TAR } from './typeRows.ts';

const noHttp = { request: () => Promise.reject(new Error('nobody may be asked')), close: () => Promise.resolve() };

function options(to: MemoryStore, more: Partial<RelocateOptions> = {}): RelocateOptions {
  const copier = new Copier({ clock: systemClock, emit: () => {} });
  return { copier, to, tag: '1.0', image: 'shop', form: 'cnab', ...more };
}

async function indexIn(store: MemoryStore, name = '1.0'): Promise<Index> {
  const { document } = await loadDocument(await store.resolve(name), store);
  if (document.kind !== 'index') throw new Error('it is no index');
  return document;
}

/** Registries by their images. */
function registries(images: Readonly<Record<string, MemoryStore>>) {
  return {
    http: noHttp,
    source: (reference: RegistryReference) => {
      const store = images[`${reference.registry}/${reference.repository}`];
      return store === undefined ? Promise.reject(new Error(`no ${reference.repository}`)) : Promise.resolve(store);
    },
  };
}

async function registry(name: string, tag: string): Promise<{ store: MemoryStore; descriptor: Descriptor }> {
  const { store, descriptor } = thing({ layers: [TAR], content: { name } });
  await store.tag(descriptor, { tag }, () => store.open(descriptor));
  await store.commit();
  return { store, descriptor };
}

describe('a bundle as an index', () => {
  const FORMS: readonly (CnabSpec & { readonly is: string; readonly by: string })[] = [
    { is: 'index', by: 'annotation' },
    { is: 'index', by: 'annotation', digests: true },
    { is: 'index', by: 'annotation', config: 'application/vnd.cnab.bundle.config.v1+json' },
    { is: 'index', by: 'annotation', config: OCI },
    { is: 'list', by: 'digest', annotated: false, digests: true },
    { is: 'list', by: 'digest', annotated: false, digests: true, docker: true, config: MEDIA.dockerConfig },
    { is: 'list', by: 'order', annotated: false, docker: true, config: MEDIA.dockerConfig },
  ];

  it.each(FORMS)('is read: %j', async (spec) => {
    const { store, root, images } = cnabIndex(spec);
    const found = await inspectBundle(await openIndex(store, root));
    expect(found).toMatchObject({ name: 'shop', version: '1.0.0', form: spec.is, digest: root.digest });
    const [invocation, web, database] = images;
    expect(found.images.map(({ role, name, digest, by, where }) => ({ role, name, digest, by, where }))).toEqual([
      { role: 'invocation', name: '0', digest: invocation?.digest, by: spec.by, where: 'here' },
      { role: 'component', name: 'database', digest: database?.digest, by: spec.by, where: 'here' },
      { role: 'component', name: 'web', digest: web?.digest, by: spec.by, where: 'here' },
    ]);
  });

  it('tells an image that it does not list', async () => {
    const { store, root } = cnabIndex({ digests: true, without: 'web' });
    const { images } = await inspectBundle(await openIndex(store, root));
    expect(images.at(-1)).toMatchObject({ name: 'web', where: 'elsewhere', reference: WEB, size: undefined });
  });

  it('does not take an image for another because a note beside it says so', async () => {
    const { store, root } = cnabIndex({ digests: true });
    const index = await loadDocument(root, store);
    const lying = JSON.parse(new TextDecoder().decode(index.bytes)) as { manifests: Descriptor[] };
    const [config, invocation, database, web] = lying.manifests as [Descriptor, Descriptor, Descriptor, Descriptor];
    const manifests = [
      config,
      invocation,
      { ...database, annotations: web.annotations },
      { ...web, annotations: database.annotations },
    ];
    const swapped = store.putBytes(toJsonBytes({ ...lying, manifests }), MEDIA.ociIndex);
    const { images } = await inspectBundle(await openIndex(store, swapped));
    expect(images.map(({ name, digest, by }) => ({ name, digest, by }))).toEqual([
      { name: '0', digest: invocation.digest, by: 'annotation' },
      { name: 'database', digest: database.digest, by: 'digest' },
      { name: 'web', digest: web.digest, by: 'digest' },
    ]);
  });

  it('is told from other indexes and from images', async () => {
    const image = thing({ layers: [TAR] });
    const index = thing({ manifests: [{ layers: [TAR] }] });
    for (const { store, descriptor } of [image, index])
      await expect(openIndex(store, descriptor)).rejects.toMatchObject({ code: 'OCL_UNSUPPORTED' });
  });

  it.each([
    ['a list of images that is none', { ...bundleFile(), invocationImages: [1] }],
    ['an image without a name', { ...bundleFile(), images: { web: {} } }],
    ['a digest that is none', bundleFile(['sha256:../..'])],
    ['too many images', { ...bundleFile(), invocationImages: Array.from({ length: 10_001 }, () => ({ image: 'a' })) }],
  ])('is refused for %s', (_what, value) => {
    expect(() => parseBundle(toJsonBytes(value), 'x')).toThrow(/^Cannot read x: /);
  });

  it('may have components of any name', () => {
    const text =
      '{"schemaVersion":"v1","invocationImages":[],"images":{"__proto__":{"image":"a:1"},"10":{"image":"b:1"}}}';
    expect(parseBundle(new TextEncoder().encode(text), 'x').images.map(({ name }) => name)).toEqual([
      '10',
      '__proto__',
    ]);
  });
});

describe('canonical JSON', () => {
  it.each([
    ['{ "b": 1, "a": [ {"y": "é\\n", "x": null} ] }', '{"a":[{"x":null,"y":"é\\n"}],"b":1}'],
    ['{"10":1,"9":2,"a":{"2":0,"1":0}}', '{"10":1,"9":2,"a":{"1":0,"2":0}}'],
    ['{"b": 0.1,"a":1}', '{"b": 0.1,"a":1}'],
    ['{"b": 9007199254740993,"a":1}', '{"b": 9007199254740993,"a":1}'],
  ])('of %s is %s', (members, canonical) => {
    const text = members.replace(/\}$/, ',"schemaVersion":"v1","invocationImages":[]}');
    const bundle = parseBundle(new TextEncoder().encode(text), 'x');
    const sorted = JSON.stringify(JSON.parse(new TextDecoder().decode(canonicalBundle(bundle))));
    expect(JSON.parse(sorted)).toEqual(JSON.parse(text));
    const out = new TextDecoder().decode(canonicalBundle(bundle));
    if (members === canonical) expect(out).toBe(text);
    else expect(out.replace(/,?"(?:invocationImages|schemaVersion)":(?:\[\]|"v1")/g, '')).toBe(canonical);
  });
});

describe('relocating', () => {
  it.each([{}, { annotated: false, docker: true, config: MEDIA.dockerConfig }] as const)(
    'leaves an index as it is, with all that belongs to it: %j',
    async (spec) => {
      const { store, root, images } = cnabIndex(spec);
      const signed = buildArtifact({ artifactType: 'x/signature', layers: [], subject: root }, store);
      await store.tag(signed.root, {}, () => store.open(signed.root));
      await store.commit();
      const to = createMemory();
      const result = await relocateBundle(await openIndex(store, root), options(to));
      await to.commit();
      expect((await to.resolve('1.0')).digest).toBe(root.digest);
      const referrers: Descriptor[] = [];
      for await (const referrer of to.referrers(root)) referrers.push(referrer);
      expect(referrers.map(({ digest }) => digest)).toEqual([signed.root.digest]);
      const [invocation, web, database] = images;
      expect(relocationMap(result.images, (digest) => `far.example/shop@${digest}`)).toEqual({
        [INVOCATION]: `far.example/shop@${invocation?.digest}`,
        [WEB]: `far.example/shop@${web?.digest}`,
        [DATABASE]: `far.example/shop@${database?.digest}`,
      });
    },
  );

  it('refuses a bundle whose images are elsewhere, and writes nothing', async () => {
    const open = openFile(toJsonBytes(bundleFile()), 'bundle.json');
    const to = createMemory();
    await expect(relocateBundle(open, options(to))).rejects.toMatchObject({
      code: 'OCL_NOT_FOUND',
      message: expect.stringMatching(
        /^Cannot relocate shop: 3 of its 3 images live in other registries: docker\.io\/acme/,
      ) as string,
      hint: expect.stringContaining('--include-foreign') as string,
    });
    expect(await to.roots()).toEqual([]);
  });

  it('makes an index of a bundle file, with images from where they live', async () => {
    const far = [
      await registry('invocation', '1.0'),
      await registry('web', '2.0'),
      await registry('database', '16'),
    ] as const;
    const strangers = registries({
      'docker.io/acme/shop-invoc': far[0].store,
      'registry.example/team/web': far[1].store,
      'docker.io/library/postgres': far[2].store,
    });
    const digests = far.map(({ descriptor }) => descriptor.digest);
    const open = await withStrangers(openFile(toJsonBytes(bundleFile(digests)), 'bundle.json'), strangers);
    const to = createMemory();
    await relocateBundle(open, options(to, { strangers }));
    await to.commit();
    const index = await indexIn(to);
    expect(index.annotations).toMatchObject({
      [CNAB_ANNOTATION.artifactType]: 'application/vnd.cnab.manifest.v1',
      [CNAB_ANNOTATION.runtimeVersion]: 'v1.0.0',
      [CNAB_ANNOTATION.keywords]: '["shop","demo"]',
      'org.opencontainers.image.title': 'shop',
      'org.opencontainers.image.version': '1.0.0',
    });
    expect(index.manifests.slice(1).map(({ digest, annotations }) => [digest, annotations])).toEqual([
      [digests[0], { 'io.cnab.manifest.type': 'invocation' }],
      [digests[2], { 'io.cnab.component.name': 'database', 'io.cnab.manifest.type': 'component' }],
      [digests[1], { 'io.cnab.component.name': 'web', 'io.cnab.manifest.type': 'component' }],
    ]);
    // What was made is read again as what it was made from.
    const again = await inspectBundle(await openIndex(to, await to.resolve('1.0')));
    expect(again).toMatchObject({
      form: 'index',
      name: 'shop',
      configMediaType: 'application/vnd.cnab.config.v1+json',
    });
    expect(again.images.every(({ by, where }) => by === 'annotation' && where === 'here')).toBe(true);
  });

  it('makes the same index each time, in the form that was asked for', async () => {
    const layout = createMemory();
    const { images } = cnabIndex({}, layout);
    for (const [i, name] of [INVOCATION, WEB, DATABASE].entries()) {
      const image = images[i] as Descriptor;
      await layout.tag(image, { imageName: name, tag: name }, () => layout.open(image));
    }
    await layout.commit();
    const digests: string[] = [];
    for (const form of ['cnab', 'cnab', 'oci'] as const) {
      const to = createMemory();
      const open = await openThick(toJsonBytes(bundleFile()), 'bundle.json', layout);
      expect(open.parts.map(({ by }) => by)).toEqual(['name', 'name', 'name']);
      digests.push((await relocateBundle(open, options(to, { form }))).root.digest);
      await to.commit();
      const { config } = (await openIndex(to, await to.resolve('1.0'))).index?.found ?? {};
      expect(config?.mediaType).toBe(form === 'oci' ? MEDIA.ociConfig : 'application/vnd.cnab.config.v1+json');
    }
    expect(digests[0]).toBe(digests[1]);
    expect(digests[0]).not.toBe(digests[2]);
  });

  it('refuses a registry that has another image under the name', async () => {
    const far = await registry('web', '2.0');
    const file = {
      ...bundleFile(),
      invocationImages: [{ image: WEB, contentDigest: `sha256:${'b'.repeat(64)}` }],
      images: {},
    };
    const open = openFile(toJsonBytes(file), 'x');
    const strangers = {
      http: noHttp,
      // Says of every name what it has.
      source: () =>
        Promise.resolve(
          Object.assign(Object.create(far.store) as MemoryStore, { resolve: () => Promise.resolve(far.descriptor) }),
        ),
    };
    await expect(withStrangers(open, strangers)).rejects.toMatchObject({ code: 'OCL_DIGEST_MISMATCH' });
  });

  it.each(['../../x', 'docker.io/Upper:1', 'https://a.example/x', ''])('refuses the image name %j', async (image) => {
    const value = { ...bundleFile(), invocationImages: [{ image }], images: {} };
    const attempt = async (): Promise<OpenBundle> =>
      await withStrangers(openFile(toJsonBytes(value), 'x'), registries({}));
    await expect(attempt()).rejects.toMatchObject({
      code: expect.stringMatching(/^OCL_(?:REFERENCE_INVALID|DOCUMENT_INVALID)$/) as string,
    });
  });
});
