import { RECORD_ENTRY } from '../../core/bundleRecord.ts';
import { toJsonBytes } from '../../core/json.ts';
import { LAYOUT_FILE } from '../../core/layoutFile.ts';
import { MEDIA } from '../../core/mediaTypes.ts';
import { blobPath } from '../../io/verify.ts';
import { type DockerFiles } from './dockerFiles.ts';
import { type RootEntry } from './entries.ts';

/**
 * What stands before the contents of an archive.
 * @param record the bytes of what it says of itself; a plain archive says nothing
 */
export function headFiles(
  roots: readonly RootEntry[],
  docker: DockerFiles,
  record: Uint8Array | undefined,
): readonly (readonly [string, Uint8Array])[] {
  const manifests = roots.map(({ entry }) => entry);
  const files: (readonly [string, Uint8Array])[] = [
    ['oci-layout', LAYOUT_FILE],
    ['index.json', toJsonBytes({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests })],
  ];
  if (docker.manifest !== undefined) files.push(['manifest.json', docker.manifest]);
  if (docker.repositories !== undefined) files.push(['repositories', docker.repositories]);
  if (docker.config !== undefined) files.push([blobPath(docker.config.digest), docker.config.bytes]);
  if (record !== undefined) files.push([RECORD_ENTRY, record]);
  return files;
}
