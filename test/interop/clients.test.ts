import { mkdir, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { oclDone } from '../support/cli.ts';
import { peer } from '../support/peers.ts';
import { startServe, type Served } from '../support/processes.ts';
import { makeShop, writeLibrary } from '../support/shop.ts';
import { checked, listed, referrersOf, workspace } from './support.ts';

const crane = peer('crane', { probe: ['version'], optional: true });
const regctl = peer('regctl', { probe: ['version'], optional: true });
const oras = peer('oras', { probe: ['version'], optional: true });

const path = workspace();
const shop = makeShop();
const { web, tool, digestTag } = shop;
const older = shop.repositories[0]?.roots[1]?.[0] ?? web;
const [signature, sbom] = shop.referrers;
const words = (text: string): readonly string[] => text.trim().split(/\s+/).toSorted();

let served: Served;
beforeAll(async () => {
  await writeLibrary(path('library'), shop);
  await oclDone(['export', path('library'), '-o', path('all.tar')]);
  await oclDone(['export', `ocidir://${path('library')}/team/web:1.0`, '-o', path('one.tar'), '--no-digest-tags']);
  served = await startServe(path('library'));
});
afterAll(() => served.stop());

describe.skipIf(crane.missing)(`crane${crane.note}`, () => {
  const run = (...args: readonly string[]): string => crane.run(['--insecure', ...args]).trim();
  const name = (text: string): string => `${served.host}/${text}`;

  it('asks ocl serve for names and digests', () => {
    expect(words(run('catalog', served.host))).toEqual(expect.arrayContaining(['team/web', 'tool']));
    expect(words(run('ls', name('team/web')))).toEqual(expect.arrayContaining(['1.0', '2.0', digestTag]));
    expect(run('digest', name('team/web:2.0'))).toBe(web.digest);
    expect(run('digest', name('tool'))).toBe(tool.digest);
    run('validate', '--remote', name('team/web:1.0'));
  });

  it('pulls forms that ocl reads, and pushes what ocl has written', async () => {
    run('pull', name('team/web:1.0'), path('crane.tar'));
    expect(Object.keys(await listed(path('crane.tar')))).toEqual(['team/web:1.0']);
    expect((await checked(path('crane.tar'))).damaged).toBe(false);
    run('pull', '--format=oci', name('team/web:2.0'), path('crane-layout'));
    expect(Object.values(await listed(path('crane-layout'), '--all'))).toEqual([web.digest]);
    run('push', path('one.tar'), name('pushed:1'));
    await oclDone([
      'copy',
      `ocidir://${path('library')}/team/web:1.0`,
      `ocidir://${path('alone')}:1`,
      '--no-digest-tags',
    ]);
    run('push', path('alone'), name('pushed:2'));
    expect(run('digest', name('pushed:2'))).toBe(older.digest);
  });

  it('copies, tags and deletes in ocl serve', async () => {
    run('copy', name('team/web:2.0'), name('by-crane:2'));
    run('tag', name('by-crane:2'), 'again');
    expect(words(run('ls', name('by-crane')))).toEqual(['2', 'again']);
    run('delete', name('by-crane:again'));
    expect(Object.values(await listed(name('by-crane')))).toEqual([web.digest]);
  });
});

describe.skipIf(regctl.missing)(`regctl${regctl.note}`, () => {
  const run = (...args: readonly string[]): string =>
    regctl.run(['--host', `reg=${served.host},tls=disabled`, ...args], { env: { REGCTL_CONFIG: path('regctl.json') } });
  const name = (text: string): string => `${served.host}/${text}`;
  const listOf = (text: string): readonly string[] =>
    [
      ...run('artifact', 'list', '--format', '{{range .Descriptors}}{{println .Digest}}{{end}}', text).matchAll(
        /sha256:\w+/g,
      ),
    ]
      .map(([digest]) => digest)
      .toSorted();

  it('copies with referrers out of ocl serve, and ocl reads them', async () => {
    expect(listOf(name('team/web:2.0'))).toEqual([signature?.digest]);
    const layout = path('by-regctl');
    run('image', 'copy', '--referrers', '--digest-tags', name('team/web:2.0'), `ocidir://${layout}:2.0`);
    expect((await listed(layout))['by-regctl:2.0']).toBe(web.digest);
    expect(await referrersOf(`ocidir://${layout}:2.0`)).toEqual([signature?.digest]);
    expect(await referrersOf(`ocidir://${layout}@${sbomSubject()}`)).toEqual([sbom?.digest]);
    expect((await checked(layout)).damaged).toBe(false);
    await oclDone(['copy', `ocidir://${layout}:2.0`, name('from-regctl:2.0')]);
    expect(listOf(name('from-regctl:2.0'))).toEqual([signature?.digest]);
  });

  it('reads the layouts of ocl and exports what ocl reads', async () => {
    expect(run('image', 'digest', `ocidir://${path('library')}/team/web:2.0`).trim()).toBe(web.digest);
    run('image', 'export', name('team/web:1.0'), path('regctl.tar'));
    expect(Object.values(await listed(path('regctl.tar')))).toEqual([older.digest]);
    expect((await checked(path('regctl.tar'))).damaged).toBe(false);
    run('image', 'import', name('imported:1'), path('one.tar'));
    expect(run('image', 'digest', name('imported:1')).trim()).toBe(older.digest);
  });

  it('attaches to an image in ocl serve, and takes it away', async () => {
    await writeFile(path('note.txt'), 'a note');
    const args = ['--artifact-type', 'application/vnd.test.note', '--subject', name('team/web:1.0')];
    run('artifact', 'put', ...args, '--file', path('note.txt'), '--file-media-type', 'text/plain');
    const [attached = ''] = await referrersOf(name('team/web:1.0'));
    expect(listOf(name('team/web:1.0'))).toEqual([attached]);
    run('manifest', 'delete', `${name('team/web')}@${attached}`);
    expect(await referrersOf(name('team/web:1.0'))).toEqual([]);
    run('tag', 'delete', name('team/web:1.0'));
    expect(words(run('tag', 'ls', name('team/web')))).not.toContain('1.0');
  });
});

describe.skipIf(oras.missing)(`oras${oras.note}`, () => {
  const name = (text: string): string => `${served.host}/${text}`;

  it('pushes, attaches and copies', async () => {
    await mkdir(path('files'));
    await writeFile(path('files', 'a.txt'), 'a');
    const run = (...args: readonly string[]): string => oras.run(args, { cwd: path('files') });
    run('push', '--plain-http', '--artifact-type', 'application/vnd.test.a', name('by-oras:1'), 'a.txt:text/plain');
    run('attach', '--plain-http', '--artifact-type', 'application/vnd.test.b', name('by-oras:1'), 'a.txt:text/plain');
    const found = await referrersOf(name('by-oras:1'));
    expect(found).toHaveLength(1);
    run('cp', '-r', '--from-plain-http', name('by-oras:1'), '--to-oci-layout', `${path('oras')}:1`);
    expect(await referrersOf(`oci:${path('oras')}:1`)).toEqual(found);
    expect((await checked(path('oras'))).damaged).toBe(false);
    run('pull', '--oci-layout', `${path('library')}/tool:latest`, '-o', path('pulled'));
  });
});

/** The image of the index that the SBOM speaks of. */
function sbomSubject(): string {
  const bytes = shop.content.bytes(sbom ?? web);
  return (JSON.parse(Buffer.from(bytes).toString()) as { readonly subject: { readonly digest: string } }).subject
    .digest;
}
