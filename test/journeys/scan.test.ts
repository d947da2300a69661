import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { Content } from '../support/content.ts';
import { CHECKS, databaseArtifact, GRYPE_DB, JAVA_DB, TRIVY_DB, type DatabaseSpec } from '../support/databases.ts';
import { newLayout, temporaryDirectories } from '../support/layouts.ts';
import { startServe } from '../support/processes.ts';
import { putRoots } from '../support/shop.ts';

const temporary = temporaryDirectories();

const MIRRORED: readonly (readonly [string, string, DatabaseSpec])[] = [
  [
    'aquasec/trivy-db',
    '2',
    { ...TRIVY_DB, annotations: { 'org.opencontainers.image.created': '2026-11-20T06:12:00Z' } },
  ],
  ['aquasec/trivy-java-db', '1', JAVA_DB],
  ['aquasec/trivy-checks', '2', CHECKS],
  ['anchore/grype-db', '6', GRYPE_DB],
];

async function mirror(at: string): Promise<void> {
  for (const [repository, tag, spec] of MIRRORED) {
    const content = new Content();
    const layout = await newLayout(join(at, repository));
    await putRoots(layout, content, [[databaseArtifact(content, spec), { tag }]]);
    await layout.close();
  }
}

describe('ocl scan-db', () => {
  it('lists databases with their ages, places them for each scanner, and says how the scanner is started', async () => {
    const at = await temporary();
    const library = join(at, 'mirror');
    await mirror(library);
    const { stdout: list } = await oclDone(['scan-db', 'ls', library]);
    expect(list.split('\n').map((line) => line.split(/\s{2,}/).slice(0, 2))).toEqual([
      ['REFERENCE', 'DATABASE'],
      ['anchore/grype-db:6', 'grype-db'],
      ['aquasec/trivy-checks:2', 'trivy-checks'],
      ['aquasec/trivy-db:2', 'trivy-db'],
      ['aquasec/trivy-java-db:1', 'trivy-java-db'],
      [''],
    ]);
    const cache = join(at, 'trivy cache');
    const trivy = await oclDone(['scan-db', 'place', library, '--for', 'trivy', '--cache', cache]);
    expect(trivy.stdout).toBe(
      `trivy image --cache-dir '${cache}' --skip-db-update --skip-java-db-update --skip-check-update --offline-scan --skip-version-check --disable-telemetry IMAGE\n`,
    );
    expect(JSON.parse(await readFile(join(cache, 'db/metadata.json'), 'utf8'))).toMatchObject({ Version: 2 });
    const database = `ocidir://${join(library, 'anchore/grype-db')}:6`;
    const to = join(at, 'grype');
    const grype = await oclDone(['scan-db', 'place', database, '--for', 'grype', '--cache', to, '--json']);
    expect(jsonLines(grype.stdout).at(-1)).toMatchObject({
      type: 'summary',
      placed: [{ kind: 'grype-db', version: '6.1.4' }],
      environment: { GRYPE_DB_AUTO_UPDATE: 'false', GRYPE_DB_CACHE_DIR: join(at, 'grype') },
    });
    const cached = await oclDone(['scan-db', 'ls', cache, join(at, 'grype'), '--json']);
    expect(jsonLines<{ kind: string }[]>(cached.stdout)[0]?.map(({ kind }) => kind)).toEqual([
      'trivy-db',
      'trivy-java-db',
      'trivy-checks',
      'grype-db',
    ]);
    const registry = await startServe(library);
    const remote = `${registry.host}/aquasec/trivy-checks:2`;
    await oclDone(['scan-db', 'place', remote, '--for', 'trivy', '--cache', join(at, 'remote')]);
    expect(await registry.stop()).toBe(0);
    expect(JSON.parse(await readFile(join(at, 'remote/policy/metadata.json'), 'utf8'))).toMatchObject({
      MajorVersion: 2,
    });
    const served = await oclDone(['scan-db', 'place', library, '--for', 'trivy', '--serve', '127.0.0.1:5000']);
    expect(served.stdout).toContain('--db-repository 127.0.0.1:5000/aquasec/trivy-db:2 ');
    expect(served.stderr).toContain(`ocl serve ${library} --read-only --listen 127.0.0.1:5000`);
    const stale = await ocl(['scan-db', 'ls', library, '--max-age', '1m']);
    expect([stale.status, stale.stderr]).toEqual([1, expect.stringContaining('OCL_STALE')]);
    const refused = await ocl([
      'scan-db',
      'place',
      library,
      '--for',
      'trivy',
      '--cache',
      join(at, 'new'),
      '--max-age',
      '1s',
    ]);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringContaining('OCL_STALE')]);
    expect(existsSync(join(at, 'new'))).toBe(false);
  });
});

describe('ocl scan-attach', () => {
  it('lets a result travel with its image, from a registry to a layout and on', async () => {
    const at = await temporary();
    const content = new Content();
    const image = content.image({ layers: ['app'] });
    await mkdir(join(at, 'origin'));
    const layout = await newLayout(join(at, 'origin/app'));
    await putRoots(layout, content, [[image, { tag: '1' }]]);
    await layout.close();
    const report = join(at, 'report.json');
    const about = { ImageID: `sha256:${'f'.repeat(64)}` };
    await writeFile(report, JSON.stringify({ SchemaVersion: 2, ArtifactName: 'app', Metadata: about }));
    await writeFile(join(at, 'app.cdx.json'), JSON.stringify({ bomFormat: 'CycloneDX' }));

    const served = await startServe(join(at, 'origin'));
    const attached = await oclDone(['scan-attach', `${served.host}/app:1`, report, '--json'], {
      env: { SOURCE_DATE_EPOCH: '1795155120' },
    });
    expect(jsonLines(attached.stdout).at(-1)).toMatchObject({
      type: 'summary',
      subject: image.digest,
      artifactType: 'application/vnd.aquasec.trivy.report+json',
      format: 'trivy-json',
      title: 'report.json',
      outcome: 'attached',
    });
    expect(attached.stdout).toContain(`speaks of sha256:${'f'.repeat(64)}, which is no part of`);
    await oclDone(['copy', `${served.host}/app:1`, `ocidir://${join(at, 'copy')}:1`]);
    expect(await served.stop()).toBe(0);

    const { stdout } = await oclDone(['scan-attach', `ocidir://${join(at, 'copy')}:1`, join(at, 'app.cdx.json')]);
    const tree = await oclDone(['tree', `ocidir://${join(at, 'copy')}:1`]);
    expect(tree.stdout).toContain(stdout.trim().slice(0, 19));
    const referrers = await oclDone(['referrers', `ocidir://${join(at, 'copy')}:1`, '--json']);
    expect(
      jsonLines<{ artifactType: string; annotations?: object }[]>(referrers.stdout)[0]?.toSorted((a, b) =>
        a.artifactType < b.artifactType ? -1 : 1,
      ),
    ).toMatchObject([
      {
        artifactType: 'application/vnd.aquasec.trivy.report+json',
        annotations: { 'org.opencontainers.image.created': '2026-11-20T06:12:00Z' },
      },
      { artifactType: 'application/vnd.cyclonedx+json' },
    ]);
    await oclDone(['export', join(at, 'copy'), '-o', join(at, 'bundle.tar')]);
    const archived = await ocl(['scan-attach', `oci-archive:${join(at, 'bundle.tar')}`, report]);
    expect([archived.status, archived.stderr]).toEqual([8, expect.stringContaining('an archive is written once')]);
    await writeFile(report, 'nothing');
    const unknown = await ocl(['scan-attach', `ocidir://${join(at, 'copy')}:1`, report]);
    expect([unknown.status, unknown.stderr]).toEqual([8, expect.stringContaining('--type')]);
    const asked = await oclDone(
      ['scan-attach', `ocidir://${join(at, 'copy')}:1`, '-', '--type', 'text/plain', '--title', 'note.txt'],
      { stdin: 'all is well' },
    );
    expect(asked.stderr).toContain('note.txt (text/plain) is attached');
  });
});
