import { describe, expect, it } from 'vitest';
import { compileRewrite } from '../../src/io/pattern.ts';
import { type Entity } from '../../src/mesh/entity.ts';
import { relocatedName, relocateImages, type Relocation } from '../../src/mesh/relocate.ts';

function rules(given: Partial<Relocation> & { readonly rules?: readonly string[] }): Relocation {
  return { prefix: '', scoped: false, rewrites: (given.rules ?? []).map(compileRewrite), ...given };
}

const FAR = { registry: 'far:5000', prefix: 'mirror' };
const DIGEST = `sha256:${'a'.repeat(64)}`;

describe('the new name of an image', () => {
  it.each<[string, string, Parameters<typeof rules>[0]]>([
    ['docker.io/library/nginx:1.27', 'far:5000/mirror/library/nginx:1.27', FAR],
    ['docker.io/library/nginx:1.27', 'far:5000/library/nginx:1.27', { registry: 'far:5000' }],
    ['docker.io/library/nginx:1.27', 'far:5000/mirror/docker.io/library/nginx:1.27', { ...FAR, scoped: true }],
    ['ghcr.io:443/a/b:1', 'far:5000/mirror/ghcr.io-443/a/b:1', { ...FAR, scoped: true }],
    [`quay.io/a/b@${DIGEST}`, `far:5000/mirror/a/b@${DIGEST}`, FAR],
    [`quay.io/a/b:1@${DIGEST}`, `far:5000/mirror/a/b:1@${DIGEST}`, FAR],
    ['docker.io/library/nginx:1.27', 'far:5000/library/nginx:1.27', { rules: ['s#^docker.io/#far:5000/#'] }],
    ['quay.io/a/b:1', 'quay.io/a/b:1', { rules: ['s#^docker.io/#far:5000/#'] }],
    [
      'docker.io/library/nginx:1.27',
      'far:5000/mirror/base/nginx:1.27',
      { ...FAR, rules: ['s#^docker.io/library/#base/#'] },
    ],
    ['docker.io/library/nginx:1.27', 'far:5000/mirror/hub/nginx:1.27', { ...FAR, rules: ['s#/library/#/hub/#'] }],
    ['docker.io/x/y:1', 'far/a/y:1', { rules: ['s#docker.io/x#mid/a#', 's#^mid#far#'] }],
  ])('%s is %s', (image, expected, relocation) => {
    // A host without a dot or a port is none.
    const wanted = expected.startsWith('far/') ? `docker.io/${expected}` : expected;
    expect(relocatedName(image, rules(relocation))).toBe(wanted);
  });

  it.each<[string, Parameters<typeof rules>[0]]>([
    ['docker.io/library/nginx:1.27', { rules: ['s#nginx#NGINX#'] }],
    ['docker.io/library/nginx:1.27', { ...FAR, rules: ['s#nginx#..#'] }],
    ['docker.io/library/nginx:1.27', { ...FAR, rules: ['s#.*##'] }],
  ])('%s cannot become no name', (image, relocation) => {
    expect(() => relocatedName(image, rules(relocation))).toThrow(
      expect.objectContaining({ code: 'OCL_REFERENCE_INVALID' }),
    );
  });
});

function entity(text: string, path = 'design.yml'): Entity {
  const files = [{ path, bytes: Buffer.from(text) }];
  return { kind: 'design', name: 'shop', version: '1.0.0', files, main: path, origin: path, notes: [] };
}

const YAML = (image: string, other = image): string => `# nginx:1.27 is named here, and stays
schemaVersion: designs.meshery.io/v1beta3
name: shop
components:
  - displayName: web   # nginx:1.27
    component: {kind: Deployment, version: apps/v1}
    configuration:
      spec:
        template:
          spec:
            initContainers: [ {name: wait, image: ${other} } ]
            containers:
              - name: nginx
                image: ${image} # pinned
                env: [{name: IMAGE, value: 'nginx:1.27'}]
relationships: []
`;
const JSON_TEXT = (image: string): string =>
  `{"schemaVersion":"designs.meshery.io/v1beta3","name":"shop","note":"nginx:1.27",\t"components":[ {"component":{"kind":"CronJob","version":"batch/v1"},` +
  `"configuration":{"spec":{"jobTemplate":{"spec":{"template":{"spec":{"containers":[{"image" : "${image}"}]}}}}}}}],"relationships":[]}`;

describe('a design', () => {
  it.each([
    ['in YAML', YAML('nginx:1.27'), YAML('"far:5000/mirror/library/nginx:1.27"')],
    ['with quotes', YAML("'nginx:1.27'"), YAML('"far:5000/mirror/library/nginx:1.27"')],
    ['in JSON', JSON_TEXT('nginx:1.27'), JSON_TEXT('far:5000/mirror/library/nginx:1.27')],
    ['with a full name', JSON_TEXT('docker.io/library/nginx:1.27'), JSON_TEXT('far:5000/mirror/library/nginx:1.27')],
    ['whose image has no tag', JSON_TEXT('nginx'), JSON_TEXT('far:5000/mirror/library/nginx:latest')],
    ['with a template for a name', JSON_TEXT('{{ image }}'), JSON_TEXT('{{ image }}')],
  ])('%s is called anew in its images and nowhere else', (_, before, after) => {
    const { entity: altered, left } = relocateImages(entity(before), rules(FAR));
    expect(Buffer.from(altered.files[0]?.bytes ?? []).toString()).toBe(after);
    expect(left).toEqual([]);
  });

  it('keeps its bytes where no rule fits', () => {
    const given = entity(YAML('nginx:1.27'));
    const { entity: altered, images } = relocateImages(given, rules({ rules: ['s#^quay.io/#far:5000/#'] }));
    expect(altered.files[0]).toBe(given.files[0]);
    expect(images).toEqual([]);
  });

  it('tells each image once, and what it could not change', () => {
    const text = YAML('nginx:1.27', '*same')
      .replace('image: nginx:1.27', 'image: &same nginx:1.27')
      .replace('- name: nginx', '- name: x');
    const swapped = text
      .replace('[ {name: wait, image: *same } ]', '[ {name: wait, image: &same nginx:1.27 } ]')
      .replace('image: &same nginx:1.27 #', 'image: *same #');
    const { images, left } = relocateImages(entity(swapped), rules(FAR));
    expect(images).toEqual([
      { from: 'docker.io/library/nginx:1.27', to: 'far:5000/mirror/library/nginx:1.27', places: 2 },
    ]);
    expect(left.length).toBeGreaterThan(0);
  });
});
