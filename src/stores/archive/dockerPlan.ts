import { type Descriptor } from '../../core/descriptor.ts';
import { splitDigest } from '../../core/digest.ts';
import { type DockerStandIn, type FindStandIn } from '../../core/dockerStandIn.ts';
import { OclError } from '../../core/errors.ts';
import { MEDIA } from '../../core/mediaTypes.ts';
import { type NamedRoot } from '../../core/store.ts';
import { describe } from '../../io/verify.ts';
import { standInManifest } from './dockerFiles.ts';
import { Documents } from './documents.ts';
import { nameKey, slotsOf, type ArchivePlan } from './plan.ts';
import { VolumeLayout } from './volumeLayout.ts';

/**
 * An archive in the form that `crane save` writes: the config under its digest, the layers, `manifest.json` at the end. Nothing of the
 * artifact's own manifest is in it.
 * @throws OCL_UNSUPPORTED when there is not exactly one artifact that has a stand-in
 */
export async function planDockerArchive(
  nodes: readonly Descriptor[],
  names: readonly NamedRoot[],
  options: {
    readonly read: (descriptor: Descriptor) => Promise<Uint8Array>;
    readonly standIn?: FindStandIn | undefined;
  },
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
  return {
    volumes: [volume],
    slots: slotsOf([volume]),
    record: undefined,
    names: new Set(names.map(({ root, name }) => nameKey(root, name))),
    notForDocker: [],
  };
}

async function onlyStandIn(
  nodes: readonly Descriptor[],
  names: readonly NamedRoot[],
  options: Parameters<typeof planDockerArchive>[2],
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
