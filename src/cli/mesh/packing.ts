import { type Argv } from 'yargs';
import { OclError } from '../../core/errors.ts';
import { type PackOptions } from '../../mesh/pack.ts';
import { sourceDate } from '../sourceDate.ts';

/** In which form entities are packed: the same options wherever that is done. */
export function packingOptions<T>(cli: Argv<T>) {
  return cli
    .option('media-types', {
      choices: ['oci', 'flux'] as const,
      default: 'oci' as const,
      describe: "Artifacts with all their files, or the types of Meshery's own registry pushes and nothing else",
    })
    .option('image', {
      type: 'boolean',
      default: false,
      describe: 'As a container image, for registries that take nothing else',
    })
    .option('yaml', {
      type: 'boolean',
      describe: 'Designs as YAML where Meshery reads them, for people; as JSON, what it does not know is kept',
    })
    .option('allow-secrets', {
      type: 'boolean',
      default: false,
      describe: 'Pack connections with the values of credentials',
    });
}

interface PackingArguments {
  readonly mediaTypes: 'oci' | 'flux';
  readonly image: boolean;
  readonly yaml: boolean | undefined;
  readonly allowSecrets: boolean;
}

/** The legacy form has no room beside what Meshery reads, so there the text stays as it is. @throws OCL_USAGE */
export function toPacking({ mediaTypes, image, yaml, allowSecrets }: PackingArguments, legacy = false): PackOptions {
  if (image && (legacy || mediaTypes === 'flux'))
    throw new OclError('OCL_USAGE', 'Cannot pack: --image is a form of its own', {
      hint: 'leave --media-types and --format away',
    });
  const text = yaml === undefined ? (legacy ? 'given' : 'json') : yaml ? 'yaml' : 'json';
  const form = mediaTypes === 'flux' ? 'flux' : image ? 'image' : 'artifact';
  return { form, text, allowSecrets, created: sourceDate(process.env) };
}
