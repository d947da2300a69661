import { describe, expect, it } from 'vitest';
import { knownOfBundle } from '../../src/bundle/delta.ts';
import { BlobSet } from '../../src/bundle/inventoryBlobs.ts';
import { formatRequest, knownOfRequest } from '../../src/bundle/request.ts';
import { parseRequest, type BlobRequest } from '../../src/bundle/requestSchema.ts';
import { encodeBundleRecord, parseBundleRecord, type BundleRecord } from '../../src/core/bundleRecord.ts';
import { type Digest } from '../../src/core/digest.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { digestOf } from '../../src/io/verify.ts';
import { codeOf } from '../support/graphs.ts';

const digest = (text: string): Digest => digestOf(Buffer.from(text));
const entry = (name: string): BlobRequest['images'][number]['root'] => ({
  mediaType: MEDIA.ociManifest,
  digest: digest(name),
  size: 1,
  annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
});
const tool = { name: 'ocl', version: '1' };
const have = {
  of: 'far',
  time: '2026-08-01T00:00:00.000Z',
  tool,
  tags: new Map(),
  blobs: BlobSet.of([digest('there'), digest('missing')]),
  bytes: 1,
};
const request: BlobRequest = {
  of: 'far',
  time: '2026-08-01T00:00:00.000Z',
  tool,
  bundle: digest('bundle'),
  images: [{ root: entry('near.example/app:1'), before: [digest('old')], all: true }],
  missing: [{ digest: digest('missing'), size: 7 }],
  have,
};

describe('a request', () => {
  it('is read as it was written', async () => {
    const read = await parseRequest(Buffer.from(await formatRequest(request)), 'it');
    expect({ ...read, have: undefined }).toEqual({ ...request, have: undefined });
    const known = knownOfRequest(read, 'id');
    expect(known.basis).toMatchObject({ kind: 'request', assumed: false, bundle: request.bundle });
    // What is asked for is missing, whatever else is said.
    expect([known.has(digest('there')), known.has(digest('missing')), known.has(digest('other'))]).toEqual([
      true,
      false,
      false,
    ]);
    expect([known.before('near.example/app:1'), known.remembers('near.example/app:1')]).toEqual([
      [digest('old')],
      true,
    ]);
    const without = knownOfRequest({ ...request, have: undefined }, 'id');
    expect([without.has(digest('other')), without.has(digest('missing'))]).toEqual([true, false]);
  });

  it.each([
    ['another document', {}, 'OCL_DOCUMENT_INVALID'],
    ['a list', [], 'OCL_DOCUMENT_INVALID'],
    ['one of a newer version', { requestVersion: 2 }, 'OCL_UNSUPPORTED'],
    ['one that asks for no digest', { missing: [{ digest: 'sha256:1', size: 1 }] }, 'OCL_DOCUMENT_INVALID'],
    ['one that asks for less than nothing', { missing: [{ digest: digest('a'), size: -1 }] }, 'OCL_DOCUMENT_INVALID'],
    ['one whose image is none', { images: [{ root: { digest: 'x' }, before: [], all: true }] }, 'OCL_DOCUMENT_INVALID'],
    ['one whose inventory is none', { have: 'AAAA' }, 'OCL_DOCUMENT_INVALID'],
    ['one whose inventory is no base64', { have: '?' }, 'OCL_DOCUMENT_INVALID'],
    ['one without the bundle', { bundle: undefined }, 'OCL_DOCUMENT_INVALID'],
  ])('is not read from %s', async (_, members, code) => {
    const right = JSON.parse(await formatRequest(request)) as object;
    const value = 'length' in members || Object.keys(members).length === 0 ? members : { ...right, ...members };
    expect(await codeOf(() => parseRequest(Buffer.from(JSON.stringify(value)), 'it'))).toBe(code);
  });

  it('with a name twice in one object is refused', async () => {
    const text = (await formatRequest(request)).replace(
      '"requestVersion": 1',
      '"requestVersion": 1, "requestVersion": 1',
    );
    expect(await codeOf(() => parseRequest(Buffer.from(text), 'it'))).toBe('OCL_DOCUMENT_INVALID');
  });
});

describe('what a delta says of images that it does not bring', () => {
  const has = Buffer.from(BlobSet.of([digest('a'), digest('b')]).encode()).toString('base64');
  const record: BundleRecord = {
    kind: 'delta',
    basis: { kind: 'ledger', id: 'sha256:1', assumed: true },
    requires: [{ digest: digest('required'), size: 1 }],
    provides: [],
    unchanged: { images: [entry('near.example/app:1')], has, others: [] },
    names: [{ name: 'near.example/app:1', before: [digest('old')], all: true }],
  };

  it('makes it a basis of the next one', () => {
    const read = parseBundleRecord(encodeBundleRecord(record), 'it');
    expect(read).toMatchObject({ unchanged: record.unchanged, names: record.names });
    const known = knownOfBundle([], [digest('carried')], read);
    for (const text of ['a', 'b', 'required', 'carried']) expect(known.has(digest(text))).toBe(true);
    expect(known.has(digest('c'))).toBe(false);
    expect(known.before('near.example/app:1')).toEqual([digest('old'), digest('near.example/app:1')]);
    expect([known.remembers('near.example/app:1'), known.remembers('near.example/other:1')]).toEqual([true, false]);
  });

  it.each([
    ['an image that is none', { unchanged: { images: [{}], has: '', others: [] } }],
    ['no list of images', { unchanged: { images: 1, has: '', others: [] } }],
    ['blobs that are no base64', { unchanged: { images: [], has: '!', others: [] } }],
    ['names that were no digests', { names: [{ name: 'a', before: ['b'], all: true }] }],
    ['names without a name', { names: [{ before: [], all: true }] }],
  ])('with %s is refused', async (_, members) => {
    const value = { ...(JSON.parse(Buffer.from(encodeBundleRecord(record)).toString()) as object), ...members };
    const code = await codeOf(() => parseBundleRecord(Buffer.from(JSON.stringify(value)), 'it'));
    expect(['OCL_ARCHIVE_INVALID', 'OCL_DOCUMENT_INVALID']).toContain(code);
  });

  it.each([
    ['descending', '0000000000000002 0000000000000001'],
    ['cut off', '0000000000000001 0000'],
  ])('is refused as a basis when its list is %s', async (_, hex) => {
    const list = Buffer.from(hex.replaceAll(' ', ''), 'hex').toString('base64');
    const wrong = { ...record, unchanged: { images: [], has: list, others: [] } };
    expect(await codeOf(() => knownOfBundle([], [], wrong))).toBe('OCL_ARCHIVE_INVALID');
  });
});
