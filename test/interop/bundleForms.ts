import { join } from 'node:path';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { oclDone } from '../support/cli.ts';
import { Content } from '../support/content.ts';
import { newLayout } from '../support/layoutTools.ts';
import { entriesOf, putRoots } from '../support/shop.ts';
import { cosignSignature } from './support.ts';

/** One image of a form, as its readers may find it. */
export interface Expected {
  /** In full. */
  readonly name: string;
  readonly tag: string;
  readonly digest: string;
  /** Of linux/amd64; the same as `digest` where there is but one platform. */
  readonly manifest: string;
  readonly config: string;
}

/** What ocl writes for others to read. */
export interface Form {
  readonly name: string;
  readonly path: string;
  readonly kind: 'file' | 'directory';
  readonly images: readonly Expected[];
}

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

export const FORM_NAMES = [
  'bundle of one image',
  'bundle of an image with platforms, signatures and an SBOM',
  'bundle of several images',
  'volume of several images',
  'docker-archive of one image',
  'docker-archive of several images',
  'layout of one image',
  'layout of several images',
] as const;

/** Writes every form with the command itself. */
export async function writeForms(directory: string): Promise<readonly Form[]> {
  const content = new Content();
  const web = content.platforms([AMD64, ARM64], { layers: ['shared'] });
  const older = content.image({ layers: ['shared', 'older'] });
  const tool = content.image({ layers: ['tool'], docker: true });
  const signature = content.artifact({ type: 'application/vnd.test.signature', blobs: ['signed'], subject: web });
  const sbom = content.artifact({ type: 'application/spdx+json', blobs: ['{"parts":[]}'], subject: older });
  const at = (name: string): string => join(directory, name);
  const library = at('library');
  const stock = await newLayout(join(library, 'team/web'));
  await putRoots(stock, content, [
    [web, { tag: '2.0' }],
    [older, { tag: '1.0' }],
    [cosignSignature(content, web), { tag: `${web.digest.replace(':', '-')}.sig` }],
    [signature, {}],
    [sbom, {}],
  ]);
  await stock.close();
  const alone = await newLayout(at('app'));
  await putRoots(alone, content, [[older, { tag: '1.0' }]]);
  await alone.close();
  const tools = await newLayout(join(library, 'tool'));
  await putRoots(tools, content, [[tool, { tag: 'latest' }]]);
  await tools.close();

  const expect = (name: string, root: Descriptor): Expected => {
    const [manifest = root] = root === web ? entriesOf(content, web) : [root];
    const { config } = JSON.parse(Buffer.from(content.bytes(manifest)).toString()) as { config: Descriptor };
    const tag = name.slice(name.lastIndexOf(':') + 1);
    return { name, tag, digest: root.digest, manifest: manifest.digest, config: config.digest };
  };
  const one = [expect('localhost/app:1.0', older)];
  const rich = [expect('localhost/web:2.0', web)];
  const several = [
    expect('localhost/team/web:1.0', older),
    expect('localhost/team/web:2.0', web),
    expect('localhost/tool:latest', tool),
  ];
  const [APP, WEB] = [`ocidir://${at('app')}:1.0`, `ocidir://${library}/team/web:2.0`];
  const written: readonly (readonly [(typeof FORM_NAMES)[number], string, readonly Expected[], readonly string[]])[] = [
    ['bundle of one image', 'one.tar', one, ['export', APP, '-o']],
    ['bundle of an image with platforms, signatures and an SBOM', 'rich.tar', rich, ['export', WEB, '-o']],
    ['bundle of several images', 'several.tar', several, ['export', library, '-o']],
    ['volume of several images', 'cut.vol01of01.tar', several, ['export', library, '--volume-size', '1MB', '-o']],
    ['docker-archive of one image', 'docker.tar', one, ['export', APP, '--format', 'docker-archive', '-o']],
    [
      'docker-archive of several images',
      'dockers.tar',
      several,
      ['export', library, '--format', 'docker-archive', '-o'],
    ],
  ];
  for (const [, file, , args] of written) await oclDone([...args, at(file.replace(/\.vol.*(?=\.tar)/, ''))]);
  await oclDone(['import', at('one.tar'), `ocidir://${at('one')}`]);
  await oclDone(['import', at('several.tar'), `ocidir://${at('several')}`]);
  return [
    ...written.map(([name, file, images]): Form => ({ name, path: at(file), kind: 'file', images })),
    { name: 'layout of one image', path: at('one'), kind: 'directory', images: one },
    { name: 'layout of several images', path: at('several'), kind: 'directory', images: several },
  ];
}
