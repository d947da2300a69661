import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { isObject, parseJson } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { parseManifest } from '../core/manifest.ts';
import { documentLimit, isDocumentType } from '../core/mediaTypes.ts';
import { type Sink, type Source } from '../core/store.ts';
import { readVerified } from '../io/verify.ts';

/** Indexes inside each other that are gone down into. */
const MAX_DEPTH = 3;

/**
 * When an image was made, by what it says of itself: the annotation of its index or manifest, else the config of its first image.
 * Reads documents, which public registries count as pulls; what `near` has is read there.
 * @returns milliseconds since the epoch; undefined when it does not tell
 */
export async function createdAt(
  root: Descriptor,
  source: Source,
  near?: Pick<Sink, 'document'>,
): Promise<number | undefined> {
  const own = timeOf(root.annotations?.[ANNOTATION.created]);
  if (own !== undefined) return own;
  return await below(root, source, near, 0);
}

async function below(
  descriptor: Descriptor,
  source: Source,
  near: Pick<Sink, 'document'> | undefined,
  depth: number,
): Promise<number | undefined> {
  if (!isDocumentType(descriptor.mediaType) || depth > MAX_DEPTH) return undefined;
  const bytes =
    (await near?.document?.(descriptor)) ??
    (await readVerified(await source.open(descriptor), descriptor, documentLimit(descriptor.mediaType)));
  const document = parseManifest(bytes, descriptor.mediaType, `${source.name}@${descriptor.digest}`);
  const told = timeOf(document.annotations?.[ANNOTATION.created]);
  if (told !== undefined) return told;
  if (document.kind === 'index') {
    const first = document.manifests[0];
    return first === undefined ? undefined : await below(first, source, near, depth + 1);
  }
  if (document.config === undefined || document.config.size > LIMITS.configBytes) return undefined;
  const config = parseJson(
    await readVerified(await source.open(document.config), document.config, LIMITS.configBytes),
    `the config of ${source.name}@${descriptor.digest}`,
  );
  return isObject(config) ? timeOf(config['created']) : undefined;
}

function timeOf(text: unknown): number | undefined {
  if (typeof text !== 'string') return undefined;
  const time = Date.parse(text);
  // Tools that build reproducibly write the epoch, which tells nothing.
  return Number.isNaN(time) || time <= 0 ? undefined : time;
}
