import { type Descriptor } from '../../src/core/descriptor.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { createMemory, type MemoryStore } from '../../src/stores/memory/store.ts';
import { TAR } from './typeRows.ts';
import { thing } from './thing.ts';

export const CONFIG = 'application/vnd.cnab.config.v1+json';
export const INVOCATION = 'docker.io/acme/shop-invoc:1.0';
export const WEB = 'registry.example/team/web:2.0';
export const DATABASE = 'docker.io/library/postgres:16';

/** The bundle file of a shop: an invocation image and two components, with their digests or without. */
export function bundleFile(digests: readonly (string | undefined)[] = []): Record<string, unknown> {
  const digest = (i: number) => (digests[i] === undefined ? {} : { contentDigest: digests[i] });
  return {
    schemaVersion: 'v1.2.0',
    name: 'shop',
    version: '1.0.0',
    description: 'A shop in a bundle',
    keywords: ['shop', 'demo'],
    maintainers: [{ name: 'Ada', email: 'ada@example.invalid' }],
    invocationImages: [{ imageType: 'docker', image: INVOCATION, ...digest(0) }],
    images: { web: { image: WEB, ...digest(1) }, database: { image: DATABASE, ...digest(2) } },
  };
}

export interface CnabSpec {
  readonly annotated?: boolean;
  /** Docker's media types, as the last of the fallbacks has them. */
  readonly docker?: boolean;
  readonly config?: string;
  readonly digests?: boolean;
  /** Left out of the index. */
  readonly without?: 'web';
}

export interface CnabThing {
  readonly store: MemoryStore;
  readonly root: Descriptor;
  /** Invocation image, web, database. */
  readonly images: readonly Descriptor[];
}

/** A bundle as an index, in the order in which tools write it: config, invocation image, components by name. */
export function cnabIndex(spec: CnabSpec = {}, store: MemoryStore = createMemory()): CnabThing {
  const { annotated = true, docker = false, config = CONFIG, digests = false } = spec;
  const images = ['invocation', 'web', 'database'].map(
    (name) => thing({ layers: [TAR], content: { os: 'linux', architecture: 'amd64', name } }, store).descriptor,
  );
  const file = store.putBytes(toJsonBytes(bundleFile(digests ? images.map(({ digest }) => digest) : [])), config);
  const mediaType = docker ? MEDIA.dockerManifest : MEDIA.ociManifest;
  const manifest = store.putBytes(
    toJsonBytes({ schemaVersion: 2, mediaType, config: file, layers: docker ? [file] : null }),
    mediaType,
  );
  const note = (annotations: Record<string, string>) => (annotated ? { annotations } : {});
  const [invocation, web, database] = images as [Descriptor, Descriptor, Descriptor];
  const component = (name: string) => ({ 'io.cnab.manifest.type': 'component', 'io.cnab.component.name': name });
  const manifests = [
    { ...manifest, ...note({ 'io.cnab.manifest.type': 'config' }) },
    { ...invocation, ...note({ 'io.cnab.manifest.type': 'invocation' }) },
    { ...database, ...note(component('database')) },
    ...(spec.without === 'web' ? [] : [{ ...web, ...note(component('web')) }]),
  ];
  const type = docker ? MEDIA.dockerIndex : MEDIA.ociIndex;
  const index = {
    schemaVersion: 2,
    ...(docker ? { mediaType: type } : {}),
    manifests,
    ...note({
      'io.cnab.runtime_version': 'v1.0.0',
      'org.opencontainers.artifactType': 'application/vnd.cnab.manifest.v1',
    }),
  };
  return { store, root: store.putBytes(toJsonBytes(index), type), images };
}
