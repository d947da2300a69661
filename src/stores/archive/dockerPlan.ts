import { type Descriptor, type Platform } from '../../core/descriptor.ts';
import { splitDigest } from '../../core/digest.ts';
import { type DockerStandIn, type FindStandIn } from '../../core/dockerStandIn.ts';
import { OclError } from '../../core/errors.ts';
import { MEDIA } from '../../core/mediaTypes.ts';
import { formatPlatform } from '../../core/platform.ts';
import { type NamedRoot } from '../../core/store.ts';
import { shown } from '../../io/tarName.ts';
import { describe } from '../../io/verify.ts';
import { composeDockerFiles, standInManifest } from './dockerFiles.ts';
import { Documents } from './documents.ts';
import { composeEntries } from './entries.ts';
import { nameKey, slotsOf, type ArchivePlan } from './plan.ts';
import { VolumeLayout } from './volumeLayout.ts';

export interface DockerPlanOptions {
  readonly read: (descriptor: Descriptor) => Promise<Uint8Array>;
  readonly dockerPlatform: Platform;
  readonly standIn?: FindStandIn | undefined;
}

/** What cosign keeps under such tags looks like an image, and is none. */
const DIGEST_TAG = /:[a-z0-9]+-[0-9a-f]{64}[^:]*$/;

/**
 * What `docker save` wrote before version 25: the files for docker and what they name, no layout, no index, no manifest.
 * @throws OCL_UNSUPPORTED where a named image has no place in it, or there is nothing that could stand for one
 */
export async function planDockerArchive(
  nodes: readonly Descriptor[],
  names: readonly NamedRoot[],
  options: DockerPlanOptions,
): Promise<ArchivePlan> {
  const known = new Map(nodes.map((node) => [node.digest, node]));
  const documents = new Documents(known, options.read);
  const { dockerPlatform } = options;
  const roots = await composeEntries(names, documents, dockerPlatform);
  const { manifest, repositories, left, others, contents } = await composeDockerFiles(roots, documents, {
    dockerPlatform,
  });
  const images = left.filter((name) => !DIGEST_TAG.test(name));
  const [first] = images;
  if (first !== undefined)
    throw new OclError(
      'OCL_UNSUPPORTED',
      `Cannot write ${shown(first)} to a docker archive: it has no image for ${formatPlatform(dockerPlatform)} with layers that docker takes`,
      { hint: 'name another platform with --platform, or write an oci-archive, which takes everything' },
    );
  if (manifest === undefined) return await planStandIn(nodes, names, options);
  const files: (readonly [string, Uint8Array])[] = [['manifest.json', manifest]];
  if (repositories !== undefined) files.push(['repositories', repositories]);
  const volume = new VolumeLayout({
    volume: 0,
    images: 0,
    files: () => files,
    blobs: [...new Map(contents.map(({ digest }) => [digest, known.get(digest) as Descriptor])).values()],
    slices: [],
    sums: false,
  });
  return planOf(volume, names, others + left.length - images.length);
}

function planOf(volume: VolumeLayout, names: readonly NamedRoot[], leftBehind: number): ArchivePlan {
  return {
    volumes: [volume],
    slots: slotsOf([volume]),
    record: undefined,
    names: new Set(names.map(({ root, name }) => nameKey(root, name))),
    notForDocker: [],
    leftBehind,
  };
}

/**
 * An archive in the form that `crane save` writes: the config under its digest, the layers, `manifest.json` at the end. Nothing of the
 * artifact's own manifest is in it.
 * @throws OCL_UNSUPPORTED when there is not exactly one artifact that has a stand-in
 */
async function planStandIn(
  nodes: readonly Descriptor[],
  names: readonly NamedRoot[],
  options: DockerPlanOptions,
): Promise<ArchivePlan> {
  const { repoTag, config, layers } = await onlyStandIn(nodes, names, options);
  const configPath = describe(config, MEDIA.ociConfig).digest;
  const volume = new VolumeLayout({
    volume: 0,
    images: 1,
    files: () => [[configPath, config]],
    blobs: layers,
    slices: [],
    sums: false,
    docker: {
      pathOf: layerPath,
      last: ['manifest.json', standInManifest({ repoTag, config, layers }, configPath, layerPath)],
    },
  });
  return planOf(volume, names, 0);
}

async function onlyStandIn(
  nodes: readonly Descriptor[],
  names: readonly NamedRoot[],
  options: DockerPlanOptions,
): Promise<DockerStandIn> {
  const documents = new Documents(new Map(nodes.map((node) => [node.digest, node])), options.read);
  const found: DockerStandIn[] = [];
  for (const root of new Map(names.map((each) => [each.root.digest, each.root])).values()) {
    const manifest = await documents.manifest(root);
    const standIn = manifest === undefined ? undefined : await options.standIn?.(manifest, options.read);
    if (standIn !== undefined) found.push(standIn);
  }
  const [standIn] = found;
  if (standIn !== undefined && found.length === 1) return standIn;
  throw new OclError(
    'OCL_UNSUPPORTED',
    `Cannot write this as a docker archive: ${found.length === 0 ? 'nothing in it can stand for an image' : 'there is room for one entity alone'}`,
    { hint: 'write an archive of the usual form, which holds all of it' },
  );
}

function layerPath({ digest }: Descriptor): string {
  return `${splitDigest(digest).encoded}.tar.gz`;
}
