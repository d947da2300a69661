import { describe, expect, it } from 'vitest';
import { kindOfDocument } from '../../src/mesh/detect.ts';
import { type Entity, type EntityKind } from '../../src/mesh/entity.ts';
import { requiredImages, requiredModels } from '../../src/mesh/requires.ts';
import { bytesOf, sample, type Files } from './support.ts';

function entity(files: Files, kind?: EntityKind): Entity {
  const [main = ''] = Object.keys(files);
  const first = files[main];
  return {
    kind: kind ?? kindOfDocument(typeof first === 'object' ? first : undefined) ?? 'design',
    name: 'x',
    version: '0.0.1',
    files: Object.entries(files).map(([path, content]) => ({ path, bytes: bytesOf(content) })),
    main,
    origin: main,
    notes: [],
  };
}

function design(...components: readonly object[]): Files {
  return { 'design.yml': { name: 'd', schemaVersion: 'designs.meshery.io/v1beta3', components, relationships: [] } };
}

const pod = (...images: readonly string[]): object => ({
  containers: images.map((image, i) => ({ name: `c${i}`, image })),
});
const component = (configuration: unknown): object => ({
  displayName: 'web',
  component: { kind: 'Deployment' },
  configuration,
});

describe('the images that an entity requires', () => {
  it.each<[string, unknown, string]>([
    ['a pod', { spec: pod('nginx') }, 'components.0.configuration.spec.containers.0.image'],
    [
      'a deployment',
      { spec: { template: { spec: pod('nginx') } } },
      'components.0.configuration.spec.template.spec.containers.0.image',
    ],
    [
      'a cron job',
      { spec: { jobTemplate: { spec: { template: { spec: pod('nginx') } } } } },
      'components.0.configuration.spec.jobTemplate.spec.template.spec.containers.0.image',
    ],
    [
      'a pod template',
      { template: { spec: pod('nginx') } },
      'components.0.configuration.template.spec.containers.0.image',
    ],
    ['a pod spec alone', pod('nginx'), 'components.0.configuration.containers.0.image'],
    [
      'a step before',
      { spec: { initContainers: [{ image: 'nginx' }] } },
      'components.0.configuration.spec.initContainers.0.image',
    ],
    [
      'a container for debugging',
      { spec: { ephemeralContainers: [{ image: 'nginx' }] } },
      'components.0.configuration.spec.ephemeralContainers.0.image',
    ],
    [
      'a volume',
      { spec: { volumes: [{ name: 'v', image: { reference: 'nginx' } }] } },
      'components.0.configuration.spec.volumes.0.image.reference',
    ],
    [
      'a custom resource',
      { spec: { nodes: [{ podTemplate: { spec: pod('nginx') } }] } },
      'components.0.configuration.spec.nodes.0.podTemplate.spec.containers.0.image',
    ],
    [
      'a list of Kubernetes',
      { items: [{ spec: pod('nginx') }] },
      'components.0.configuration.items.0.spec.containers.0.image',
    ],
  ])('are found in %s', (_what, configuration, path) => {
    const images = requiredImages(entity(design(component(configuration))));
    expect(images).toEqual([
      {
        image: 'docker.io/library/nginx:latest',
        usable: true,
        places: [
          {
            file: 'design.yml',
            path: path.split('.').map((step) => (/^\d+$/.test(step) ? Number(step) : step)),
            written: 'nginx',
            component: 'Deployment web',
          },
        ],
      },
    ]);
  });

  it.each<[string, string, boolean]>([
    ['nginx', 'docker.io/library/nginx:latest', true],
    [' nginx:1.27 ', 'docker.io/library/nginx:1.27', true],
    ['bitnami/redis', 'docker.io/bitnami/redis:latest', true],
    ['localhost:5000/a/b', 'localhost:5000/a/b:latest', true],
    [`a.test/b@sha256:${'0'.repeat(64)}`, `a.test/b@sha256:${'0'.repeat(64)}`, true],
    [`a.test/b:1@sha256:${'0'.repeat(64)}`, `a.test/b:1@sha256:${'0'.repeat(64)}`, true],
    ['{{ .Values.image }}', '{{ .Values.image }}', false],
    ['$(IMAGE)', '$(IMAGE)', false],
    ['Nginx:1', 'Nginx:1', false],
  ])('are told in full: %j is %s', (written, image, usable) => {
    expect(requiredImages(entity(design(component({ spec: pod(written) }))))).toMatchObject([{ image, usable }]);
  });

  it.each<[string, unknown]>([
    ['no image', { spec: { containers: [{ name: 'c' }, { image: '' }, { image: 7 }, null, 'nginx'] } }],
    ['containers that are no list', { spec: { containers: { image: 'nginx' } } }],
    ['an image elsewhere', { spec: { image: 'nginx' }, image: 'nginx' }],
    ['nothing', null],
  ])('are none where there is %s', (_what, configuration) => {
    expect(requiredImages(entity(design(component(configuration))))).toEqual([]);
  });

  it('are told once with all places, and sorted', () => {
    const files = design(component({ spec: pod('b.test/x:1', 'a.test/x:1') }), component({ spec: pod('b.test/x:1') }));
    expect(requiredImages(entity(files)).map(({ image, places }) => [image, places.length])).toEqual([
      ['a.test/x:1', 1],
      ['b.test/x:1', 2],
    ]);
  });

  it('are found in a component, a model and a design of 2023', () => {
    const one = { ...component({ spec: pod('nginx') }), schemaVersion: 'components.meshery.io/v1beta2' };
    expect(requiredImages(entity({ 'c.json': one }))).toHaveLength(1);
    const model = {
      'model.json': sample('minimal/model.json'),
      'components/c.json': one,
      'README.md': 'x: [',
      'broken.json': '{',
    };
    expect(requiredImages(entity(model, 'model'))).toMatchObject([{ places: [{ file: 'components/c.json' }] }]);
    const old = entity({ 'd.yaml': sample('legacy-alpha2/kubernetes_basic/1.0.0/design.yml') });
    expect(requiredImages(old).map(({ image }) => image)).toEqual(LEGACY_IMAGES);
  });
});

const LEGACY_IMAGES: readonly string[] = [];

describe('the models that an entity requires', () => {
  it('are those of the genuine export, with how often', () => {
    const genuine = entity({ 'design.yml': sample('designs/from-genuine-oci-export.v1beta1.design.yml') });
    expect(requiredModels(genuine)).toEqual([
      { name: 'kubernetes', modelVersion: 'v1.32.0-alpha.3', version: 'v1.0.0', registrant: 'github', uses: 7 },
    ]);
  });

  it.each<[string, readonly object[], readonly object[]]>([
    [
      'by the model',
      [{ model: { name: 'a', version: 'v1.0.0', model: { version: 'v2' }, registrant: { kind: 'github' } } }],
      [{ name: 'a', modelVersion: 'v2', version: 'v1.0.0', registrant: 'github', uses: 1 }],
    ],
    [
      'by the reference that is left without it',
      [{ model: null, modelReference: { name: 'a', model: { version: 'v2' } } }],
      [{ name: 'a', modelVersion: 'v2', uses: 1 }],
    ],
    [
      'by the model where the reference is empty',
      [{ model: { name: 'a' }, modelReference: { name: '' } }],
      [{ name: 'a', modelVersion: undefined, uses: 1 }],
    ],
    [
      'in several versions',
      [{ model: { name: 'a', model: { version: '2' } } }, { model: { name: 'a', model: { version: '1' } } }],
      [{ modelVersion: '1' }, { modelVersion: '2' }],
    ],
    [
      'without a version beside one with it',
      [{ model: { name: 'a' } }, { model: { name: 'a', model: { version: '1' } } }],
      [{ name: 'a', modelVersion: '1', uses: 2 }],
    ],
    ['not by what stands for any', [{ model: { name: '*' } }], []],
    ['not by nothing', [{}, { model: null }], []],
  ])('are known %s', (_what, components, expected) => {
    expect(requiredModels(entity(design(...components)))).toMatchObject(expected);
  });

  it('are not the model itself', () => {
    const files = { 'model.json': sample('minimal/model.json'), 'c.json': sample('minimal/component.v1beta1.json') };
    expect(requiredModels({ ...entity(files, 'model'), name: 'acme-widget' })).toEqual([]);
    expect(requiredModels(entity({ 'c.json': sample('minimal/component.v1beta1.json') }, 'component'))).toMatchObject([
      { name: 'acme-widget', modelVersion: 'v0.1.0', version: 'v1.0.0', registrant: 'meshery', uses: 1 },
    ]);
  });
});
