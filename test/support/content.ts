import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { EMPTY_BLOB, type Descriptor, type Platform } from '../../src/core/descriptor.ts';
import { type Digest } from '../../src/core/digest.ts';
import { toJsonBytes } from '../../src/core/json.ts';
import { MEDIA } from '../../src/core/mediaTypes.ts';
import { type Open } from '../../src/core/store.ts';
import { TAR_END, tarFileHeader, tarPadding } from '../../src/io/tarball.ts';
import { describe, digestOf } from '../../src/io/verify.ts';

export interface ImageSpec {
  /** What is in the layers, one text each. */
  readonly layers?: readonly string[];
  readonly compression?: 'gzip' | 'none';
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly subject?: Descriptor;
  /** Docker's media types in place of OCI's. */
  readonly docker?: boolean;
}

export interface ArtifactSpec {
  readonly type?: string;
  readonly blobs?: readonly string[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Blobs in memory, made by saying what they are. The same words always give the same bytes. */
export class Content {
  readonly blobs = new Map<Digest, { readonly descriptor: Descriptor; readonly bytes: Uint8Array }>();

  add(bytes: Uint8Array | string, mediaType: string): Descriptor {
    const raw = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
    const descriptor = describe(raw, mediaType);
    this.blobs.set(descriptor.digest, { descriptor, bytes: raw });
    return descriptor;
  }

  json(value: unknown, mediaType: string): Descriptor {
    return this.add(toJsonBytes(value), mediaType);
  }

  image(spec: ImageSpec = {}): Descriptor {
    const platform = spec.platform ?? { os: 'linux', architecture: 'amd64' };
    const zipped = spec.compression !== 'none';
    const tars = (spec.layers ?? ['hello']).map((text, i) => tarOf({ [`file-${i}`]: text }));
    const type = spec.docker
      ? {
          manifest: MEDIA.dockerManifest,
          config: MEDIA.dockerConfig,
          plain: MEDIA.dockerLayer,
          gzip: MEDIA.dockerLayerGzip,
        }
      : { manifest: MEDIA.ociManifest, config: MEDIA.ociConfig, plain: MEDIA.ociLayer, gzip: MEDIA.ociLayerGzip };
    const layers = tars.map((tar) => (zipped ? this.add(gzipSync(tar), type.gzip) : this.add(tar, type.plain)));
    const config = this.json(
      {
        ...platform,
        config: {},
        rootfs: { type: 'layers', diff_ids: tars.map((tar) => digestOf(tar)) },
        history: tars.map(() => ({ created_by: 'test' })),
      },
      type.config,
    );
    const manifest = {
      schemaVersion: 2,
      mediaType: type.manifest,
      config,
      layers,
      ...(spec.subject === undefined ? {} : { subject: spec.subject }),
      ...(spec.annotations === undefined ? {} : { annotations: spec.annotations }),
    };
    return this.json(manifest, type.manifest);
  }

  /** An image for each platform, in an index. */
  platforms(platforms: readonly Platform[], spec: ImageSpec = {}): Descriptor {
    return this.index(
      platforms.map((platform) => ({
        ...this.image({
          ...spec,
          platform,
          layers: [`${platform.os}/${platform.architecture}`, ...(spec.layers ?? [])],
        }),
        platform,
      })),
    );
  }

  index(manifests: readonly Descriptor[], more: Readonly<Record<string, unknown>> = {}): Descriptor {
    return this.json({ schemaVersion: 2, mediaType: MEDIA.ociIndex, manifests, ...more }, MEDIA.ociIndex);
  }

  artifact(spec: ArtifactSpec = {}): Descriptor {
    this.add(EMPTY_BLOB.bytes, MEDIA.ociEmpty);
    const layers = (spec.blobs ?? ['payload']).map((text) => this.add(text, 'text/plain'));
    const { data: _data, ...config } = EMPTY_BLOB.descriptor;
    const manifest = {
      schemaVersion: 2,
      mediaType: MEDIA.ociManifest,
      artifactType: spec.type ?? 'application/vnd.test.thing',
      config,
      layers,
      ...(spec.subject === undefined
        ? {}
        : { subject: { mediaType: spec.subject.mediaType, digest: spec.subject.digest, size: spec.subject.size } }),
      ...(spec.annotations === undefined ? {} : { annotations: spec.annotations }),
    };
    return this.json(manifest, MEDIA.ociManifest);
  }

  bytes(descriptor: Descriptor): Uint8Array {
    const blob = this.blobs.get(descriptor.digest);
    if (blob === undefined) throw new Error(`the test has no ${descriptor.digest}`);
    return blob.bytes;
  }

  opener(descriptor: Descriptor): Open {
    return async () => Readable.from([Buffer.from(this.bytes(descriptor))], { objectMode: false });
  }

  get descriptors(): readonly Descriptor[] {
    return [...this.blobs.values()].map(({ descriptor }) => descriptor);
  }
}

/** A plain tar file of regular files, in the order given. */
export function tarOf(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const [name, content] of Object.entries(files)) {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    parts.push(tarFileHeader(name, bytes.length, 0o644), bytes, new Uint8Array(tarPadding(bytes.length)));
  }
  return Buffer.concat([...parts, TAR_END]);
}
