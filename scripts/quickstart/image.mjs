import { gzipOf, tarOf } from './layers.mjs';
import { hashOf, INDEX, LAYER, MANIFEST } from './pieces.mjs';
import { programOf } from './program.mjs';

const CREATED = '2026-01-01T00:00:00Z';
const ARCHITECTURES = ['amd64', 'arm64'];

/**
 * A multi-platform image: a layer of files that the platforms share, and one with a program for each.
 * Answers the index, and for each platform the manifest and the files that are in it.
 */
export function addImage(repository, version, files) {
  const images = ARCHITECTURES.map((architecture) => addPlatform(repository, version, files, architecture));
  const index = repository.document(
    {
      manifests: images.map(({ manifest, architecture }) => ({
        ...manifest,
        platform: { os: 'linux', architecture },
      })),
      annotations: annotationsOf(version),
    },
    INDEX,
  );
  return { index, images };
}

function addPlatform(repository, version, files, architecture) {
  const program = {
    path: 'bin/hello',
    mode: 0o755,
    bytes: programOf(architecture, `Hello from ${version} on linux/${architecture}!\n`),
  };
  const tars = [tarOf(files), tarOf([program])];
  const config = {
    created: CREATED,
    author: 'The quick start of ocl',
    os: 'linux',
    architecture,
    config: {
      User: '1000:1000',
      Env: ['PATH=/bin', 'HOME=/srv/www', `HELLO_VERSION=${version}`],
      Entrypoint: ['/bin/hello'],
      WorkingDir: '/srv/www',
      Labels: annotationsOf(version),
    },
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => `sha256:${hashOf('sha256', tar)}`) },
    history: [
      { created: CREATED, created_by: 'COPY rootfs / # buildkit' },
      { created: CREATED, created_by: 'COPY hello /bin/hello # buildkit' },
      { created: CREATED, created_by: 'USER 1000:1000', empty_layer: true },
      { created: CREATED, created_by: 'ENTRYPOINT ["/bin/hello"]', empty_layer: true },
    ],
  };
  const manifest = repository.document(
    {
      config: repository.blob(JSON.stringify(config), 'application/vnd.oci.image.config.v1+json'),
      layers: tars.map((tar) => repository.blob(gzipOf(tar), LAYER)),
      annotations: annotationsOf(version),
    },
    MANIFEST,
  );
  return { manifest, architecture, files: [...files, program] };
}

function annotationsOf(version) {
  return {
    'org.opencontainers.image.title': 'hello',
    'org.opencontainers.image.description': 'Says hello, and has a page to serve',
    'org.opencontainers.image.version': version,
    'org.opencontainers.image.licenses': 'Apache-2.0',
    'org.opencontainers.image.created': CREATED,
  };
}
