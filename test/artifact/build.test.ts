import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildArtifact, tarLayer } from '../../src/artifact/build.ts';
import { EMPTY_BLOB } from '../../src/core/descriptor.ts';
import { gzipSteady } from '../../src/io/gzip.ts';
import { parseManifest } from '../../src/core/manifest.ts';
import { readBounded } from '../../src/io/verify.ts';

const SAMPLES = new URL('../../testdata/meshery/', import.meta.url);
const sample = (path: string): Buffer => readFileSync(new URL(path, SAMPLES));

describe('tarLayer', () => {
  it("makes the tar file of Meshery's own export of 2025, to the byte", () => {
    const layer = tarLayer(
      [
        { path: 'design.yml', bytes: sample('designs/from-genuine-oci-export.v1beta1.design.yml') },
        { path: 'artifacthub-pkg.yml', bytes: sample('designs/from-genuine-oci-export.artifacthub-pkg.yml') },
      ],
      { rootMode: 0o700 },
    );
    expect(layer.diffId).toBe('sha256:8b496bfe4da280b10b7878168f5c6e0a03b74d8d31a41bfe9240de974ec18db7');
  });

  it('names directories before what is in them, in the order of filepath.Walk', () => {
    const bytes = Buffer.from('x');
    const { bytes: gz } = tarLayer(['b.txt', 'a/z', 'a.txt', 'a/b/c'].map((path) => ({ path, bytes })));
    const tar = gunzipSync(gz);
    const names: string[] = [];
    for (let at = 0; tar[at] !== 0; at += tar[at + 156] === 0x35 ? 512 : 1024)
      names.push(tar.toString('latin1', at, tar.indexOf(0, at)));
    expect(names).toEqual(['a', 'a/b', 'a/b/c', 'a/z', 'a.txt', 'b.txt']);
  });
});

describe('gzipSteady', () => {
  it('gives bytes that depend on nothing but the content', () => {
    // Seen on other machines and versions of Node as well: when this changes, so do the digests of all that was packed.
    const text = Buffer.from('The quick brown fox jumps over the lazy dog. '.repeat(100));
    expect(Buffer.from(gzipSteady(text)).toString('hex').slice(0, 20)).toBe('1f8b08000000000000ff');
    expect(Buffer.from(gzipSteady(text)).toString('base64')).toBe(
      'H4sIAAAAAAAA/+3KRwGAMBBFQStfAWowQAkdFgKhqU9E5PjOM+XgdISxmVV7ezZ19moK637Kbud1JV6q/1NrfSEymUwmk8lkMplMJpPJZHKWHAE4OYublBEAAA==',
    );
  });

  it('is read by zlib', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), (bytes) => {
        expect(gunzipSync(gzipSteady(bytes)).equals(bytes)).toBe(true);
      }),
    );
  });
});

describe('buildArtifact', () => {
  const spec = {
    artifactType: 'application/vnd.test.thing',
    layers: [{ mediaType: 'text/plain', bytes: Buffer.from('hello'), title: 'hello.txt', annotations: { b: '2' } }],
    annotations: { z: '1', a: '2' },
  };

  it('makes the same manifest each time, with annotations in order', async () => {
    const { store, root } = buildArtifact(spec);
    expect(buildArtifact({ ...spec, annotations: { a: '2', z: '1' } }).root).toEqual(root);
    const manifest = parseManifest(await readBounded(await store.open(root), 4096, 'it'), root.mediaType, 'it');
    expect(manifest).toMatchObject({
      artifactType: spec.artifactType,
      config: EMPTY_BLOB.descriptor,
      layers: [
        { mediaType: 'text/plain', size: 5, annotations: { b: '2', 'org.opencontainers.image.title': 'hello.txt' } },
      ],
    });
    expect(Object.keys(root.annotations ?? {})).toEqual(['a', 'z']);
  });

  it('has one layer at least, and refers to a subject by its bare descriptor', async () => {
    const subject = buildArtifact(spec).root;
    const { store, root } = buildArtifact({ artifactType: spec.artifactType, layers: [], subject });
    const document = parseManifest(await readBounded(await store.open(root), 4096, 'it'), root.mediaType, 'it');
    expect(document).toMatchObject({
      layers: [EMPTY_BLOB.descriptor],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    });
    const referrers = [];
    for await (const each of store.referrers(subject)) referrers.push(each.digest);
    expect(referrers).toEqual([root.digest]);
  });
});
