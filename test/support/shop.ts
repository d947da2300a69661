import { join } from 'node:path';
import { plainDescriptor, type Descriptor } from '../../src/core/descriptor.ts';
import { type RootName, type Sink } from '../../src/core/store.ts';
import { Content } from './content.ts';
import { newLayout } from './layoutTools.ts';

export interface Stock {
  readonly repository: string;
  readonly roots: readonly (readonly [Descriptor, RootName])[];
}

export interface Shop {
  readonly content: Content;
  readonly repositories: readonly Stock[];
  /** A multi-platform image with a signature and an SBOM as referrers, and one more signature as a digest tag. */
  readonly web: Descriptor;
  /** An image in Docker's media types. */
  readonly tool: Descriptor;
  readonly referrers: readonly Descriptor[];
  readonly digestTag: string;
}

const PLATFORMS = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));

/** What journeys carry: every kind of thing that belongs to an image, in two repositories. */
export function makeShop(): Shop {
  const content = new Content();
  const web = content.platforms(PLATFORMS, { layers: ['shared'] });
  const older = content.image({ layers: ['shared', 'older'] });
  const tool = content.image({ layers: ['tool'], docker: true });
  const [first] = entriesOf(content, web);
  const signature = content.artifact({ type: 'application/vnd.test.signature', blobs: ['signed'], subject: web });
  const sbom = content.artifact({
    type: 'application/spdx+json',
    blobs: ['{"parts":[]}'],
    subject: first as Descriptor,
  });
  const ofSignature = content.artifact({ type: 'application/vnd.test.time', blobs: ['noon'], subject: signature });
  const oldSignature = content.image({ layers: ['signed in the old way'], annotations: { of: web.digest } });
  const digestTag = `${web.digest.replace(':', '-')}.sig`;
  const referrers = [signature, sbom, ofSignature];
  return {
    content,
    web,
    tool,
    referrers,
    digestTag,
    repositories: [
      {
        repository: 'team/web',
        roots: [
          [web, { tag: '2.0' }],
          [older, { tag: '1.0' }],
          [oldSignature, { tag: digestTag }],
          ...referrers.map((referrer) => [referrer, {}] as const),
        ],
      },
      { repository: 'tool', roots: [[tool, { tag: 'latest' }]] },
    ],
  };
}

/** The manifests that an index names. */
export function entriesOf(content: Content, index: Descriptor): readonly Descriptor[] {
  const { manifests } = JSON.parse(Buffer.from(content.bytes(index)).toString()) as { manifests: Descriptor[] };
  return manifests.map(plainDescriptor);
}

/** One layout for each repository. */
export async function writeLibrary(root: string, { content, repositories }: Shop): Promise<void> {
  for (const { repository, roots } of repositories) {
    const layout = await newLayout(join(root, repository));
    await putRoots(layout, content, roots);
    await layout.close();
  }
}

/** Puts what the roots reach, children first, and names them. */
export async function putRoots(
  sink: Sink,
  content: Content,
  roots: readonly (readonly [Descriptor, RootName])[],
): Promise<void> {
  for (const [root] of roots)
    for (const part of partsOf(content, root)) if (!(await sink.has(part))) await sink.put(part, content.opener(part));
  for (const [root, name] of roots) await sink.tag(root, name, content.opener(root));
  await sink.commit();
}

/** All that a root reaches, and itself at the end. */
export function partsOf(content: Content, root: Descriptor): readonly Descriptor[] {
  if (!/manifest|index/.test(root.mediaType)) return [root];
  const { config, layers, manifests } = JSON.parse(Buffer.from(content.bytes(root)).toString()) as Partial<
    Readonly<{ config: Descriptor; layers: Descriptor[]; manifests: Descriptor[] }>
  >;
  const children = [...(config === undefined ? [] : [config]), ...(layers ?? []), ...(manifests ?? [])];
  return [...children.flatMap((child) => partsOf(content, child)), root];
}
