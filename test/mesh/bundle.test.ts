import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { entryName } from '../../src/core/names.ts';
import { parseReference } from '../../src/core/reference.ts';
import { type OclEvent } from '../../src/core/events.ts';
import { type LocalSource } from '../../src/core/store.ts';
import { checkStore } from '../../src/copy/check.ts';
import { Copier } from '../../src/copy/copier.ts';
import { loadDocument } from '../../src/copy/documents.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { bundleName, writeBundle, type BundleContents } from '../../src/mesh/bundle.ts';
import { bundledImages } from '../../src/mesh/bundled.ts';
import { collectBundle, type CollectOptions } from '../../src/mesh/collect.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { Content } from '../support/content.ts';
import { newCopier } from '../support/worlds.ts';
import { openPlaces, type Places } from './places.ts';

let places: Places;
const images: Record<string, Descriptor> = {};
beforeAll(async () => {
  places = await openPlaces();
  images['web'] = await image('team/web', '1.0', 'web');
  images['job'] = await image('team/job', 'latest', 'job');
  images['pinned'] = await image('team/pinned', 'x', 'pinned');
  await model('v1.25.2', 'v1.0.0');
  await model('v1.25.2', 'v1.1.0');
  await model('v1.26.0', 'v1.0.0');
  await model('v1.0.0', 'v1.0.0', 'unneeded');
});
afterAll(async () => {
  await places.close();
});

async function write(path: string, value: unknown): Promise<string> {
  const file = places.path(path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(value, null, 2));
  return file;
}

/** An image for two platforms in the registry. */
async function image(repository: string, tag: string, text: string): Promise<Descriptor> {
  const content = new Content();
  const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
  const root = content.platforms(platforms, { layers: [text] });
  const store = createMemory();
  for (const descriptor of content.descriptors) store.putBytes(content.bytes(descriptor), descriptor.mediaType);
  const to = await places.stores.sink(parseReference(`${places.host}/${repository}`));
  await newCopier().copy({ from: store, to, root, name: { tag }, image: repository });
  await to.commit();
  return root;
}

const SAMPLES = new URL('../../testdata/meshery/minimal/', import.meta.url);
function sample(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(name, SAMPLES), 'utf8')) as Record<string, unknown>;
}

/** A model package as Meshery's registry lays it out, below `models/`. */
async function model(modelVersion: string, version: string, name = 'widget'): Promise<void> {
  const base = `models/${name}/${modelVersion}/${version}`;
  await write(`${base}/model.json`, { ...sample('model.json'), name, version, model: { version: modelVersion } });
  await write(`${base}/components/Widget.json`, sample('component.v1beta1.json'));
}

interface Needs {
  readonly images?: readonly string[];
  readonly models?: readonly (readonly [name: string, version: string])[];
  readonly version?: string;
}

async function design(file: string, { images: wanted = [], models = [], version = '1.0.0' }: Needs): Promise<string> {
  const component = sample('component.v1beta1.json');
  const components = [
    ...wanted.map((written, i) => ({
      ...component,
      displayName: `app-${i}`,
      component: { kind: 'Deployment', version: 'apps/v1', schema: '{}' },
      modelReference: { name: '*' },
      model: undefined,
      configuration: { spec: { template: { spec: { containers: [{ name: 'app', image: written }] } } } },
    })),
    ...models.map(([name, modelVersion]) => ({
      ...component,
      model: undefined,
      modelReference: { name, model: { version: modelVersion } },
      configuration: {},
    })),
  ];
  return await write(file, { ...sample('design.v1beta3.json'), name: 'Shop', version, components });
}

function options(more: Partial<CollectOptions> = {}): CollectOptions {
  const disk = { kind: 'path', path: places.path('models') } as const;
  return {
    stores: places.stores,
    tmpDir: places.directory,
    models: [{ kind: 'disk', reference: disk, form: 'library' }],
    images: [],
    withImages: true,
    ownRegistries: true,
    ...more,
  };
}

async function collect(file: string, more: Partial<CollectOptions> = {}): Promise<BundleContents> {
  return await collectBundle([{ kind: 'path', path: file }], options(more));
}

const names = ({ parts }: BundleContents): readonly string[] => parts.map(({ role, name }) => `${role} ${name}`);

describe('what a bundle needs', () => {
  it('is the design, its models with the newest definition, and its images, each once', async () => {
    const { host } = places;
    const pinned = images['pinned'] as Descriptor;
    const file = await design('shop.json', {
      images: [
        `${host}/team/web:1.0`,
        `${host}/team/job`,
        `${host}/team/web:1.0`,
        `${host}/team/pinned@${pinned.digest}`,
      ],
      models: [
        ['widget', 'v1.25.2'],
        ['widget', '1.26.0'],
        ['widget', 'v1.25.2'],
      ],
    });
    const contents = await collect(file);
    expect(contents.missing).toEqual([]);
    expect(names(contents)).toEqual([
      'design localhost/designs/shop:1.0.0',
      'model localhost/models/widget:v1.26.0-v1.0.0',
      'model localhost/models/widget:v1.25.2-v1.1.0',
      `image ${host}/team/job:latest`,
      `image ${host}/team/pinned@${pinned.digest}`,
      `image ${host}/team/web:1.0`,
    ]);
    expect([contents.title, contents.version]).toEqual(['Shop', '1.0.0']);
  });

  it('names what is not found, where it was asked for and who needs it', async () => {
    const { host } = places;
    const file = await design('lacking.json', {
      images: [`${host}/team/absent:1`, '{{ .Values.image }}', `${host}/team/web:1.0`],
      models: [
        ['widget', 'v9.9.9'],
        ['unknown', 'v1.0.0'],
      ],
    });
    const contents = await collect(file);
    expect(names(contents)).toEqual(['design localhost/designs/shop:1.0.0', `image ${host}/team/web:1.0`]);
    expect(contents.missing).toEqual([
      {
        role: 'model',
        name: 'unknown v1.0.0',
        asked: [places.path('models')],
        neededBy: ['1 part of the design Shop'],
      },
      {
        role: 'model',
        name: 'widget v9.9.9',
        asked: [`${places.path('models')} (which has v1.25.2, v1.26.0)`],
        neededBy: ['1 part of the design Shop'],
      },
      {
        role: 'image',
        name: `${host}/team/absent:1`,
        asked: [host],
        neededBy: ['Deployment app-0 of the design Shop'],
      },
      { role: 'image', name: '{{ .Values.image }}', asked: [], neededBy: ['Deployment app-1 of the design Shop'] },
    ]);
  });

  it('says why a place could not be asked, and asks the next', async () => {
    const file = await design('unreached.json', {
      images: [`${places.host}/team/absent:1`, `${places.host}/team/web:1.0`],
      models: [['widget', 'v1.25.2']],
    });
    const nowhere = { kind: 'disk', reference: { kind: 'path', path: '/nowhere' }, form: 'library' } as const;
    const models = [nowhere, ...options().models];
    const { parts, missing } = await collect(file, { images: [nowhere], models });
    expect(parts.map(({ role }) => role)).toEqual(['design', 'model', 'image']);
    expect(missing).toMatchObject([
      {
        name: `${places.host}/team/absent:1`,
        asked: ['/nowhere (Cannot open /nowhere: there is no such file or directory)', places.host],
      },
    ]);
  });

  it('takes an image from a mirror before its own registry, which may be left alone', async () => {
    const mirror = { kind: 'registry', registry: places.host, prefix: 'team' } as const;
    const file = await design('mirrored.json', { images: ['registry.invalid/web:1.0', 'registry.invalid/none:1'] });
    const { parts, missing } = await collect(file, { images: [mirror], ownRegistries: false });
    expect(parts.at(-1)).toMatchObject({ name: 'registry.invalid/web:1.0', root: { digest: images['web']?.digest } });
    expect(missing).toMatchObject([{ name: 'registry.invalid/none:1', asked: [`${places.host}/team`] }]);
  });

  it('carries no models and images where they are not asked for', async () => {
    const file = await design('alone.json', {
      images: [`${places.host}/team/web:1.0`],
      models: [['widget', 'v1.25.2']],
    });
    expect(names(await collect(file, { models: [], withImages: false }))).toEqual([
      'design localhost/designs/shop:1.0.0',
    ]);
  });
});

describe('a bundle', () => {
  async function shop(): Promise<BundleContents> {
    const file = await design('carried.json', {
      images: [`${places.host}/team/web:1.0`, `${places.host}/team/pinned@${images['pinned']?.digest ?? ''}`],
      models: [['widget', 'v1.25.2']],
    });
    return await collect(file);
  }

  async function writeTo(where: string, contents: BundleContents, named: boolean): Promise<Descriptor> {
    const to = await places.stores.sink(parseReference(where));
    const full = bundleName(contents);
    const name = named ? { tag: full, imageName: full } : { tag: '1.0.0' };
    const results = await writeBundle(contents, to, { copier: newCopier(), select: { referrers: true }, name, named });
    return results.at(-1)?.root as Descriptor;
  }

  it.each([
    ['layout', () => `ocidir://${places.path('carry')}`, true],
    ['archive', () => `oci-archive:${places.path('carry.tar')}`, true],
    ['registry', () => `${places.host}/meshery/bundles/shop`, false],
  ] as const)('in a %s is whole, and says what it carries', async (kind, where, named) => {
    const contents = await shop();
    const root = await writeTo(where(), contents, named);
    expect(root.digest).toBe((await writeTo(`ocidir://${places.path(`again-${kind}`)}`, await shop(), true)).digest);
    const source = await places.stores.source(parseReference(where()));
    const { document } = await loadDocument(root, source);
    expect(document).toMatchObject({ kind: 'index', artifactType: 'application/vnd.meshery.bundle.v1' });
    const found = await bundledImages(parseReference(named ? where() : `${where()}:1.0.0`), places.stores);
    expect(found.map(({ name, root: { digest } }) => [name, digest])).toEqual(
      ['pinned', 'web'].map((each) => [expect.stringContaining(`/team/${each}`), images[each]?.digest]),
    );
  });

  it.each([
    ['layout', () => `ocidir://${places.path('whole')}`],
    ['archive', () => `oci-archive:${places.path('whole.tar')}`],
  ])('in a %s gives its parts names of their own, and lacks nothing', async (_, where) => {
    const contents = await shop();
    await writeTo(where(), contents, true);
    const source = (await places.stores.source(parseReference(where()))) as LocalSource;
    expect((await checkStore(source)).findings).toEqual([]);
    const roots = (await source.roots()).map((entry) => entryName(entry).imageName ?? '');
    expect(roots.toSorted()).toEqual(
      [...contents.parts.map(({ name }) => name), 'localhost/bundles/shop:1.0.0'].toSorted(),
    );
  });

  it('of one platform leaves the others out without a word, since that was wanted', async () => {
    const said: OclEvent[] = [];
    const copier = new Copier({ clock: systemClock, emit: (event) => void said.push(event) });
    const to = await places.stores.sink(parseReference(`oci-archive:${places.path('sparse.tar')}`));
    const contents = await shop();
    const select = { platforms: [{ os: 'linux', architecture: 'arm64' }] };
    await writeBundle(contents, to, { copier, select, name: { tag: 'shop' }, named: true });
    expect(said.filter(({ type }) => type === 'notice')).toEqual([]);
    const source = await places.stores.source(parseReference(`oci-archive:${places.path('sparse.tar')}`));
    const [one] = await bundledImages(parseReference(`oci-archive:${places.path('sparse.tar')}`), places.stores);
    const { document } = await loadDocument(one?.root as Descriptor, source);
    const entries = document.kind === 'index' ? document.manifests : [];
    const held = await Promise.all(
      entries.map(async ({ platform, digest }) => [
        platform?.architecture,
        (await (source as LocalSource).size(digest)) !== undefined,
      ]),
    );
    expect(Object.fromEntries(held)).toEqual({ amd64: false, arm64: true });
  });
});
