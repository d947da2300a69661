import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { jsonLines, ocl, oclDone } from '../support/cli.ts';
import { Content } from '../support/content.ts';
import { digestsIn, image, namesIn, noise, piece, put } from '../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../support/layouts.ts';
import { peer } from '../support/peers.ts';
import { startServe } from '../support/processes.ts';
import { putRoots } from '../support/shop.ts';

const temporary = temporaryDirectories();
const skopeo = peer('skopeo');
const LAYER = 'application/vnd.oci.image.layer.v1.tar';
const REPOSITORIES = ['large', 'team/web'];
let directory: string;
let origin: string;
let volumes: readonly string[];
let told: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ocl-volumes-'));
  origin = join(directory, 'origin');
  const large = await newLayout(join(origin, 'large'));
  await put(large, image({ name: 'large', layers: [piece(noise(1_200_000, 1), LAYER)] }), '1');
  await large.close();
  const content = new Content();
  const web = content.platforms([{ os: 'linux', architecture: 'amd64' }], { layers: ['a', 'b'] });
  const layout = await newLayout(join(origin, 'team/web'));
  await putRoots(layout, content, [
    [web, { tag: '1' }],
    [content.artifact({ type: 'application/vnd.test.signature', subject: web }), {}],
  ]);
  await layout.close();
  await mkdir(join(directory, 'out'));
  const served = await startServe(origin, ['--read-only']);
  const names = REPOSITORIES.map((repository) => `${served.host}/${repository}:1`);
  // Straight from the network into the volumes.
  const args = ['export', ...names, '-o', join(directory, 'out', 'set.tar'), '--volume-size', '500KB', '--json'];
  told = (await oclDone(args)).stdout;
  await served.stop();
  volumes = (await readdir(join(directory, 'out'))).toSorted().map((name) => join(directory, 'out', name));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

async function holdings(library: string): Promise<unknown> {
  return await Promise.all(
    REPOSITORIES.map(async (repository) => {
      const layout = await openLayout(join(library, repository), layoutOptions());
      return [await namesIn(layout), await digestsIn(layout)];
    }),
  );
}

describe('volumes of a set', () => {
  it('are told by their export', () => {
    const [summary] = jsonLines<{ type: string; volumes: { path: string; size: number; capacity: number }[] }>(
      told,
    ).filter(({ type }) => type === 'summary');
    expect(summary?.volumes.map(({ path }) => path)).toEqual(volumes);
    expect(summary?.volumes.every(({ size, capacity }) => size <= capacity && capacity === 500_000)).toBe(true);
  });

  it('go over the gap one by one, are proved as they are burnt, and make the same library', async () => {
    expect(volumes.map((path) => basename(path))).toEqual([
      'set.vol01of03.tar',
      'set.vol02of03.tar',
      'set.vol03of03.tar',
    ]);
    for (const volume of volumes) {
      expect((await ocl(['verify', volume])).status).toBe(2);
      await oclDone(['verify', volume, '--part']);
    }
    await oclDone(['verify', ...volumes]);
    const library = join(directory, 'library');
    const [one = '', two = '', three = ''] = volumes;
    const receipt = join(directory, 'receipt.json');
    const first = await ocl(['import', three, library, '--receipt', receipt]);
    expect(first.status).toBe(2);
    expect(first.stderr).toContain('still missing 1, 2');
    const awaited = [
      { volumes: 3, missing: [1, 2], images: [{ name: expect.any(String), missing: expect.any(Array) }] },
    ];
    expect(JSON.parse(await readFile(receipt, 'utf8'))).toMatchObject({ images: [{ outcome: 'copied' }], awaited });
    await oclDone(['gc', library, '--grace', '0']);
    const repository = `ocidir://${join(library, REPOSITORIES[0] ?? '')}`;
    expect((await oclDone(['check', repository])).stderr).toContain(`ocl import --check FILE... ${repository}`);
    expect((await oclDone(['check', library])).stderr).toContain('imports are not complete (1)');
    const told = await ocl(['import', '--check', three, library]);
    expect([told.status, told.stderr]).toEqual([2, expect.stringContaining('still missing 1, 2')]);
    const second = await ocl(['import', one, library, '--json']);
    expect(second.status).toBe(2);
    expect(jsonLines(second.stdout).at(-1)).toMatchObject({ awaited: [{ volumes: 3, missing: [2] }] });
    await oclDone(['import', two, library]);
    expect(await holdings(library)).toEqual(await holdings(origin));
    expect((await oclDone(['check', library, '--strict'])).stderr).not.toContain('imports are');
    expect((await readdir(library)).toSorted()).toEqual(REPOSITORIES.map((name) => name.split('/')[0]));
  });

  it('are listed, inspected, checked and served where they lie', async () => {
    const [one = '', ...others] = volumes;
    const listed = await oclDone(['ls', one, ...others, '--json']);
    expect(jsonLines<{ reference: string }[]>(listed.stdout)[0]?.map(({ reference }) => reference)).toEqual([
      'large:1',
      'team/web:1',
    ]);
    await oclDone(['check', one, ...others]);
    const served = await startServe(one, others);
    const pulled = join(directory, 'pulled');
    for (const repository of REPOSITORIES)
      await oclDone(['copy', `${served.host}/${repository}:1`, `ocidir://${pulled}/${repository}:1`]);
    expect(await served.stop()).toBe(0);
    expect((await holdings(pulled)) as unknown[]).toEqual(await holdings(origin));
  });

  it('are not exported in part without a word', async () => {
    const part = await ocl(['export', volumes[0] ?? '', '-o', join(directory, 'part.tar')]);
    expect(part.status).toBe(1);
    expect(part.stderr).toContain('OCL_INCOMPLETE');
    await oclDone(['export', ...volumes.toReversed(), '-o', join(directory, 'again.tar')]);
    await oclDone([
      'split',
      join(directory, 'again.tar'),
      '--volume-size',
      '500KB',
      '-o',
      join(directory, 'again.tar'),
    ]);
    for (const [i, volume] of volumes.entries()) {
      const again = join(directory, `again.vol0${i + 1}of03.tar`);
      expect((await readFile(again)).equals(await readFile(volume))).toBe(true);
    }
  });

  it.each<readonly [string, (volume: Buffer) => Buffer, string]>([
    ['cut off', (volume) => volume.subarray(0, 1000), 'cannot be read'],
    [
      'altered',
      (volume) => Buffer.from(volume.map((byte, i) => (i === 300_000 ? byte ^ 4 : byte))),
      'its part in volume 1',
    ],
  ])('are told when one is %s', async (_what, spoil, says) => {
    const [one = '', ...others] = volumes;
    const spoilt = join(await temporary(), 'spoilt.tar');
    await writeFile(spoilt, spoil(await readFile(one)));
    const { status, stdout } = await ocl(['verify', spoilt, ...others]);
    expect(status).toBe(1);
    expect(stdout).toContain(says);
  });

  it.skipIf(skopeo.missing)(`are each read by skopeo for what is complete in them${skopeo.note}`, async () => {
    const found: string[] = [];
    for (const [i, volume] of volumes.entries()) {
      const names = await oclDone(['ls', volume, '--json']);
      for (const { reference } of jsonLines<{ reference: string }[]>(names.stdout)[0] ?? []) {
        const index = JSON.parse(execFileSync('tar', ['-xOf', volume, 'index.json'], { encoding: 'utf8' })) as {
          manifests: { annotations?: Record<string, string> }[];
        };
        const name = index.manifests[0]?.annotations?.['org.opencontainers.image.ref.name'] ?? '';
        const target = join(directory, `skopeo-${i}`);
        skopeo.run(['--insecure-policy', 'copy', `oci-archive:${volume}:${name}`, `oci:${target}:1`]);
        found.push(reference);
      }
    }
    expect(found).toEqual(['team/web:1']);
  });
});

/** A file system of a size, where this machine lets us make one. */
function mountSmall(path: string, size: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe('a disk that is too small', () => {
  let small: string;
  let mounted = false;
  beforeAll(async () => {
    small = await mkdtemp(join(tmpdir(), 'ocl-small-'));
    mounted = process.platform === 'linux' && mountSmall(small, '1200k');
  });
  afterAll(async () => {
    if (mounted) execFileSync('umount', [small]);
    await rm(small, { recursive: true, force: true });
  });

  it('is told with the same command finishing when there is room', async (context) => {
    if (!mounted) return context.skip('this machine lets nobody mount a small file system');
    const args = ['export', origin, '-o', join(small, 'set.tar'), '--volume-size', '500KB', '--no-space-check'];
    const full = await ocl(args);
    expect([full.status, full.stderr]).toEqual([7, expect.stringContaining('OCL_NO_SPACE')]);
    expect(await readdir(small)).toEqual([]);
    execFileSync('mount', ['-o', 'remount,size=4m', small]);
    await oclDone(args);
    await oclDone(['verify', ...(await readdir(small)).map((name) => join(small, name))]);
    await rm(join(small, 'set.vol01of03.tar'));
    // As a run leaves it that is killed while volumes get their names.
    await oclDone(args);
    expect(await readdir(small)).toHaveLength(3);
    for (const name of await readdir(small)) await rm(join(small, name));

    execFileSync('mount', ['-o', 'remount,size=700k', small]);
    const library = join(small, 'library');
    const into = ['import', ...volumes.slice(0, 2), library, '--no-space-check'];
    const refused = await ocl(into);
    expect([refused.status, refused.stderr]).toEqual([expect.any(Number), expect.stringContaining('OCL_NO_SPACE')]);
    execFileSync('mount', ['-o', 'remount,size=8m', small]);
    expect((await ocl(into)).status).toBe(2);
    await oclDone(['import', volumes[2] ?? '', library, '--no-space-check']);
    expect(await holdings(library)).toEqual(await holdings(origin));
  });
});
