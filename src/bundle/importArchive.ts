import { OclError } from '../core/errors.ts';
import { type LocalSource, type Sink } from '../core/store.ts';
import { type CopyRequest } from '../copy/copier.ts';
import { requireAllVolumes } from './allVolumes.ts';
import { NOTHING, type GivenBundle, type ImportOptions, type ImportReport } from './import.ts';
import { chooseRoots } from './naming.ts';

/**
 * Takes the images of bundles into an archive that is written anew and knows images alone, as `docker save` writes it.
 * @throws OCL_UNSUPPORTED for a delta, which lacks what a new archive needs; OCL_INCOMPLETE for a set that lacks volumes; what the sink throws
 */
export async function importIntoArchive(
  bundles: readonly GivenBundle[],
  to: Sink,
  { copier, select }: Pick<ImportOptions, 'copier' | 'select'>,
): Promise<ImportReport> {
  const requests: CopyRequest[] = [];
  for (const { source, naming } of bundles) {
    refuseDelta(source);
    requireAllVolumes(source, 'write an archive of');
    const planned = chooseRoots(await source.roots(), { ...naming, into: 'layout' });
    const named = planned.filter(({ name }) => name.tag !== undefined);
    // What has no name belongs to what has one, as a rule, and is met there.
    for (const { root, name, image } of named.length > 0 ? named : planned)
      requests.push({ from: source, to, root, name, image, select });
  }
  const results = await copier.copyReserved(requests, to);
  await to.commit();
  return {
    ...NOTHING,
    results,
    streamed: results.reduce((sum, { streamed }) => sum + streamed, 0),
    arrived: results.map(({ root, outcome }, i) => {
      const { image, name } = requests[i] as CopyRequest;
      return { image, root, repository: '', tag: name.tag, imageName: name.imageName, outcome };
    }),
  };
}

function refuseDelta(source: LocalSource): void {
  if (source.record?.kind !== 'delta') return;
  throw new OclError(
    'OCL_UNSUPPORTED',
    `Cannot write ${source.name} anew: it is a delta, and lacks what the far side has`,
    {
      hint: 'import it into a layout, and copy from there',
    },
  );
}
