import { describe, expect, it } from 'vitest';
import { inputReference } from '../../src/cli/mesh/input.ts';
import { packTarget } from '../../src/cli/mesh/target.ts';

const code = (action: () => unknown): unknown => {
  try {
    action();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return undefined;
};

describe('an input of ocl mesh', () => {
  it('is a file when it is there, and never an image of Docker Hub by mistake', () => {
    expect(inputReference('package.json')).toEqual({ kind: 'path', path: 'package.json' });
    expect(code(() => inputReference('desing.yml'))).toBe('OCL_NOT_FOUND');
    expect(inputReference('docker.io/team/design.yml')).toMatchObject({
      kind: 'registry',
      repository: 'team/design.yml',
    });
    expect(inputReference('registry.local/designs/shop:1.0')).toMatchObject({ kind: 'registry', tag: '1.0' });
  });
});

describe('a target of ocl mesh pack', () => {
  it.each([
    ['registry.local:5000/meshery@sha256:' + 'a'.repeat(64), false],
    ['registry.local:5000/meshery', true],
    ['registry.local:5000/meshery/x:1', true],
    ['ocidir://store', true],
    ['ocidir://store:v1', true],
    ['./nowhere', true],
  ])('%s (legacy: %s) is refused', (text, legacy) => {
    expect(code(() => packTarget(text, { legacy }))).toBe('OCL_USAGE');
  });

  it.each([
    ['x.tar', true],
    ['./x.tar', true],
    ['oci-archive:x.tar', true],
    ['oci-archive:x.tar:v1', true],
    ['registry.local:5000', false],
    ['registry.local:5000/a:1', false],
    ['./nowhere', false],
  ])('%s (legacy: %s) is taken', (text, legacy) => {
    expect(code(() => packTarget(text, { legacy }))).toBeUndefined();
  });
});
