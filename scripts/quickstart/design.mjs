import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { filesBelow, gzipOf, tarOf } from './layers.mjs';
import { LAYER } from './pieces.mjs';

/** A Meshery design as an artifact: its first layer is the one that Meshery reads. The design's version is the tag. */
export function addDesign(repository, folder) {
  const about = parse(readFileSync(join(folder, 'artifacthub-pkg.yml'), 'utf8'));
  const design = parse(readFileSync(join(folder, 'design.yml'), 'utf8'));
  const manifest = repository.artifact({
    artifactType: 'application/vnd.meshery.design.v1',
    layers: [repository.blob(gzipOf(tarOf(filesBelow(folder), { root: true })), LAYER)],
    annotations: {
      'org.opencontainers.image.created': about.createdAt,
      'org.opencontainers.image.title': design.name,
      'org.opencontainers.image.description': about.description,
      'org.opencontainers.image.version': design.version,
      'org.opencontainers.image.licenses': about.license,
      'io.artifacthub.package.license': about.license,
      'io.artifacthub.package.logo-url': about.logoURL,
      'io.meshery.entity.kind': 'design',
      'io.meshery.entity.id': design.id,
      'io.meshery.entity.name': design.name,
      'io.meshery.entity.schemaVersion': design.schemaVersion,
      'io.meshery.entity.version': design.version,
      'io.meshery.design.components': String(design.components.length),
      'io.meshery.design.relationships': String(design.relationships.length),
    },
  });
  repository.tag(design.version, manifest);
}
