import { chooseManifest } from '../../artifact/inspect.ts';
import { Reads } from '../../artifact/reads.ts';
import { ANNOTATION, type Descriptor } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { OclError } from '../../core/errors.ts';
import { isImage } from '../../core/graph.ts';
import { normalMediaType } from '../../core/mediaTypes.ts';
import { type Source } from '../../core/store.ts';
import { shown } from '../../io/tarName.ts';
import { DATABASE_KINDS, DATABASES, type DatabaseKind } from './kinds.ts';

/**
 * What tells when a database was made: the record that came with its data, the title it was published under, an annotation of whoever
 * packed it, or the time of its file.
 */
export type DateEvidence = 'record' | 'title' | 'annotation' | 'file';

/** A scanner's database as an artifact: one layer, which is a compressed tar file. */
export interface Database {
  readonly kind: DatabaseKind;
  /** Of its manifest. */
  readonly digest: Digest;
  readonly layer: Descriptor;
  /** The file name that it was pushed with. Never a path of ours: it is said by others. */
  readonly title: string | undefined;
  /** What the manifest says of its version, such as `2.1.0` of a checks bundle. */
  readonly version: string | undefined;
  /** When it was made, by its title or manifest; milliseconds since the epoch. */
  readonly made: number | undefined;
  /** What tells that. */
  readonly madeBy: DateEvidence | undefined;
}

/** `vulnerability-db_v6.1.4_2026-11-20T06:12:00Z_1795155120.tar.zst`, as Anchore publishes it. */
const GRYPE_TITLE =
  /^vulnerability-db_v\d+\.\d+\.\d+_(\d{4}-\d\d-\d\dT\d\d[:.]\d\d[:.]\d\dZ)(?:_\d+)?\.tar\.(?:zst|gz|xz)$/;

/**
 * What database an artifact is; undefined when it is none that is known.
 * @param scanner takes an artifact with one layer that tells nothing of itself for the database of Grype
 * @throws the source's failures, OCL_UNSUPPORTED for several layers, OCL_UNSAFE for a title that leads outside
 */
export async function readDatabase(
  source: Source,
  root: Descriptor,
  scanner?: 'trivy' | 'grype',
): Promise<Database | undefined> {
  const { descriptor, manifest } = await chooseManifest(new Reads(source), root, ANY);
  const [layer] = manifest?.layers ?? [];
  if (manifest === undefined || layer === undefined || isImage(manifest)) return undefined;
  const title = layer.annotations?.[ANNOTATION.title];
  const kind = kindOf(layer, title) ?? (scanner === 'grype' ? 'grype-db' : undefined);
  if (kind === undefined) return undefined;
  if (manifest.layers.length > 1)
    throw new OclError(
      'OCL_UNSUPPORTED',
      `Cannot use ${descriptor.digest} as a database: it has ${manifest.layers.length} layers, and scanners read one`,
    );
  refuseForeignTitle(title);
  const built = timeOf(GRYPE_TITLE.exec(title ?? '')?.[1]?.replaceAll('.', ':'));
  const annotated = timeOf(manifest.annotations?.[ANNOTATION.created]);
  return {
    kind,
    digest: descriptor.digest,
    layer,
    title,
    version: manifest.annotations?.['org.opencontainers.image.version'],
    made: built ?? annotated,
    madeBy: built !== undefined ? 'title' : annotated !== undefined ? 'annotation' : undefined,
  };
}

/** Databases have no platform. */
const ANY = { host: { os: 'linux', architecture: 'amd64' } };

function kindOf(layer: Descriptor, title: string | undefined): DatabaseKind | undefined {
  const type = normalMediaType(layer.mediaType);
  const name = title?.split('/').at(-1) ?? '';
  return (
    DATABASE_KINDS.find((kind) => DATABASES[kind].layerType === type) ??
    DATABASE_KINDS.find((kind) => DATABASES[kind].title.test(name))
  );
}

/** Trivy refuses such titles too: they are joined to a directory by whoever pulls the file. */
function refuseForeignTitle(title: string | undefined): void {
  if (title === undefined) return;
  const parts = title.split(/[/\\]/);
  const local = title !== '' && !/^(?:[A-Za-z]:|[/\\])/.test(title) && !title.includes('\0') && !parts.includes('..');
  if (local) return;
  throw new OclError('OCL_UNSAFE', `Cannot use the database: its title ${shown(title)} is a path that leads outside`);
}

/** Milliseconds since the epoch of a date in a document; undefined for none, and for the zero time of Go. */
export function timeOf(text: unknown): number | undefined {
  const time = typeof text === 'string' ? Date.parse(text) : NaN;
  return time > 0 ? time : undefined;
}

/** A version as records have it, a number or a text. */
export function versionOf(value: unknown): string | undefined {
  return typeof value === 'number' || typeof value === 'string' ? String(value) : undefined;
}

/** The time in the form of ISO 8601. */
export function isoOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString();
}
