import { spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { image, multiPlatform, noise, piece, put, sbom } from '../support/graphs.ts';
import { newLayout, temporaryDirectories, treeOf } from '../support/layouts.ts';

const temporary = temporaryDirectories();

describe('ocl scan-input', () => {
  it('gives the images of a bundle to each scanner, with a script that runs where none is installed', async () => {
    const work = await temporary();
    const layout = await newLayout(join(work, 'mirror', 'team', 'app'));
    const graph = multiPlatform();
    await put(layout, graph, '1.0');
    await put(layout, sbom(graph.root, '{"spdxVersion":"SPDX-2.3"}'), {});
    await put(layout, image({ name: 'other' }), '2.0');
    await layout.close();
    await oclDone(['export', join(work, 'mirror'), '-o', join(work, 'bundle.tar')]);

    const scan = join(work, 'scan');
    const args = [
      'scan-input',
      join(work, 'bundle.tar'),
      '--for',
      'trivy',
      '--for',
      'osv',
      '--for',
      'sbom',
      '-o',
      scan,
    ];
    const { stdout } = await oclDone([...args, '--json']);
    const summary = jsonLines<{ type: string; inputs: unknown[]; skipped: unknown[] }>(stdout).at(-1);
    expect(summary).toMatchObject({ type: 'summary', output: scan });
    expect(summary?.inputs).toHaveLength(7);
    expect(JSON.parse(await readFile(join(scan, 'scan-input.json'), 'utf8'))).toMatchObject({
      inputs: summary?.inputs,
    });
    expect(
      Object.keys(await treeOf(scan))
        .filter((path) => /^(?:oci|tar|sbom)\/[^/]+$/.test(path))
        .toSorted(),
    ).toEqual([
      'oci/team_app_1.0__linux-amd64',
      'oci/team_app_1.0__linux-arm64-v8',
      'oci/team_app_2.0__linux-amd64',
      'sbom/team_app_1.0.spdx.json',
      'tar/team_app_1.0__linux-amd64.tar',
      'tar/team_app_1.0__linux-arm64-v8.tar',
      'tar/team_app_2.0__linux-amd64.tar',
    ]);

    const run = spawnSync('sh', [join(scan, 'run.sh')], { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } });
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/not installed: trivy\n.*0 scanned, 0 failed/s);

    expect(await ocl(args)).toMatchObject({ status: 8, stderr: expect.stringContaining('OCL_EXISTS') });
  });

  it('takes the volumes of a set for one place, and says when some are not given', async () => {
    const work = await temporary();
    const layout = await newLayout(join(work, 'mirror', 'app'));
    const layer = (seed: number) => piece(noise(60_000, seed), 'application/vnd.oci.image.layer.v1.tar');
    for (const [i, layers] of [[layer(1), layer(2)], [layer(3)]].entries())
      await put(layout, image({ name: `a${i}`, layers }), `${i}`);
    await layout.close();
    const sizes = ['--volume-size', '100KB', '-o', join(work, 'set.tar')];
    await oclDone(['export', join(work, 'mirror'), ...sizes]);
    const volumes = (await readdir(work)).filter((name) => name.startsWith('set.vol')).map((name) => join(work, name));
    expect(volumes.length).toBeGreaterThan(1);
    const all = await oclDone(['scan-input', ...volumes, '--for', 'trivy', '-o', join(work, 'all'), '--json']);
    expect(jsonLines<{ inputs: unknown[] }>(all.stdout).at(-1)?.inputs).toHaveLength(2);
    // Layouts and tar files need no room for temporary files.
    const env = { TMPDIR: join(work, 'none') };
    const one = await ocl(['scan-input', volumes[0] ?? '', '--for', 'trivy', '-o', join(work, 'one')], { env });
    expect(one.stderr).toContain(`of ${volumes.length} volumes these are not given`);
  });
});
