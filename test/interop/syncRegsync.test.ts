import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ocl, resultOf, type CliResult } from '../support/cli.ts';
import { AMD64, ARM64, image, index, sbom, signature } from '../support/graphs.ts';
import { peer } from '../support/peers.ts';
import { SyncWorld } from '../support/syncWorld.ts';
import { type Named } from '../support/worlds.ts';

const regsync = peer('regsync', { probe: ['version'], optional: true });

const DIFFERENCES = resolve(import.meta.dirname, '../../docs/regsync-compatibility.md');

const TAGS = [
  '0.0.0',
  '0.1.0',
  '1.0.0',
  '1.0.3',
  '1.1.0',
  '1.2.0',
  '1.2.0-rc.2',
  '1.2.0-rc.11',
  '2.0.0',
  '2.0.0-rc',
  'x-rc',
  'v1',
  'v2',
  'v1-foo',
  'xv2',
  'latest',
  '3.1',
  '3.10',
];
const MANY = TAGS.map((tag) => named(image({ name: tag }), tag));
const platforms = [AMD64, ARM64].map((platform) => image({ name: 'app', platform }));
const app = index(platforms);
const [signed, parts] = [signature(app.root), sbom(app.root)];
const countersigned = signature(signed.root, 'signed again');
const cosigned = named(image({ name: 'cosigned' }), `${app.root.digest.replace(':', '-')}.sig`);
const APP = [named(app, '1'), ...[signed, parts, countersigned].map((graph) => ({ graph, name: {} })), cosigned];

interface Row {
  readonly title: string;
  /** Of the step beside its ends, in YAML that both programs read. */
  readonly keys: string;
  /** Tags of many images; without it one image with referrers, and a tag of its digest. */
  readonly of: 'many' | 'app';
  readonly type?: 'image' | 'repository' | 'registry';
  readonly before?: readonly Named[];
  /** Tags that are at the target afterwards. */
  readonly tags: readonly string[];
  /** Tags that regsync takes instead, and the words under which docs/regsync-compatibility.md tells why. */
  readonly differs?: { readonly theirs: readonly string[]; readonly words: string };
  /** Referrers that are at the target afterwards. */
  readonly referrers?: readonly Named[];
}

const RC = ['1.2.0-rc.2', '1.2.0-rc.11'];
const ROWS: readonly Row[] = [
  {
    title: 'a pattern with | outside of a group',
    keys: 'tags: {allow: ["v1|v2"]}',
    of: 'many',
    tags: ['v1', 'v2', 'v1-foo', 'xv2'],
  },
  { title: 'a pattern that begins with *', keys: 'tags: {allow: ["*-rc"]}', of: 'many', tags: ['2.0.0-rc', 'x-rc'] },
  {
    title: 'patterns that exclude',
    keys: 'tags: {deny: [".*rc.*", "v.*", "[0-9].*"]}',
    of: 'many',
    tags: ['xv2', 'latest'],
  },
  {
    title: 'what RE2 knows',
    keys: 'tags: {allow: ["(?i)LATEST", "[[:digit:]]+\\\\.[[:digit:]]+"]}',
    of: 'many',
    tags: ['latest', '3.1', '3.10'],
  },
  {
    title: 'a range of versions',
    keys: 'tags: {semverRange: [">=1.1.0 <2.0.0"]}',
    of: 'many',
    tags: ['1.1.0', '1.2.0', ...RC, '2.0.0-rc'],
  },
  {
    title: 'ranges, and patterns that exclude',
    keys: 'tags: {semverRange: ["^1.0.1", "~3.1"], deny: [".*-.*"]}',
    of: 'many',
    tags: ['1.0.3', '1.1.0', '1.2.0', '3.1'],
  },
  {
    title: 'ranges of which one number is given',
    keys: 'tags: {semverRange: ["^0", "~1"], deny: ["v.*"]}',
    of: 'many',
    tags: ['0.0.0', '1.0.0', '1.0.3'],
  },
  {
    title: 'several sets',
    keys: 'tagSets: [{allow: [latest]}, {semverRange: [">=2"], deny: [".*rc.*"]}], tags: {allow: ["v1"]}',
    of: 'many',
    tags: ['latest', '2.0.0', 'v2', '3.1', '3.10', 'v1'],
  },
  {
    title: 'a range from a prerelease on',
    keys: 'tags: {semverRange: [">=1.2.0-rc.5 <=1.2.0"]}',
    of: 'many',
    tags: ['1.2.0-rc.11', '1.2.0'],
    differs: { theirs: ['1.2.0', ...RC], words: 'prereleases in `semverRange`' },
  },
  {
    title: 'an unquoted number',
    keys: 'tags: {allow: [3.10]}',
    of: 'many',
    tags: ['3.10'],
    differs: { theirs: ['3.1'], words: 'unquoted `3.10`' },
  },
  { title: 'one platform', type: 'image', keys: 'platform: linux/arm64', of: 'app', tags: ['1'] },
  { title: 'some platforms', type: 'image', keys: 'platforms: [linux/amd64]', of: 'app', tags: ['1'] },
  { title: 'referrers', type: 'image', keys: 'referrers: true', of: 'app', tags: ['1'], referrers: APP.slice(1, 4) },
  {
    title: 'referrers of one type',
    type: 'image',
    keys: 'referrers: true, referrerFilters: [{artifactType: application/spdx+json}]',
    of: 'app',
    tags: ['1'],
    referrers: APP.slice(2, 3),
  },
  {
    title: 'tags of digests',
    type: 'image',
    keys: 'digestTags: true',
    of: 'app',
    tags: ['1', cosigned.name.tag ?? ''],
  },
  {
    title: 'a backup beside',
    type: 'image',
    keys: 'backup: "old-{{.Ref.Tag}}"',
    of: 'app',
    before: [named(image({ name: 'old' }), '1')],
    tags: ['1', 'old-1'],
  },
  {
    title: 'media types',
    type: 'image',
    keys: 'mediaTypes: ["application/vnd.oci.image.manifest.v1+json"]',
    of: 'app',
    tags: [],
  },
  {
    title: 'all repositories below a name',
    type: 'registry',
    keys: 'repos: {allow: ["all/.*"], deny: [".*/other"]}, tags: {allow: ["v.*"]}',
    of: 'many',
    tags: ['v1', 'v2', 'v1-foo'],
  },
];

describe.skipIf(regsync.missing)(`ocl sync and regsync, given the same file${regsync.note}`, () => {
  let world: SyncWorld;
  const ran = new Map<string, CliResult>();

  beforeAll(async () => {
    world = await SyncWorld.start('embedded');
    for (const [name, images] of [
      ['many', MANY],
      ['app', APP],
      ['all/a', MANY],
      ['all/other', MANY],
    ] as const)
      await world.stock(world.place('registry', 'source', name), images);
    for (const tool of ['ocl', 'regsync']) {
      for (const [number, row] of ROWS.entries())
        if (row.before !== undefined) await world.stock(targetOf(tool, number, row), row.before);
      const file = await fileFor(tool);
      const env = { ...process.env, BELOW: tool };
      const args = tool === 'ocl' ? ['sync', '--config', file, '--json'] : ['once', '-c', file];
      ran.set(
        tool,
        tool === 'ocl' ? await ocl(args, { env: { BELOW: tool } }) : await resultOf(spawn(tool, args, { env })),
      );
    }
  }, 120_000);
  afterAll(async () => {
    await world?.close();
  });

  /** The same text for both, but for the directory: where it leads to is a matter of the environment. */
  async function fileFor(tool: string): Promise<string> {
    const hosts = [world.source.host, world.target.host]
      .map((host) => `  - {registry: "${host}", tls: disabled}\n`)
      .join('');
    const steps = ROWS.map(({ type = 'repository', of, keys }, number) => {
      const tag = type === 'image' ? ':1' : '';
      const source = type === 'registry' ? world.source.host : `${world.source.host}/${of}${tag}`;
      const target = `${world.target.host}/{{ env "BELOW" }}/row${number}${type === 'registry' ? '' : '/{{ index (split .Sync.Source "/") 1 }}'}`;
      return `  - {type: ${type}, source: "${source}", target: '${target}', ${keys}}\n`;
    });
    const file = join(world.directory, `${tool}.yaml`);
    await writeFile(file, `version: 1\ncreds:\n${hosts}defaults: {parallel: 2}\nsync:\n${steps.join('')}`);
    return file;
  }

  function targetOf(tool: string, number: number, { type, of }: Row): string {
    return `${world.target.host}/${tool}/row${number}/${type === 'registry' ? 'all/a' : of}`;
  }

  async function tagsAt(place: string): Promise<Readonly<Record<string, string | undefined>>> {
    const tags: Record<string, string | undefined> = {};
    for (const tag of await world.tags(place)) tags[tag] = await world.digest(`${place}:${tag}`);
    return tags;
  }

  it('ends well with both', () => {
    for (const { status, stderr } of ran.values()) expect([status, stderr]).toEqual([0, expect.any(String)]);
  });

  it.each(ROWS.map((row, number) => [row.title, row, number] as const))('%s', async (_, row, number) => {
    const [ours, theirs] = [targetOf('ocl', number, row), targetOf('regsync', number, row)];
    const [mine, other] = [await tagsAt(ours), await tagsAt(theirs)];
    expect(Object.keys(mine).toSorted()).toEqual(row.tags.toSorted());
    if (row.differs === undefined) expect(mine).toEqual(other);
    else {
      expect(Object.keys(other).toSorted()).toEqual(row.differs.theirs.toSorted());
      expect(await readFile(DIFFERENCES, 'utf8')).toContain(`| ${row.differs.words}`);
    }
    for (const place of [ours, theirs]) {
      expect(await world.differences(place, row.referrers ?? [])).toEqual([]);
      const absent = row.of === 'app' ? APP.slice(1, 4).filter((each) => row.referrers?.includes(each) !== true) : [];
      for (const { graph } of absent) expect(await world.digest(`${place}@${graph.root.digest}`)).toBeUndefined();
    }
  });
});

function named(graph: Named['graph'], tag: string): Named {
  return { graph, name: { tag } };
}
