import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { children, isEmptyConfig, isForeign } from '../../src/core/graph.ts';
import { EMPTY_BLOB, plainDescriptor, type Descriptor } from '../../src/core/descriptor.ts';
import { parseManifest } from '../../src/core/manifest.ts';
import {
  isDocumentType,
  isForeignLayerType,
  isImageConfigType,
  isIndexType,
  isManifestType,
  isSchema1Type,
  MEDIA,
  normalMediaType,
} from '../../src/core/mediaTypes.ts';
import { digestOf, embeddedData } from '../../src/io/verify.ts';
import { image, index, rootBytes } from '../support/graphs.ts';

describe('media types', () => {
  it('are compared without case and parameters', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(MEDIA)),
        fc.array(fc.boolean()),
        fc.constantFrom('', ';v=1', ' ; charset=utf-8'),
        (type, upper, parameters) => {
          const odd =
            [...type].map((letter, i) => (upper[i] === true ? letter.toUpperCase() : letter)).join('') + parameters;
          expect(normalMediaType(odd)).toBe(type);
          for (const test of [
            isDocumentType,
            isForeignLayerType,
            isImageConfigType,
            isIndexType,
            isManifestType,
            isSchema1Type,
          ])
            expect(test(odd)).toBe(test(type));
        },
      ),
    );
  });

  it('are of one kind each', () => {
    const kinds = Object.values(MEDIA).map(
      (type) =>
        [isIndexType, isManifestType, isSchema1Type, isImageConfigType, isForeignLayerType].filter((test) => test(type))
          .length,
    );
    expect(Math.max(...kinds)).toBe(1);
  });
});

describe('graphs', () => {
  it('name every part that they are made of, and no other', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 5 }), (names) => {
        const parts = names.map((name) => image({ name }));
        const root = index(parts);
        const document = parseManifest(rootBytes(root), root.root.mediaType, 'it');
        expect(children(document).map(({ descriptor }) => descriptor.digest)).toEqual(
          parts.map(({ root: { digest } }) => digest),
        );
        for (const part of parts) {
          const below = children(parseManifest(rootBytes(part), part.root.mediaType, 'it'));
          expect(below.map(({ descriptor }) => descriptor.digest).toSorted()).toEqual(
            part.pieces
              .slice(0, -1)
              .map(({ descriptor }) => descriptor.digest)
              .toSorted(),
          );
          expect(below.some(isForeign)).toBe(false);
        }
      }),
    );
  });

  it('know the empty content', () => {
    expect(digestOf(EMPTY_BLOB.bytes)).toBe(EMPTY_BLOB.descriptor.digest);
    expect(Buffer.from(embeddedData(EMPTY_BLOB.descriptor) ?? []).toString()).toBe('{}');
    expect(isEmptyConfig(EMPTY_BLOB.descriptor)).toBe(true);
    const more: Descriptor = {
      ...EMPTY_BLOB.descriptor,
      annotations: { a: 'b' },
      platform: { os: 'x', architecture: 'y' },
    };
    expect(Object.keys(plainDescriptor(more))).toEqual(['mediaType', 'digest', 'size']);
  });
});
