import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Descriptor } from '../../../src/core/descriptor.ts';
import { type OclEvent } from '../../../src/core/events.ts';
import { parsePlatform } from '../../../src/core/platform.ts';
import { type RootName } from '../../../src/core/store.ts';
import { openArchive } from '../../../src/stores/archive/reader.ts';
import { createArchive } from '../../../src/stores/archive/writer.ts';
import { createMemory } from '../../../src/stores/memory/store.ts';
import { openRegularFile, Tarball } from '../../../src/io/tarball.ts';
import { codeOf } from '../../support/graphs.ts';
import { temporaryDirectories } from '../../support/layouts.ts';
import { entriesOf, makeShop, partsOf, putRoots } from '../../support/shop.ts';
import { newCopier } from '../../support/worlds.ts';

const temporary = temporaryDirectories();
const shop = makeShop();
const { content, web, tool } = shop;
const [amd64, arm64] = entriesOf(content, web);

interface Written {
  readonly names: readonly string[];
  readonly roots: readonly Descriptor[];
  readonly notices: readonly string[];
}

async function written(
  roots: readonly (readonly [Descriptor, RootName])[],
  platform = 'linux/amd64',
): Promise<Written> {
  const path = join(await temporary(), 'x.tar');
  const notices: string[] = [];
  const emit = (event: OclEvent): void => void (event.type === 'notice' && notices.push(event.message));
  const to = createArchive({ path }, { form: 'docker', emit, dockerPlatform: parsePlatform(platform) });
  const from = createMemory();
  await putRoots(from, content, roots);
  await newCopier().copyReserved(
    roots.map(([root, name]) => ({ from, to, root, name, image: name.imageName ?? '', select: { referrers: true } })),
    to,
  );
  await to.commit();
  const tarball = await Tarball.read(await openRegularFile(path));
  const archive = await openArchive(path, { tmpDir: await temporary() });
  try {
    return { names: [...tarball.names()], roots: await archive.roots(), notices };
  } finally {
    await archive.close();
    await tarball.close();
  }
}

const named = (imageName: string): RootName => ({ tag: imageName.replace(/.*:/, ''), imageName });
const configOf = (manifest: Descriptor | undefined): unknown =>
  (JSON.parse(Buffer.from(content.bytes(manifest ?? web)).toString()) as { config: Descriptor }).config.digest;

describe('a docker archive', () => {
  it('has one image of each, its layers as they are, and nothing that only layouts have', async () => {
    const { names, roots, notices } = await written([
      [web, named('a.test/web:2')],
      [tool, named('docker.io/library/tool:1')],
    ]);
    expect(names.slice(0, 2)).toEqual(['manifest.json', 'repositories']);
    const blobs = [amd64, tool].flatMap((root) => partsOf(content, root ?? web).slice(0, -1));
    expect(names.slice(2)).toEqual(blobs.map(({ digest }) => `blobs/${digest.replace(':', '/')}`).toSorted());
    expect(roots.map((root) => root.annotations?.['io.containerd.image.name'])).toEqual([
      'a.test/web:2',
      'docker.io/library/tool:1',
    ]);
    expect(notices).toEqual([]);
  });

  it('has the platform that is wanted', async () => {
    const { names } = await written([[web, named('a.test/web:2')]], 'linux/arm64');
    expect(names).toContain(`blobs/${String(configOf(arm64)).replace(':', '/')}`);
  });

  it('says what stays behind', async () => {
    const [signature] = shop.referrers;
    const { notices } = await written([
      [web, named('a.test/web:2')],
      [signature ?? web, {}],
    ]);
    expect(notices).toEqual([expect.stringContaining('stays behind')]);
  });

  it('cannot be made of an image of other platforms, or of nothing but artifacts', async () => {
    const [artifact] = shop.referrers;
    expect(await codeOf(() => written([[web, named('a.test/x:1')]], 'windows/amd64'))).toBe('OCL_UNSUPPORTED');
    expect(await codeOf(() => written([[artifact ?? web, named('a.test/x:1')]]))).toBe('OCL_UNSUPPORTED');
  });
});
