import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  openRegularFile,
  Tarball,
  TAR_END,
  tarFileHeader,
  tarFileHeaderLength,
  tarPadding,
} from '../../src/io/tarball.ts';
import { linkTarget, safeName } from '../../src/io/tarName.ts';
import { readBounded } from '../../src/io/verify.ts';
import { peer } from '../support/peers.ts';

const tar = peer('tar');

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ocl-tar-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function openTar(path: string): Promise<Tarball> {
  return Tarball.read(await openRegularFile(path));
}

async function readText(tarball: Tarball, name: string): Promise<string | undefined> {
  const entry = tarball.find(name);
  return entry === undefined ? undefined : Buffer.from(await tarball.bytes(entry, 1 << 24, name)).toString();
}

const part = fc.oneof(
  fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9._ -]{0,70}$/),
  fc.constantFrom('über', '名前', 'a'.repeat(99), 'b'.repeat(100), 'c'.repeat(101), 'd'.repeat(200), 'é'.repeat(80)),
);
const name = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const files = fc.uniqueArray(fc.record({ name, body: fc.string({ maxLength: 2000 }) }), {
  maxLength: 12,
  selector: (file) => file.name,
});

describe('a tar file', () => {
  it('that is written is read again, whatever the names', async () => {
    const path = join(dir, 'written.tar');
    await fc.assert(
      fc.asyncProperty(files, async (list) => {
        const parts = list.flatMap((file) => {
          const body = Buffer.from(file.body);
          return [tarFileHeader(file.name, body.length, 0o644), body, new Uint8Array(tarPadding(body.length))];
        });
        await writeFile(path, Buffer.concat([...parts, TAR_END]));
        const tarball = await openTar(path);
        expect([...tarball.names()]).toEqual(list.map((file) => file.name));
        for (const file of list) expect(await readText(tarball, file.name)).toBe(Buffer.from(file.body).toString());
        await tarball.close();
      }),
    );
  });

  it('has headers as long as was said beforehand', () => {
    const size = fc.oneof(fc.nat(), fc.constantFrom(8 * 2 ** 30 - 1, 8 * 2 ** 30, Number.MAX_SAFE_INTEGER));
    fc.assert(
      fc.property(name, size, (path, bytes) => {
        expect(tarFileHeaderLength(path, bytes)).toBe(tarFileHeader(path, bytes, 0o444).length);
      }),
    );
  });

  it('may have entries of more than 8 GiB', async () => {
    const path = join(dir, 'large.tar');
    const size = 9 * 2 ** 30 + 5;
    const header = tarFileHeader('large', size, 0o444);
    expect(header.length).toBe(3 * 512);
    const small = tarFileHeader('after', 3, 0o444);
    const handle = await open(path, 'w');
    await handle.write(header, 0, header.length, 0);
    const after = header.length + size + tarPadding(size);
    await handle.write(small, 0, small.length, after);
    await handle.write(Buffer.from('end'), 0, 3, after + 512);
    await handle.truncate(after + 1024 + TAR_END.length);
    await handle.close();
    const tarball = await openTar(path);
    expect(tarball.find('large')).toEqual({ offset: header.length, size });
    expect(await readText(tarball, 'after')).toBe('end');
    const entry = tarball.find('large');
    const tail =
      entry === undefined
        ? []
        : await readBounded(tarball.stream(entry, { start: size - 2, end: size + 100 }), 10, 'tail');
    expect(tail).toHaveLength(2);
    await tarball.close();
    if (!tar.missing) expect(tar.run(['-tvf', path])).toContain(`${size} 1970`);
  });

  it('gives ranges of an entry, up to its end', async () => {
    const path = join(dir, 'range.tar');
    const body = Buffer.alloc(3_000_000, 'abcdefghijklmnopqrstuvwxyz');
    await writeFile(
      path,
      Buffer.concat([tarFileHeader('x', body.length, 0o644), body, new Uint8Array(tarPadding(body.length)), TAR_END]),
    );
    const tarball = await openTar(path);
    const entry = tarball.find('x') ?? { offset: 0, size: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.nat(body.length),
        fc.option(fc.nat(body.length + 10), { nil: undefined }),
        async (start, end) => {
          const read = await readBounded(tarball.stream(entry, { start, end }), body.length, 'range');
          expect(
            Buffer.from(read).equals(body.subarray(start, end === undefined ? undefined : Math.max(start, end + 1))),
          ).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
    await tarball.close();
  });

  describe.skipIf(tar.missing)(`that GNU tar made${tar.note}`, () => {
    it.each(['gnu', 'oldgnu', 'pax', 'ustar', 'v7'])('in the form %s is read', async (format) => {
      const source = await mkdtemp(join(dir, 'source-'));
      const names = ['short', 'a/b/c', `${'p'.repeat(60)}/${'q'.repeat(30)}`];
      if (format !== 'v7') names.push(`${'p'.repeat(60)}/${'q'.repeat(60)}`);
      if (format !== 'v7' && format !== 'ustar') names.push(`${'r'.repeat(120)}/${'s'.repeat(120)}`, 'ü/é');
      for (const file of names) {
        await mkdir(dirname(join(source, file)), { recursive: true });
        await writeFile(join(source, file), `content of ${file}`);
      }
      const path = join(dir, `${format}.tar`);
      tar.run(['-C', source, `--format=${format}`, '-cf', path, '.']);
      const tarball = await openTar(path);
      expect([...tarball.names()].toSorted()).toEqual(names.toSorted());
      for (const file of names) expect(await readText(tarball, file)).toBe(`content of ${file}`);
      await tarball.close();
    });
  });
});

describe('names', () => {
  it('that are taken never lead anywhere else', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('..', '.', '', 'a', 'b\\c', 'C:', '~', 'x\0y')),
        fc.boolean(),
        (parts, symbolic) => {
          for (const make of [
            () => safeName(parts.join('/')),
            () => linkTarget('d/layer.tar', parts.join('/'), symbolic),
          ]) {
            let result: string;
            try {
              result = make();
            } catch {
              continue;
            }
            const components = result.split('/');
            expect(components).not.toContain('..');
            expect(result.startsWith('/') || result.includes('\\') || result.includes('\0')).toBe(false);
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});
