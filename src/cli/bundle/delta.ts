import { type Argv } from 'yargs';
import { Delta, type Known } from '../../bundle/delta.ts';
import { readKnown } from '../../bundle/deltaBasis.ts';
import { knownOfRequest } from '../../bundle/request.ts';
import { type StoredBlob } from '../../core/descriptor.ts';
import { OclError } from '../../core/errors.ts';
import { type BundleRecord } from '../../core/bundleRecord.ts';
import { countImages } from '../../core/names.ts';
import { parsePathReference } from '../../core/reference.ts';
import { type Env } from '../env.ts';
import { formatBytes, plural } from '../render/format.ts';
import { openLocal } from './open.ts';
import { type SourceFiles } from './sources.ts';

/** What the far side has already: the same options wherever a bundle is written or planned. */
export function deltaOptions<T>(cli: Argv<T>) {
  return cli
    .option('have', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: 'Leave out what this inventory says that the far side has (repeatable)',
    })
    .option('since', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe:
        'Leave out what is there by this receipt, or should be by this ledger or bundle that was sent (repeatable)',
    });
}

interface DeltaArguments {
  readonly have: readonly string[];
  readonly since: readonly string[];
}

/**
 * Undefined: nothing is left out.
 * @param request what is asked for, where that decides
 * @throws as `readKnown`; OCL_USAGE
 */
export async function openDelta(
  { have, since }: DeltaArguments,
  request: SourceFiles['request'],
  env: Env,
): Promise<Delta | undefined> {
  if (request !== undefined && have.length + since.length > 0)
    throw new OclError('OCL_USAGE', 'Cannot take --have or --since with --request: the request says what is there');
  const known: Known[] = request === undefined ? [] : [knownOfRequest(request.asks, request.id)];
  for (const path of [...have, ...since])
    known.push(
      await readKnown(path, {
        clock: env.clock,
        emit: env.emit,
        openBundle: async (bundle) => await openLocal(parsePathReference(bundle), env.stores),
      }),
    );
  return known.length === 0 ? undefined : new Delta(known);
}

/** What people and scripts are told of a delta that was written; undefined for a full bundle. */
export function describeDelta(
  record: BundleRecord | undefined,
): { readonly text: string; readonly json: object } | undefined {
  if (record?.kind !== 'delta' || record.basis === undefined) return undefined;
  const { basis, requires = [], unchanged } = record;
  const provides = record.provides ?? placed(record);
  const images = countImages(unchanged?.images ?? []);
  const told = [
    `${plural(provides.length, 'blob')} (${formatBytes(sum(provides))}) new`,
    `${plural(requires.length, 'blob')} (${formatBytes(sum(requires))}) left out`,
    ...(images === 0 ? [] : [`${plural(images, 'image')} unchanged`]),
  ];
  const { kind, id, assumed } = basis;
  const doubt = assumed
    ? `\nASSUMED, for nobody asked the far side: that it has what the ${kind} ${id.slice(0, 19)} says. Find out there: ocl import --check FILE TARGET`
    : '';
  return {
    text: `${told.join(', ')}${doubt}`,
    json: {
      basis: { kind, id, assumed },
      provides: { blobs: provides.length, bytes: sum(provides) },
      requires: { blobs: requires.length, bytes: sum(requires) },
      unchanged: images,
    },
  };
}

function placed({ placement }: BundleRecord): readonly StoredBlob[] {
  return placement === undefined ? [] : [...placement.everywhere, ...placement.blobs, ...placement.cut];
}

function sum(blobs: readonly StoredBlob[]): number {
  return blobs.reduce((bytes, { size }) => bytes + size, 0);
}
