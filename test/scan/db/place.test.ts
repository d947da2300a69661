import { chmod, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ErrorCode } from '../../../src/core/errors.ts';
import { type OclEvent } from '../../../src/core/events.ts';
import { ageText } from '../../../src/scan/db/age.ts';
import { cachedDatabases } from '../../../src/scan/db/cache.ts';
import { databasesFor, findDatabases, type Candidate } from '../../../src/scan/db/find.ts';
import { type DatabaseKind } from '../../../src/scan/db/kinds.ts';
import { madeInside } from '../../../src/scan/db/inside.ts';
import { offlineTrivy, servedTrivy } from '../../../src/scan/db/offline.ts';
import { placeDatabase, type PlaceOptions } from '../../../src/scan/db/place.ts';
import { withWorkDirectory } from '../../../src/scan/db/workDirectory.ts';
import { createXxh64 } from '../../../src/io/xxhash.ts';
import { createMemory } from '../../../src/stores/memory/store.ts';
import { Content } from '../../support/content.ts';
import {
  CHECKS,
  databaseArtifact,
  GRYPE_DB,
  JAVA_DB,
  MADE,
  TRIVY_DB,
  type DatabaseSpec,
} from '../../support/databases.ts';
import { fakeClock } from '../../support/fakeClock.ts';
import { fileTree, shortTree } from '../../support/fileTrees.ts';
import { temporaryDirectories } from '../../support/layouts.ts';
import { putRoots } from '../../support/shop.ts';
import { rawTar } from '../../support/tarCases.ts';
import { gzipSync } from 'node:zlib';

const temporary = temporaryDirectories();
const NOW = Date.parse('2026-11-21T06:12:00Z');
const DAY = 86_400_000;

async function stored(...specs: readonly DatabaseSpec[]): Promise<readonly Candidate[]> {
  const content = new Content();
  const roots = specs.map((spec) => databaseArtifact(content, spec));
  const source = createMemory();
  await putRoots(
    source,
    content,
    roots.map((root, i) => [root, { tag: `t${i}` }]),
  );
  return roots.map((root, i) => ({ reference: `place:t${i}`, repository: 'place', source, root, named: true }));
}

async function* each<T>(list: readonly T[]): AsyncGenerator<T> {
  yield* list;
}

async function place(spec: DatabaseSpec, scanner: 'trivy' | 'grype', cache: string, more: Partial<PlaceOptions> = {}) {
  const events: OclEvent[] = [];
  const [found] = await databasesFor(scanner, each(await stored(spec)));
  if (found === undefined) throw new Error('the test found no database');
  const { source, database, reference } = found;
  const options = {
    cache,
    name: reference,
    clock: fakeClock(NOW),
    emit: (event: OclEvent) => void events.push(event),
    ...more,
  };
  const placed = await placeDatabase(source, database, options);
  const warnings = events.flatMap((event) => (event.type === 'notice' ? [event.message] : []));
  return { placed, digest: database.digest, warnings };
}

const json = async (path: string): Promise<unknown> => JSON.parse(await readFile(path, 'utf8'));

describe('a database for Trivy', () => {
  it('is put where Trivy looks, with the time at which it came', async () => {
    const cache = join(await temporary(), 'cache');
    const { placed, warnings } = await place(TRIVY_DB, 'trivy', cache);
    expect(await json(join(cache, 'db/metadata.json'))).toEqual({
      Version: 2,
      NextUpdate: '2026-11-21T06:12:00Z',
      UpdatedAt: MADE,
      DownloadedAt: '2026-11-21T06:12:00.000Z',
    });
    expect([...(await fileTree(cache)).keys()]).toEqual(['db', 'db/metadata.json', 'db/trivy.db']);
    expect(await readFile(join(cache, 'db/trivy.db'), 'utf8')).toBe('vulnerabilities');
    expect(placed).toEqual({
      kind: 'trivy-db',
      directory: join(cache, 'db'),
      version: '2',
      updatedAt: new Date(MADE).toISOString(),
      updatedBy: 'record',
      nextUpdate: '2026-11-21T06:12:00.000Z',
      downloadedAt: '2026-11-21T06:12:00.000Z',
    });
    expect(warnings).toEqual([]);
    expect(await cachedDatabases(cache)).toEqual([placed]);
  });

  it('replaces the one before, and leaves what else is in the cache', async () => {
    const cache = await temporary();
    await mkdir(join(cache, 'db'));
    await mkdir(join(cache, 'fanal'));
    for (const [name, text] of [
      ['db/trivy.db', 'old'],
      ['db/metadata.json', '{}'],
      ['db/note', 'mine'],
      ['fanal/fanal.db', 'kept'],
    ] as const)
      await writeFile(join(cache, name), text);
    await place(TRIVY_DB, 'trivy', cache);
    expect(await shortTree(cache)).toEqual([
      'db/',
      expect.stringContaining('db/metadata.json={"Version":2'),
      'db/note=mine',
      'db/trivy.db=vulnerabilities',
      'fanal/',
      'fanal/fanal.db=kept',
    ]);
  });

  it('for Java goes beside it', async () => {
    const cache = await temporary();
    await place(TRIVY_DB, 'trivy', cache);
    const { placed } = await place(JAVA_DB, 'trivy', cache);
    expect(await json(join(cache, 'java-db/metadata.json'))).toMatchObject({
      Version: 1,
      DownloadedAt: '2026-11-21T06:12:00.000Z',
    });
    expect(await readFile(join(cache, 'java-db/trivy-java.db'), 'utf8')).toBe('jars');
    expect((await cachedDatabases(cache)).map(({ kind }) => kind)).toEqual(['trivy-db', 'trivy-java-db']);
    expect(placed.version).toBe('1');
  });

  it('of checks is a directory of its own, with its digest and version', async () => {
    const cache = await temporary();
    await mkdir(join(cache, 'policy/content'), { recursive: true });
    await writeFile(join(cache, 'policy/content/old.rego'), 'old');
    const { digest, placed } = await place(CHECKS, 'trivy', cache);
    expect(await json(join(cache, 'policy/metadata.json'))).toEqual({
      Digest: digest,
      DownloadedAt: '2026-11-21T06:12:00.000Z',
      MajorVersion: 2,
    });
    expect([...(await fileTree(cache)).keys()]).toEqual([
      'policy',
      'policy/content',
      'policy/content/.manifest',
      'policy/content/policies',
      'policy/content/policies/docker',
      'policy/content/policies/docker/root.rego',
      'policy/metadata.json',
    ]);
    expect(placed).toMatchObject({ version: '2.1.3', updatedAt: new Date(MADE).toISOString() });
    expect(await cachedDatabases(cache)).toEqual([{ ...placed, version: '2', updatedBy: 'file' }]);
  });

  it('of checks leaves those before when its record cannot be written', async () => {
    const cache = await temporary();
    await place(CHECKS, 'trivy', cache);
    await rm(join(cache, 'policy/metadata.json'));
    await mkdir(join(cache, 'policy/metadata.json/in-the-way'), { recursive: true });
    const before = await shortTree(cache);
    const other = { ...CHECKS, files: { 'policies/other.rego': 'package other' } };
    await expect(place(other, 'trivy', cache)).rejects.toThrow('metadata.json');
    expect(await shortTree(cache)).toEqual(before);
  });

  it('of checks leaves nothing where there were none and its record cannot be written', async () => {
    const cache = await temporary();
    await mkdir(join(cache, 'policy/metadata.json/in-the-way'), { recursive: true });
    const before = await shortTree(cache);
    await expect(place(CHECKS, 'trivy', cache)).rejects.toThrow('metadata.json');
    expect(await shortTree(cache)).toEqual(before);
  });

  it.each([
    ['before the old ones are moved away', []],
    ['when those are moved away', ['content', 'WORK/before']],
    ['when the new ones are in their place', ['content', 'WORK/before', 'WORK/content', 'content']],
  ])('of checks comes back when the run was killed %s, with its record', async (_, moves) => {
    const cache = await temporary();
    await place(CHECKS, 'trivy', cache);
    const before = await shortTree(cache);
    const at = (path: string): string => join(cache, 'policy', path.replace('WORK', '.ocl-1-abcdef.tmp'));
    await mkdir(at('WORK/content'), { recursive: true });
    await writeFile(at('WORK/content/new.rego'), 'new');
    await writeFile(at('WORK/record.json'), '{"Digest":"new"}');
    for (let i = 0; i < moves.length; i += 2) await rename(at(moves[i] ?? ''), at(moves[i + 1] ?? ''));
    await mkdir(at('.ocl-2-abcdef.tmp/content'), { recursive: true });
    await expect(place(CHECKS, 'trivy', cache, { maxAge: DAY - 1 })).rejects.toMatchObject({ code: 'OCL_STALE' });
    expect(await shortTree(cache)).toEqual(before);
  });

  it('of checks that were the first is gone when the run was killed before they had a record', async () => {
    const cache = await temporary();
    for (const path of ['policy/content', 'policy/.ocl-1-abcdef.tmp'])
      await mkdir(join(cache, path), { recursive: true });
    await writeFile(join(cache, 'policy/content/new.rego'), 'new');
    await writeFile(join(cache, 'policy/.ocl-1-abcdef.tmp/record.json'), '{}');
    await expect(place(CHECKS, 'trivy', cache, { maxAge: DAY - 1 })).rejects.toMatchObject({ code: 'OCL_STALE' });
    expect(await shortTree(cache)).toEqual(['policy/']);
  });

  it('of checks stays when the run was killed after they had their record', async () => {
    const cache = await temporary();
    await place(CHECKS, 'trivy', cache);
    const before = await shortTree(cache);
    await mkdir(join(cache, 'policy/.ocl-1-abcdef.tmp/before'), { recursive: true });
    await expect(place(CHECKS, 'trivy', cache, { maxAge: DAY - 1 })).rejects.toMatchObject({ code: 'OCL_STALE' });
    expect(await shortTree(cache)).toEqual(before);
  });

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)(
    'of checks that cannot be brought back stays for the next run',
    async () => {
      const cache = await temporary();
      await place(CHECKS, 'trivy', cache);
      const before = await shortTree(cache);
      const policy = join(cache, 'policy');
      let left = '';
      const failing = withWorkDirectory(policy, { clock: fakeClock(NOW), emit: () => {} }, async (work) => {
        await writeFile(join(work, 'record.json'), '{}');
        await rename(join(policy, 'content'), join(work, 'before'));
        // Its entry `..` cannot be changed then, so it cannot be moved.
        await chmod(join(work, 'before'), 0o555);
        left = join(work, 'before');
        throw new Error('the disk is gone');
      });
      await expect(failing).rejects.toThrow('the disk is gone');
      await chmod(left, 0o755);
      await expect(place(CHECKS, 'trivy', cache, { maxAge: DAY - 1 })).rejects.toMatchObject({ code: 'OCL_STALE' });
      expect(await shortTree(cache)).toEqual(before);
    },
  );

  it('of checks that a scanner has put there meanwhile is left alone', async () => {
    const cache = await temporary();
    await place(CHECKS, 'trivy', cache);
    const before = await shortTree(cache);
    const left = join(cache, 'policy/.ocl-1-abcdef.tmp');
    for (const name of ['content', 'before']) await mkdir(join(left, name), { recursive: true });
    await writeFile(join(left, 'record.json'), '{}');
    await expect(place(CHECKS, 'trivy', cache, { maxAge: DAY - 1 })).rejects.toMatchObject({ code: 'OCL_STALE' });
    expect(await shortTree(cache)).toEqual(before);
  });

  it('of checks that somebody built is marked so, for Trivy looks at no version then', async () => {
    const cache = await temporary();
    await place({ ...CHECKS, annotations: {} }, 'trivy', cache);
    expect(await json(join(cache, 'policy/metadata.json'))).toMatchObject({ MajorVersion: 0, CustomBuild: true });
  });

  it('of another schema is placed with a warning', async () => {
    const cache = await temporary();
    const files = { ...TRIVY_DB.files, 'metadata.json': JSON.stringify({ Version: 3, UpdatedAt: MADE }) };
    const { warnings } = await place({ ...TRIVY_DB, files }, 'trivy', cache);
    expect(warnings).toEqual([expect.stringContaining('has schema 3')]);
  });
});

describe('a database for Grype', () => {
  it('is put where Grype looks, with the sum that it checks, as if an old version had imported it', async () => {
    const cache = await temporary();
    const { placed } = await place(GRYPE_DB, 'grype', cache);
    const hasher = await createXxh64();
    hasher.update(Buffer.from('SQLite format 3\0'));
    expect(await json(join(cache, '6/import.json'))).toEqual({
      digest: `xxh64:${hasher.digest()}`,
      source: 'place:t0',
      client_version: 'v6.0.0',
    });
    expect([...(await fileTree(cache)).keys()]).toEqual(['6', '6/import.json', '6/vulnerability.db']);
    expect((await stat(join(cache, '6/vulnerability.db'))).mtimeMs).toBe(Date.parse(MADE));
    expect(placed).toMatchObject({ version: '6.1.4', updatedAt: new Date(MADE).toISOString() });
    expect(await cachedDatabases(cache)).toMatchObject([{ kind: 'grype-db', updatedAt: new Date(MADE).toISOString() }]);
  });

  it('may be the file itself, and may have a name that tells nothing', async () => {
    const cache = await temporary();
    await place({ ...GRYPE_DB, title: 'vulnerability.db', blob: Buffer.from('raw') }, 'grype', cache);
    expect(await readFile(join(cache, '6/vulnerability.db'), 'utf8')).toBe('raw');
    await place({ ...GRYPE_DB, title: 'my.tar.gz' }, 'grype', cache);
    expect(await readFile(join(cache, '6/vulnerability.db'), 'utf8')).toBe('SQLite format 3\0');
  });

  it.each([
    ['', 'ef46db3751d8e999'],
    ['a', 'd24ec4f1a98c6e5b'],
    ['The quick brown fox jumps over the lazy dog', '0b242d361fda71bc'],
  ])('has the sum of the reference implementation: %j', async (text, sum) => {
    const hasher = await createXxh64();
    hasher.update(Buffer.from(text));
    expect(hasher.digest()).toBe(sum);
  });
});

interface Refusal {
  readonly what: string;
  readonly spec: DatabaseSpec;
  readonly scanner?: 'trivy' | 'grype';
  readonly options?: Partial<PlaceOptions>;
  readonly code: ErrorCode;
}

const tar = (...entries: Parameters<typeof rawTar>[0]): Uint8Array => gzipSync(rawTar(entries));

const REFUSALS: readonly Refusal[] = [
  { what: 'too old', spec: TRIVY_DB, options: { maxAge: DAY - 1 }, code: 'OCL_STALE' },
  { what: 'too old, of checks', spec: CHECKS, options: { maxAge: DAY - 1 }, code: 'OCL_STALE' },
  { what: 'too old, of Grype', spec: GRYPE_DB, scanner: 'grype', options: { maxAge: DAY - 1 }, code: 'OCL_STALE' },
  {
    what: 'dated ahead',
    spec: {
      ...TRIVY_DB,
      files: { ...TRIVY_DB.files, 'metadata.json': JSON.stringify({ Version: 2, UpdatedAt: '2026-11-22T06:12:01Z' }) },
    },
    options: { maxAge: DAY },
    code: 'OCL_STALE',
  },
  {
    what: 'of an age that nothing tells',
    spec: { ...CHECKS, annotations: {} },
    options: { maxAge: DAY },
    code: 'OCL_STALE',
  },
  { what: 'for another scanner', spec: GRYPE_DB, code: 'OCL_UNSUPPORTED' },
  { what: 'for another scanner, the other way', spec: TRIVY_DB, scanner: 'grype', code: 'OCL_UNSUPPORTED' },
  { what: 'no database', spec: { layerType: 'text/plain', title: 'a.txt' }, code: 'OCL_UNSUPPORTED' },
  { what: 'of two layers', spec: { ...TRIVY_DB, layers: 2 }, code: 'OCL_UNSUPPORTED' },
  {
    what: 'of another schema of Grype',
    spec: { ...GRYPE_DB, title: 'vulnerability-db_v7.0.0_2026-11-20T06:12:00Z_1.tar.gz' },
    scanner: 'grype',
    code: 'OCL_UNSUPPORTED',
  },
  ...['../db.tar.gz', '/db.tar.gz', 'a/../../db.tar.gz', 'C:\\db.tar.gz', '..\\db.tar.gz', 'a\0b', ''].map(
    (title): Refusal => ({
      what: `with the title ${JSON.stringify(title)}`,
      spec: { ...TRIVY_DB, title },
      code: 'OCL_UNSAFE',
    }),
  ),
  { what: 'without its data', spec: { ...TRIVY_DB, files: { 'metadata.json': '{}' } }, code: 'OCL_ARCHIVE_INVALID' },
  { what: 'without its record', spec: { ...TRIVY_DB, files: { 'trivy.db': 'x' } }, code: 'OCL_ARCHIVE_INVALID' },
  {
    what: 'with a record that is no JSON',
    spec: { ...TRIVY_DB, files: { 'trivy.db': 'x', 'metadata.json': 'x' } },
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'with a record that is a list',
    spec: { ...TRIVY_DB, files: { 'trivy.db': 'x', 'metadata.json': '[]' } },
    code: 'OCL_DOCUMENT_INVALID',
  },
  {
    what: 'with data that is a link',
    spec: {
      ...TRIVY_DB,
      blob: tar({ name: 'trivy.db', type: '2', link: '../../secret' }, { name: 'metadata.json', body: '{}' }),
    },
    code: 'OCL_ARCHIVE_INVALID',
  },
  {
    what: 'with a file that leads outside',
    spec: { ...CHECKS, blob: tar({ name: '../../evil', body: 'x' }) },
    code: 'OCL_UNSAFE',
  },
  {
    what: 'that is cut off',
    spec: { ...TRIVY_DB, blob: gzipSync(rawTar([{ name: 'trivy.db', body: 'x' }])).subarray(0, -9) },
    code: 'OCL_ARCHIVE_INVALID',
  },
];

describe('what is not placed', () => {
  it.each(REFUSALS)('is a database $what: $code', async ({ spec, scanner = 'trivy', options, code }) => {
    const around = await temporary();
    const cache = join(around, 'cache');
    await place(TRIVY_DB, 'trivy', cache);
    await writeFile(join(around, 'secret'), 'secret');
    const before = await fileTree(around);
    const elsewhere = join(around, 'new/cache');
    await expect(place(spec, scanner, elsewhere, options)).rejects.toMatchObject({ code });
    await expect(place(spec, scanner, cache, options)).rejects.toMatchObject({ code });
    const after = await fileTree(around);
    const timeless = (tree: typeof before): unknown =>
      [...tree].map(([name, { mtime, ...facts }]) => [name, facts.kind === 'directory' ? facts : { ...facts, mtime }]);
    expect(timeless(after)).toEqual(timeless(before));
  });
});

describe('what is found in a place', () => {
  it('is the newest of each kind for one scanner, whatever else is there', async () => {
    const older = { ...TRIVY_DB, annotations: { 'org.opencontainers.image.created': '2026-11-01T00:00:00Z' } };
    const newer = { ...TRIVY_DB, annotations: { 'org.opencontainers.image.created': '2026-11-20T00:00:00Z' } };
    const all = await stored(older, newer, { ...older, files: { x: 'y' } }, JAVA_DB, CHECKS, GRYPE_DB, {
      layerType: 'text/plain',
    });
    const parts = all.map((candidate) => ({ ...candidate, named: false }));
    const found = await databasesFor('trivy', each(parts));
    expect(found.map(({ reference, database }) => [reference, database.kind])).toEqual([
      ['place:t1', 'trivy-db'],
      ['place:t3', 'trivy-java-db'],
      ['place:t4', 'trivy-checks'],
    ]);
    const kinds: DatabaseKind[] = [];
    for await (const { database } of findDatabases(each(parts))) kinds.push(database.kind);
    expect(kinds).toEqual(['trivy-db', 'trivy-db', 'trivy-db', 'trivy-java-db', 'trivy-checks', 'grype-db']);
  });

  it('is told by its title where the media type says nothing', async () => {
    const plain = { ...TRIVY_DB, layerType: 'application/vnd.oci.image.layer.v1.tar+gzip' };
    const [found] = await databasesFor('trivy', each(await stored(plain)));
    expect(found?.database.kind).toBe('trivy-db');
  });

  it('tells by what its date is known, and by its own record when that is read', async () => {
    const created = { 'org.opencontainers.image.created': '2026-11-21T00:00:00Z' };
    const all = await stored({ ...TRIVY_DB, annotations: created }, JAVA_DB, CHECKS, GRYPE_DB);
    const found: unknown[] = [];
    for await (const { source, database } of findDatabases(each(all)))
      found.push([
        database.kind,
        database.made,
        database.madeBy,
        await madeInside(source, database, { emit: () => {} }),
      ]);
    const made = Date.parse(MADE);
    expect(found).toEqual([
      ['trivy-db', Date.parse('2026-11-21T00:00:00Z'), 'annotation', made],
      ['trivy-java-db', undefined, undefined, made],
      ['trivy-checks', made, 'annotation', undefined],
      ['grype-db', made, 'title', undefined],
    ]);
  });

  it('in a cache is only what is whole', async () => {
    const cache = await temporary();
    expect(await cachedDatabases(cache)).toEqual([]);
    await place(TRIVY_DB, 'trivy', cache);
    await writeFile(join(cache, 'db/metadata.json'), 'broken');
    await mkdir(join(cache, 'java-db'));
    await writeFile(join(cache, 'java-db/metadata.json'), '{"Version":1}');
    expect(await cachedDatabases(cache)).toEqual([]);
  });
});

describe('how Trivy is started then', () => {
  it('leaves alone what is there, and tells of what is not', () => {
    const use = offlineTrivy('cache', new Set<DatabaseKind>(['trivy-db', 'trivy-checks']));
    expect(use.options).toEqual([
      '--cache-dir',
      'cache',
      '--skip-db-update',
      '--skip-check-update',
      '--offline-scan',
      '--skip-version-check',
      '--disable-telemetry',
    ]);
    expect(use.notes).toEqual([expect.stringContaining('Java database')]);
    expect(
      servedTrivy(new Map<DatabaseKind, string>([['trivy-db', 'localhost:5000/trivy-db:2']])).options.slice(0, 3),
    ).toEqual(['--db-repository', 'localhost:5000/trivy-db:2', '--insecure']);
  });

  it.each([
    [0, '0 min'],
    [119 * 60_000, '119 min'],
    [2 * 3_600_000, '2 h'],
    [47 * 3_600_000, '47 h'],
    [2 * DAY, '2 days'],
    [-5, '0 min'],
    [-3 * DAY, '-3 days'],
  ])('ages are short: %d', (ms, text) => {
    expect(ageText(ms)).toBe(text);
  });
});
