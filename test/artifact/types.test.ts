import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify } from '../../src/artifact/kind.ts';
import { explain } from '../../src/artifact/types/explain.ts';
import { matchesPattern } from '../../src/artifact/types/match.ts';
import { builtInTypes, TypeTable } from '../../src/artifact/types/table.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { parseManifest } from '../../src/core/manifest.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { EMPTY, HEX, labelled, OCI, ROWS, TAR } from './typeRows.ts';
import { thing } from './thing.ts';

const types = new TypeTable(builtInTypes());

describe('a thing is told by its best evidence', () => {
  it.each(ROWS.map((row) => ({ ...row, title: `${row.n} ${row.is}: ${row.why}` })))('$title', async (row) => {
    const { store, descriptor, document } = thing(row.spec);
    const { type, evidence, scan } = await classify(store, descriptor, document, {
      types,
      deep: true,
      tag: row.tag,
      repository: row.repository,
    });
    expect({ is: type.id, why: explain(evidence) }).toEqual({
      is: row.is,
      why: expect.stringMatching(
        new RegExp(`^${row.why.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}`),
      ) as string,
    });
    if (row.scan !== undefined) expect(scan).toBe(row.scan);
  });
});

it('the list is whole: each row, and each type that is built in', async () => {
  const store = createMemory();
  const descriptor = { mediaType: MEDIA.dockerManifestV1Signed, digest: `sha256:${HEX}`, size: 9 } as const;
  const { type } = await classify(store, descriptor, undefined, { types, deep: true });
  expect(type.id).toBe('docker-schema1');
  const rows = new Set(ROWS.map(({ n }) => n));
  expect(Array.from({ length: 76 }, (_, i) => i + 1).filter((n) => !rows.has(n))).toEqual([4]);
  const seen = new Set([...ROWS.map(({ is }) => is), type.id]);
  const OTHERS = /^(?:artifact|referrers-list|opentofu-provider-target|meshery-(?!design|bundle|deprecation).*)$/;
  expect([...types.types.keys()].filter((id) => !seen.has(id) && !OTHERS.test(id))).toEqual([]);
});

const OWN = ['design', 'model', 'filter', 'component', 'relationship', 'policy', 'connection', 'view'];
it.each([...OWN, 'environment', 'workspace'])('a %s of Meshery is told by its artifactType', async (kind) => {
  const { store, descriptor, document } = thing({ artifactType: `application/vnd.meshery.${kind}.v1`, config: EMPTY });
  expect((await classify(store, descriptor, document, { types })).type.id).toBe(`meshery-${kind}`);
});

describe('evidence', () => {
  it('is the same in another case and with parameters', async () => {
    const spec = { config: 'Application/VND.cncf.Helm.config.v1+JSON; version=0.3', layers: [TAR] };
    const { store, descriptor, document } = thing(spec);
    const { type, evidence } = await classify(store, descriptor, document, { types });
    expect(type.id).toBe('helm-chart');
    expect(explain(evidence)).toBe(`config ${spec.config}`);
  });

  it('says nothing where there is none', async () => {
    const { store, descriptor, document } = thing({ artifactType: 'application/vnd.nobody.knows', config: EMPTY });
    const { type, evidence, scan } = await classify(store, descriptor, document, { types, deep: true });
    expect({ id: type.id, why: explain(evidence), scan }).toEqual({
      id: 'artifact',
      why: 'nothing is known of application/vnd.nobody.knows',
      scan: 'skip',
    });
  });

  it('is not looked for in the config unless asked to', async () => {
    const { store, descriptor, document } = thing(labelled({ 'containers.bootc': '1' }));
    expect((await classify(store, descriptor, document, { types })).type.id).toBe('image-oci');
  });

  it.each([
    ['is no JSON', 'not json'],
    ['is nested too deep', `${'['.repeat(200)}${']'.repeat(200)}`],
    ['has a name twice', '{"config":{"Labels":{}},"config":{"Labels":{"containers.bootc":"1"}}}'],
    ['has labels that are a list', '{"config":{"Labels":["containers.bootc"]}}'],
    ['has labels that are no texts', '{"config":{"Labels":{"containers.bootc":1}}}'],
    ['has a history of odd things', '{"history":[1,null,{"created_by":{}}]}'],
    ['is an array', '[]'],
  ])('is not taken from a config that %s', async (_what, text) => {
    const store = createMemory();
    const config = store.putBytes(new TextEncoder().encode(text), OCI);
    const bytes = toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [] });
    const descriptor = store.putBytes(bytes, MEDIA.ociManifest);
    const document = parseManifest(bytes, MEDIA.ociManifest, 'x');
    expect((await classify(store, descriptor, document, { types, deep: true })).type.id).toBe('image-oci');
  });

  it.each([
    [0, 'bootc'],
    [4 << 20, 'image-oci'],
  ])('is asked of a config with %d bytes more: %s', async (more, is) => {
    const content = { config: { Labels: { 'containers.bootc': '1', more: 'x'.repeat(more) } } };
    const { store, descriptor, document } = thing({ content, layers: [TAR] });
    expect((await classify(store, descriptor, document, { types, deep: true })).type.id).toBe(is);
  });

  it('is not asked of a config that is not there', async () => {
    const store = createMemory();
    const config = { mediaType: OCI, digest: `sha256:${HEX}`, size: 20 };
    const bytes = toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociManifest, config, layers: [] });
    const descriptor = store.putBytes(bytes, MEDIA.ociManifest);
    const document = parseManifest(bytes, MEDIA.ociManifest, 'x');
    expect((await classify(store, descriptor, document, { types, deep: true })).type.id).toBe('image-oci');
  });

  it.each([
    [5, 'bootc'],
    [30, 'image-index'],
  ])('of indexes in indexes is looked for, at a depth of %d: %s', async (depth, is) => {
    let inner = thing(labelled({ 'containers.bootc': '1' }));
    const { store } = inner;
    for (let i = 0; i < depth; i++) {
      const bytes = toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests: [inner.descriptor] });
      const descriptor = store.putBytes(bytes, MEDIA.ociIndex);
      inner = { store, descriptor, document: parseManifest(bytes, MEDIA.ociIndex, 'x') };
    }
    const { type } = await classify(store, inner.descriptor, inner.document, { types, deep: true });
    expect(type.id).toBe(is);
  });

  it('of annotations with the names of what all objects have is taken as it stands', async () => {
    const annotations = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
    const { store, descriptor, document } = thing({ annotations, layers: [TAR] });
    expect((await classify(store, descriptor, document, { types })).type.id).toBe('image-oci');
  });

  it('of a fallback tag with a list of referrers is its name', async () => {
    const { store, descriptor, document } = thing({
      manifests: [{ artifactType: 'application/spdx+json', config: EMPTY }],
      entry: { 'org.opencontainers.image.ref.name': `sha256-${HEX}` },
    });
    expect((await classify(store, descriptor, document, { types, deep: true })).type.id).toBe('referrers-list');
  });
});

describe('a pattern', () => {
  it.each([
    ['*', '', true],
    ['a*', 'abc', true],
    ['*c', 'abc', true],
    ['a*c', 'ac', true],
    ['a*b*c', 'a-b-c', true],
    ['a*bb*c', 'abc', false],
    ['ab*ba', 'aba', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['*a?*', 'xaab', true],
    ['a', 'A', false],
    ['a.c', 'abc', false],
  ])('%j fits %j: %j', (pattern, text, fits) => {
    expect(matchesPattern(pattern, text)).toBe(fits);
  });

  it('means what a regular expression with .* for each star means', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 8 });
    fc.assert(
      fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }), (pattern, text) => {
        const regex = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`);
        expect(matchesPattern(pattern, text)).toBe(regex.test(text));
      }),
    );
  });
});
