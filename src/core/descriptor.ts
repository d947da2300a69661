import { type Digest } from './digest.ts';

export interface Platform {
  readonly architecture: string;
  readonly os: string;
  readonly 'os.version'?: string | undefined;
  readonly 'os.features'?: readonly string[] | undefined;
  readonly variant?: string | undefined;
}

/** What names a piece of content (image-spec descriptor.md). Members that `ocl` does not know are kept by those who hold the raw bytes. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly platform?: Platform | undefined;
  readonly artifactType?: string | undefined;
  readonly urls?: readonly string[] | undefined;
  /** The content itself in base64; it is checked against digest and size before it is believed. */
  readonly data?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export const ANNOTATION = {
  refName: 'org.opencontainers.image.ref.name',
  created: 'org.opencontainers.image.created',
  title: 'org.opencontainers.image.title',
  /** containerd and docker write the full name of an image here. */
  imageName: 'io.containerd.image.name',
} as const;

/** The bare identity of a descriptor, as it is written where annotations of another place do not belong. */
export function plainDescriptor(desc: Descriptor): Descriptor {
  return { mediaType: desc.mediaType, digest: desc.digest, size: desc.size };
}

/** `{}`: the content that stands for "no content" (image-spec manifest.md, "Guidance for an Empty Descriptor"). */
export const EMPTY_BLOB: { readonly bytes: Uint8Array; readonly descriptor: Descriptor } = {
  bytes: new TextEncoder().encode('{}'),
  descriptor: {
    mediaType: 'application/vnd.oci.empty.v1+json',
    digest: 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    size: 2,
    data: 'e30=',
  },
};

/** What lies in a store, whatever it is. */
export interface StoredBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}
