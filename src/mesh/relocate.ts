import { OclError } from '../core/errors.ts';
import { formatReference, isRepository, isTag, parseImageName, type RegistryReference } from '../core/reference.ts';
import { editYaml } from '../io/yamlEdit.ts';
import { type Entity } from './entity.ts';
import { requiredImages } from './requires.ts';

/** How the images of an entity are called where it is used. */
export interface Relocation {
  /** The registry that they lie in now, named as `ocl import` names them there. */
  readonly registry?: string | undefined;
  /** Its path before every repository; empty for none. */
  readonly prefix: string;
  /** The registry's name that an image had stays a part of its path: `docker.io/library/alpine`. */
  readonly scoped: boolean;
  /** Applied to full names, one after the other. */
  readonly rewrites: readonly ((name: string) => string)[];
}

export interface RelocatedImage {
  readonly from: string;
  readonly to: string;
  /** Texts that were changed. */
  readonly places: number;
}

export interface Relocated {
  readonly entity: Entity;
  readonly images: readonly RelocatedImage[];
  /** What had to be changed and could not: `design.yml: components.3.configuration.…`. */
  readonly left: readonly string[];
}

/**
 * Points the images in an entity's configuration to another registry. Nothing else of its files changes, not a space; a text that cannot
 * be changed alone (it stands in an alias, or is made of parts) is told.
 */
export function relocateImages(entity: Entity, relocation: Relocation): Relocated {
  const images: RelocatedImage[] = [];
  const edits = new Map<
    string,
    { readonly kind: 'set'; readonly path: readonly (string | number)[]; readonly value: string }[]
  >();
  for (const { image, usable, places } of requiredImages(entity)) {
    const to = usable ? relocatedName(image, relocation) : image;
    if (to === image) continue;
    images.push({ from: image, to, places: places.length });
    for (const { file, path } of places)
      edits.set(file, [...(edits.get(file) ?? []), { kind: 'set', path, value: to }]);
  }
  const left: string[] = [];
  const files = entity.files.map((file) => {
    const wanted = edits.get(file.path);
    if (wanted === undefined) return file;
    const edited = editYaml(Buffer.from(file.bytes).toString('utf8'), wanted, file.path);
    left.push(...edited.left.map(({ path }) => `${file.path}: ${path.join('.')}`));
    return { ...file, bytes: Buffer.from(edited.text) };
  });
  return { entity: { ...entity, files }, images, left };
}

/** The new name of an image; its own where nothing applies to it. @param image a full name. @throws OCL_REFERENCE_INVALID */
export function relocatedName(image: string, { registry, prefix, scoped, rewrites }: Relocation): string {
  const old = parseImageName(image);
  if (old === undefined) return image;
  const rewritten = rewrites.reduce((text, rewrite) => rewrite(text), image);
  if (registry === undefined)
    return rewritten === image ? image : formatReference(checked(image, rewritten, parseImageName(rewritten)));
  // As an import does: what a rule made of the name is a path, unless the old registry still stands before it.
  const path = rewritten.startsWith(`${old.registry}/`) ? rewritten.slice(old.registry.length + 1) : rewritten;
  const within =
    rewritten.startsWith(`${old.registry}/`) && scoped ? `${old.registry.replaceAll(/[:[\]]/g, '-')}/${path}` : path;
  const full = [registry, ...(prefix === '' ? [] : [prefix]), within].join('/');
  return formatReference(checked(image, full, parseImageName(full)));
}

function checked(image: string, text: string, parsed: RegistryReference | undefined): RegistryReference {
  if (parsed !== undefined && isRepository(parsed.repository) && (parsed.tag === undefined || isTag(parsed.tag)))
    return parsed;
  throw new OclError('OCL_REFERENCE_INVALID', `Cannot call ${image} ${JSON.stringify(text)}: it is no image name`);
}
