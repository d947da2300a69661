import { type Descriptor } from '../core/descriptor.ts';
import { type Digest } from '../core/digest.ts';
import { toOclError } from '../core/errors.ts';
import { silent, type Outcome } from '../core/events.ts';
import { LIMITS } from '../core/limits.ts';
import { isDocumentType } from '../core/mediaTypes.ts';
import { type NamedRoot, type Sink, type Source } from '../core/store.ts';
import { readVerified } from '../io/verify.ts';
import { allSettled } from './flight.ts';
import { digestTagName, resultOf, type CopyRequest, type CopyResult } from './request.ts';
import { type Run } from './run.ts';
import { targetSide } from './transfer.ts';
import { inOrder, type Graph } from './walk.ts';

/** An image, and what it comes to. */
export interface Surveyed {
  readonly request: CopyRequest;
  readonly graph: Graph;
}

/** Decides of an image that was surveyed, or could not be, whether it is left out without a failure. */
export type LeaveOut = (found: {
  readonly request: CopyRequest;
  readonly graph?: Graph;
  readonly error?: unknown;
}) => Promise<boolean>;

/** Reads the documents of images, and nothing else of them. @throws the first failure; each is told of */
export async function survey(
  requests: readonly CopyRequest[],
  run: Run,
  leaveOut: LeaveOut = () => Promise.resolve(false),
): Promise<readonly Surveyed[]> {
  for (const request of requests) run.start(request);
  const all = await allSettled(
    requests.map(async (request): Promise<Surveyed | undefined> => {
      try {
        const graph = await run.walk(request);
        return (await leaveOut({ request, graph })) ? undefined : { request, graph };
      } catch (error) {
        if (await leaveOut({ request, error })) return undefined;
        throw run.failed(request, error);
      }
    }),
  );
  return all.filter((each) => each !== undefined);
}

/** Copies into a sink that is told all nodes and names first, and then says in which order they have to come. */
export async function fillReserved(walked: readonly Surveyed[], to: Sink, run: Run): Promise<readonly CopyResult[]> {
  const started = run.clock.now();
  try {
    const outcomes = await fill(walked, to, run);
    return walked.map(({ request, graph }) =>
      run.done(
        resultOf(
          request,
          graph,
          (node) => outcomes.get(node.descriptor.digest) ?? 'present',
          (digest) => run.resumedBytes(to, digest),
        ),
        started,
      ),
    );
  } catch (thrown) {
    // One object, so that it is known for one failure.
    const error = toOclError(thrown);
    const [first, ...others] = walked;
    const known = first === undefined ? error : run.failed(first.request, error);
    for (const { request } of others) run.failed(request, error, true);
    throw known;
  }
}

/** What images come to together: each content once, and where it is read. */
export interface SurveyedContents {
  readonly nodes: readonly Descriptor[];
  readonly names: readonly NamedRoot[];
  readonly sourceOf: (descriptor: Descriptor) => Source;
}

export function contentsOf(walked: readonly Surveyed[]): SurveyedContents {
  const origins = new Map<Digest, { readonly descriptor: Descriptor; readonly from: Source }>();
  for (const { request, graph } of walked) {
    for (const { descriptor } of inOrder(graph))
      if (!origins.has(descriptor.digest)) origins.set(descriptor.digest, { descriptor, from: request.from });
  }
  return {
    nodes: [...origins.values()].map(({ descriptor }) => descriptor),
    names: walked.flatMap(rootsOf),
    sourceOf: ({ digest }) => origins.get(digest)?.from ?? (walked[0] as Surveyed).request.from,
  };
}

async function fill(walked: readonly Surveyed[], to: Sink, run: Run): Promise<ReadonlyMap<Digest, Outcome>> {
  const { nodes, names, sourceOf } = contentsOf(walked);
  const order = await targetSide(
    async () =>
      (await to.reserve?.(
        nodes,
        names,
        async (descriptor) => await readWhole(descriptor, sourceOf(descriptor), { to, run }),
      )) ?? [],
  );
  for (const { request, graph } of walked) run.planned(request, graph);
  const outcomes = await transferAll(order, sourceOf, { to, run });
  for (const { root, name } of names)
    await targetSide(() => to.tag(root, name, run.opener(root, { from: sourceOf(root), to })));
  return new Map(order.map((descriptor, i) => [descriptor.digest, outcomes[i] ?? 'present']));
}

/** Starts contents in the sink's order. The first failure ends it: who waits for a turn that will not come is let go by `close`. */
async function transferAll(
  order: readonly Descriptor[],
  sourceOf: (descriptor: Descriptor) => Source,
  { to, run }: { readonly to: Sink; readonly run: Run },
): Promise<readonly Outcome[]> {
  const failures: unknown[] = [];
  const stopAfterFailure = (): void => {
    if (failures.length > 0) throw failures[0];
  };
  return await allSettled(
    order.map(async (descriptor) => {
      try {
        return await run.transfer(descriptor, { from: sourceOf(descriptor), to }, stopAfterFailure);
      } catch (error) {
        failures.push(error);
        await to.close().catch(() => {}); // the failure before tells more
        throw failures[0];
      }
    }),
  );
}

async function readWhole(
  descriptor: Descriptor,
  from: Source,
  { to, run }: { readonly to: Sink; readonly run: Run },
): Promise<Uint8Array> {
  if (isDocumentType(descriptor.mediaType)) return (await run.documents.load(descriptor, from)).bytes;
  return await readVerified(await run.opener(descriptor, { from, to }, silent)(), descriptor, LIMITS.configBytes);
}

/** The names that an image comes with: its own, those of digest tags, and none for what refers to it. */
export function rootsOf({ request: { name }, graph }: Surveyed): readonly NamedRoot[] {
  return [
    { root: graph.root.descriptor, name },
    ...graph.referrers.map(({ descriptor }) => ({ root: descriptor, name: {} })),
    ...graph.digestTags.map(({ tag, node }) => ({ root: node.descriptor, name: digestTagName(name, tag) })),
  ];
}
