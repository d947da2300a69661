import { type Descriptor, type Platform } from '../core/descriptor.ts';
import { OclError } from '../core/errors.ts';
import { isImage } from '../core/graph.ts';
import { parseImageConfig } from '../core/imageConfig.ts';
import { LIMITS } from '../core/limits.ts';
import { type ManifestDocument } from '../core/manifest.ts';
import { matchesPlatform } from '../core/platform.ts';
import { type Source } from '../core/store.ts';
import { embeddedData, readVerified } from '../io/verify.ts';

/** The platform of an image that has but one, where that is none of those that are wanted. Undefined also when nobody can tell. */
export async function otherPlatform(
  root: Descriptor,
  document: ManifestDocument,
  wanted: readonly Platform[],
  from: Source,
): Promise<Platform | undefined> {
  const platform = root.platform ?? (await configPlatform(document, from));
  return platform === undefined || wanted.some((one) => matchesPlatform(one, platform)) ? undefined : platform;
}

/** What the config of an image says; undefined for what is no image, or does not tell. */
export async function configPlatform(document: ManifestDocument, from: Source): Promise<Platform | undefined> {
  if (document.kind !== 'manifest' || document.config === undefined || !isImage(document)) return undefined;
  const { config } = document;
  try {
    const bytes = embeddedData(config) ?? (await readVerified(await from.open(config), config, LIMITS.configBytes));
    const { os, architecture, variant, 'os.version': version } = parseImageConfig(bytes, config.digest);
    if (!os || !architecture) return undefined;
    return { os, architecture, ...(variant ? { variant } : {}), ...(version ? { 'os.version': version } : {}) };
  } catch (error) {
    // Only a warning depends on it; what is wrong with the config the copy itself will tell.
    if (error instanceof OclError) return undefined;
    throw error;
  }
}
