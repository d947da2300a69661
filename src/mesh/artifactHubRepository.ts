import { join } from 'node:path';
import { isCode, OclError } from '../core/errors.ts';
import { isObject } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { buildArtifact, type BuiltArtifact } from '../artifact/build.ts';
import { makeDirectory, writeFileAtomic } from '../io/atomicFile.ts';
import { readSmallFile } from '../io/smallFile.ts';
import { parseYaml } from '../io/yaml.ts';
import { composeRepositoryFile, type RepositoryFacts } from './artifactHub.ts';
import { lintRepositoryFile } from './artifactHubLint.ts';

/** The tag under which Artifact Hub looks for the metadata of an OCI repository. */
export const METADATA_TAG = 'artifacthub.io';
/** https://artifacthub.io/docs/topics/repositories/: the types that its tracker looks for. */
const CONFIG_TYPE = 'application/vnd.cncf.artifacthub.config.v1+yaml';
const LAYER_TYPE = 'application/vnd.cncf.artifacthub.repository-metadata.layer.v1.yaml';
const FILE = 'artifacthub-repo.yml';

/** The repository's metadata as the artifact that Artifact Hub reads beside the images and charts of an OCI repository. @throws OCL_USAGE */
export function repositoryArtifact(facts: RepositoryFacts): BuiltArtifact {
  return buildArtifact({
    // What is in it nobody reads; some registries take no empty content.
    config: { mediaType: CONFIG_TYPE, bytes: Buffer.from('{}') },
    layers: [{ mediaType: LAYER_TYPE, bytes: Buffer.from(checked(facts, {})), title: FILE }],
  });
}

/**
 * Writes `artifacthub-repo.yml` at the top of a tree; what is there and not given stays. False: nothing changed.
 * @throws OCL_USAGE for what Artifact Hub would refuse
 */
export async function writeHubRepository(facts: RepositoryFacts, root: string): Promise<boolean> {
  const path = join(root, FILE);
  const before = await textOf(path);
  const text = checked(facts, before === undefined ? undefined : parseYaml(before, path).value);
  if (text === before) return false;
  await makeDirectory(root);
  await writeFileAtomic(path, Buffer.from(text));
  return true;
}

function checked(facts: RepositoryFacts, before: unknown): string {
  const text = composeRepositoryFile(facts, isObject(before) ? before : {});
  const [fault] = lintRepositoryFile(text, FILE);
  if (fault === undefined) return text;
  throw new OclError('OCL_USAGE', `Cannot write ${FILE}: ${fault.message}`, { hint: fault.fix });
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return Buffer.from(await readSmallFile(path, LIMITS.configFile, path)).toString('utf8');
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND')) return undefined;
    throw error;
  }
}
