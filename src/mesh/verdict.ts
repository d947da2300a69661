import { Readable } from 'node:stream';
import { isCode, OclError } from '../core/errors.ts';
import { isObject, parseJson } from '../core/json.ts';
import { LIMITS } from '../core/limits.ts';
import { decompressStream, detectCompression } from '../io/compression.ts';
import { readHead } from '../io/fileHead.ts';
import { looksLikeTar, readTarBytes, type Tarball } from '../io/tarball.ts';
import { shown } from '../io/tarName.ts';
import { openTar } from '../io/tarSpool.ts';
import { digestOf, readBounded } from '../io/verify.ts';

/** What Meshery's own import makes of an archive, before it looks at what is in the layer. */
export interface Verdict {
  /** It is seen as an OCI archive at all (meshkit `IsOCIArtifact`). */
  readonly recognised: boolean;
  /** `crash`: the import ends with a panic. */
  readonly model: Outcome;
  readonly design: Outcome;
  /** Undefined when all is well. */
  readonly why: string | undefined;
}

type Outcome = 'taken' | 'refused' | 'crash';

/** A reason why the import stops. */
class Stop extends Error {
  readonly outcome: Outcome;

  constructor(why: string, outcome: Outcome = 'refused') {
    super(why);
    this.outcome = outcome;
  }
}

/**
 * What Meshery would do with a file: the rules of meshkit's `UnCompressOCIArtifact` and of the library below it, which are narrower than
 * those of `ocl`. Undefined for a file that is no tar file, packed or not.
 * @param tmpDir holds what a compressed file is unpacked to meanwhile
 */
export async function judgeArchive(path: string, tmpDir: string): Promise<Verdict | undefined> {
  const compression = detectCompression(await readHead(path));
  if (compression === 'none' && !looksLikeTar(await readHead(path))) return undefined;
  const names: string[] = [];
  const onEntry = ({ name }: { readonly name: string }): void => void names.push(name);
  let open: Awaited<ReturnType<typeof openTar>>;
  try {
    open = await openTar(path, tmpDir, { links: 'pass', tail: 'ignore', onEntry });
  } catch (error) {
    if (!(error instanceof OclError) || isCode(error, 'OCL_NOT_FOUND')) throw error;
    return { recognised: isRecognised(names), model: 'refused', design: 'refused', why: error.message };
  }
  try {
    const recognised = isRecognised(names);
    if (compression !== 'none')
      throw new Stop(`the file is compressed with ${compression}: Meshery wants a plain tar file`);
    await checkImage(open.tarball, new Set(names));
    const dot = names.some((name) => name === '.' || name === './');
    const why = dot ? 'the import of designs takes the entry "." for a way out of its directory' : undefined;
    return { recognised, model: 'taken', design: dot ? 'refused' : 'taken', why };
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const { outcome, message: why } = error;
    return { recognised: isRecognised(names), model: outcome, design: outcome, why };
  } finally {
    await open.close();
  }
}

function isRecognised(names: readonly string[]): boolean {
  return names.includes('manifest.json') || names.includes('index.json');
}

async function checkImage(tarball: Tarball, names: ReadonlySet<string>): Promise<void> {
  if (!names.has('manifest.json'))
    throw new Stop(
      names.has('./manifest.json')
        ? 'the names of its entries begin with ./, and Meshery looks for manifest.json'
        : 'it has no manifest.json, which Meshery reads',
    );
  const file = async (name: string): Promise<Uint8Array> => {
    const entry = names.has(name) ? tarball.find(name) : undefined;
    if (entry === undefined) throw new Stop(`${shown(name)} is not in it`);
    return await tarball.bytes(entry, LIMITS.meshEntity, name);
  };
  const list = parsed(await file('manifest.json'), 'manifest.json');
  if (!Array.isArray(list) || list.length !== 1)
    throw new Stop(
      `manifest.json has ${Array.isArray(list) ? list.length : 'no'} images, and Meshery wants exactly one`,
    );
  const [image] = list as readonly unknown[];
  const { Config: config, Layers: layers } = isObject(image) ? image : {};
  if (typeof config !== 'string' || !isTexts(layers)) throw new Stop('manifest.json does not name a config and layers');
  const diffIds = diffIdsOf(parsed(await file(config), 'the image config'));
  for (const [i, name] of layers.entries())
    await checkLayer(await file(name), { name, diffId: diffIds[i], first: i === 0 });
}

function diffIdsOf(config: unknown): readonly unknown[] {
  const rootfs = isObject(config) ? config['rootfs'] : undefined;
  const { type, diff_ids: diffIds } = isObject(rootfs) ? rootfs : {};
  if (!Array.isArray(diffIds)) return [];
  if (type !== 'layers') throw new Stop('rootfs.type of the image config is not "layers"');
  return diffIds as readonly unknown[];
}

async function checkLayer(
  bytes: Uint8Array,
  { name, diffId, first }: { readonly name: string; readonly diffId: unknown; readonly first: boolean },
): Promise<void> {
  // The library asks for the diff_id by its place in the list, without looking how long that is.
  if (diffId === undefined)
    throw new Stop('the image config names fewer layers than manifest.json: the import crashes', 'crash');
  const layer = `the layer ${shown(name)}`;
  const content = await contentOf(bytes, layer);
  if (!looksLikeTar(content)) throw new Stop(`${layer} is no tar file`);
  if (digestOf(content) !== diffId) throw new Stop(`${layer} is not what the image config promises`);
  const types: { readonly name: string; readonly type: string }[] = [];
  try {
    await readTarBytes(content, { links: 'pass', onEntry: (entry) => void types.push(entry) });
  } catch (error) {
    throw new Stop(`${layer} cannot be read: ${(error as Error).message}`);
  }
  const other = first ? types.find(({ type }) => !['0', '5', '2', '7'].includes(type)) : undefined;
  if (other !== undefined) throw new Stop(`${shown(other.name)} in ${layer} is no file, directory or symbolic link`);
}

async function contentOf(bytes: Uint8Array, layer: string): Promise<Uint8Array> {
  const compression = detectCompression(bytes);
  if (compression === 'none') return bytes;
  if (compression !== 'gzip') throw new Stop(`${layer} is compressed with ${compression}: Meshery reads gzip alone`);
  try {
    const stream = decompressStream(Readable.from([bytes]), 'gzip', { limit: LIMITS.meshEntity, what: layer });
    return await readBounded(stream, LIMITS.meshEntity, layer);
  } catch (error) {
    throw new Stop(`${layer} cannot be read: ${(error as Error).message}`);
  }
}

function parsed(bytes: Uint8Array, what: string): unknown {
  try {
    return parseJson(bytes, what);
  } catch (error) {
    throw new Stop((error as Error).message);
  }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
