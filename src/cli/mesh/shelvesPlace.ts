import { existsSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import { OclError } from '../../core/errors.ts';
import { isRegistryHost, isRepository, parsePathReference, parseReference } from '../../core/reference.ts';
import { type ShelvesPlace } from '../../mesh/shelves.ts';

/** Where entities are published: `HOST[:PORT][/NAMESPACE]`, a library, a layout, or an archive to write. @throws OCL_USAGE, OCL_REFERENCE_INVALID */
export function parseShelvesPlace(text: string): ShelvesPlace {
  if (!isOnDisk(text)) return registryPlace(text.replace(/^docker:\/\//, ''));
  const reference = parsePathReference(text);
  if (reference.kind === 'registry') return registryPlace(text);
  if (reference.tag !== undefined || reference.digest !== undefined)
    throw new OclError(
      'OCL_USAGE',
      `Cannot publish into ${text}: the versions of the entities become tags by themselves`,
      {
        hint: 'leave away what stands after the path; ocl mesh pack takes a name of your choice',
      },
    );
  if (reference.kind === 'docker-archive')
    throw new OclError('OCL_UNSUPPORTED', `Cannot publish into ${text}: docker archives have no artifacts`);
  if (reference.kind === 'path') return { kind: 'disk', reference, form: formOf(reference.path) };
  return { kind: 'disk', reference, form: reference.kind };
}

function isOnDisk(text: string): boolean {
  if (text.startsWith('docker://')) return false;
  if (/^(?:[./~]|[a-z][a-z0-9+-]*:(?!\d))/.test(text)) return true;
  if (['.tar', '.oci'].includes(extname(text))) return true;
  const [host = ''] = text.split('/');
  const isHost = /[.:]/.test(host) || host === 'localhost';
  const isThere = existsSync(text);
  if (isHost && isThere)
    throw new OclError(
      'OCL_AMBIGUOUS',
      `Cannot publish into ${text}: it may be a registry, and is on this disk as well`,
      {
        hint: `write ./${text} for the place on disk, docker://${text} for the registry`,
      },
    );
  if (isHost || isThere) return isThere;
  throw new OclError('OCL_USAGE', `Cannot tell where ${JSON.stringify(text)} is`, {
    hint: `write ./${text} for a directory, docker.io/${text} for Docker Hub`,
  });
}

function formOf(path: string): 'library' | 'layout' | 'archive' {
  if (!existsSync(path)) return ['.tar', '.oci'].includes(extname(path)) ? 'archive' : 'library';
  if (!statSync(path).isDirectory()) return 'archive';
  return existsSync(join(path, 'oci-layout')) ? 'layout' : 'library';
}

function registryPlace(text: string): ShelvesPlace {
  const [host = '', ...rest] = text.replace(/\/+$/, '').split('/');
  const prefix = rest.join('/');
  if (!isRegistryHost(host) || (prefix !== '' && !isRepository(prefix)))
    throw new OclError('OCL_REFERENCE_INVALID', `Cannot publish into ${text}: it is no HOST[:PORT][/NAMESPACE]`, {
      hint: 'like registry.example:5000/meshery; the versions of the entities become tags by themselves',
    });
  // Docker Hub has several names.
  const reference = parseReference(`${host}/${prefix === '' ? 'any' : prefix}/any`);
  return { kind: 'registry', registry: reference.kind === 'registry' ? reference.registry : host, prefix };
}
