import { type Argv } from 'yargs';
import { OclError } from '../../core/errors.ts';
import { compileRewrite } from '../../io/pattern.ts';
import { type Relocation } from '../../mesh/relocate.ts';
import { parseShelvesPlace } from './shelvesPlace.ts';

/** How container images are called in the designs that are written. */
export function relocationOptions<T>(cli: Argv<T>) {
  return cli
    .option('registry', {
      type: 'string',
      requiresArg: true,
      describe: 'Call the images of designs by this HOST[:PORT][/PREFIX], as ocl import names them there',
    })
    .option('rewrite', {
      type: 'string',
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: "A rule like sed's for the full names of images: 's#^docker.io/#registry.local:5000/#' (repeatable)",
    })
    .option('scoped', {
      type: 'boolean',
      default: false,
      describe: 'With --registry: as ocl import --scoped names them, docker.io/library/alpine',
    });
}

interface RelocationArguments {
  readonly registry?: string | undefined;
  readonly rewrite: readonly string[];
  readonly scoped: boolean;
}

/** Undefined: images keep their names. @throws OCL_USAGE, OCL_REFERENCE_INVALID */
export function toRelocation({ registry, rewrite, scoped }: RelocationArguments): Relocation | undefined {
  if (registry === undefined && rewrite.length === 0) return undefined;
  const rewrites = rewrite.map(compileRewrite);
  if (registry === undefined) return { prefix: '', scoped, rewrites };
  const place = parseShelvesPlace(registry);
  if (place.kind === 'disk')
    throw new OclError('OCL_USAGE', `Cannot call images by ${JSON.stringify(registry)}: it is no registry`, {
      hint: '--registry registry.example:5000/mirror',
    });
  return { registry: place.registry, prefix: place.prefix, scoped, rewrites };
}
