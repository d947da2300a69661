import { type Descriptor } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { listNames } from '../core/names.ts';
import { type LocalSource, type Source } from '../core/store.ts';

/** What the name means; without a name, the only image that is there. @throws OCL_AMBIGUOUS, OCL_NOT_FOUND */
export async function onlyRoot(source: Source, wanted: string | undefined): Promise<Descriptor> {
  if (wanted !== undefined) return await source.resolve(wanted);
  if (!isLocal(source)) return await source.resolve('latest');
  const roots = await source.roots();
  const names = listNames(roots);
  const [name] = names;
  if (names.length === 1 && name !== undefined) return await source.resolve(name);
  const [root] = roots;
  if (roots.length === 1 && root !== undefined) return root;
  if (root === undefined)
    throw new OclError('OCL_NOT_FOUND', `Cannot choose an image of ${source.name}: it holds none`);
  throw new OclError(
    'OCL_AMBIGUOUS',
    `Cannot choose an image of ${source.name}: it holds ${Math.max(names.length, 2)}`,
    {
      hint: `add one of these after a colon: ${names.slice(0, 10).join(', ')}`,
    },
  );
}

function isLocal(source: Source): source is LocalSource {
  return 'roots' in source;
}
