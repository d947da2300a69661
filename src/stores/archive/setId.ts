import { type BundleRecord } from '../../core/bundleRecord.ts';
import { type Digest } from '../../core/digest.ts';
import { ANNOTATION } from '../../core/descriptor.ts';
import { digestOf } from '../../io/verify.ts';

/**
 * The id of a set of volumes: the sha256 of all that was settled before the first content flowed, one line each. Two exports of the same
 * contents into volumes of the same sizes have one id.
 */
export function setIdOf({ kind, set, roots = [], placement, requires = [] }: BundleRecord): Digest {
  const { everywhere = [], blobs = [], cut = [] } = placement ?? {};
  const lines = [
    'ocl set 1',
    `kind ${kind}`,
    `volumes ${set?.volumes ?? 0}`,
    ...roots.map(({ digest, annotations }) => {
      const name = annotations?.[ANNOTATION.imageName] ?? annotations?.[ANNOTATION.refName];
      return `root ${digest}${name === undefined ? '' : ` ${JSON.stringify(name)}`}`;
    }),
    ...everywhere.map(({ digest, size }) => `everywhere ${digest} ${size}`),
    ...blobs.map(({ digest, size, volume }) => `blob ${digest} ${size} ${volume}`),
    ...cut.flatMap(({ digest, size, slices }) => [
      `cut ${digest} ${size}`,
      ...slices.map((slice) => `slice ${slice.size} ${slice.volume}`),
    ]),
    ...requires.map(({ digest, size }) => `requires ${digest} ${size}`),
  ];
  return digestOf(Buffer.from(`${lines.join('\n')}\n`));
}
