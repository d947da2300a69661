import { appendFile, chmod, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Digest } from '../../src/core/digest.ts';
import { silent } from '../../src/core/events.ts';
import { thisOwner } from '../../src/io/lock.ts';
import { Journal, type JournalOptions } from '../../src/sync/journal/journal.ts';
import { LINE_BYTES, lineFileHeader } from '../../src/io/lineFile.ts';
import { decode, encode, type JournalRecord } from '../../src/sync/journal/records.ts';
import { fakeClock } from '../support/fakeClock.ts';
import { all, codeOf } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { recorder } from './world.ts';

const HEADER = lineFileHeader('journal');

const temporary = temporaryDirectories();
const DIGEST: Digest = `sha256:${'a'.repeat(64)}`;
const TIME = '2026-11-21T00:00:00.000Z';

function imageOf(target: string, more: Partial<Extract<JournalRecord, { kind: 'image' }>> = {}): JournalRecord {
  return {
    kind: 'image',
    time: TIME,
    run: 'r',
    target,
    image: 's.test/app:1',
    digest: DIGEST,
    outcome: 'copied',
    bytes: 1,
    ms: 1,
    line: 1,
    step: 'abc',
    ours: true,
    ...more,
  };
}

async function openIn(directory: string, more: Partial<JournalOptions> = {}): Promise<Journal> {
  return await Journal.open(join(directory, 'journal'), { clock: fakeClock(), emit: silent, ...more });
}

async function targetsIn(journal: Journal): Promise<readonly string[]> {
  return (await all(journal.records())).flatMap((record) => (record.kind === 'image' ? [record.target] : []));
}

/** Of the whole numbers up to one the greatest so many. */
function sumOfNewest(last: number, count: number): number {
  const from = Math.max(0, last - count + 1);
  return ((from + last) * (last - from + 1)) / 2;
}

describe('a journal', () => {
  it('remembers what it was told, in the next process too', async () => {
    const directory = await temporary();
    const first = await openIn(directory);
    first.write(imageOf('t.test/app:1'));
    expect(first.latest('ours', 't.test/app:1')).toMatchObject({ digest: DIGEST });
    await first.flush();
    const second = await openIn(directory);
    expect(second.latest('image', 't.test/app:1')).toMatchObject({ outcome: 'copied' });
    expect(await targetsIn(second)).toEqual(['t.test/app:1']);
    expect(await readFile(first.path, 'utf8')).toMatch(`${HEADER}\n{"kind":"image"`);
  });

  it.each([
    ['a line half-written', encode(imageOf('t.test/torn:1')).slice(0, 40)],
    ['half a line of another kind', '{"kind":"li'],
    ['blanks', '    '],
  ])('ignores at its end, and cuts off before it writes: %s', async (_, torn) => {
    const directory = await temporary();
    const first = await openIn(directory);
    first.write(imageOf('t.test/app:1'));
    await first.flush();
    await appendFile(first.path, torn);
    expect(await targetsIn(await openIn(directory, { readOnly: true }))).toEqual(['t.test/app:1']);
    expect(await readFile(first.path, 'utf8')).toContain(torn);
    const second = await openIn(directory);
    second.write(imageOf('t.test/app:2'));
    await second.flush();
    expect(await targetsIn(second)).toEqual(['t.test/app:1', 't.test/app:2']);
    expect((await readFile(first.path, 'utf8')).split('\n').at(-1)).toBe('');
    expect(await readFile(first.path, 'utf8')).not.toContain(torn + '\n');
  });

  it('begins anew where a crash left a part of its first line', async () => {
    const directory = await temporary();
    await writeFile(join(directory, 'journal'), HEADER.slice(0, 9));
    const journal = await openIn(directory);
    journal.write(imageOf('t.test/app:1'));
    await journal.flush();
    expect(await targetsIn(journal)).toEqual(['t.test/app:1']);
  });

  it.each([
    ['a sync file', 'version: 1\nsync: []\n', 'OCL_USAGE'],
    ['one line without an end', 'x', 'OCL_USAGE'],
    ['a journal of a newer version', '{"kind":"journal","version":2,"more":true}\n', 'OCL_UNSUPPORTED'],
  ])('leaves alone what is none: %s', async (_, text, code) => {
    const directory = await temporary();
    await writeFile(join(directory, 'journal'), text);
    expect(await codeOf(() => openIn(directory))).toBe(code);
    expect(await readFile(join(directory, 'journal'), 'utf8')).toBe(text);
  });

  it('keeps lines that it does not understand, and those that are damaged, and passes over endless ones', async () => {
    const directory = await temporary();
    const strange = ['{"kind":"of tomorrow","x":1}', '{"kind":"image","time":"yesterday"}', 'nonsense', '[]', '7'];
    const endless = 'x'.repeat(LINE_BYTES + 1);
    await writeFile(
      join(directory, 'journal'),
      [HEADER, ...strange, endless, encode(imageOf('t.test/app:1')), ''].join('\n'),
    );
    const journal = await openIn(directory, { compaction: { from: 1, history: 0 } });
    expect(await targetsIn(journal)).toEqual(['t.test/app:1']);
    for (const line of strange) expect(decode(line)).toBeUndefined();
    expect((await readFile(journal.path, 'utf8')).split('\n')).toEqual([
      HEADER,
      ...strange,
      encode(imageOf('t.test/app:1')),
      '',
    ]);
  });

  it('does not grow without end while one process writes for months', async () => {
    const directory = await temporary();
    const journal = await openIn(directory, { compaction: { from: 50, history: 10 } });
    for (let i = 0; i < 600; i++) {
      journal.write(imageOf(`t.test/app:${i % 30}`, { ms: i }));
      if (i % 50 === 0) await journal.flush();
      else await new Promise((resolve) => void setImmediate(resolve));
      const known = [...journal.all('ours')].map(([, record]) => (record.kind === 'image' ? record.ms : 0));
      expect(known.reduce((sum, ms) => sum + ms, 0)).toBe(sumOfNewest(i, 30));
    }
    await journal.flush();
    const written = (await readFile(journal.path, 'utf8')).trimEnd().split('\n');
    expect(written.length).toBeLessThan(250);
    expect(await targetsIn(journal)).toHaveLength(written.length - 1);
  });

  it('loses no line of two that write at once, and makes none of two', async () => {
    const directory = await temporary();
    const [one, two] = [await openIn(directory), await openIn(directory)];
    for (let i = 0; i < 40; i++) {
      one.write(imageOf(`one.test/app:${i}`));
      two.write(imageOf(`two.test/app:${i}`));
      if (i % 4 === 0) await Promise.all([one.flush(), two.flush()]);
    }
    await Promise.all([one.flush(), two.flush()]);
    const targets = await targetsIn(await openIn(directory));
    for (const name of ['one', 'two']) {
      const expected = Array.from({ length: 40 }, (_, i) => `${name}.test/app:${i}`);
      expect(targets.filter((target) => target.startsWith(name))).toEqual(expected);
    }
    expect(one.latest('image', 'two.test/app:7')).toBeUndefined();
    await one.refresh();
    expect(one.latest('image', 'two.test/app:7')).toBeDefined();
  });

  it('knows what it is told while it takes up what others wrote', async () => {
    const journal = await openIn(await temporary());
    for (let i = 0; i < 2000; i++) journal.write(imageOf(`t.test/app:${i}`));
    await journal.flush();
    const refreshed = journal.refresh();
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      journal.write(imageOf(`t.test/late:${i}`));
    }
    await refreshed;
    for (let i = 0; i < 20; i++) expect(journal.latest('image', `t.test/late:${i}`)).toBeDefined();
    await journal.flush();
  });

  it('loses no line that comes while another process writes it anew', async () => {
    const directory = await temporary();
    const first = await openIn(directory);
    for (let i = 0; i < 300; i++) first.write(imageOf(`t.test/app:${i % 3}`));
    await first.flush();
    const [second] = await Promise.all([
      openIn(directory, { compaction: { from: 10, history: 0 } }),
      (async () => {
        first.write(imageOf('t.test/late:1'));
        await first.flush();
      })(),
    ]);
    await second.refresh();
    expect((await targetsIn(second)).toSorted()).toContain('t.test/late:1');
    expect((await targetsIn(second)).length).toBeLessThan(10);
  });

  it('says once that it cannot be written, and works without', async () => {
    const directory = await temporary();
    // This process holds it, and does not let go.
    await writeFile(join(directory, 'journal.lock'), JSON.stringify(thisOwner()));
    const { emit, notices } = recorder();
    const journal = await openIn(directory, { emit });
    expect(journal.failure?.code).toBe('OCL_LOCKED');
    journal.write(imageOf('t.test/app:1'));
    await journal.flush();
    expect(journal.latest('image', 't.test/app:1')).toBeDefined();
    expect(notices()).toHaveLength(1);
    expect(notices()[0]).toContain('nothing is pruned');
  });

  it.skipIf(process.getuid?.() === 0)('does without in a directory that it may not write to', async () => {
    const directory = await temporary();
    await chmod(directory, 0o500);
    expect((await openIn(directory)).failure?.code).toBe('OCL_IO');
    await chmod(directory, 0o700);
  });

  it('says so when the file is exchanged for another under its hands', async () => {
    const directory = await temporary();
    const { emit, notices } = recorder();
    const journal = await openIn(directory, { emit });
    await rm(journal.path);
    await writeFile(journal.path, 'something else\n');
    journal.write(imageOf('t.test/app:1'));
    await journal.flush();
    expect(journal.failure?.code).toBe('OCL_USAGE');
    expect(notices()).toHaveLength(1);
    expect(await readFile(journal.path, 'utf8')).toBe('something else\n');
  });

  it('forgets the names of tags that were taken away', async () => {
    const directory = await temporary();
    const journal = await openIn(directory);
    for (let i = 0; i < 100; i++) {
      const [target, digest] = [`t.test/app:${i}`, `sha256:${'a'.repeat(64)}`] as const;
      journal.write({ kind: 'begin', time: TIME, target, digest });
      journal.write(imageOf(target, { digest }));
      journal.write({ kind: 'gone', time: TIME, target });
      if (i > 0)
        journal.write({ kind: 'pruned', time: TIME, run: 'r', target, digest, outcome: 'removed', reason: 'gone' });
    }
    await journal.flush();
    const after = await openIn(directory, { compaction: { from: 50, history: 10 } });
    for (const slot of ['image', 'ours', 'begin', 'gone'] as const)
      expect([...after.all(slot)].map(([name]) => name)).toEqual(['t.test/app:0']);
    // The first line, what is known of one tag, and the history.
    expect((await readFile(journal.path, 'utf8')).trimEnd().split('\n')).toHaveLength(1 + 3 + 10);
  });
});

const TARGETS = ['t.test/a:1', 't.test/a:2', 't.test/b:1'];
const anyRecord: fc.Arbitrary<JournalRecord> = fc
  .tuple(fc.constantFrom(...TARGETS), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 7 }))
  .map(([target, digit, which]) => {
    const time = TIME.replace('00:00:00', `00:00:0${digit}`);
    const digest: Digest = `sha256:${String(digit).repeat(64)}`;
    const bare = { time, target };
    if (which === 0) return { kind: 'gone', ...bare };
    if (which === 1) return { kind: 'back', ...bare };
    if (which === 2) return { kind: 'begin', ...bare, digest };
    if (which === 3) return { kind: 'pruned', ...bare, digest, run: 'r', outcome: 'removed', reason: 'gone' };
    if (which === 4) return { kind: 'run', time, run: 'r', config: digest, file: 'f', steps: [target] };
    return imageOf(target, { time, digest, ...(which === 5 ? { outcome: 'failed', ours: undefined } : {}) });
  });

describe('a journal that is written anew', () => {
  it('knows what it knew, and the newest of its history', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(anyRecord, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 0, max: 5 }),
        async (records, history) => {
          const directory = await temporary();
          const before = await openIn(directory);
          for (const record of records) before.write(record);
          await before.flush();
          const lines = (await readFile(before.path, 'utf8')).split('\n');
          const after = await openIn(directory, { compaction: { from: 0, history } });
          for (const slot of ['image', 'ours', 'begin', 'gone', 'step'] as const)
            expect(Object.fromEntries(after.all(slot))).toEqual(Object.fromEntries(before.all(slot)));
          const kept = (await readFile(before.path, 'utf8')).split('\n');
          const newest = -1 - Math.min(history, records.length);
          expect(kept.slice(newest)).toEqual(lines.slice(newest));
          expect(kept.length).toBeLessThanOrEqual(lines.length);
        },
      ),
      { numRuns: 60 },
    );
  });
});
