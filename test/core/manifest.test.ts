import { describe, expect, it } from 'vitest';
import {
  artifactTypeOf,
  children,
  isAttestationEntry,
  isForeign,
  isImage,
  referrerDescriptor,
} from '../../src/core/graph.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { parseDescriptor, parseManifest } from '../../src/core/manifest.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { EMPTY_BLOB, type Descriptor } from '../../src/core/descriptor.ts';
import { attestation, bytesOf, codeOf, foreignImage, image, multiPlatform, rootBytes } from '../support/graphs.ts';

const hex = 'c'.repeat(64);
const part = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: `sha256:${hex}`, size: 10 };
const config = { mediaType: MEDIA.ociConfig, digest: `sha256:${'d'.repeat(64)}`, size: 20 };
const manifest = { schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [part] };
const index = { schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [{ ...part, mediaType: MEDIA.ociManifest }] };

const read = (value: unknown, expected?: string): ReturnType<typeof parseManifest> =>
  parseManifest(typeof value === 'string' ? bytesOf(value) : toJsonBytes(value), expected, 'it');

describe('valid documents', () => {
  it.each<readonly [string, unknown, string | undefined, 'manifest' | 'index']>([
    ['a manifest', manifest, undefined, 'manifest'],
    ['an index', index, undefined, 'index'],
    ['an empty index', { ...index, manifests: [] }, undefined, 'index'],
    ['no layers', { ...manifest, layers: [] }, undefined, 'manifest'],
    ['layers: null, as Go writes none', { ...manifest, layers: null }, undefined, 'manifest'],
    ['no layers member', { ...manifest, layers: undefined }, undefined, 'manifest'],
    [
      'nulls for what is absent',
      { ...manifest, artifactType: null, subject: null, annotations: null },
      undefined,
      'manifest',
    ],
    ['no mediaType, a manifest by its members', { ...manifest, mediaType: undefined }, undefined, 'manifest'],
    ['no mediaType, an index by its members', { ...index, mediaType: undefined }, undefined, 'index'],
    ['an empty mediaType', { ...manifest, mediaType: '' }, undefined, 'manifest'],
    ['the announced type with parameters', manifest, `${MEDIA.ociManifest}; charset=utf-8`, 'manifest'],
    ['the announced type in upper case', manifest, MEDIA.ociManifest.toUpperCase(), 'manifest'],
    ['an announced type that says nothing', manifest, 'application/json', 'manifest'],
    ['unknown members', { ...manifest, 'x-own': { a: 1 }, reserved: [] }, undefined, 'manifest'],
    [
      'unknown config and layer types',
      { ...manifest, config: { ...config, mediaType: 'x/y' }, layers: [{ ...part, mediaType: 'a/b;c=d' }] },
      undefined,
      'manifest',
    ],
    ['unknown entry types', { ...index, manifests: [{ ...part, mediaType: 'application/xml' }] }, undefined, 'index'],
    ['unknown members of descriptors', { ...manifest, layers: [{ ...part, extra: true }] }, undefined, 'manifest'],
    ['an unknown algorithm', { ...manifest, layers: [{ ...part, digest: 'md4:abc' }] }, undefined, 'manifest'],
    ['size 0', { ...manifest, layers: [{ ...part, size: 0 }] }, undefined, 'manifest'],
    ['the largest size', { ...manifest, layers: [{ ...part, size: Number.MAX_SAFE_INTEGER }] }, undefined, 'manifest'],
    [
      'urls, annotations and data',
      { ...manifest, layers: [{ ...part, urls: ['https://x.example/y'], annotations: { a: '' }, data: 'aGk=' }] },
      undefined,
      'manifest',
    ],
    [
      'platforms with all they may have',
      {
        ...index,
        manifests: [
          {
            ...part,
            platform: {
              os: 'windows',
              architecture: 'amd64',
              'os.version': '10',
              'os.features': ['win32k'],
              variant: 'v2',
              features: ['sse4'],
            },
          },
        ],
      },
      undefined,
      'index',
    ],
    ['a subject on an index', { ...index, subject: part, artifactType: 'a/b' }, undefined, 'index'],
    ['Docker, list', { ...index, mediaType: MEDIA.dockerIndex }, MEDIA.dockerIndex, 'index'],
    ['Docker, manifest', { ...manifest, mediaType: MEDIA.dockerManifest }, MEDIA.dockerManifest, 'manifest'],
    [
      'an artifact manifest of the release candidates',
      { mediaType: MEDIA.ociArtifactManifest, artifactType: 'a/b', blobs: [part], subject: part },
      undefined,
      'manifest',
    ],
    ['blank space around', ` \n${JSON.stringify(manifest, null, 3)}\n`, undefined, 'manifest'],
  ])('%s', (_, value, expected, kind) => {
    expect(read(value, expected).kind).toBe(kind);
  });
});

const INVALID: readonly (readonly [string, unknown, (string | undefined)?, string?])[] = [
  ['an array', []],
  ['a text', '"manifest"'],
  ['null', 'null'],
  ['schemaVersion 1', { ...manifest, schemaVersion: 1 }],
  ['schemaVersion in quotes', { ...manifest, schemaVersion: '2' }],
  ['no schemaVersion', { ...manifest, schemaVersion: undefined }],
  ['no config', { ...manifest, config: undefined }],
  ['config: null', { ...manifest, config: null }],
  ['layers that are no list', { ...manifest, layers: {} }],
  ['a layer that is null', { ...manifest, layers: [null] }],
  ['no manifests', { ...index, manifests: undefined }],
  ['an empty media type of a layer', { ...manifest, layers: [{ ...part, mediaType: '' }] }],
  ['no media type of a layer', { ...manifest, layers: [{ ...part, mediaType: undefined }] }],
  ['no digest', { ...manifest, layers: [{ ...part, digest: undefined }] }],
  ['upper case hex', { ...manifest, layers: [{ ...part, digest: `sha256:${hex.toUpperCase()}` }] }],
  ['two separators in an algorithm', { ...manifest, layers: [{ ...part, digest: 'sha256+foo+-b:x' }] }],
  ['a digest that climbs', { ...manifest, layers: [{ ...part, digest: 'sha256:../../x' }] }],
  ['no size', { ...manifest, layers: [{ ...part, size: undefined }] }],
  ['a negative size', { ...manifest, layers: [{ ...part, size: -1 }] }],
  ['a size in quotes', { ...manifest, layers: [{ ...part, size: '10' }] }],
  ['half a byte', { ...manifest, layers: [{ ...part, size: 0.5 }] }],
  ['a size beyond 2^53', JSON.stringify(manifest).replace('"size":10', '"size":9007199254740993')],
  ['a size of 1e400', JSON.stringify(manifest).replace('"size":10', '"size":1e400')],
  ['a subject without a digest', { ...manifest, subject: { ...part, digest: '.nope' } }],
  ['annotations that are no texts', { ...manifest, annotations: { a: 1 } }],
  ['annotations that are null', { ...manifest, annotations: { a: null } }],
  ['annotations in a list', { ...manifest, annotations: ['a'] }],
  ['urls that are no list', { ...manifest, layers: [{ ...part, urls: 'https://x' }] }],
  ['a platform without an architecture', { ...index, manifests: [{ ...part, platform: { os: 'linux' } }] }],
  ['a platform of numbers', { ...index, manifests: [{ ...part, platform: { os: 1, architecture: 2 } }] }],
  ['an artifactType that is no text', { ...manifest, artifactType: {} }],
  ['a mediaType that is no text', { ...manifest, mediaType: 7 }],
  ['another type than was announced', manifest, MEDIA.ociIndex],
  ['another type of Docker than was announced', { ...manifest, mediaType: MEDIA.dockerManifest }, MEDIA.ociManifest],
  ['an index by its members that was announced as a manifest', { ...index, mediaType: undefined }, MEDIA.ociManifest],
  ['manifests and layers', { ...index, layers: [] }],
  ['manifests and config', { ...index, config }],
  ['manifests and config, neither with a type', { schemaVersion: 2, manifests: [], config, layers: [] }],
  ['a manifest with manifests', { ...manifest, manifests: [] }],
  ['a manifest with manifests: null', { ...manifest, manifests: null }],
  ['a manifest with fsLayers', { ...manifest, fsLayers: [] }],
  ['an index with blobs', { ...index, blobs: [] }],
  ['Manifests', { ...manifest, Manifests: [] }],
  ['LAYERS', { ...manifest, LAYERS: [] }],
  ['mediatype', { ...manifest, mediatype: MEDIA.ociIndex }],
  ['Subject', { ...manifest, Subject: part }],
  ['bloB\u017F', { ...index, ['BLOB\u017F']: [] }],
  ['ſubject', { ...manifest, ['\u017Fubject']: part }],
  ['Digest in a descriptor', { ...manifest, layers: [{ ...part, Digest: `sha256:${'0'.repeat(64)}` }] }],
  ['SIZE in a descriptor', { ...manifest, config: { ...config, SIZE: 1 } }],
  ['mediatype in an entry', { ...index, manifests: [{ ...part, mediatype: 'a/b' }] }],
  ['digest twice', JSON.stringify(manifest).replace('"digest"', `"digest":"sha256:${hex}","digest"`)],
  ['an unknown document type', { ...manifest, mediaType: 'application/vnd.own+json' }, undefined, 'OCL_UNSUPPORTED'],
  ['Docker schema 1', { schemaVersion: 1, fsLayers: [] }, undefined, 'OCL_UNSUPPORTED'],
  ['Docker schema 1, announced', { schemaVersion: 1, fsLayers: [] }, MEDIA.dockerManifestV1Signed, 'OCL_UNSUPPORTED'],
  ['deep nesting', `{"a":${'['.repeat(200)}${']'.repeat(200)}}`, undefined, 'OCL_LIMIT'],
];

describe('invalid documents', () => {
  it.each(
    INVALID.map(([name, value, expected, code]) => ({ name, value, expected, code: code ?? 'OCL_DOCUMENT_INVALID' })),
  )('$name', async ({ value, expected, code }) => {
    expect(await codeOf(() => read(value, expected))).toBe(code);
  });
});

describe('what a document says', () => {
  it('has its children in their own order, the config first', () => {
    const graph = image();
    const document = read(new TextDecoder().decode(rootBytes(graph)));
    expect(children(document).map(({ role }) => role)).toEqual(['config', 'layer', 'layer']);
    expect(children(read(index)).map(({ role, descriptor }) => [role, descriptor.digest])).toEqual([
      ['manifest', part.digest],
    ]);
  });

  it.each<readonly [string, object, string | undefined]>([
    ['its artifactType', { ...manifest, artifactType: 'a/b' }, 'a/b'],
    ['the type of its config', manifest, MEDIA.ociConfig],
    ['the type of its config when artifactType is empty', { ...manifest, artifactType: '' }, MEDIA.ociConfig],
    ['the artifactType of an index', { ...index, artifactType: 'a/b' }, 'a/b'],
    ['nothing for an index', index, undefined],
  ])('is of a type: %s', (_, value, type) => {
    expect(artifactTypeOf(read(value))).toBe(type);
  });

  it('lists a referrer under its own type and annotations', () => {
    const document = read({ ...manifest, artifactType: 'a/b', subject: part, annotations: { k: 'v' } });
    const descriptor = { mediaType: 'wrong', digest: part.digest, size: 3, annotations: { other: 'x' } } as Descriptor;
    expect(referrerDescriptor(descriptor, document)).toEqual({
      mediaType: MEDIA.ociManifest,
      digest: part.digest,
      size: 3,
      artifactType: 'a/b',
      annotations: { k: 'v' },
    });
  });

  it('tells images, artifacts, attestations and foreign layers apart', () => {
    expect(isImage(read(manifest))).toBe(true);
    expect(isImage(read({ ...manifest, artifactType: 'a/b' }))).toBe(false);
    expect(isImage(read({ ...manifest, config: EMPTY_BLOB.descriptor }))).toBe(false);
    expect(isImage(read(index))).toBe(false);
    const entries = read(new TextDecoder().decode(rootBytes(multiPlatform())));
    expect(children(entries).map(({ descriptor }) => isAttestationEntry(descriptor))).toEqual([
      false,
      false,
      true,
      true,
    ]);
    expect(isAttestationEntry(attestation(image().root).root)).toBe(true);
    for (const docker of [true, false]) {
      const windows = read(new TextDecoder().decode(rootBytes(foreignImage(docker))));
      expect(children(windows).map(isForeign)).toEqual([false, true, false]);
    }
  });

  it('keeps annotations such as __proto__', () => {
    const text = `{"schemaVersion":2,"config":${JSON.stringify(config)},"layers":[],"annotations":{"__proto__":"a","constructor":"b"}}`;
    expect(Object.entries(read(text).annotations ?? {})).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    expect(
      Object.entries(
        parseDescriptor(JSON.parse(`{"mediaType":"a/b","digest":"x:y","size":0,"annotations":{"__proto__":"a"}}`), 'it')
          .annotations ?? {},
      ),
    ).toEqual([['__proto__', 'a']]);
  });
});
