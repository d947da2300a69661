import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseManifest } from '../../src/core/manifest.ts';
import { ENTITY_KINDS } from '../../src/mesh/entity.ts';
import { filesBelow, GENUINE, kindFiles, latin1, packOne, unpackTo, writeFiles } from '../mesh/kit.ts';
import { openPlaces, type Places } from '../mesh/places.ts';
import { startDockerRegistry, whyNoDockerRegistry, type DockerRegistry } from '../support/dockerRegistry.ts';
import { peer } from '../support/peers.ts';
import { runSkopeo, sha256, skopeo, skopeoTakes, workspace } from './support.ts';

const path = workspace();
const oras = peer('oras', { probe: ['version'], optional: true });
let places: Places;
let digest = '';
beforeAll(async () => {
  places = await openPlaces();
  ({ digest } = await packOne(places, GENUINE, `oci-archive:${path('design.tar')}:v1`));
});
afterAll(() => places.close());

describe.skipIf(skopeo.missing)(`the archive of a design, to skopeo${skopeo.note}`, () => {
  it('is a layout with the artifact, under the same digest', () => {
    const { root, digests } = skopeoTakes(`oci-archive:${path('design.tar')}`, path('artifact'));
    expect(root).toBe(digest);
    const document = parseManifest(readFileSync(path('artifact', 'manifest.json')), undefined, 'it');
    expect(document.artifactType).toBe('application/vnd.meshery.design.v1');
    if (document.kind !== 'manifest') throw new Error('it is no manifest');
    expect(digests).toEqual(expect.arrayContaining(document.layers.map((layer) => layer.digest)));
  });

  it('is a docker archive with the layer that Meshery reads', () => {
    runSkopeo('copy', '--quiet', `docker-archive:${path('design.tar')}`, `dir:${path('docker')}`);
    const manifest = JSON.parse(readFileSync(path('docker', 'manifest.json'), 'utf8')) as {
      config: { digest: string };
      layers: { digest: string }[];
    };
    const read = (blob: string): Buffer => readFileSync(path('docker', blob.slice('sha256:'.length)));
    const config = JSON.parse(read(manifest.config.digest).toString()) as { rootfs: { diff_ids: string[] } };
    expect(manifest.layers).toHaveLength(1);
    const layer = read(manifest.layers[0]?.digest ?? '');
    const tar = layer[0] === 0x1f ? gunzipSync(layer) : layer;
    expect(config.rootfs.diff_ids).toEqual([sha256(tar)]);
    expect(tar.includes('design.yml')).toBe(true);
  });

  it('is one image in the legacy form as well', async () => {
    const legacy = await openPlaces({ archiveForm: 'docker' });
    await packOne(legacy, GENUINE, `oci-archive:${path('legacy.tar')}:v1`, { text: 'given' });
    const { Layers: layers } = JSON.parse(runSkopeo('inspect', `docker-archive:${path('legacy.tar')}`)) as {
      Layers: string[];
    };
    // Skopeo names a layer of such an archive by what is in it.
    expect(layers).toEqual(['sha256:8b496bfe4da280b10b7878168f5c6e0a03b74d8d31a41bfe9240de974ec18db7']);
    await legacy.close();
  });
});

const why = whyNoDockerRegistry();

describe.skipIf(why !== undefined)(`Debian's docker-registry${why === undefined ? '' : ` (${why})`}`, () => {
  let registry: DockerRegistry;
  beforeAll(async () => {
    const started = await startDockerRegistry();
    if (started === undefined) throw new Error('it does not start');
    registry = started;
  });
  afterAll(() => registry.stop());

  it.each(ENTITY_KINDS)('takes a %s and gives it back as it was, in each form', async (kind) => {
    const files = await kindFiles(kind);
    const input = await writeFiles(path(`in-${kind}`), files);
    const layout = await packOne(places, input, `ocidir://${path(`layout-${kind}`)}:v1`);
    for (const form of ['artifact', 'image'] as const) {
      const reference = `${registry.host}/${kind}-${form}:v1`;
      const packed = await packOne(places, input, reference, { form });
      if (form === 'artifact') expect(packed.digest).toBe(layout.digest);
      await unpackTo(places, reference, path(`out-${kind}-${form}`));
      expect(await filesBelow(path(`out-${kind}-${form}`))).toEqual(latin1(files));
    }
  });

  it.skipIf(oras.missing)(`gives the files as they were to oras, too${oras.note}`, async () => {
    await packOne(places, GENUINE, `${registry.host}/oras:v1`);
    oras.run(['pull', '--plain-http', `${registry.host}/oras:v1`, '-o', path('oras')]);
    const design = await readFile(path('oras', 'design.yml'), 'utf8');
    expect(design).toContain('name: my design');
  });
});
