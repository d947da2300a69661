import { type TarFile } from '../artifact/build.ts';

/** The files of the layer that Meshery reads. */
export interface ImportLayer {
  readonly files: readonly TarFile[];
  /** The directory below which files of the entity lie as they were given; '' is the layer's root. */
  readonly base: string;
  /** What people should know of what is in it, and what is not. */
  readonly notes: readonly string[];
}

/** `1.29.1/v1.0.0`: the version of the software, and that of its definition. */
export function modelDirectory(modelVersion: string | undefined, version: string): string {
  return modelVersion === undefined ? segment(version) : `${segment(modelVersion)}/${segment(version)}`;
}

function segment(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9._+-]+/g, '-').replace(/^\.+/, '') || 'unknown';
}
