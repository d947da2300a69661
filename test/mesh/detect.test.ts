import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { factsOf, isRego, isWasm, kindOfDocument } from '../../src/mesh/detect.ts';
import { parseDocument } from '../../src/mesh/document.ts';
import { ENTITY_KINDS } from '../../src/mesh/entity.ts';
import { artifactTypeOfKind, kindOfArtifactType } from '../../src/mesh/mediaTypes.ts';

const SAMPLES = new URL('../../testdata/meshery/', import.meta.url);
const valueOf = (path: string): unknown => parseDocument(readFileSync(new URL(path, SAMPLES)), path).value;

describe('the kind of a document', () => {
  it.each([
    ['minimal/design.v1beta3.json', 'design', 'empty-design'],
    ['minimal/design.v1beta1.one-component.json', 'design', 'one-widget'],
    ['minimal/model.json', 'model', 'acme-widget'],
    ['minimal/component.v1beta1.json', 'component', 'Widget'],
    ['minimal/relationship.v1alpha3.json', 'relationship', 'edge-non-binding-network'],
    ['minimal/relationship.v1beta2.json', 'relationship', 'edge-non-binding-network'],
    ['minimal/connection.v1beta3.json', 'connection', 'OCI Registry'],
    ['minimal/policy.json', 'policy', 'edge_network-network'],
    ['minimal/filter.v1beta3.json', 'filter', 'basic-auth'],
    ['minimal/view.v1beta2.json', 'view', 'my-view'],
    ['minimal/environment.v1beta3.json', 'environment', 'airgap'],
    ['minimal/workspace.v1beta3.json', 'workspace', 'airgap-ws'],
    ['designs/from-genuine-oci-export.v1beta1.design.yml', 'design', 'my design'],
    ['legacy-alpha2/Thanos-Query-Design.yaml', 'design', 'Thanos Query Design'],
    ['models/meshkit-generated/acm-controller/Broker.json', 'component', 'Broker'],
  ])('%s is %s %s', (path, kind, name) => {
    const value = valueOf(path);
    const found = kindOfDocument(value);
    expect(found).toBe(kind);
    expect(found === undefined ? undefined : factsOf(found, value).name).toBe(name);
  });

  it.each([
    ['a Kubernetes manifest', { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' } }],
    ['a Compose file', { name: 'x', services: { web: { image: 'nginx' } } }],
    ['a package of npm', { name: 'x', version: '1.0.0' }],
    ['a schemaVersion of somebody else', { schemaVersion: 'core.oam.dev/v1', name: 'x', components: [] }],
    ['a list', []],
    ['nothing', undefined],
  ])('%s is none', (_, value) => {
    expect(kindOfDocument(value)).toBeUndefined();
  });

  it('is told by content for policies and filters as well', () => {
    expect(isRego(Buffer.from('# a comment\n\npackage meshmodel_policy\n\nallow { true }\n'))).toBe(true);
    expect(isRego(Buffer.from('package main is not rego here'))).toBe(false);
    expect(isWasm(Buffer.from('AGFzbQEAAAA=', 'base64'))).toBe(true);
  });
});

describe('artifact types', () => {
  it.each(ENTITY_KINDS)('of %s are read back, with their aliases', (kind) => {
    const plural = kind === 'policy' ? 'policies' : `${kind}s`;
    const types = [artifactTypeOfKind(kind), `application/vnd.cncf.meshery.${kind}.config.v1beta1+json`];
    for (const type of [...types, `application/vnd.meshery.${plural}.v2+json`])
      expect(kindOfArtifactType(type)).toBe(kind);
  });

  it('of somebody else are none', () => {
    expect(kindOfArtifactType('application/vnd.meshery.bundle.v1')).toBeUndefined();
    expect(kindOfArtifactType('application/vnd.oci.empty.v1+json')).toBeUndefined();
    expect(kindOfArtifactType(undefined)).toBeUndefined();
  });
});

describe('a document', () => {
  it('with the marks of a merge is refused with their line', () => {
    const text = 'name: x\n<<<<<<< HEAD\nversion: 1\n=======\nversion: 2\n>>>>>>> other\n';
    expect(() => parseDocument(Buffer.from(text), 'x.yml')).toThrow(
      'Cannot read x.yml:2: it has the marks of a merge that was never finished (<<<<<<<)',
    );
  });

  it('is JSON first and YAML second, whatever its name', () => {
    expect(parseDocument(Buffer.from('{"a": 1}'), 'design.yml')).toMatchObject({ syntax: 'json', value: { a: 1 } });
    expect(parseDocument(Buffer.from('{a: 1}'), 'x.json')).toMatchObject({ syntax: 'yaml', value: { a: 1 } });
    expect(parseDocument(Buffer.from('\uFEFFa: 1'), 'x')).toMatchObject({ syntax: 'yaml', value: { a: 1 } });
  });
});
