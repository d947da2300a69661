import { describe, expect, it } from 'vitest';
import { missingBlobs, type Incomplete } from '../../src/bundle/deltaCheck.ts';
import { type Digest } from '../../src/core/digest.ts';
import { digestOf } from '../../src/io/verify.ts';

const digest = (text: string): Digest => digestOf(Buffer.from(text));
const root = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: digest('root'), size: 7 };
const lacking = (missing: readonly Digest[]): Incomplete => ({
  image: 'a.test/app:1',
  root,
  repository: 'app',
  history: undefined,
  missing: missing.map((each) => ({ digest: each, size: 7 })),
});

describe('the failure of a delta that cannot be completed', () => {
  it.each([
    ['march.tar', '/srv/images', 'ocl import march.tar /srv/images --request missing.json'],
    ['a b.tar', 'new lib', "ocl import 'a b.tar' 'new lib' --request missing.json"],
    [undefined, 'x', 'ocl import FILE... x --request missing.json'],
  ])('of %s into %s says what to type', (file, target, command) => {
    expect(missingBlobs([lacking([digest('layer')])], { name: 'oci-archive:it', file }, target).hint).toContain(
      `: ${command}`,
    );
  });

  const refused = { name: 'x', file: 'x' };

  it('tells of images of which nothing is there, whose size nobody knows', () => {
    expect(missingBlobs([lacking([digest('layer')])], refused, 'y').message).toContain('(7 bytes),');
    expect(missingBlobs([lacking([root.digest])], refused, 'y').message).toContain(
      '(7 bytes, and all of 1 image whose',
    );
  });
});
