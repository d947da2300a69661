import { readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { jsonLines, oclDone } from '../support/cli.ts';
import { makeShop, writeLibrary } from '../support/shop.ts';
import {
  checked,
  listed,
  manifestOf,
  reach,
  readJson,
  runSkopeo,
  sha256,
  skopeo,
  skopeoDigest,
  skopeoTakes,
  tar,
  umoci,
  workspace,
  type ManifestJson,
} from './support.ts';

const path = workspace();
const shop = makeShop();
const { content, web } = shop;
const older = shop.repositories[0]?.roots[1]?.[0] ?? web;

async function inspected(reference: string): Promise<string | undefined> {
  const { stdout } = await oclDone(['inspect', reference, '--json', '--platform', 'linux/amd64']);
  return jsonLines<{ readonly digest: string }>(stdout)[0]?.digest;
}

beforeAll(async () => {
  await writeLibrary(path('library'), shop);
  for (const name of ['dirs', 'bundles']) await mkdir(path(name));
});

/** Each form that skopeo writes with digests kept. */
const FORMS: readonly { readonly form: string; readonly place: string; readonly gzip?: boolean }[] = [
  { form: 'a layout', place: `oci:${path('by-skopeo')}` },
  { form: 'an archive', place: `oci-archive:${path('by-skopeo.tar')}` },
  { form: 'an archive in gzip', place: `oci-archive:${path('zipped.tar')}`, gzip: true },
];

describe.skipIf(skopeo.missing)(`what skopeo writes${skopeo.note}`, () => {
  it.each(FORMS)('as $form', async ({ form, place, gzip = false }) => {
    const source = `oci:${path('library')}/team/web:2.0`;
    runSkopeo('copy', '--quiet', '--all', '--preserve-digests', source, `${place}:docker.io/library/web:2.0`);
    let file = place.slice(place.indexOf(':') + 1);
    if (gzip) {
      await writeFile(`${file}.gz`, gzipSync(await readFile(file)));
      file += '.gz';
    }
    const reference = `${place.startsWith('oci:') ? 'oci' : 'oci-archive'}:${file}`;
    expect(await listed(reference)).toEqual({ 'library/web:2.0': web.digest });
    expect(await inspected(`${reference}:web:2.0`)).toBe(web.digest);
    expect(await checked(file)).toMatchObject({ damaged: false, findings: [], roots: 1 });

    const target = path('from-skopeo', form.replaceAll(' ', '-'));
    await oclDone(['copy', `${reference}:2.0`, `ocidir://${target}:2.0`]);
    const taken = skopeoTakes(`oci:${target}:2.0`, path('dirs', form.replaceAll(' ', '-')));
    expect(taken).toEqual({ root: web.digest, digests: reach(content, web) });

    await oclDone(['export', reference, '-o', `${target}.tar`]);
    expect(skopeoDigest(`oci-archive:${target}.tar`)).toBe(web.digest);
    await oclDone(['import', file, `${target}-library`]);
    expect(await listed(`${target}-library`)).toEqual({ 'library/web:2.0': web.digest });
  });

  it('several tags in one layout, one of them moved', async () => {
    const layout = path('tags');
    const take = (tag: string, as: string): void =>
      void runSkopeo(
        'copy',
        '--quiet',
        '--all',
        '--preserve-digests',
        `oci:${path('library')}/team/web:${tag}`,
        `oci:${layout}:${as}`,
      );
    for (const [tag, as] of [
      ['1.0', 'stable'],
      ['2.0', 'edge'],
      ['2.0', 'stable'],
      ['1.0', 'old'],
    ] as const)
      take(tag, as);
    expect(await listed(layout)).toEqual({
      'tags:stable': web.digest,
      'tags:edge': web.digest,
      'tags:old': older.digest,
    });
    expect((await checked(layout)).damaged).toBe(false);
  });
});

describe.skipIf(skopeo.missing || tar.missing)(`a docker archive of skopeo${skopeo.note}`, () => {
  const file = path('docker.tar');
  const reference = `docker-archive:${file}:registry.example/web:1.0`;

  beforeAll(() => {
    runSkopeo(
      'copy',
      '--quiet',
      '--additional-tag',
      'docker.io/library/other:2',
      `oci:${path('library')}/team/web:1.0`,
      reference,
    );
  });

  it('is listed by its names, and is whole', async () => {
    const images = await listed(file);
    expect(Object.keys(images).toSorted()).toEqual(['library/other:2', 'web:1.0']);
    expect(images['web:1.0']).toBe(images['library/other:2']);
    expect(await inspected(reference)).toBe(images['web:1.0']);
    expect(await checked(file)).toMatchObject({ damaged: false });
  });

  it('becomes a layout with the very bytes of its layers, which skopeo and umoci read', async () => {
    const layout = path('from-docker');
    await oclDone(['copy', reference, `ocidir://${layout}:1.0`]);
    const manifest = await manifestOf(`ocidir://${layout}:1.0`);
    const [entry] = JSON.parse(tar.run(['-xOf', file, 'manifest.json'])) as readonly [
      { readonly Config: string; readonly Layers: readonly string[] },
    ];
    const unpacked = path('docker-unpacked');
    await mkdir(unpacked);
    tar.run(['-xf', file, '-C', unpacked]);
    const bytes = await Promise.all(entry.Layers.map((name) => readFile(`${unpacked}/${name}`)));
    expect(manifest.layers.map(({ digest }) => digest)).toEqual(bytes.map((each) => sha256(each)));
    expect(manifest.config.digest).toBe(sha256(await readFile(`${unpacked}/${entry.Config}`)));
    for (const { digest } of manifest.layers)
      expect(sha256((await oclDone(['blob', 'get', `ocidir://${layout}:1.0`, digest])).bytes)).toBe(digest);

    const { root } = skopeoTakes(`oci:${layout}:1.0`, path('dirs', 'from-docker'));
    expect([root]).toEqual(Object.values(await listed(layout)));
    umociReads(layout, '1.0', 'from-docker', ['shared', 'older']);
    expect(await checked(layout)).toMatchObject({ damaged: false, findings: [] });
  });

  it('goes through an export and back into a docker archive unchanged', async () => {
    await oclDone(['export', reference, '-o', path('again.tar')]);
    const images = await listed(file);
    expect(await listed(path('again.tar'))).toEqual({ 'web:1.0': images['web:1.0'] });
    const { config } = JSON.parse(
      runSkopeo('inspect', '--raw', `docker-archive:${path('again.tar')}:registry.example/web:1.0`),
    ) as ManifestJson;
    expect(config.digest).toBe((await manifestOf(reference)).config.digest);
  });
});

function umociReads(layout: string, tag: string, name: string, layers: readonly string[]): void {
  if (umoci.missing) return;
  const bundle = path('bundles', name);
  umoci.run(['unpack', '--rootless', '--image', `${layout}:${tag}`, bundle]);
  for (const [i, text] of layers.entries()) expect(sha256(text)).toBe(sha256(readText(`${bundle}/rootfs/file-${i}`)));
}

describe.skipIf(umoci.missing)(`a layout of umoci${umoci.note}`, () => {
  const layout = path('by-umoci');
  const entries = (): Readonly<Record<string, string>> => {
    const { manifests } = readJson(`${layout}/index.json`) as { readonly manifests: readonly Descriptor[] };
    return Object.fromEntries(
      manifests.map(({ annotations, digest }) => [
        `by-umoci:${annotations?.['org.opencontainers.image.ref.name'] ?? ''}`,
        digest,
      ]),
    );
  };

  beforeAll(async () => {
    umoci.run(['init', '--layout', layout]);
    umoci.run(['new', '--image', `${layout}:base`]);
    const bundle = path('bundles', 'umoci');
    umoci.run(['unpack', '--rootless', '--image', `${layout}:base`, bundle]);
    await writeFile(`${bundle}/rootfs/hello`, 'hello');
    umoci.run(['repack', '--image', `${layout}:filled`, bundle]);
    umoci.run(['config', '--image', `${layout}:filled`, '--tag', 'set', '--config.env', 'A=B', '--author', 'nobody']);
    umoci.run(['tag', '--image', `${layout}:set`, 'latest']);
  });

  it('is read with all its names', async () => {
    const expected = entries();
    expect(Object.keys(expected).toSorted()).toEqual(
      ['base', 'filled', 'latest', 'set'].map((tag) => `by-umoci:${tag}`),
    );
    expect(await listed(layout)).toEqual(expected);
    expect(await checked(layout)).toMatchObject({ damaged: false, findings: [], roots: 4 });
    expect(await inspected(`oci:${layout}:latest`)).toBe(expected['by-umoci:set']);
  });

  it('goes on, by copy and by export, with the same digests', async () => {
    const expected = entries();
    await oclDone(['copy', `ocidir://${layout}:latest`, `ocidir://${path('umoci-copy')}:latest`]);
    expect(await listed(path('umoci-copy'))).toEqual({ 'umoci-copy:latest': expected['by-umoci:latest'] });
    await oclDone(['export', layout, '-o', path('umoci.tar')]);
    expect(await listed(path('umoci.tar'))).toEqual(expected);
    if (!skopeo.missing)
      for (const tag of ['base', 'filled', 'latest'])
        expect(skopeoDigest(`oci-archive:${path('umoci.tar')}:${tag}`)).toBe(expected[`by-umoci:${tag}`]);
  });

  it('is changed by umoci after ocl has written into it', async () => {
    await oclDone(['copy', `oci:${path('library')}/team/web:1.0`, `oci:${layout}:ours`]);
    umoci.run(['config', '--image', `${layout}:ours`, '--tag', 'theirs', '--config.env', 'C=D']);
    const after = entries();
    expect(after['by-umoci:ours']).toBe(older.digest);
    expect(await listed(layout)).toEqual(after);
    const bundle = path('bundles', 'theirs');
    umoci.run(['unpack', '--rootless', '--image', `${layout}:theirs`, bundle]);
    expect(readText(`${bundle}/rootfs/file-1`)).toBe('older');
    umoci.run(['gc', '--layout', layout]);
    expect((await checked(layout)).damaged).toBe(false);
  });
});

function readText(file: string): string {
  return readFileSync(file, 'utf8');
}
