import { describe, expect, it } from 'vitest';
import { type OclEvent } from '../../src/core/events.ts';
import { formatReference } from '../../src/core/reference.ts';
import { loadConfig } from '../../src/sync/config.ts';
import { listMirrored, type Mirrored } from '../../src/sync/mirrored.ts';
import { surroundings } from '../support/surroundings.ts';
import { image, index, TestClock, World } from './world.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

async function mirrored(world: World, ...steps: readonly string[]): Promise<Mirrored & { notices: string[] }> {
  const notices: string[] = [];
  const text = `sync:\n${steps.map((one) => `  - {${one}}\n`).join('')}`;
  const found = await listMirrored(loadConfig(text, 'sync.yaml', surroundings()).config, world, {
    clock: new TestClock(),
    emit: (event: OclEvent) => void (event.type === 'notice' && notices.push(event.message)),
  });
  return { ...found, notices };
}

function names({ images }: Mirrored): readonly string[] {
  return images.map(({ from }) => formatReference(from));
}

describe('what a sync file mirrors', () => {
  it('is found at the sources, through the filters, and no target is asked', async () => {
    const world = new World();
    for (const tag of ['1.0', '1.1', 'dev']) await world.put('q.test/app', tag, image(tag));
    const found = await mirrored(
      world,
      'source: q.test/app, target: r.test/app, type: repository, tags: {allow: ["1.*"]}',
    );
    expect(names(found)).toEqual(['q.test/app:1.0', 'q.test/app:1.1']);
    expect(world.calls.filter((call) => call.includes('r.test'))).toEqual([]);
    expect(world.closed).toBe(world.opened);
  });

  it('comes once for several targets, and once more for another step', async () => {
    const world = new World();
    await world.put('q.test/app', '1', image('1'));
    const step = 'source: q.test/app:1, targets: [r.test/a:1, ocidir://s:1], type: image';
    expect(names(await mirrored(world, step))).toEqual(['q.test/app:1']);
    const platforms = await mirrored(world, step, 'source: q.test/app:1, target: t.test/a:1, type: image');
    expect(platforms.images).toHaveLength(2);
  });

  it('leaves out what is read from a target, and nothing beside it', async () => {
    const world = new World();
    await world.put('q.test/app', '1', image('1'));
    await world.put('q.test/other', '1', image('2'));
    await world.put('r.test/app', '1', image('1'));
    const found = await mirrored(
      world,
      'source: q.test/app:1, target: r.test/app:1, type: image',
      'source: r.test/app:1, target: s.test/app:1, type: image',
      'source: q.test/other:1, target: s.test/other:1, type: image',
    );
    expect(names(found)).toEqual(['q.test/app:1', 'q.test/other:1']);
    expect(found.notices).toEqual([expect.stringContaining('sync.yaml:3 reads what an earlier step mirrors')]);
  });

  it('is the one platform that a step wants, or the index with those', async () => {
    const world = new World();
    const root = await world.put('q.test/app', '1', index('x', AMD64, ARM64));
    const one = await mirrored(world, 'source: q.test/app:1, target: r.test/app:1, type: image, platform: linux/arm64');
    expect(one.images[0]?.root).toMatchObject({ platform: ARM64 });
    const some = await mirrored(
      world,
      'source: q.test/app:1, target: r.test/app:1, type: image, platforms: [linux/arm64]',
    );
    expect(some.images[0]).toMatchObject({ root: { digest: root.digest }, select: { platforms: [ARM64] } });
  });

  it('skips what is of another type, and reports what cannot be had', async () => {
    const world = new World();
    await world.put('q.test/app', '1', index('x', AMD64));
    const found = await mirrored(
      world,
      'source: q.test/app:1, target: r.test/app:1, type: image, mediaTypes: [application/vnd.oci.image.manifest.v1+json]',
      'source: q.test/gone:1, target: r.test/gone:1, type: image',
    );
    expect(found.images).toEqual([]);
    expect(found.failed).toMatchObject([{ image: 'q.test/gone:1', error: { code: 'OCL_NOT_FOUND' } }]);
  });
});
