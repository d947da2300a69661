import { type Argv } from 'yargs';
import { BundleSources } from '../../bundle/sources.ts';
import { type Env } from '../env.ts';
import { parsePlace } from '../place.ts';
import { selectOptions, toSelect } from '../select.ts';

/** What goes into a bundle: the same arguments wherever one is written or planned. */
export function sourceOptions(cli: Argv) {
  return selectOptions(cli).positional('references', {
    type: 'string',
    array: true,
    demandOption: true,
    describe: 'Images, layouts or whole libraries',
  });
}

type SourceArguments = Parameters<typeof toSelect>[0] & { readonly references: readonly string[] };

/** What the command line asks for, found in its sources. */
export async function openSources(args: SourceArguments, { stores }: Env): Promise<BundleSources> {
  const references = args.references.map(parsePlace);
  const sources = new BundleSources(stores);
  try {
    for (const reference of references) await sources.add({ reference, select: toSelect(args) });
    return sources;
  } catch (error) {
    await sources.close();
    throw error;
  }
}
