import { gzipSync } from 'node:zlib';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { tarOf, type Content } from './content.ts';

export interface DatabaseSpec {
  readonly layerType: string;
  readonly title?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** In place of a tar file of the files. */
  readonly blob?: Uint8Array;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly layers?: number;
}

/** A database as its makers push it: one layer with a title, and an empty config (oras 1.2). */
export function databaseArtifact(content: Content, spec: DatabaseSpec): Descriptor {
  const blob = content.add(spec.blob ?? gzipSync(tarOf(spec.files ?? {})), spec.layerType);
  const layer = {
    ...blob,
    ...(spec.title === undefined ? {} : { annotations: { 'org.opencontainers.image.title': spec.title } }),
  };
  const config = content.add('{}', MEDIA.ociEmpty);
  return content.json(
    {
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      artifactType: spec.artifactType ?? 'application/vnd.aquasec.trivy.config.v1+json',
      config,
      layers: Array.from({ length: spec.layers ?? 1 }, () => layer),
      ...(spec.annotations === undefined ? {} : { annotations: spec.annotations }),
    },
    MEDIA.ociManifest,
  );
}

export const MADE = '2026-11-20T06:12:00Z';

export const TRIVY_DB: DatabaseSpec = {
  layerType: 'application/vnd.aquasec.trivy.db.layer.v1.tar+gzip',
  title: 'db.tar.gz',
  files: {
    'trivy.db': 'vulnerabilities',
    'metadata.json': JSON.stringify({
      Version: 2,
      NextUpdate: '2026-11-21T06:12:00Z',
      UpdatedAt: MADE,
      DownloadedAt: '0001-01-01T00:00:00Z',
    }),
  },
};

export const JAVA_DB: DatabaseSpec = {
  layerType: 'application/vnd.aquasec.trivy.javadb.layer.v1.tar+gzip',
  title: 'javadb.tar.gz',
  files: {
    'trivy-java.db': 'jars',
    'metadata.json': JSON.stringify({ Version: 1, NextUpdate: '2026-11-23T00:00:00Z', UpdatedAt: MADE }),
  },
};

export const CHECKS: DatabaseSpec = {
  layerType: 'application/vnd.cncf.openpolicyagent.layer.v1.tar+gzip',
  title: 'bundle.tar.gz',
  artifactType: 'application/vnd.cncf.openpolicyagent.config.v1+json',
  files: { '.manifest': '{}', 'policies/docker/root.rego': 'package root' },
  annotations: { 'org.opencontainers.image.version': '2.1.3', 'org.opencontainers.image.created': MADE },
};

export const GRYPE_DB: DatabaseSpec = {
  layerType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  title: 'vulnerability-db_v6.1.4_2026-11-20T06:12:00Z_1795155120.tar.gz',
  artifactType: 'application/vnd.example.database',
  files: { 'vulnerability.db': 'SQLite format 3\0' },
};
