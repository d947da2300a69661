import { ANNOTATION, plainDescriptor, type Descriptor } from '../../src/core/descriptor.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { Content, tarOf } from '../support/content.ts';
import { entriesOf } from '../support/shop.ts';
import { type RawEntry } from '../support/tarCases.ts';
import { cosignSignature, sha256 } from './support.ts';

/** What a tool writes, and what is to be read out of it. */
export interface Form {
  readonly tool: string;
  /** The name of its file or directory, and so the repository of what has no full name. */
  readonly id: string;
  readonly entries: readonly RawEntry[];
  /** Docker's own form exists as a file alone; layouts are read from a directory as well. */
  readonly kind: 'docker' | 'layout';
  /** What `ocl ls --all` lists, with digests. */
  readonly listed: Readonly<Record<string, string>>;
  /** What can be copied: a name, or a digest after an at sign. Undefined stands for "the only image". */
  readonly copies: readonly (readonly [name: string, digest: string])[];
  /** Subjects, and what refers to them. */
  readonly referrers?: readonly (readonly [subject: string, digests: readonly string[]])[];
  /** Kinds of findings that `ocl check` may have. */
  readonly findings?: readonly string[];
}

const LAYOUT: RawEntry = { name: 'oci-layout', body: '{"imageLayoutVersion":"1.0.0"}' };
const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

const json = (value: unknown): string => JSON.stringify(value);
const hex = (digest: string): string => digest.slice(digest.indexOf(':') + 1);

function blobsOf(content: Content, without: readonly string[] = []): readonly RawEntry[] {
  return content.descriptors
    .filter(({ digest }) => !without.includes(digest))
    .map((each) => ({ name: `blobs/sha256/${hex(each.digest)}`, body: content.bytes(each) }));
}

function indexOf(manifests: readonly unknown[], more: object = {}): RawEntry {
  return { name: 'index.json', body: json({ schemaVersion: 2, ...more, manifests }) };
}

function named(root: Descriptor, refName: string, imageName?: string, more: object = {}): object {
  const names = {
    [ANNOTATION.refName]: refName,
    ...(imageName === undefined ? {} : { [ANNOTATION.imageName]: imageName }),
  };
  return { ...root, annotations: { ...names, ...more } };
}

const base = tarOf({ etc: 'base' });
const top = tarOf({ app: 'top' });
const config = json({ ...AMD64, config: {}, rootfs: { type: 'layers', diff_ids: [sha256(base), sha256(top)] } });

/** The manifest that stands for a docker archive of these layers. */
function dockerImage(): { readonly content: Content; readonly root: Descriptor } {
  const content = new Content();
  const layers = [content.add(base, MEDIA.ociLayer), content.add(top, MEDIA.ociLayer)];
  const root = content.json(
    { schemaVersion: 2, mediaType: MEDIA.ociManifest, config: content.add(config, MEDIA.ociConfig), layers },
    MEDIA.ociManifest,
  );
  return { content, root };
}

function dockerClassic(): Form {
  const { root } = dockerImage();
  const [first, second] = ['a'.repeat(64), 'b'.repeat(64)];
  const Layers = [`${first}/layer.tar`, `${second}/layer.tar`];
  return {
    tool: 'docker save before 25',
    id: 'docker-classic',
    kind: 'docker',
    entries: [
      { name: `${first}/`, type: '5' },
      { name: `${first}/VERSION`, body: '1.0' },
      { name: `${first}/json`, body: json({ id: first }) },
      { name: Layers[0] ?? '', body: base },
      { name: Layers[1] ?? '', body: top },
      { name: `${hex(sha256(config))}.json`, body: config },
      {
        name: 'manifest.json',
        body: json([
          { Config: `${hex(sha256(config))}.json`, RepoTags: ['demo:1', 'reg.example:5000/team/demo:2'], Layers },
        ]),
      },
      { name: 'repositories', body: json({ demo: { 1: second } }) },
    ],
    listed: { 'library/demo:1': root.digest, 'team/demo:2': root.digest },
    copies: [
      ['demo:1', root.digest],
      ['docker.io/library/demo:1', root.digest],
      ['reg.example:5000/team/demo:2', root.digest],
    ],
  };
}

function docker25(): Form {
  const { content, root } = dockerImage();
  return {
    tool: 'docker save since 25',
    id: 'docker-new',
    kind: 'layout',
    entries: [
      { name: 'blobs/', type: '5' },
      { name: 'blobs/sha256/', type: '5' },
      ...blobsOf(content),
      indexOf([named(root, '1', 'docker.io/library/demo:1')], { mediaType: MEDIA.ociIndex }),
      {
        name: 'manifest.json',
        body: json([
          {
            Config: `blobs/sha256/${hex(sha256(config))}`,
            RepoTags: ['demo:1'],
            Layers: [base, top].map((layer) => `blobs/sha256/${hex(sha256(layer))}`),
          },
        ]),
      },
      LAYOUT,
      { name: 'repositories', body: json({ demo: { 1: hex(sha256(top)) } }) },
    ],
    listed: { 'library/demo:1': root.digest },
    copies: [
      ['1', root.digest],
      ['demo:1', root.digest],
    ],
  };
}

function containerd(): Form {
  const content = new Content();
  const index = content.platforms([AMD64, ARM64]);
  const [kept, dropped] = entriesOf(content, index);
  const referrer = content.artifact({ type: 'application/vnd.test.signature', subject: index });
  const arm = JSON.parse(Buffer.from(content.bytes(dropped ?? index)).toString()) as {
    readonly config: Descriptor;
    readonly layers: readonly Descriptor[];
  };
  const gone = [dropped?.digest ?? '', arm.config.digest, ...arm.layers.map(({ digest }) => digest)];
  const byDigest = `docker.io/library/b@${kept?.digest ?? ''}`;
  return {
    tool: 'docker and nerdctl with the store of containerd',
    id: 'containerd',
    kind: 'layout',
    entries: [
      ...blobsOf(content, gone),
      indexOf(
        [
          named(index, 'latest', 'docker.io/library/a:latest'),
          named(kept ?? index, byDigest, byDigest),
          { ...referrer, annotations: { 'io.containerd.manifest.subject': index.digest } },
        ],
        { mediaType: MEDIA.ociIndex },
      ),
      LAYOUT,
    ],
    listed: {
      'library/a:latest': index.digest,
      [`library/b@${kept?.digest ?? ''}`]: kept?.digest ?? '',
      [`containerd@${referrer.digest}`]: referrer.digest,
    },
    copies: [
      ['latest', index.digest],
      ['a:latest', index.digest],
      [`@${kept?.digest ?? ''}`, kept?.digest ?? ''],
    ],
    referrers: [[index.digest, [referrer.digest]]],
    findings: ['absent'],
  };
}

function buildkit(): Form {
  const content = new Content();
  const image = content.image();
  const statement = content.json({ predicateType: 'https://slsa.dev/provenance/v1' }, 'application/vnd.in-toto+json');
  const facts = { architecture: 'unknown', os: 'unknown' };
  const attestation = content.json(
    {
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      config: content.json({ ...facts, rootfs: { type: 'layers', diff_ids: [statement.digest] } }, MEDIA.ociConfig),
      layers: [{ ...statement, annotations: { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' } }],
    },
    MEDIA.ociManifest,
  );
  const reference = {
    'vnd.docker.reference.digest': image.digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  };
  const index = content.index([
    { ...image, platform: AMD64 },
    { ...attestation, platform: facts, annotations: reference },
  ]);
  return {
    tool: 'buildx with attestations',
    id: 'buildx',
    kind: 'layout',
    entries: [
      ...blobsOf(content),
      indexOf([
        named(index, '1', 'docker.io/team/app:1', { 'org.opencontainers.image.created': '2026-01-01T00:00:00Z' }),
      ]),
      LAYOUT,
    ],
    listed: { 'team/app:1': index.digest },
    copies: [
      ['1', index.digest],
      ['team/app:1', index.digest],
    ],
  };
}

/** Layers under an index, where others have images. */
function buildkitCache(): Form {
  const content = new Content();
  const layers = ['one', 'two'].map((text) => content.add(tarOf({ text }), MEDIA.ociLayer));
  const cache = content.json(
    { layers: layers.map(({ digest }) => ({ blob: digest })), records: [] },
    'application/vnd.buildkit.cacheconfig.v0',
  );
  const index = content.index([...layers, cache]);
  return {
    tool: 'the cache of buildkit',
    id: 'cache',
    kind: 'layout',
    entries: [{ name: 'ingest/', type: '5' }, ...blobsOf(content), indexOf([named(index, 'latest')]), LAYOUT],
    listed: { 'cache:latest': index.digest },
    copies: [['latest', index.digest]],
  };
}

function podman(): Form {
  const content = new Content();
  const image = content.image({ layers: ['podman'] });
  return {
    tool: 'podman save',
    id: 'podman',
    kind: 'layout',
    entries: [...blobsOf(content), indexOf([named(image, 'localhost/team/app:latest')]), LAYOUT],
    listed: { 'team/app:latest': image.digest },
    copies: [
      ['latest', image.digest],
      ['localhost/team/app:latest', image.digest],
    ],
  };
}

function oras(): Form {
  const content = new Content();
  const app = content.image();
  const sbom = content.artifact({ type: 'application/spdx+json', subject: app, annotations: { made: 'today' } });
  const deep = content.artifact({ type: 'application/x.attestation', blobs: ['deep'], subject: sbom });
  return {
    tool: 'oras',
    id: 'oras',
    kind: 'layout',
    entries: [
      LAYOUT,
      { name: 'ingest/', type: '5' },
      ...blobsOf(content),
      indexOf([
        named(app, 'v1'),
        { ...sbom, artifactType: 'application/spdx+json', annotations: { made: 'today' } },
        { ...deep, artifactType: 'application/x.attestation' },
      ]),
    ],
    listed: {
      'oras:v1': app.digest,
      [`oras@${sbom.digest}`]: sbom.digest,
      [`oras@${deep.digest}`]: deep.digest,
    },
    copies: [['v1', app.digest]],
    referrers: [
      [app.digest, [sbom.digest]],
      [sbom.digest, [deep.digest]],
    ],
  };
}

function craneTarball(): Form {
  const { root } = dockerImage();
  return {
    tool: 'crane pull',
    id: 'crane',
    kind: 'docker',
    entries: [
      { name: sha256(config), body: config },
      ...[base, top].map((layer) => ({ name: `${hex(sha256(layer))}.tar.gz`, body: layer })),
      {
        name: 'manifest.json',
        body: json([
          {
            Config: sha256(config),
            RepoTags: ['ghcr.io/x/y:v1'],
            Layers: [base, top].map((layer) => `${hex(sha256(layer))}.tar.gz`),
          },
        ]),
      },
    ],
    listed: { 'x/y:v1': root.digest },
    copies: [
      ['v1', root.digest],
      ['ghcr.io/x/y:v1', root.digest],
    ],
  };
}

function craneLayout(): Form {
  const content = new Content();
  const image = content.image({ layers: ['nameless'] });
  return {
    tool: 'crane pull --format=oci, which gives no name',
    id: 'crane-layout',
    kind: 'layout',
    entries: [LAYOUT, ...blobsOf(content), indexOf([image], { mediaType: MEDIA.ociIndex })],
    listed: { [`crane-layout@${image.digest}`]: image.digest },
    copies: [[`@${image.digest}`, image.digest]],
  };
}

function regctl(): Form {
  const content = new Content();
  const app = content.image();
  const sbom = content.artifact({ type: 'application/spdx+json', subject: app });
  const list = content.index([{ ...plainDescriptor(sbom), artifactType: 'application/spdx+json' }]);
  const tag = app.digest.replace(':', '-');
  return {
    tool: 'regctl, which keeps lists of referrers under tags',
    id: 'regctl',
    kind: 'layout',
    entries: [LAYOUT, ...blobsOf(content), indexOf([named(app, 'v1'), named(list, tag)])],
    listed: { 'regctl:v1': app.digest, [`regctl:${tag}`]: list.digest },
    copies: [['v1', app.digest]],
    referrers: [[app.digest, [sbom.digest]]],
  };
}

function cosign(): Form {
  const content = new Content();
  const app = content.image();
  const signature = cosignSignature(content, app);
  const bundle = content.artifact({ type: 'application/vnd.dev.sigstore.bundle.v0.3+json', subject: app });
  const kind = (root: Descriptor, name: string): object => ({
    ...root,
    annotations: { kind: `dev.cosignproject.cosign/${name}` },
  });
  return {
    tool: 'cosign save, which names nothing and does not list bundles',
    id: 'cosign',
    kind: 'layout',
    entries: [
      LAYOUT,
      ...blobsOf(content),
      indexOf([kind(app, 'image'), kind(signature, 'sigs')], { mediaType: MEDIA.ociIndex }),
    ],
    listed: { [`cosign@${app.digest}`]: app.digest, [`cosign@${signature.digest}`]: signature.digest },
    copies: [[`@${app.digest}`, app.digest]],
    referrers: [[app.digest, [bundle.digest]]],
    findings: ['unreferenced'],
  };
}

export const FORMS: readonly Form[] = [
  dockerClassic(),
  docker25(),
  containerd(),
  buildkit(),
  buildkitCache(),
  podman(),
  oras(),
  craneTarball(),
  craneLayout(),
  regctl(),
  cosign(),
];
