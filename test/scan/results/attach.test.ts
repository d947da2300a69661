import { describe, expect, it } from 'vitest';
import { Copier } from '../../../src/copy/copier.ts';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { silent } from '../../../src/core/events.ts';
import { type Sink, type Source } from '../../../src/core/store.ts';
import { systemClock } from '../../../src/io/systemClock.ts';
import { attachResult, digestsOf } from '../../../src/scan/results/attach.ts';
import { ARTIFACT_TYPES, readResult, type ResultFormat } from '../../../src/scan/formats.ts';
import { createMemory } from '../../../src/stores/memory/store.ts';
import { Content } from '../../support/content.ts';
import { all } from '../../support/graphs.ts';
import { newLayout, temporaryDirectories } from '../../support/layouts.ts';
import { putRoots } from '../../support/shop.ts';

const temporary = temporaryDirectories();
const TIME = '2026-11-20T06:12:00Z';
const A = `sha256:${'a'.repeat(64)}`;
const B = `sha256:${'b'.repeat(64)}`;

interface Row {
  readonly what: string;
  readonly text: string;
  readonly format: ResultFormat | undefined;
  readonly created?: string;
  readonly about?: readonly string[];
}

const json = (value: unknown): string => JSON.stringify(value);

const ROWS: readonly Row[] = [
  {
    what: 'SARIF of Trivy',
    text: json({
      version: '2.1.0',
      $schema: 'https://raw.githubusercontent.com/oasis-tcs/sarif-spec/main/sarif-2.1/schema/sarif-schema-2.1.0.json',
      runs: [
        {
          tool: {},
          invocations: [{ endTimeUtc: TIME }],
          properties: { imageID: A, repoDigests: [`r.example/app@${B}`] },
        },
      ],
    }),
    format: 'sarif',
    created: TIME,
    about: [A, B],
  },
  { what: 'SARIF without a run', text: json({ version: '2.1.0', runs: [] }), format: 'sarif' },
  {
    what: 'CycloneDX of Trivy',
    text: json({
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      metadata: {
        timestamp: TIME,
        component: {
          purl: `pkg:oci/app@sha256%3A${'b'.repeat(64)}?arch=amd64`,
          properties: [{ name: 'aquasecurity:trivy:ImageID', value: A }],
        },
      },
    }),
    format: 'cyclonedx-json',
    created: TIME,
    about: [B, A],
  },
  {
    what: 'CycloneDX of Syft',
    text: json({ bomFormat: 'CycloneDX', metadata: { component: { type: 'container', version: A } } }),
    format: 'cyclonedx-json',
    about: [A],
  },
  {
    what: 'CycloneDX as XML',
    text: `<?xml version="1.0"?>\n<!-- made -->\n<bom xmlns="http://cyclonedx.org/schema/bom/1.5" version="1"><metadata><timestamp>${TIME}</timestamp></metadata></bom>`,
    format: 'cyclonedx-xml',
    created: TIME,
  },
  {
    what: 'CycloneDX as XML with a prefix',
    text: '<b:bom xmlns:b="http://cyclonedx.org/schema/bom/1.4"></b:bom>',
    format: 'cyclonedx-xml',
  },
  {
    what: 'SPDX',
    text: json({ spdxVersion: 'SPDX-2.3', creationInfo: { created: TIME } }),
    format: 'spdx-json',
    created: TIME,
  },
  {
    what: 'SPDX 3',
    text: json({
      '@context': 'https://spdx.org/rdf/3.0.1/spdx-context.jsonld',
      '@graph': [{ type: 'CreationInfo', created: TIME }],
    }),
    format: 'spdx-json',
    created: TIME,
  },
  {
    what: 'SPDX as tag-value',
    text: `# made\nSPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\nCreated: ${TIME}\n`,
    format: 'spdx',
    created: TIME,
  },
  {
    what: 'a report of Trivy',
    text: json({
      SchemaVersion: 2,
      CreatedAt: TIME,
      ArtifactName: 'app',
      ArtifactType: 'container_image',
      Metadata: { ImageID: A, RepoDigests: [`app@${B}`] },
    }),
    format: 'trivy-json',
    created: TIME,
    about: [A, B],
  },
  {
    what: 'a report of Grype',
    text: json({
      matches: [],
      source: { type: 'image', target: { imageID: A, manifestDigest: B, repoDigests: [] } },
      descriptor: { name: 'grype', timestamp: TIME },
    }),
    format: 'grype-json',
    created: TIME,
    about: [A, B],
  },
  {
    what: 'an SBOM of Syft',
    text: json({
      artifacts: [],
      source: { type: 'image', metadata: { imageID: A, manifestDigest: B } },
      descriptor: { name: 'syft' },
      schema: {
        version: '16.0.0',
        url: 'https://raw.githubusercontent.com/anchore/syft/main/schema/json/schema-16.0.0.json',
      },
    }),
    format: 'syft-json',
    about: [A, B],
  },
  {
    what: 'OpenVEX',
    text: json({ '@context': 'https://openvex.dev/ns/v0.2.0', timestamp: TIME, statements: [] }),
    format: 'openvex',
    created: TIME,
  },
  {
    what: 'a document with a byte order mark',
    text: `\ufeff ${json({ bomFormat: 'CycloneDX' })}`,
    format: 'cyclonedx-json',
  },
  {
    what: 'a time that is none',
    text: json({ bomFormat: 'CycloneDX', metadata: { timestamp: 'yesterday' } }),
    format: 'cyclonedx-json',
  },
  { what: 'other JSON', text: '{"results":[]}', format: undefined },
  { what: 'a list', text: '[]', format: undefined },
  { what: 'JSON that is broken', text: '{"bomFormat":"CycloneDX"', format: undefined },
  { what: 'a name twice', text: '{"bomFormat":"CycloneDX","bomFormat":"x"}', format: undefined },
  { what: 'other XML', text: '<html><bom></bom></html>', format: undefined },
  { what: 'text', text: 'no vulnerabilities', format: undefined },
  { what: 'nothing', text: '', format: undefined },
  { what: 'odd members', text: json({ matches: [], source: {}, descriptor: null, metadata: 1 }), format: 'grype-json' },
];

describe('what a document is', () => {
  it.each(ROWS)('is told by its content: $what', ({ text, format, created, about = [] }) => {
    const facts = readResult(Buffer.from(text));
    if (format === undefined) expect(facts).toBeUndefined();
    else expect(facts).toEqual({ format, created: created === undefined ? undefined : Date.parse(created), about });
  });

  it('is not looked for in depths', () => {
    expect(() => readResult(Buffer.from(`{"a":${'['.repeat(1000)}`))).toThrow(/nested/);
  });
});

describe('a result that is attached', () => {
  const copier = new Copier({ clock: systemClock, emit: silent });
  const bytes = Buffer.from(json({ version: '2.1.0', runs: [] }));
  const document = { bytes, artifactType: ARTIFACT_TYPES.sarif, title: 'app.sarif', created: Date.parse(TIME) };

  async function withImage(store: Source & Sink): Promise<Descriptor> {
    const content = new Content();
    const image = content.image({ layers: ['app'] });
    await putRoots(store, content, [[image, { tag: '1' }]]);
    return image;
  }

  it.each([
    ['a layout', async () => await newLayout(await temporary())],
    ['memory', async () => createMemory()],
  ])('is a referrer of the image in %s, and once only', async (_what, open) => {
    const store: Source & Sink = await open();
    const image = await withImage(store);
    const first = await attachResult(image, document, { to: store, copier });
    expect(first.outcome).toBe('attached');
    expect(await attachResult(image, document, { to: store, copier })).toEqual({ ...first, outcome: 'current' });
    const [referrer, ...more] = await all(store.referrers(image));
    expect(more).toEqual([]);
    expect(referrer).toMatchObject({
      digest: first.digest,
      artifactType: 'application/sarif+json',
      annotations: { 'org.opencontainers.image.created': TIME },
    });
    const manifest = JSON.parse(
      Buffer.concat(await all(await store.open(referrer as Descriptor))).toString(),
    ) as object;
    expect(manifest).toMatchObject({
      subject: { digest: image.digest },
      layers: [
        {
          mediaType: 'application/sarif+json',
          size: bytes.length,
          annotations: { 'org.opencontainers.image.title': 'app.sarif' },
        },
      ],
    });
  });

  it('may be about any part of an image', async () => {
    const content = new Content();
    const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
    const index = content.platforms(platforms);
    const store = createMemory();
    await putRoots(store, content, [[index, { tag: '1' }]]);
    const known = await digestsOf(store, index);
    const documents = content.descriptors.filter(({ mediaType }) => /index|manifest|config/.test(mediaType));
    expect([...known].toSorted()).toEqual(documents.map(({ digest }) => digest).toSorted());
  });
});
