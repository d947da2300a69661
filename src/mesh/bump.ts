import { realpath, stat } from 'node:fs/promises';
import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { writeFileAtomic } from '../io/atomicFile.ts';
import { readSmallFile } from '../io/smallFile.ts';
import { editYaml } from '../io/yamlEdit.ts';
import { factsOf, kindOfDocument, type DocumentFacts } from './detect.ts';
import { parseDocument } from './document.ts';
import { type EntityKind } from './entity.ts';
import { entityRepository } from './naming.ts';
import { releasesAt } from './publish.ts';
import { pairedVersion } from './push.ts';
import { type Shelves } from './shelves.ts';
import { compareVersions, nextVersion, parseVersion, type Version, type VersionPart } from './version.ts';

export interface BumpOptions {
  readonly part: VersionPart;
  /** Where the entity is published: the new version is after the last one there as well. */
  readonly after?: Shelves | undefined;
  /** Nothing is written. */
  readonly dryRun: boolean;
}

export interface Bumped {
  readonly file: string;
  readonly kind: EntityKind;
  readonly name: string;
  /** Undefined where the document had none. */
  readonly from: string | undefined;
  readonly to: string;
}

const MARK = '\uFEFF';

/** Kinds of which the document says its version (schemas of Meshery); others are counted when they are published. */
const VERSIONED: ReadonlySet<EntityKind> = new Set(['design', 'model', 'component', 'relationship']);

/**
 * Gives a document the version that follows, as Meshery counts: the next patch, and 0.0.1 at first. Nothing else of the file changes.
 * @throws OCL_DOCUMENT_INVALID, OCL_UNSUPPORTED for what has no version, OCL_NOT_FOUND
 */
export async function bumpFile(file: string, { part, after, dryRun }: BumpOptions): Promise<Bumped> {
  const bytes = await readSmallFile(file, LIMITS.meshFile, file);
  const { value } = parseDocument(bytes, file);
  const kind = kindOfDocument(value);
  if (kind === undefined || !VERSIONED.has(kind))
    throw new OclError(
      'OCL_UNSUPPORTED',
      `Cannot bump ${file}: ${kind === undefined ? 'it is no entity of Meshery' : `a ${kind} has no version of its own`}`,
      {
        hint:
          kind === undefined
            ? 'name the design, or the model.json of a model'
            : 'ocl mesh push counts its versions by itself',
      },
    );
  const facts = factsOf(kind, value);
  const name = facts.name ?? file;
  const own = facts.version === undefined || facts.version === '' ? undefined : versionOf(facts.version, file);
  const last = after === undefined ? undefined : await lastPublished(kind, { ...facts, name }, after);
  const to = nextVersion(greater(own, last), part);
  if (!dryRun) await setVersion(file, Buffer.from(bytes).toString('utf8'), to);
  return { file, kind, name, from: facts.version, to };
}

function versionOf(text: string, file: string): Version {
  const version = parseVersion(text);
  if (version !== undefined) return version;
  throw new OclError(
    'OCL_DOCUMENT_INVALID',
    `Cannot bump ${file}: its version ${JSON.stringify(text)} is not of Semantic Versioning`,
    { hint: 'write one like 1.0.0 into it' },
  );
}

async function lastPublished(
  kind: EntityKind,
  { name, modelVersion }: DocumentFacts & { readonly name: string },
  shelves: Shelves,
): Promise<Version | undefined> {
  const shelf = await shelves.open(entityRepository({ kind, name }));
  const releases = await releasesAt(await shelf.source(), pairedVersion(kind, modelVersion) !== undefined);
  const own = releases.filter(({ model }) => model === undefined || model.text === modelVersion);
  return own.at(-1)?.version;
}

function greater(a: Version | undefined, b: Version | undefined): Version | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareVersions(a, b) >= 0 ? a : b;
}

async function setVersion(file: string, text: string, to: string): Promise<void> {
  const mark = text.startsWith(MARK) ? MARK : '';
  const { text: made, left } = editYaml(text.slice(mark.length), [{ kind: 'set', path: ['version'], value: to }], file);
  if (left.length > 0)
    throw new OclError('OCL_UNSUPPORTED', `Cannot bump ${file}: its version cannot be changed without changing more`, {
      hint: `write version ${to} into it by hand`,
    });
  // A link stays one, and the file that it leads to keeps its rights.
  const path = await realpath(file);
  const { mode } = await stat(path);
  await writeFileAtomic(path, Buffer.from(mark + made), mode & 0o777);
}
