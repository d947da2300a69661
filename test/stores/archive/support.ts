import { type Platform, type Descriptor } from '../../../src/core/descriptor.ts';
import { OclError } from '../../../src/core/errors.ts';
import { silent } from '../../../src/core/events.ts';
import { type NamedRoot } from '../../../src/core/store.ts';
import { createArchive, type ArchiveDestination } from '../../../src/stores/archive/writer.ts';
import { type Content } from '../../support/content.ts';

export interface WriteOptions {
  readonly dockerPlatform?: Platform;
  /** The order of the puts; as `reserve` answers when it is not given. */
  readonly order?: (descriptors: readonly Descriptor[]) => readonly Descriptor[];
  readonly shuffleNodes?: (descriptors: readonly Descriptor[]) => readonly Descriptor[];
}

/** Everything in a content under some names, all puts at the same time, as the engine would do it. */
export async function writeArchive(
  destination: ArchiveDestination,
  content: Content,
  names: readonly NamedRoot[],
  options: WriteOptions = {},
): Promise<void> {
  const sink = createArchive(destination, {
    emit: silent,
    ...(options.dockerPlatform === undefined ? {} : { dockerPlatform: options.dockerPlatform }),
  });
  try {
    const nodes = (options.shuffleNodes ?? ((all) => all))(content.descriptors);
    const order = await sink.reserve(nodes, names, async (descriptor) => content.bytes(descriptor));
    await Promise.all(
      (options.order ?? ((all) => all))(order).map((descriptor) => sink.put(descriptor, content.opener(descriptor))),
    );
    for (const { root, name } of names) await sink.tag(root, name, content.opener(root));
    await sink.commit();
  } finally {
    await sink.close();
  }
}

/** The code of the failure, or 'none'. */
export async function codeOf(run: () => Promise<unknown>): Promise<string> {
  try {
    await run();
    return 'none';
  } catch (error) {
    if (error instanceof OclError) return error.code;
    throw error;
  }
}
