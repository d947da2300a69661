import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ANNOTATION, type Descriptor } from '../../src/core/descriptor.ts';
import { OclError } from '../../src/core/errors.ts';
import {
  answersTo,
  composeEntry,
  countImages,
  entryName,
  familiarName,
  findEntry,
  fullName,
  listNames,
  repositoryOf,
  severalRepositories,
  tagOf,
} from '../../src/core/names.ts';

const hex = fc
  .array(fc.constantFrom(...'0123456789abcdef'), { minLength: 64, maxLength: 64 })
  .map((digits) => digits.join(''));
const component = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,10}$/);
const repository = fc
  .tuple(fc.constantFrom('docker.io', 'ghcr.io', 'localhost:5000', 'reg.example'), component, component)
  .map(([host, a, b]) => `${host}/${a}/${b}`);
const named = fc.record({ hex, repository, tag });

function entry(digits: string, annotations?: Record<string, string>): Descriptor {
  return {
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: `sha256:${digits}`,
    size: 7,
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof OclError) return error.code;
    throw error;
  }
  return 'none';
}

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

describe('names of index entries', () => {
  it.each<readonly [string, Record<string, string>, string, readonly string[], readonly string[]]>([
    [
      'with a full name',
      { [ANNOTATION.refName]: '1.1', [ANNOTATION.imageName]: 'ghcr.io/team/app:1.1' },
      'team/app',
      ['1.1', 'team/app:1.1', 'ghcr.io/team/app:1.1', `sha256:${A}`, `team/app@sha256:${A}`],
      ['1.2', 'team/app', 'app:1.1', 'quay.io/team/app:1.1', 'team/app:1.2', `sha256:${B}`, `team/app@sha256:${B}`, ''],
    ],
    [
      'of Docker Hub',
      { [ANNOTATION.imageName]: 'docker.io/library/alpine:3' },
      'library/alpine',
      ['3', 'alpine:3', 'library/alpine:3', 'docker.io/alpine:3', 'docker.io/library/alpine:3'],
      ['alpine', 'ghcr.io/library/alpine:3'],
    ],
    [
      'with a tag alone',
      { [ANNOTATION.refName]: '1' },
      'tool',
      ['1', 'tool:1', `tool@sha256:${A}`],
      ['2', 'tool', 'tool:2'],
    ],
    ['without a name', {}, 'images', [`sha256:${A}`, `images@sha256:${A}`], ['images', 'images:latest', 'latest']],
  ])('%s are known by all that people call them', (_, annotations, repository, known, unknown) => {
    const one = entry(A, annotations);
    expect(known.filter((name) => !answersTo(one, name, repository))).toEqual([]);
    expect(unknown.filter((name) => answersTo(one, name, repository))).toEqual([]);
  });

  it('reads back every name that it writes', () => {
    fc.assert(
      fc.property(named, fc.boolean(), ({ hex: digits, repository: repo, tag: label }, several) => {
        const name = { tag: label, imageName: `${repo}:${label}` };
        const written = composeEntry(entry(digits), name, { several });
        expect(entryName(written)).toEqual(name);
        expect(repositoryOf(written)).toBe(repo);
        expect(tagOf(written)).toBe(label);
        expect(entryName(composeEntry(entry(digits), { tag: label }, { several }))).toEqual({ tag: label });
        expect(composeEntry(written, {}, { several })).toEqual(entry(digits));
      }),
    );
  });

  it('finds each of many entries by its full name, its digest and, where it is the only one, its tag', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(named, { minLength: 1, maxLength: 6, selector: (it) => `${it.repository}:${it.tag}` }),
        (all) => {
          const names = all.map((it) => ({ tag: it.tag, imageName: `${it.repository}:${it.tag}` }));
          const several = severalRepositories(names);
          const entries = all.map((it, i) => composeEntry(entry(it.hex), names[i] ?? {}, { several }));
          for (const it of all) {
            expect(findEntry(entries, `${it.repository}:${it.tag}`).digest).toBe(`sha256:${it.hex}`);
            expect(findEntry(entries, `sha256:${it.hex}`).digest).toBe(`sha256:${it.hex}`);
            const same = new Set(all.filter((other) => other.tag === it.tag).map((other) => other.hex));
            if (same.size === 1) expect(findEntry(entries, it.tag).digest).toBe(`sha256:${it.hex}`);
            else expect(code(() => findEntry(entries, it.tag))).toBe('OCL_AMBIGUOUS');
          }
          for (const name of listNames(entries)) expect(code(() => findEntry(entries, name))).toBe('none');
        },
      ),
    );
  });

  it('knows short names', () => {
    const entries = [
      entry(A, { [ANNOTATION.imageName]: 'docker.io/library/alpine:3.20', [ANNOTATION.refName]: '3.20' }),
    ];
    for (const wanted of [
      'alpine:3.20',
      'docker.io/library/alpine:3.20',
      'library/alpine:3.20',
      'index.docker.io/library/alpine:3.20',
      '3.20',
    ]) {
      expect(findEntry(entries, wanted).digest).toBe(`sha256:${A}`);
    }
    expect(findEntry([entry(A, { [ANNOTATION.refName]: 'docker.io/library/demo:latest' })], 'demo').digest).toBe(
      `sha256:${A}`,
    );
    expect(familiarName('docker.io/library/alpine:3.20')).toBe('alpine:3.20');
    expect(familiarName('docker.io/grafana/loki:3')).toBe('grafana/loki:3');
    expect(familiarName('ghcr.io/x/y:1')).toBe('ghcr.io/x/y:1');
    expect(fullName('not a name')).toBe('not a name');
  });

  it('finds what a listing names without its host, and asks where two hosts have it', () => {
    const entries = [
      entry(A, { [ANNOTATION.imageName]: 'reg.example:5000/team/app:1.1', [ANNOTATION.refName]: '1.1' }),
      entry(B, { [ANNOTATION.imageName]: 'docker.io/team/tool:1.1', [ANNOTATION.refName]: '1.1' }),
    ];
    expect(findEntry(entries, 'team/app:1.1').digest).toBe(`sha256:${A}`);
    expect(code(() => findEntry(entries, 'app:1.1'))).toBe('OCL_NOT_FOUND');
    const twin = entry(B, { [ANNOTATION.imageName]: 'ghcr.io/team/app:1.1', [ANNOTATION.refName]: '1.1' });
    expect(code(() => findEntry([...entries, twin], 'team/app:1.1'))).toBe('OCL_AMBIGUOUS');
    // Docker Hub is who is meant where no host is named.
    const hub = entry(B, { [ANNOTATION.imageName]: 'docker.io/team/app:1.1', [ANNOTATION.refName]: '1.1' });
    expect(findEntry([...entries, hub], 'team/app:1.1').digest).toBe(`sha256:${B}`);
  });

  it('takes the name as written before a tag at the end of a longer name', () => {
    const entries = [entry(A, { [ANNOTATION.refName]: 'ghcr.io/x/y:v1' }), entry(B, { [ANNOTATION.refName]: 'v1' })];
    expect(findEntry(entries, 'v1').digest).toBe(`sha256:${B}`);
    expect(listNames(entries)).toEqual(['ghcr.io/x/y:v1', 'v1']);
  });

  it('keeps odd names as they are', () => {
    for (const odd of ['app+1', 'a b', 'über', 'x\u001b[31m', 'a/b']) {
      expect(entryName(entry(A, { [ANNOTATION.refName]: odd })).tag).toBe(odd);
      expect(tagOf(entry(A, { [ANNOTATION.refName]: odd }))).toBeUndefined();
      expect(findEntry([entry(A, { [ANNOTATION.refName]: odd })], odd).digest).toBe(`sha256:${A}`);
    }
    expect(entryName(composeEntry(entry(A), { imageName: `docker.io/a/b@sha256:${A}` }, { several: false }))).toEqual({
      imageName: `docker.io/a/b@sha256:${A}`,
    });
  });

  it('refuses to guess between two contents of one name, and says what to type', () => {
    const entries = [
      entry(A, { [ANNOTATION.imageName]: 'docker.io/library/a:latest', [ANNOTATION.refName]: 'latest' }),
      entry(B, { [ANNOTATION.imageName]: 'docker.io/library/b:latest', [ANNOTATION.refName]: 'latest' }),
    ];
    expect(() => findEntry(entries, 'latest')).toThrow(/docker\.io\/library\/a:latest.*docker\.io\/library\/b:latest/);
    const twice = [entry(A, { [ANNOTATION.refName]: '1' }), entry(B, { [ANNOTATION.refName]: '1' })];
    expect(() => findEntry(twice, '1')).toThrow(new RegExp(`@sha256:${A}.*@sha256:${B}`));
    expect(
      findEntry([entry(A, { [ANNOTATION.refName]: '1' }), entry(A, { [ANNOTATION.refName]: '1' })], '1').digest,
    ).toBe(`sha256:${A}`);
  });

  it('says which names there are when none fits, without control characters', () => {
    expect(() => findEntry([entry(A, { [ANNOTATION.refName]: 'x\u202e' })], 'y')).toThrow(/x\\u\{202e\}/);
    expect(code(() => findEntry([], 'y'))).toBe('OCL_NOT_FOUND');
    expect(code(() => findEntry([entry(A)], 'y'))).toBe('OCL_NOT_FOUND');
    expect(code(() => findEntry([entry(A)], `sha256:${B}`))).toBe('OCL_NOT_FOUND');
  });
});

describe('how many images there are', () => {
  const name = (text: string): Record<string, string> => ({ [ANNOTATION.refName]: text });
  const digits = 'a'.repeat(64);

  it.each([
    ['those with tags', [entry(digits, name('a.test/x:1')), entry(digits, name('a.test/x:2'))], 2],
    [
      'not what refers to them',
      [entry(digits, name('a.test/x:1')), entry(digits), entry(digits, name(`a.test/x@sha256:${digits}`))],
      1,
    ],
    ['nor the tags of signatures', [entry(digits, name('1')), entry(digits, name(`sha256-${digits}.sig`))], 1],
    ['those by digest where there are no others', [entry(digits, name(`a.test/x@sha256:${digits}`)), entry(digits)], 1],
    ['none', [], 0],
  ])('counts %s', (_, entries, count) => expect(countImages(entries)).toBe(count));
});
