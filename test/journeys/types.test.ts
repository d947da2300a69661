import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { type Listed } from '../../src/artifact/list.ts';
import { EXIT } from '../../src/cli/exit.ts';
import { Linker } from '../../src/io/link.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { LayoutTree } from '../../src/stores/layout/library.ts';
import { tagOf, tagOfType, writeThings } from '../artifact/things.ts';
import { ROWS } from '../artifact/typeRows.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';

/** What goes by a name is listed under that one, and all that has the media types of a policy of Kubewarden is one in its repository. */
const NAMED = new Map(ROWS.map((row, i) => [tagOf(row, i), row.is === 'wasm-to-oci' ? 'kubewarden-policy' : row.is]));

let root = '';
let server: Embedded;
let library: LayoutTree;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'ocl-things-'));
  await writeThings(join(root, 'library', 'kubewarden', 'things'));
  library = new LayoutTree(join(root, 'library'), { clock: systemClock, emit: () => {}, linker: new Linker() });
  server = await startEmbedded(library, { readOnly: true });
});
afterAll(async () => {
  await server.close();
  await library.close();
  await rm(root, { recursive: true, force: true });
});

async function list(place: string, ...more: readonly string[]): Promise<readonly Listed[]> {
  const { stdout } = await oclDone(['ls', place, '--json', ...more], { cwd: root });
  return jsonLines<Listed[]>(stdout)[0] ?? [];
}

describe('ocl ls', () => {
  it('tells every type in a library as in a registry, with commands for where it lies', async () => {
    const local = await list('./library');
    const remote = await list(`${server.host}/kubewarden/things`, '--plain-http', server.host);
    for (const listed of [local, remote]) {
      const told = new Map(
        listed.map(({ reference, artifact }) => [reference.replace(/^.*things:/, ''), artifact?.id]),
      );
      expect(Object.fromEntries(told)).toEqual(Object.fromEntries(NAMED));
      expect(listed.filter(({ problem }) => problem !== undefined)).toEqual([]);
    }
    const chart = (listed: readonly Listed[]) => listed.find(({ artifact }) => artifact?.id === 'helm-chart');
    expect(chart(remote)?.actions?.[0]).toEqual({
      label: 'Install',
      command: `helm install RELEASE oci://${server.host}/kubewarden/things --version ${tagOfType('helm-chart')}`,
    });
    expect(chart(local)?.actions?.[0]?.command).toMatch(
      /^ocl blob get ocidir:\/\/library\/kubewarden\/things:\d+-helm-chart sha256:[0-9a-f]{64} > chart\.tgz$/,
    );
    expect(chart(local)).toMatchObject({ kind: 'application/vnd.cncf.helm.config.v1+json', platforms: [] });
  });

  it('gives commands that work as they stand', async () => {
    const [chart] = (await list('./library')).filter(({ artifact }) => artifact?.id === 'helm-chart');
    const [, , , ...words] = (chart?.actions?.[0]?.command.split(' > ')[0] ?? '').split(' ');
    expect((await oclDone(['blob', 'get', ...words], { cwd: root })).stdout).toContain(
      'application/vnd.cncf.helm.chart',
    );
  });

  it('writes a page with all that it lists', async () => {
    const { stdout, stderr } = await oclDone(['ls', './library', '--html', 'page.html'], { cwd: root });
    expect(stdout).toMatch(/^REFERENCE +TYPE +DIGEST +SIZE +CREATED +PLATFORMS +USE\n/);
    expect(stderr).toContain(`page.html: ${NAMED.size} images`);
    const page = await readFile(join(root, 'page.html'), 'utf8');
    expect(page.match(/<tr data-kind=/g)).toHaveLength(NAMED.size);
    expect(page).toContain('Homebrew bottle');
    const alone = await ocl(['ls', `${server.host}/`, '--plain-http', server.host, '--html', 'no.html'], { cwd: root });
    expect(alone).toMatchObject({ status: EXIT.usage, stderr: expect.stringContaining('REPOSITORY --html no.html') });
  });
});

describe('ocl inspect and ocl tree', () => {
  const thing = 'ocidir://library/kubewarden/things:';

  it('say by which evidence a type was told, and what is wrong with a config', async () => {
    const { stdout } = await oclDone(['inspect', `${thing}${tagOfType('helm-chart')}`], { cwd: root });
    expect(stdout).toContain('Type:        Helm chart (helm-chart)\n');
    expect(stdout).toContain('Told by:     config application/vnd.cncf.helm.config.v1+json\n');
    expect(stdout).toContain('Config:      not as its type says: name: ');
    const json = await oclDone(['inspect', `${thing}${tagOfType('homebrew-bottle')}`, '--json'], { cwd: root });
    expect(jsonLines(json.stdout)[0]).toMatchObject({
      kind: 'index',
      artifact: {
        id: 'homebrew-bottle',
        scan: 'skip',
        evidence: [{ by: 'annotations', name: 'com.github.package.type', value: 'homebrew_bottle' }],
      },
    });
  });

  it('call things by their names', async () => {
    const { stdout } = await oclDone(['tree', `${thing}${tagOfType('bootc', 'its first manifest')}`], { cwd: root });
    expect(stdout).toMatch(/ Bootable image \(bootc\) .*\n└─ Bootable image \(bootc\) {2}linux\/amd64 /);
  });
});

describe('types of a user', () => {
  const OWN = 'types:\n  - {id: helm-chart, name: Our chart}\n';

  it('are read from the directory of settings, and from --types after that', async () => {
    await mkdir(join(root, 'settings', 'ocl'), { recursive: true });
    await writeFile(join(root, 'settings', 'ocl', 'types.yaml'), OWN);
    await writeFile(join(root, 'more.json'), '{"types": [{"id": "helm-chart", "scan": "skip"}]}');
    const env = { XDG_CONFIG_HOME: join(root, 'settings') };
    const { stdout } = await oclDone(['types', 'helm-chart', '--json', '--types', 'more.json'], { cwd: root, env });
    expect(jsonLines(stdout)[0]).toMatchObject({
      id: 'helm-chart',
      name: 'Our chart',
      scan: 'skip',
      category: 'kubernetes',
    });
  });

  it('are told with file and line where they are wrong', async () => {
    await writeFile(join(root, 'wrong.yaml'), `${OWN}  - {id: x-y, name: X}\n`);
    const wrong = await ocl(['ls', './library', '--types', 'wrong.yaml'], { cwd: root });
    expect(wrong.status).toBe(EXIT.usage);
    expect(wrong.stderr).toMatch(/^error: Cannot read wrong\.yaml:3:5: types\[1\]: a new type must have /);
    const missing = await ocl(['ls', './library', '--types', 'nowhere.yaml'], { cwd: root });
    expect(missing).toMatchObject({ status: EXIT.notFound, stderr: expect.stringContaining('nowhere.yaml') });
    expect((await ocl(['types', '--types', '.'], { cwd: root })).stderr).toMatch(/^error: Cannot read \.: /);
  });
});

describe('ocl types', () => {
  it('shows the table, one type, and what to type where there is none', async () => {
    expect((await oclDone(['types'])).stdout).toMatch(/^ID +NAME +CATEGORY +SCAN\n/);
    expect((await oclDone(['types', 'ollama-model'])).stdout).toContain(
      'Told by:\n  layers application/vnd.ollama.image.*\n',
    );
    expect((await ocl(['types', 'helm'])).stderr).toContain(
      'hint:  ocl types helm-chart, or helm-provenance, or helm-plugin',
    );
  });
});
