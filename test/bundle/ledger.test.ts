import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger, type Sent } from '../../src/bundle/ledger.ts';
import { type Digest } from '../../src/core/digest.ts';
import { silent } from '../../src/core/events.ts';
import { digestOf } from '../../src/io/verify.ts';
import { fakeClock } from '../support/fakeClock.ts';
import { codeOf } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';
import { importFiles, knownFrom, layered, nearOf, openFar, writeBundle, type Release } from './deltaWorld.ts';

const temporary = temporaryDirectories();
const options = { clock: fakeClock(), emit: silent };
const digest = (n: number | string): Digest => digestOf(Buffer.from(`${n}`));

function sent(number: number, names: Readonly<Record<string, readonly number[]>> = {}): Sent {
  return {
    id: digest(`bundle ${number}`),
    file: `${number}.tar`,
    blobs: [digest(number), digest(number + 1), digestOf(Buffer.from(`${number}`), 'sha512')],
    names: new Map(Object.entries(names).map(([name, versions]) => [name, versions.map(digest)])),
  };
}

describe('a ledger', () => {
  it('knows all that was sent, and what names stood for, the latest last', async () => {
    const path = join(await temporary(), 'site.ledger');
    const one = await Ledger.open(path, options);
    await one.add(sent(1, { 'a:1': [10], 'b:1': [20] }));
    // Another process writes as well.
    const other = await Ledger.open(path, options);
    await other.add(sent(5, { 'a:1': [9, 11] }));
    await one.add(sent(1, { 'a:1': [10], 'b:1': [20] }));
    const known = (await Ledger.open(path, options)).known();
    expect(known.basis).toMatchObject({ kind: 'ledger', assumed: true, bundles: 3 });
    for (const n of [1, 2, 5, 6]) expect(known.has(digest(n))).toBe(true);
    expect([known.has(digest(3)), known.has(digestOf(Buffer.from('5'), 'sha512'))]).toEqual([false, true]);
    expect(known.before('a:1')).toEqual([digest(9), digest(11), digest(10)]);
    expect(known.before('b:1')).toEqual([digest(20)]);
    expect([known.remembers('b:1'), known.remembers('c:1')]).toEqual([true, false]);
    expect((await knownFrom(path)).basis).toEqual(known.basis);
  });

  it('keeps a blob once', async () => {
    const path = join(await temporary(), 'site.ledger');
    const ledger = await Ledger.open(path, options);
    const blobs = Array.from({ length: 100_000 }, (_, i) => digest(i));
    await ledger.add({ id: digest('a'), file: 'a', blobs, names: new Map() });
    const { length } = await readFile(path);
    expect(length).toBeLessThan(blobs.length * 11 + 1000);
    await ledger.add({ id: digest('b'), file: 'b', blobs, names: new Map() });
    expect((await readFile(path)).length).toBeLessThan(length + 1000);
    const { has } = (await Ledger.open(path, options)).known();
    expect(blobs.every(has)).toBe(true);
  });

  it('that a crash cut off anywhere knows what was whole, and is written on', async () => {
    const directory = await temporary();
    const whole = join(directory, 'whole');
    const ledger = await Ledger.open(whole, options);
    const ends: number[] = [];
    for (const n of [1, 3, 5]) {
      await ledger.add(sent(n, { [`a:${n}`]: [n] }));
      ends.push((await readFile(whole)).length);
    }
    const bytes = await readFile(whole);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length), async (length) => {
        const path = join(directory, 'cut');
        await writeFile(path, bytes);
        await truncate(path, length);
        const complete = ends.filter((end) => end <= length).length;
        const cut = await Ledger.open(path, options);
        if (complete === 0) expect(await codeOf(() => cut.known())).toBe('OCL_NOT_FOUND');
        else expect(cut.known().basis).toMatchObject({ bundles: complete });
        await cut.add(sent(9));
        const known = (await Ledger.open(path, options)).known();
        expect(known.basis).toMatchObject({ bundles: complete + 1 });
        for (const [i, n] of [1, 3, 5].entries()) expect(known.remembers(`a:${n}`)).toBe(i < complete);
        expect([known.has(digest(1)), known.has(digest(9))]).toEqual([complete > 0, true]);
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['another file', 'version: 1\n', 'OCL_USAGE'],
    ['a journal', '{"kind":"journal","version":1}\n', 'OCL_USAGE'],
    ['one of a newer version', '{"kind":"ledger","version":2}\n', 'OCL_UNSUPPORTED'],
  ])('is not read from %s', async (_, text, code) => {
    const path = join(await temporary(), 'file');
    await writeFile(path, text);
    expect(await codeOf(() => Ledger.open(path, options))).toBe(code);
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('passes over lines that nobody wrote', async () => {
    const path = join(await temporary(), 'site.ledger');
    const ledger = await Ledger.open(path, options);
    await ledger.add(sent(1));
    const [header = '', ...lines] = (await readFile(path, 'utf8')).trimEnd().split('\n');
    const strange = [
      '{',
      '[]',
      '{"kind":"blobs","has":"AAAA"}',
      '{"kind":"names","names":{"a":[1]}}',
      '{"kind":"more"}',
    ];
    await writeFile(path, [header, ...strange, lines[0], ...strange, ...lines.slice(1), ''].join('\n'));
    expect((await Ledger.open(path, options)).known().has(digest(1))).toBe(true);
  });

  it('keeps a tag from going back, in whatever order deltas come', async () => {
    const directory = await temporary();
    const path = join(directory, 'site.ledger');
    const ledger = await Ledger.open(path, options);
    // Images that do not tell when they were made, and share nothing.
    const version = (n: number): Release => ({
      repository: 'app',
      tag: 'latest',
      graph: layered(`app ${n}`, [n], 100),
    });
    const files: string[] = [];
    for (const n of [0, 1, 2]) {
      const near = await nearOf([version(n)]);
      const known = n === 0 ? [] : [(await Ledger.open(path, options)).known()];
      const { path: file } = await writeBundle(near, join(directory, `${n}.tar`), known, ledger);
      files.push(file);
    }
    const far = await openFar('memory');
    for (const n of [0, 2, 1]) await importFiles(far, [files[n] ?? '']);
    const source = await (await far.holds()).source('app');
    expect((await source?.resolve('latest'))?.digest).toBe(version(2).graph.root.digest);
    // Who knows better moves it all the same.
    const { kept, arrived } = await importFiles(far, [files[1] ?? '']);
    expect(kept.map(({ image }) => image)).toEqual(['near.example/app:latest']);
    // It has arrived, and something else has its name.
    expect(arrived.find(({ image }) => image === kept[0]?.image)).toMatchObject({ repository: 'app', tag: undefined });
    await importFiles(far, [files[1] ?? ''], { moveTags: true });
    expect((await source?.resolve('latest'))?.digest).toBe(version(1).graph.root.digest);
    await far.close();
  });
});
