import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { oclDone } from '../support/cli.ts';
import { Content } from '../support/content.ts';
import { newLayout } from '../support/layoutTools.ts';
import { entriesOf, makeShop, putRoots, writeLibrary } from '../support/shop.ts';
import {
  cosignSignature,
  listed,
  manifestOf,
  reach,
  readJson,
  runSkopeo,
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
const { content, web, tool, digestTag } = shop;
const older = shop.repositories[0]?.roots[1]?.[0] ?? web;
const LIBRARY = path('library');
const WEB = `ocidir://${LIBRARY}/team/web`;

/** Each way in which ocl writes files, and how others name what is in them. */
const WAYS: readonly {
  readonly way: string;
  readonly write: readonly (readonly string[])[];
  readonly place: (tag: string) => string;
}[] = [
  {
    way: 'copy into a layout',
    write: ['2.0', '1.0'].map((tag) => ['copy', `${WEB}:${tag}`, `ocidir://${path('copied')}:${tag}`]),
    place: (tag) => `oci:${path('copied')}:${tag}`,
  },
  {
    way: 'copy into archives',
    write: ['2.0', '1.0'].map((tag) => ['copy', `${WEB}:${tag}`, `oci-archive:${path(`copied-${tag}.tar`)}:${tag}`]),
    place: (tag) => `oci-archive:${path(`copied-${tag}.tar`)}:${tag}`,
  },
  {
    way: 'export of one repository',
    write: [['export', WEB, '-o', path('web.tar')]],
    place: (tag) => `oci-archive:${path('web.tar')}:${tag}`,
  },
  {
    way: 'export of several repositories',
    write: [['export', LIBRARY, '-o', path('all.tar')]],
    place: (tag) => `oci-archive:${path('all.tar')}:localhost/team/web:${tag}`,
  },
  {
    way: 'import of several repositories into a layout',
    write: [['import', path('all.tar'), `ocidir://${path('one')}`]],
    place: (tag) => `oci:${path('one')}:localhost/team/web:${tag}`,
  },
  {
    way: 'import of one repository into a layout',
    write: [['import', path('web.tar'), `ocidir://${path('web')}`]],
    place: (tag) => `oci:${path('web')}:${tag}`,
  },
  {
    way: 'import into a library',
    write: [['import', path('all.tar'), path('imported')]],
    place: (tag) => `oci:${path('imported')}/team/web:${tag}`,
  },
  {
    way: 'sync into a layout',
    write: [['sync', '--config', path('sync.yaml')]],
    place: (tag) => `oci:${path('synced')}/web:${tag}`,
  },
];

const SYNC = `version: 1
sync:
  - { source: 'ocidir://${LIBRARY}/team/web', target: 'ocidir://${path('synced')}/web', type: repository, referrers: true }
  - { source: 'ocidir://${LIBRARY}/tool:latest', target: 'ocidir://${path('synced')}/tool:latest', type: image }
`;

beforeAll(async () => {
  await mkdir(path('dirs'));
  await writeLibrary(LIBRARY, shop);
  await writeFile(path('sync.yaml'), SYNC);
  for (const { write } of WAYS) for (const args of write) await oclDone(args);
});

describe.skipIf(skopeo.missing)(`skopeo reads what ocl writes${skopeo.note}:`, () => {
  it.each(WAYS)('$way', ({ way, place }) => {
    for (const [tag, root] of [
      ['2.0', web],
      ['1.0', older],
    ] as const) {
      expect(skopeoDigest(place(tag))).toBe(root.digest);
      const taken = skopeoTakes(place(tag), path('dirs', sha(`${way} ${tag}`)));
      expect(taken).toEqual({ root: root.digest, digests: reach(content, root) });
    }
  });

  it('signatures in the old way, by their tags', () => {
    const signature = shop.repositories[0]?.roots[2]?.[0].digest;
    expect(skopeoDigest(`oci:${path('imported')}/team/web:${digestTag}`)).toBe(signature);
    expect(skopeoDigest(`oci:${path('synced')}/web:${digestTag}`)).toBe(signature);
    expect(skopeoDigest(`oci-archive:${path('all.tar')}:localhost/team/web:${digestTag}`)).toBe(signature);
  });

  it("an image of Docker's types, which this skopeo finds in layouts only when it is alone", () => {
    for (const place of [`oci:${path('imported')}/tool`, `oci:${path('synced')}/tool`]) {
      expect(skopeoDigest(place)).toBe(tool.digest);
      expect(skopeoTakes(place, path('dirs', sha(place))).digests).toEqual(reach(content, tool));
    }
  });
});

const sha = (text: string): string => text.replaceAll(/\W/g, '-');

interface Config {
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

describe.skipIf(skopeo.missing)(`the docker side of an export${skopeo.note}`, () => {
  const [amd64, arm64] = entriesOf(content, web);
  const image = (digest: string | undefined): ManifestJson => {
    const found = content.descriptors.find((each) => each.digest === digest);
    return JSON.parse(Buffer.from(content.bytes(found ?? web)).toString()) as ManifestJson;
  };

  it.each([
    ['all.tar', 'localhost/team/web:2.0', amd64?.digest],
    ['all.tar', 'localhost/team/web:1.0', older.digest],
    ['all.tar', 'localhost/tool:latest', tool.digest],
    ['web.tar', 'localhost/web:2.0', amd64?.digest],
    ['web.tar', 'localhost/web:1.0', older.digest],
    ['copied-1.0.tar', undefined, older.digest],
  ])('%s holds %s', async (file, name, digest) => {
    const target = path('dirs', sha(`docker ${file} ${name}`));
    runSkopeo(
      'copy',
      '--quiet',
      `docker-archive:${path(file)}${name === undefined ? '' : `:${name}`}`,
      `dir:${target}`,
    );
    const manifest = readJson(`${target}/manifest.json`) as ManifestJson;
    const { config } = image(digest);
    expect(manifest.config.digest).toBe(config.digest);
    const { rootfs } = JSON.parse(Buffer.from(content.bytes(config)).toString()) as Config;
    const { rootfs: read } = readJson(`${target}/${config.digest.slice(7)}`) as Config;
    expect(read).toEqual(rootfs);
    expect(manifest.layers).toHaveLength(rootfs.diff_ids.length);
  });

  it('leaves a signature of cosign out, so that one image is still one', async () => {
    const goods = new Content();
    const app = goods.image({ layers: ['app'] });
    const layout = await newLayout(path('signed'));
    await putRoots(layout, goods, [
      [app, { tag: '1' }],
      [cosignSignature(goods, app), { tag: `${app.digest.replace(':', '-')}.sig` }],
    ]);
    await layout.close();
    await oclDone(['export', `ocidir://${path('signed')}:1`, '-o', path('signed.tar')]);
    expect(Object.keys(await listed(path('signed.tar')))).toHaveLength(2);
    const { config } = JSON.parse(
      runSkopeo('inspect', '--raw', `docker-archive:${path('signed.tar')}`),
    ) as ManifestJson;
    expect(config.digest).toBe((await manifestOf(`ocidir://${path('signed')}:1`)).config.digest);
  });

  it('holds the platform that was asked for', async () => {
    const file = path('arm.tar');
    await oclDone(['export', `${WEB}:2.0`, '-o', file, '--docker-platform', 'linux/arm64']);
    const { Architecture } = JSON.parse(runSkopeo('inspect', `docker-archive:${file}:localhost/web:2.0`)) as {
      Architecture: string;
    };
    expect(Architecture).toBe('arm64');
    const { config } = JSON.parse(
      runSkopeo('inspect', '--raw', `docker-archive:${file}:localhost/web:2.0`),
    ) as ManifestJson;
    expect(config.digest).toBe(image(arm64?.digest).config.digest);
  });
});

describe.skipIf(umoci.missing || tar.missing)(`umoci reads what ocl writes${umoci.note}${tar.note}:`, () => {
  it.each(WAYS)('$way', async ({ way, place }) => {
    const [kind = '', file = '', ...name] = place('1.0').split(':');
    let layout = file;
    if (kind === 'oci-archive') {
      layout = path('unpacked', sha(way));
      await mkdir(layout, { recursive: true });
      tar.run(['-xf', file, '-C', layout]);
    }
    const reference = `${layout}:${name.join(':')}`;
    expect(umoci.run(['ls', '--layout', layout]).split('\n')).toContain(name.join(':'));
    const stat = JSON.parse(umoci.run(['stat', '--image', reference, '--json'])) as { history: readonly unknown[] };
    expect(stat.history).toHaveLength(2);
    const bundle = path('bundles', sha(way));
    await mkdir(path('bundles'), { recursive: true });
    umoci.run(['unpack', '--rootless', '--image', reference, bundle]);
    expect(await readFile(`${bundle}/rootfs/file-0`, 'utf8')).toBe('shared');
    expect(await readFile(`${bundle}/rootfs/file-1`, 'utf8')).toBe('older');
  });
});
