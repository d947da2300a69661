import { existsSync } from 'node:fs';
import { parsePathReference, parseReference, type Reference } from '../core/reference.ts';

/**
 * A reference where a place on disk is as likely as an image: a bare name that is there on disk is that place,
 * not an image of Docker Hub. `docker://name` says the other.
 */
export function parsePlace(text: string): Reference {
  const reference = parseReference(text);
  const bare = reference.kind === 'registry' && reference.registry === 'docker.io' && !text.startsWith('docker.io/');
  return bare && !text.includes('://') && existsSync(text) ? parsePathReference(text) : reference;
}
