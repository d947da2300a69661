import { describe, expect, it } from 'vitest';
import { inspect, dockerfileLine } from '../../src/artifact/inspect.ts';
import { plainDescriptor } from '../../src/core/descriptor.ts';
import { describeImage } from '../../src/artifact/list.ts';
import { buildTree } from '../../src/artifact/tree.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { AMD64, ARM64, ARMV7, image, multiPlatform, put, sbom, signature } from '../support/graphs.ts';

describe('dockerfileLine', () => {
  it.each([
    ['/bin/sh -c #(nop)  CMD ["sh"]', 'CMD ["sh"]'],
    ['/bin/sh -c apt-get update', 'RUN apt-get update'],
    ['RUN /bin/sh -c make install # buildkit', 'RUN make install'],
    ['RUN |2 A=1 B=2 /bin/sh -c echo $A # buildkit', 'RUN echo $A'],
    ['COPY . /app # buildkit', 'COPY . /app'],
    ['umoci repack', 'umoci repack'],
    ['', ''],
  ])('reads %j as a line of a Dockerfile', (createdBy, line) => {
    expect(dockerfileLine(createdBy)).toBe(line);
  });
});

const graph = multiPlatform('app');
const signed = signature(graph.root);
const parts = sbom(signed.root);

async function store(): Promise<ReturnType<typeof createMemory>> {
  const memory = createMemory();
  await put(memory, graph, '1');
  for (const each of [signed, parts]) await put(memory, each);
  await memory.commit();
  return memory;
}

describe('an index', () => {
  it('is listed with its platforms and all its bytes, each content once', async () => {
    const listed = await describeImage(await store(), 'app:1', graph.root);
    const size = new Map(graph.pieces.map(({ descriptor }) => [descriptor.digest, descriptor.size]));
    expect(listed).toMatchObject({ kind: 'index', platforms: ['linux/amd64', 'linux/arm64/v8'] });
    expect(listed.problem).toBeUndefined();
    expect(listed.size).toBe([...size.values()].reduce((sum, bytes) => sum + bytes, 0));
  });

  it.each([
    [undefined, AMD64, 'linux/amd64'],
    [ARM64, AMD64, 'linux/arm64/v8'],
    [undefined, ARMV7, 'linux/amd64'],
  ])('is inspected for %j on a host that is %j', async (platform, host, shown) => {
    const inspection = await inspect(await store(), 'app:1', graph.root, { platform, host });
    expect(inspection.manifest.platform).toBe(shown);
    expect(inspection.image).toBeDefined();
    expect(inspection.layers.length).toBeGreaterThan(0);
  });

  it('says which platforms it has when another is asked for', async () => {
    const asked = inspect(await store(), 'app:1', graph.root, { platform: ARMV7, host: AMD64 });
    await expect(asked).rejects.toMatchObject({ code: 'OCL_NOT_FOUND', hint: 'it has linux/amd64, linux/arm64/v8' });
  });

  it('is not taken for another platform than it is for where it has but one', async () => {
    const memory = createMemory();
    const { root, pieces } = image({ name: 'one' });
    const plain = plainDescriptor(root);
    await put(memory, { root: plain, pieces }, '1');
    const asked = inspect(memory, 'one:1', plain, { platform: ARM64, host: AMD64 });
    await expect(asked).rejects.toMatchObject({ code: 'OCL_NOT_FOUND', hint: 'leave --platform out' });
    const right = await inspect(memory, 'one:1', plain, { platform: AMD64, host: ARM64 });
    expect(right.digest).toBe(root.digest);
  });

  it('grows into a tree with its referrers and theirs', async () => {
    const tree = await buildTree(await store(), graph.root, { contents: false });
    expect(tree.children.map(({ role }) => role)).toEqual(['manifest', 'manifest', 'manifest', 'manifest', 'referrer']);
    expect(tree.children.at(-1)?.children.map(({ descriptor }) => descriptor.digest)).toEqual([parts.root.digest]);
    const whole = await buildTree(await store(), graph.root, { contents: true });
    expect(whole.children[0]?.children.map(({ role }) => role)).toContain('layer');
  });
});

it('a damaged image is listed with its problem', async () => {
  const memory = await store();
  await memory.remove(graph.root.digest);
  await memory.commit();
  expect(await describeImage(memory, 'app:1', graph.root)).toMatchObject({ problem: expect.any(String) as string });
});
