import { isCode } from '../../core/errors.ts';
import { MANIFEST_ACCEPT } from '../../core/mediaTypes.ts';
import { discard } from '../../io/httpMessages.ts';
import { RETRY } from '../../io/retry.ts';
import { RegistryClient, type ApiRequest, type ClientOptions } from './client.ts';
import { RepositoryPaths } from './paths.ts';
import { type RateLimit } from './rateLimit.ts';

export interface LimitQuestion extends ClientOptions {
  /** Some registries have a limit for each repository, and all want the right to read one. */
  readonly image: { readonly repository: string; readonly name: string } | undefined;
}

/** Docker Hub keeps this one for the question (spec oci.md 8.1). */
const HUB_PREVIEW = { repository: 'ratelimitpreview/test', name: 'latest' };
/** What tells of limits as well as a success does. */
const TELLING = [200, 401, 403, 404, 429];

/**
 * Asks a registry what is left, by requests that spend nothing: HEAD of a manifest, or GET of `/v2/` where no image is named.
 * Undefined: it does not tell.
 * @throws OCL_UNREACHABLE, OCL_UNAUTHORIZED when the login is refused, OCL_REGISTRY
 */
export async function askRateLimit(question: LimitQuestion): Promise<RateLimit | undefined> {
  const { registry } = question;
  // A 429 is an answer here, and no reason to ask again.
  const client = new RegistryClient({ ...question, retry: { ...RETRY, tries: 1 } });
  const image = question.image ?? (registry === 'docker.io' ? HUB_PREVIEW : undefined);
  const call = image === undefined ? DOOR : headOf(client, image);
  try {
    await discard(await client.send({ ...call, action: `ask ${registry} for its limits`, ok: TELLING }));
  } catch (error) {
    // A wait that is too long for a run is what was asked for here.
    if (!isCode(error, 'OCL_RATE_LIMITED') || client.rateLimit === undefined) throw error;
  }
  return client.rateLimit;
}

type Call = Pick<ApiRequest, 'method' | 'to' | 'need' | 'headers'>;

const DOOR: Call = { method: 'GET', to: '', need: { scopes: [], repository: undefined } };

function headOf({ registry, settings }: RegistryClient, image: NonNullable<LimitQuestion['image']>): Call {
  const paths = new RepositoryPaths(registry, image.repository, settings.pathPrefix);
  const headers = { accept: MANIFEST_ACCEPT };
  return { method: 'HEAD', to: paths.manifest(image.name), need: paths.pull, headers };
}
