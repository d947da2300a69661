import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { altered, bytesOf, COMPONENT, DESIGN, GOOD_MODEL } from '../mesh/support.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { ocl, oclDone } from '../support/cli.ts';
import { startEmbedded } from '../support/embedded.ts';

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'ocl-mesh-journey-'));
  put(
    'shop.json',
    altered(DESIGN, ['name', 'shop'], ['components.0.configuration', { spec: { containers: [{ image: 'nginx' }] } }]),
  );
  for (const [path, content] of Object.entries(GOOD_MODEL)) put(`model/${path}`, content);
  put('model/v1.0.0/components/Widget.json', altered(COMPONENT, ['status', null], ['model.name', 'other']));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function put(path: string, content: Parameters<typeof bytesOf>[0]): void {
  mkdirSync(join(cwd, path, '..'), { recursive: true });
  writeFileSync(join(cwd, path), bytesOf(content));
}

describe('somebody who carries documents of Meshery', () => {
  it('is told what would break, has it mended, and sees what is left', async () => {
    const broken = await ocl(['mesh', 'validate', 'model'], { cwd });
    expect(broken.status).toBe(1);
    expect(broken.stdout).toMatch(
      /^model\/v1\.0\.0\/components\/Widget\.json:\d+:3: error: .* \[component-status\]\n {4}write status: enabled \(--fix does it\)$/m,
    );
    expect(broken.stderr).toMatch(/^4 files: 1 error, 1 warning$/m);
    const mended = await oclDone(['mesh', 'validate', 'model', '--fix', '--json'], { cwd });
    const lines = mended.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toMatchObject([
      {
        type: 'fixed',
        rule: 'component-status',
        level: 'error',
        line: expect.any(Number) as number,
        column: 3,
        fixable: true,
      },
      { type: 'finding', rule: 'component-model', level: 'warning', fixable: false },
      { type: 'summary', files: 4, errors: 0, warnings: 1, infos: 0, fixed: 1 },
    ]);
    expect(JSON.parse(readFileSync(join(cwd, 'model/v1.0.0/components/Widget.json'), 'utf8'))).toMatchObject({
      status: 'enabled',
    });
    expect((await ocl(['mesh', 'validate', 'model', '--strict', '-q'], { cwd })).status).toBe(1);
  });

  it('sees the same in a file and in what it was packed to', async () => {
    await oclDone(['mesh', 'pack', 'shop.json', 'shop.tar'], { cwd });
    const same = await oclDone(['mesh', 'diff', 'shop.json', 'shop.tar', '--exit-code'], { cwd });
    expect(same.stdout).toMatch(/no difference\n$/);
    put('changed.json', altered(DESIGN, ['name', 'shop'], ['components', []]));
    const other = await ocl(['mesh', 'diff', 'shop.tar', 'changed.json', '--exit-code'], { cwd });
    expect(other.status).toBe(2);
    expect(other.stdout).toMatch(/^- component Widget Widget$/m);
    const inspected = JSON.parse((await oclDone(['mesh', 'inspect', 'shop.tar', '--json'], { cwd })).stdout) as unknown;
    expect(inspected).toMatchObject({
      kind: 'design',
      name: 'shop',
      digest: expect.stringMatching(/^sha256:/) as string,
      counts: { components: 1 },
      models: [{ name: 'acme-widget' }],
      images: [{ image: 'docker.io/library/nginx:latest', places: [{ component: 'Widget Widget' }] }],
    });
    const lost = await ocl(['mesh', 'inspect', 'shopp.yml'], { cwd });
    expect(lost.status).toBe(3);
    expect(lost.stderr).toContain('there is no such file');
    const listed = await oclDone(['mesh', 'ls', 'shop.tar', 'model', '--kind', 'design'], { cwd });
    expect(listed.stdout).toMatch(/^REFERENCE .*\nshop\.tar\S* .*design {2}shop {2}0\.0\.1 .*\n$/);
  });

  it('lists it in Artifact Hub', async () => {
    const owner = ['--owner', 'Ann <ann@x.test>', '--repository-id', '982dcb40-d869-4712-afd5-526ea860bec7'];
    const done = await oclDone(['mesh', 'artifacthub', 'shop.tar', '-o', 'hub', ...owner], { cwd });
    expect(done.stdout).toBe('hub/shop/0.0.1  written\nhub/artifacthub-repo.yml  written\n');
    expect(readdirSync(join(cwd, 'hub/shop/0.0.1')).toSorted()).toEqual([
      'README.md',
      'artifacthub-pkg.yml',
      'design.yml',
    ]);
    await oclDone(['mesh', 'validate', 'hub', '--strict'], { cwd });
    const pushed = await oclDone(['mesh', 'artifacthub', '--metadata-ref', 'ocidir://meta', ...owner], { cwd });
    expect(pushed.stdout).toMatch(/^ocidir:\/\/meta:artifacthub\.io@sha256:[0-9a-f]{64}\n$/);
    for (const wrong of [
      ['shop.json'],
      ['-o', 'hub'],
      ['--metadata-ref', 'x.test/a'],
      ['--metadata-ref', 'x.test/a:1', ...owner],
    ])
      expect((await ocl(['mesh', 'artifacthub', ...wrong], { cwd })).status).toBe(64);
  });

  it('sees what a registry has, and nothing of its images', async () => {
    const registry = await startEmbedded(createMemoryLibrary());
    try {
      await oclDone(['mesh', 'push', 'shop.json', 'model', `${registry.host}/meshery`], { cwd });
      await oclDone(['copy', 'ocidir://meta:artifacthub.io', `${registry.host}/other:1`], { cwd });
      const listed = await oclDone(['mesh', 'ls', `${registry.host}/`, '--json'], { cwd });
      expect(JSON.parse(listed.stdout)).toMatchObject([
        { reference: `${registry.host}/meshery/designs/shop:0.0.1`, aliases: ['0', '0.0', 'latest'], kind: 'design' },
        { kind: 'model', name: 'acme-widget', version: 'v1.0.0', modelVersion: 'v0.1.0' },
      ]);
    } finally {
      await registry.close();
    }
  });
});
