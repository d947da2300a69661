import { basename, dirname, join } from 'node:path';
import { type Digest } from '../core/digest.ts';
import { isCode, OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { makeDirectory, writeFileAtomic } from '../io/atomicFile.ts';
import { readSmallFile } from '../io/smallFile.ts';
import { digestOf } from '../io/verify.ts';
import { ownTime } from './annotations.ts';
import { composePackageFile, isPackageVersion, isTime, packageName, type PackageFacts } from './artifactHub.ts';
import { lintPackageFile } from './artifactHubLint.ts';
import { readPackageFile } from './artifactHubShapes.ts';
import { type Entity } from './entity.ts';
import { mainBytes, mainDocument } from './main.ts';
import { packEntity } from './pack.ts';
import { requiredImages } from './requires.ts';

/** A design with what a store knows of it. */
export interface HubDesign {
  readonly entity: Entity;
  /** Of its manifest; otherwise that which packing it would give. */
  readonly digest?: Digest | undefined;
  readonly deprecation?: { readonly deprecated: boolean; readonly reason?: string | undefined } | undefined;
}

export interface HubOptions {
  /** What goes before all that the designs say of themselves. */
  readonly facts: Partial<Omit<PackageFacts, 'name' | 'version' | 'digest'>>;
  /** RFC 3339, where neither the design nor the tree says when it was made. */
  readonly now: string;
  /** Container images are not listed. */
  readonly minimal: boolean;
  /** A version that is there with another content may be replaced. */
  readonly overwrite: boolean;
}

export interface HubPackage {
  readonly name: string;
  readonly version: string;
  /** Where its files are. */
  readonly directory: string;
  readonly digest: Digest;
  readonly outcome: 'written' | 'replaced' | 'unchanged';
  readonly notes: readonly string[];
}

const PACKAGE_FILE = 'artifacthub-pkg.yml';
const DESIGN_FILE = 'design.yml';

/**
 * Writes one version of a design into the tree that Artifact Hub's tracker reads: `<name>/<version>/` with `design.yml`, `README.md` and
 * `artifacthub-pkg.yml`, the last one last, for it is what makes a directory a package. The same design gives the same files.
 * @throws OCL_UNSUPPORTED for what is no design, OCL_EXISTS for a version that is there with another content, OCL_USAGE,
 *   OCL_DOCUMENT_INVALID for values that Artifact Hub would refuse
 */
export async function writeHubPackage(design: HubDesign, root: string, options: HubOptions): Promise<HubPackage> {
  const { entity } = design;
  if (entity.kind !== 'design')
    throw new OclError(
      'OCL_UNSUPPORTED',
      `Cannot list ${entity.origin} in Artifact Hub: it is a ${entity.kind}, and there are designs alone`,
    );
  if (!isPackageVersion(entity.version))
    throw new OclError(
      'OCL_USAGE',
      `Cannot list ${entity.origin}: its version ${JSON.stringify(entity.version)} is no semantic version`,
      {
        hint: `ocl mesh validate ${entity.origin}`,
      },
    );
  const { value: before, dropped } = describedBefore(entity);
  const name = packageName(typeof before['name'] === 'string' ? before['name'] : entity.name);
  const directory = join(root, name, entity.version);
  const there = await existing(directory);
  const digest = design.digest ?? packEntity(entity).root.digest;
  const facts = factsOf(design, options, before, there?.createdAt);
  const text = composePackageFile({ ...facts, digest }, before);
  refuseFaults(text, entity.origin);
  const files = new Map<string, Uint8Array>([
    [DESIGN_FILE, mainBytes(entity)],
    ['README.md', readmeOf(entity, text)],
    ...logoOf(entity, before),
    [PACKAGE_FILE, Buffer.from(text)],
  ]);
  const outcome = await write(directory, files, there, options.overwrite);
  const notes = dropped.map((path) => `${path} of its ${PACKAGE_FILE} is left out: Artifact Hub does not know it`);
  return { name, version: entity.version, directory, digest, outcome, notes };
}

/** What an `artifacthub-pkg.yml` beside the design says. */
function describedBefore({ files, origin }: Entity): ReturnType<typeof readPackageFile> {
  const file = files.find(({ path }) => /^artifacthub-pkg\.ya?ml$/.test(basename(path)));
  if (file === undefined) return { value: {}, dropped: [] };
  const { value, dropped } = readPackageFile(Buffer.from(file.bytes).toString('utf8'), `${origin}: ${file.path}`);
  const { digest: _old, logoPath, ...rest } = value;
  return { value: files.some(({ path }) => path === logoPath) ? { ...rest, logoPath } : rest, dropped };
}

function factsOf(
  { entity, deprecation }: HubDesign,
  { facts, now, minimal }: HubOptions,
  before: Readonly<Record<string, unknown>>,
  createdBefore: string | undefined,
): PackageFacts {
  const images = minimal ? [] : requiredImages(entity).flatMap(({ image, usable }) => (usable ? [image] : []));
  const said = typeof before['createdAt'] === 'string' && isTime(before['createdAt']) ? before['createdAt'] : undefined;
  const deprecated = facts.deprecated ?? deprecation?.deprecated;
  const reason = deprecation?.reason ?? 'Nobody should use this version any more.';
  const changes =
    deprecated === true && before['changes'] === undefined
      ? [{ kind: 'deprecated', description: reason } as const]
      : undefined;
  return {
    ...(facts.images === undefined && images.length > 0 ? { images } : {}),
    ...(changes === undefined ? {} : { changes }),
    ...(deprecated === undefined ? {} : { deprecated }),
    ...facts,
    name: entity.name,
    version: entity.version,
    createdAt: facts.createdAt ?? said ?? ownTime(entity, mainDocument(entity)?.value) ?? createdBefore ?? now,
  };
}

function refuseFaults(text: string, origin: string): void {
  const fault = lintPackageFile(text, PACKAGE_FILE).find(({ level }) => level === 'error');
  if (fault !== undefined)
    throw new OclError('OCL_DOCUMENT_INVALID', `Cannot list ${origin} in Artifact Hub: ${fault.message}`, {
      hint: fault.fix,
    });
}

/** The one that came with the design, or a few words. */
function readmeOf({ files, name }: Entity, text: string): Uint8Array {
  const own = files.find(({ path }) => path.toLowerCase() === 'readme.md');
  if (own !== undefined) return own.bytes;
  const { value } = readPackageFile(text, PACKAGE_FILE);
  const parts = [`# ${name}`, value['description'], value['readme']];
  return Buffer.from(`${parts.filter((part) => typeof part === 'string' && part !== '').join('\n\n')}\n`);
}

function logoOf(
  { files }: Entity,
  { logoPath }: Readonly<Record<string, unknown>>,
): readonly (readonly [string, Uint8Array])[] {
  const logo = files.find(({ path }) => path === logoPath && !path.includes('..'));
  return logo === undefined ? [] : [[logo.path, logo.bytes]];
}

interface Existing {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly createdAt: string | undefined;
}

async function existing(directory: string): Promise<Existing | undefined> {
  const design = await readOrAbsent(join(directory, DESIGN_FILE));
  const description = await readOrAbsent(join(directory, PACKAGE_FILE));
  if (design === undefined || description === undefined) return undefined;
  const { createdAt } = readPackageFile(Buffer.from(description).toString('utf8'), join(directory, PACKAGE_FILE)).value;
  return {
    files: new Map([
      [DESIGN_FILE, design],
      [PACKAGE_FILE, description],
    ]),
    createdAt: typeof createdAt === 'string' && isTime(createdAt) ? createdAt : undefined,
  };
}

async function write(
  directory: string,
  files: ReadonlyMap<string, Uint8Array>,
  there: Existing | undefined,
  overwrite: boolean,
): Promise<HubPackage['outcome']> {
  const [before, now] = [there?.files.get(DESIGN_FILE), files.get(DESIGN_FILE)];
  if (before !== undefined && now !== undefined && Buffer.compare(before, now) !== 0 && !overwrite)
    throw new OclError(
      'OCL_EXISTS',
      `Cannot write ${directory}: the version is there with another design, ${digestOf(before)} and not ${digestOf(now)}`,
      { hint: 'give the design another version: ocl mesh bump; --overwrite replaces what was listed' },
    );
  let changed = false;
  for (const [path, bytes] of files) {
    const file = join(directory, path);
    const old = await readOrAbsent(file);
    if (old !== undefined && Buffer.compare(old, bytes) === 0) continue;
    changed = true;
    await makeDirectory(dirname(file));
    await writeFileAtomic(file, bytes);
  }
  if (!changed) return 'unchanged';
  return there === undefined ? 'written' : 'replaced';
}

async function readOrAbsent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readSmallFile(path, LIMITS.meshFile, path);
  } catch (error) {
    if (isCode(error, 'OCL_NOT_FOUND')) return undefined;
    throw error;
  }
}
