import { createHash } from 'node:crypto';

/** A config that says nothing, as artifacts have it. */
const EMPTY = 'application/vnd.oci.empty.v1+json';

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const INDEX = 'application/vnd.oci.image.index.v1+json';
export const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** What a repository is made of: contents, documents with children before parents, and names. */
export class Repository {
  name;
  blobs = new Map();
  documents = new Map();
  tags = new Map();

  constructor(name) {
    this.name = name;
  }

  blob(bytes, mediaType) {
    return add(this.blobs, Buffer.from(bytes), mediaType);
  }

  document(value, mediaType) {
    return add(this.documents, Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...value })), mediaType);
  }

  /** An artifact; its config is the empty one unless there is another. Its descriptor says what it is, as an index wants it. */
  artifact({ artifactType, config, layers, subject, annotations }) {
    const manifest = { artifactType, config: config ?? this.blob('{}', EMPTY), layers, subject, annotations };
    return { ...this.document(manifest, MANIFEST), artifactType };
  }

  tag(name, descriptor) {
    this.tags.set(name, descriptor);
  }

  bytesOf({ digest }) {
    return (this.blobs.get(digest) ?? this.documents.get(digest)).bytes;
  }
}

function add(pieces, bytes, mediaType) {
  const descriptor = { mediaType, digest: `sha256:${hashOf('sha256', bytes)}`, size: bytes.length };
  pieces.set(descriptor.digest, { descriptor, bytes });
  return descriptor;
}

export function hashOf(algorithm, bytes, encoding = 'hex') {
  return createHash(algorithm).update(bytes).digest(encoding);
}
