import { type Descriptor } from '../../core/descriptor.ts';
import { isDocumentType } from '../../core/mediaTypes.ts';
import { discard } from '../../io/httpMessages.ts';
import { type RegistryClient } from './client.ts';
import { type RepositoryPaths } from './paths.ts';

/** Bytes up to which sending a content again costs no more than asking for it. */
const SMALL = 64 << 10;

/**
 * Whether a repository that is written to was not there before, so that nothing small need be asked for: a first mirror then
 * sends half as many requests. Large contents are asked for all the same, for a run that broke off may have left them.
 */
export class NewRepository {
  readonly #client: RegistryClient;
  readonly #paths: RepositoryPaths;
  #isNew: Promise<boolean> | undefined;

  constructor(client: RegistryClient, paths: RepositoryPaths) {
    this.#client = client;
    this.#paths = paths;
  }

  /** From now on something is written: asks, once, whether there are tags. Every other answer than "no such repository" counts as yes. */
  begin(): void {
    this.#isNew ??= this.#ask();
  }

  /** True: it need not be asked for. */
  async lacks({ mediaType, size }: Descriptor): Promise<boolean> {
    if (size > SMALL && !isDocumentType(mediaType)) return false;
    return (await this.#isNew) ?? false;
  }

  async #ask(): Promise<boolean> {
    try {
      const { tags, pull, name } = this.#paths;
      const to = `${tags}${tags.includes('?') ? '&' : '?'}n=1`;
      const answer = await this.#client.send({
        method: 'GET',
        to,
        need: pull,
        action: `look for ${name}`,
        ok: [200, 404],
      });
      await discard(answer);
      return answer.status === 404;
    } catch {
      return false; // what really is wrong, the next request tells
    }
  }
}
