import { type CommandValues } from '../artifact/types/commands.ts';
import { ANNOTATION, type Descriptor } from '../core/descriptor.ts';
import { formatReference, type Reference, type RegistryReference } from '../core/reference.ts';
import { type Source } from '../core/store.ts';

/** What commands need to know of an image of a registry. */
export function registryValues(reference: RegistryReference): CommandValues {
  const { registry, repository, tag } = reference;
  return { ref: formatReference(reference), repo: `${registry}/${repository}`, tag };
}

/** Of one on disk: the path of its layout, and the name that other tools know there. What lies in an archive has no path of its own. */
export function localValues(path: string, source: Source, root: Descriptor): CommandValues {
  const layout = source.place(root).kind === 'file' ? path : undefined;
  return { layout, tag: root.annotations?.[ANNOTATION.refName] };
}

export function valuesOf(reference: Reference, source: Source, root: Descriptor): CommandValues {
  return reference.kind === 'registry' ? registryValues(reference) : localValues(reference.path, source, root);
}
