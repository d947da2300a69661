import { shellQuote } from '../artifact/types/commands.ts';
import { type NameHistory } from '../core/bundleRecord.ts';
import { type Descriptor, type StoredBlob } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { OclError } from '../core/errors.ts';
import { printable } from '../core/redact.ts';
import { type LocalSource, type Sink } from '../core/store.ts';
import { type Copier } from '../copy/copier.ts';
import { allSettled } from '../copy/flight.ts';
import { type Select } from '../copy/select.ts';
import { type Elsewhere } from './deltaElsewhere.ts';
import { type Planned } from './naming.ts';

/** Images that are looked at together. */
const AT_ONCE = 8;

/** An image that cannot be completed in a target. */
export interface Incomplete {
  readonly image: string;
  readonly root: Descriptor;
  /** Of the target. */
  readonly repository: string;
  /** What the bundle says of its name. */
  readonly history: NameHistory | undefined;
  /** What neither the bundles nor the target have; the root itself where not even that is there. */
  readonly missing: readonly StoredBlob[];
}

export interface Candidate {
  readonly planned: Planned;
  readonly from: LocalSource;
  readonly to: Sink;
  readonly select: Select;
  /** Nothing of it is in the bundle. */
  readonly unchanged: boolean;
}

/**
 * What is missing for images to be whole after an import. Nothing is written. The target is asked for each content that no bundle brings: first the
 * repository that needs it, then the others.
 * @throws the failures of bundles and target
 */
export async function findMissing(
  candidates: readonly Candidate[],
  tools: CheckTools,
): Promise<readonly { readonly planned: Planned; readonly missing: readonly StoredBlob[] }[]> {
  const wanted = new Map<Candidate, readonly Descriptor[]>();
  const reached = new Set<Digest>();
  const look = async (some: readonly Candidate[]): Promise<void> => {
    // A registry answers several at once; the copier bounds what is asked of it for each.
    for (let at = 0; at < some.length; at += AT_ONCE) {
      const batch = some.slice(at, at + AT_ONCE);
      const absent = await allSettled(batch.map(async (candidate) => await absentIn(candidate, tools, reached)));
      for (const [i, candidate] of batch.entries()) wanted.set(candidate, absent[i] ?? []);
    }
  };
  const isNamed = ({ planned }: Candidate): boolean => planned.name.tag !== undefined;
  await look(candidates.filter(isNamed));
  // What refers to an image was looked at with it; which repository it belongs to, nothing else tells.
  await look(candidates.filter((candidate) => !isNamed(candidate) && !reached.has(candidate.planned.root.digest)));
  await tools.elsewhere.find([...wanted.values()].flat());
  return [...wanted].flatMap(([{ planned }, contents]) => {
    const missing = contents.filter((descriptor) => tools.elsewhere.at(descriptor) === undefined);
    if (missing.length === 0) return [];
    const blobs = new Map<Digest, StoredBlob>(missing.map(({ digest, size }) => [digest, { digest, size }]));
    return [{ planned, missing: [...blobs.values()] }];
  });
}

export interface CheckTools {
  readonly copier: Copier;
  readonly elsewhere: Elsewhere;
  /** Whether a bundle brings a content, now or in another of its volumes. */
  readonly brings: (digest: Digest) => Promise<boolean>;
}

/** What is in no bundle, and not in the repository where it is needed. */
async function absentIn(
  { planned, from, to, select, unchanged }: Candidate,
  { copier, elsewhere, brings }: CheckTools,
  reached: Set<Digest>,
): Promise<readonly Descriptor[]> {
  const { root, name, image } = planned;
  const there = name.tag === undefined ? undefined : await to.find(name.tag);
  const found = { root: there };
  if (unchanged && there?.digest !== root.digest && !(await brings(root.digest)) && !(await to.has(root))) {
    await elsewhere.find([root]);
    // Nobody can say what is below it.
    if (elsewhere.at(root) === undefined) return [root];
  }
  const request = { from, to, root, name, image, select, found };
  const plan = await copier.plan(request, async ({ digest }) => await brings(digest));
  for (const { descriptor } of plan.nodes) reached.add(descriptor.digest);
  return plan.nodes.filter(({ present, carried }) => !present && carried !== true).map(({ descriptor }) => descriptor);
}

/** Whether not even its manifest is there, so that nobody can say how much is missing. */
export function isAbsent({ root, missing }: Incomplete): boolean {
  return missing.some(({ digest }) => digest === root.digest);
}

const LISTED = 3;

/** What was to be imported. */
export interface Refused {
  readonly name: string;
  /** Its file, where typing that alone imports the same once more. */
  readonly file: string | undefined;
}

export function missingBlobs(incomplete: readonly Incomplete[], { name, file }: Refused, target: string): OclError {
  const blobs = new Map(
    incomplete.flatMap(({ missing }) => missing.map(({ digest, size }) => [digest, size] as const)),
  );
  const bytes = [...blobs.values()].reduce((sum, size) => sum + size, 0);
  const listed = incomplete.slice(0, LISTED).map(({ image, missing }) => `${image} (${missing.length})`);
  const more = incomplete.length > LISTED ? `, and ${incomplete.length - LISTED} more` : '';
  const absent = incomplete.filter(isAbsent).length;
  const whole =
    absent === 0 ? '' : `, and all of ${absent === 1 ? '1 image' : `${absent} images`} whose manifest it lacks`;
  return new OclError(
    'OCL_MISSING_BLOBS',
    `Cannot import ${printable(name)}: ${target} lacks ${blobs.size} of the blobs that it leaves out (${bytes} bytes${whole}), for ${incomplete.length} ${incomplete.length === 1 ? 'image' : 'images'}: ${printable(listed.join(', '))}${more}`,
    {
      hint: `import what came before it, or ask for what is missing: ocl import ${file === undefined ? 'FILE...' : shellQuote(printable(file))} ${shellQuote(printable(target))} --request missing.json`,
    },
  );
}
