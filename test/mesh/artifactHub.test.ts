import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseYaml } from '../../src/io/yaml.ts';
import { composePackageFile, composeRepositoryFile, packageName } from '../../src/mesh/artifactHub.ts';
import { lintPackageFile, lintRepositoryFile } from '../../src/mesh/artifactHubLint.ts';
import { type MeshFinding } from '../../src/mesh/finding.ts';

const SAMPLES = new URL('../../testdata/meshery/', import.meta.url);
const FACTS = { name: 'My  Design', version: '0.0.1', createdAt: '2025-02-03T13:57:04Z' };
const GOOD = 'version: 1.0.0\nname: a\ndisplayName: A\ncreatedAt: "2025-01-31T12:00:00Z"\ndescription: d\n';

function shown({ rule, line, column, message }: MeshFinding): string {
  return `${line}:${column} ${rule}: ${message}`;
}

describe('the package file', () => {
  it('has what Meshery writes, in its order, where nothing else is said', () => {
    const genuine = parseYaml(
      readFileSync(new URL('designs/from-genuine-oci-export.artifacthub-pkg.yml', SAMPLES), 'utf8'),
      'genuine',
    ).value as Record<string, unknown>;
    const composed = parseYaml(
      composePackageFile({
        ...FACTS,
        name: 'my design',
        license: 'Apache-2.0',
        readme: genuine['readme'] as string,
        provider: 'admin',
      }),
      'composed',
    ).value as Record<string, unknown>;
    const keys = Object.keys(genuine).filter((key) => key !== 'screenshots');
    expect(Object.keys(composed)).toEqual(keys);
    for (const key of keys.filter((each) => each !== 'links')) expect(composed[key]).toEqual(genuine[key]);
    expect(composed['links']).toEqual([{ name: 'Meshery Catalog', url: 'https://meshery.io/catalog' }]);
  });

  it('has booleans as booleans and all texts between quotes, and passes the strict reader', () => {
    const text = composePackageFile({
      ...FACTS,
      category: 'networking',
      license: 'MIT',
      readme: 'on: yes',
      keywords: ['1.10', 'no'],
      provider: 'null',
      downloadUrl: 'https://x.test/d.tar',
      maintainers: [{ name: 'A', email: 'a@x.test' }],
      changes: [{ kind: 'deprecated', description: 'gone' }],
      images: ['docker.io/library/nginx:1.27', 'r.test:5000/a/b@sha256:00'],
      deprecated: true,
      prerelease: true,
      digest: 'sha256:00',
      annotations: { key: 'true' },
    });
    expect(text).toContain('\ndeprecated: true\n');
    expect(text).toContain('\n  - "1.10"\n');
    expect(parseYaml(text, 'f').value).toMatchObject({
      name: 'my-design',
      displayName: 'My  Design',
      containersImages: [
        { name: 'nginx', image: 'docker.io/library/nginx:1.27' },
        { name: 'b', image: 'r.test:5000/a/b@sha256:00' },
      ],
      deprecated: true,
      prerelease: true,
      annotations: { key: 'true' },
    });
    expect(lintPackageFile(text, 'f').map(shown)).toEqual([]);
  });

  it.each([
    ['a version', { version: 'latest' }],
    ['a time', { createdAt: '2025-02-03' }],
  ])('is not made with %s that Artifact Hub refuses', (_what, wrong) => {
    expect(() => composePackageFile({ ...FACTS, ...wrong })).toThrow(expect.objectContaining({ code: 'OCL_USAGE' }));
  });

  it.each([
    ['My  Design', 'my-design'],
    [' a/b: c ', 'a-b-c'],
    ['..', 'untitled'],
    ['Ünï&Co', 'ünï-co'],
  ])('calls %j %j', (name, expected) => {
    expect(packageName(name)).toBe(expected);
  });
});

describe('the strict reader of package files', () => {
  it.each([
    ['what Meshery exports', 'designs/from-genuine-oci-export.artifacthub-pkg.yml', []],
    [
      'what is in a repository of Meshery',
      'legacy-alpha2/kubernetes_basic/1.0.0/artifacthub-pkg.yml',
      ['2:1 artifacthub-name: the name "kubernetes_basic" has other characters than letters, digits and dashes'],
    ],
  ])('takes %s', (_what, file, expected) => {
    expect(lintPackageFile(readFileSync(new URL(file, SAMPLES), 'utf8'), file).map(shown)).toEqual(expected);
  });

  it.each([
    ['a key that nobody knows', `${GOOD}keyword: [a]\n`, '6:1 artifacthub-key: Artifact Hub knows no keyword'],
    [
      'one below another',
      `${GOOD}links:\n  - name: x\n    title: y\n`,
      '8:5 artifacthub-key: Artifact Hub knows no links.0.title',
    ],
    ['a name of JavaScript', `${GOOD}constructor: x\n`, '6:1 artifacthub-key: Artifact Hub knows no constructor'],
    [
      'a key twice',
      `${GOOD}name: b\n`,
      '6:1 artifacthub-duplicate-key: the key "name" stands twice in one map; the last one counts',
    ],
    [
      'a boolean between quotes',
      `${GOOD}deprecated: "true"\n`,
      '6:1 artifacthub-type: deprecated must be true or false, without quotes',
    ],
    ['a list that is none', `${GOOD}keywords: a, b\n`, '6:1 artifacthub-type: keywords must be a list'],
    ['a map that is none', `${GOOD}provider: me\n`, '6:1 artifacthub-type: provider must be a map'],
    ['a text that is none', `${GOOD}license: [MIT]\n`, '6:1 artifacthub-type: license must be a text'],
    [
      'annotations that are no texts',
      `${GOOD}annotations: {a: {b: c}}\n`,
      '6:15 artifacthub-type: annotations.a must be a text',
    ],
    ['no version', GOOD.replace('version: 1.0.0\n', ''), '1:1 artifacthub-required: version is missing'],
    [
      'an empty description',
      GOOD.replace('description: d', 'description: ""'),
      '5:1 artifacthub-required: description is missing',
    ],
    [
      'no semantic version',
      GOOD.replace('1.0.0', 'one'),
      '1:1 artifacthub-value: version: "one" is no semantic version',
    ],
    [
      'a time without a zone',
      GOOD.replace('12:00:00Z', '12:00:00'),
      '4:1 artifacthub-value: createdAt: "2025-01-31T12:00:00" is not a time as RFC 3339 writes it',
    ],
    ['a category of its own', `${GOOD}category: other\n`, '6:1 artifacthub-value: category: "other" is no category'],
    [
      'an alternative name beside it',
      `${GOOD}alternativeName: b\n`,
      '6:1 artifacthub-value: alternativeName: "b" is neither a part of "a" nor holds it',
    ],
    [
      'a maintainer without email',
      `${GOOD}maintainers:\n  - name: x\n`,
      '7:5 artifacthub-required: a maintainer has no email',
    ],
    [
      'a kind of change of its own',
      `${GOOD}changes:\n  - kind: improved\n    description: x\n`,
      '7:5 artifacthub-value: kind: "improved" is no kind of change',
    ],
    [
      'a change without words',
      `${GOOD}changes:\n  - kind: fixed\n`,
      '7:5 artifacthub-required: a change has no description',
    ],
    [
      'a link of a change without address',
      `${GOOD}changes:\n  - description: x\n    links: [{name: y}]\n`,
      '8:13 artifacthub-required: a link of a change has no url',
    ],
    [
      'an image without reference',
      `${GOOD}containersImages:\n  - name: x\n`,
      '7:5 artifacthub-value: a container image has no reference',
    ],
    ['what is no map', '- a\n', '1:1 artifacthub-type: the file holds no map'],
    [
      'what is no YAML',
      'a: [b\n',
      '2:1 text-unreadable: this is no YAML: Flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
  ])('refuses %s', (_what, text, expected) => {
    expect(lintPackageFile(text, 'f').map(shown)).toEqual([expected]);
  });

  it('takes what yaml.v2 takes', () => {
    const text = `version: 1\nname: 7\ndisplayName: A\ncreatedAt: 2025-01-31T12:00:00Z\ndescription: d\noperator: yes\nlinks: null\nchanges: [plain, {kind: Added, description: x}]\n`;
    expect(lintPackageFile(text, 'f').map(shown)).toEqual([]);
  });
});

describe('the repository file', () => {
  it('is made and read', () => {
    const text = composeRepositoryFile({
      repositoryId: '982dcb40-d869-4712-afd5-526ea860bec7',
      owners: [{ name: 'A', email: 'a@x.test' }],
    });
    expect(lintRepositoryFile(text, 'f')).toEqual([]);
    expect(composeRepositoryFile({})).toBe('{}\n');
    expect(
      lintRepositoryFile(readFileSync(new URL('legacy-alpha2/artifacthub-repo.yml', SAMPLES), 'utf8'), 'f'),
    ).toEqual([]);
  });

  it.each([
    ['an identifier that is none', 'repositoryID: mine\n', '1:1 artifacthub-value: repositoryID: "mine" is no UUID'],
    ['an unknown key', 'owner: []\n', '1:1 artifacthub-key: Artifact Hub knows no owner'],
    [
      'an ignored package without name',
      'ignore:\n  - version: x\n',
      '2:5 artifacthub-required: an entry of ignore has no name',
    ],
  ])('refuses %s', (_what, text, expected) => {
    expect(lintRepositoryFile(text, 'f').map(shown)).toEqual([expected]);
  });
});
