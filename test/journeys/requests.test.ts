import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { jsonLines, oclDone } from '../support/cli.ts';
import { startEmbedded } from '../support/embedded.ts';
import { startFaultProxy, type FaultProxy } from '../support/faultProxy.ts';
import { image, noise, piece, put } from '../support/graphs.ts';
import { temporaryDirectories } from '../support/layouts.ts';

const TAGS = 50;
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

const temporary = temporaryDirectories();
const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).toReversed()) await each.close();
});

/** An embedded registry, all of whose requests are counted. */
async function counted(fill = false): Promise<FaultProxy> {
  const library = createMemoryLibrary();
  if (fill) {
    const sink = await library.sink('app');
    for (let number = 1; number <= TAGS; number++)
      await put(sink, image({ name: `${number}`, layers: [piece(noise(500, number), LAYER)] }), `v${number}`);
  }
  const registry = await startEmbedded(library);
  const proxy = await startFaultProxy(registry.host);
  closing.push(registry, proxy);
  return proxy;
}

function requestsOf({ passed }: FaultProxy): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { kind } of passed) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

describe('a sync of 50 tags', () => {
  it('asks for a list and one HEAD a tag at the source and one at the target, and nothing else, when nothing has changed', async () => {
    const [source, target] = [await counted(true), await counted()];
    const file = join(await temporary(), 'sync.yaml');
    await writeFile(
      file,
      `version: 1\nsync: [{type: repository, source: "${source.host}/app", target: "${target.host}/mirror"}]\n`,
    );
    const run = async (): Promise<unknown> =>
      jsonLines((await oclDone(['sync', '--config', file, '--json'])).stdout).at(-1);

    expect(await run()).toMatchObject({ copied: TAGS, current: 0 });
    expect(requestsOf(source)).toMatchObject({ 'GET tags': 1, 'HEAD manifest': TAGS, 'GET manifest': TAGS });
    // In a repository that was not there nothing small is asked for before it is sent, and no tag is asked for twice.
    expect(requestsOf(target)).toEqual({
      'GET tags': 1,
      'HEAD manifest': TAGS,
      'POST upload': 2 * TAGS,
      'PUT upload': 2 * TAGS,
      'PUT manifest': TAGS,
    });

    for (const proxy of [source, target]) proxy.rules();
    expect(await run()).toMatchObject({ copied: 0, current: TAGS });
    expect(requestsOf(source)).toEqual({ 'GET tags': 1, 'HEAD manifest': TAGS });
    expect(requestsOf(target)).toEqual({ 'HEAD manifest': TAGS });
  });
});

describe('a copy', () => {
  it('asks for each part of an image once, beside others that are there', async () => {
    const [source, target] = [await counted(true), await counted()];
    const copy = async (tag: string): Promise<void> =>
      void (await oclDone([
        'copy',
        `${source.host}/app:${tag}`,
        `${target.host}/app:${tag}`,
        '--no-referrers',
        '--no-digest-tags',
      ]));
    await copy('v1');
    for (const proxy of [source, target]) proxy.rules();
    await copy('v2');
    expect(requestsOf(source)).toEqual({ 'HEAD manifest': 1, 'GET manifest': 1, 'GET blob': 2 });
    expect(requestsOf(target)).toMatchObject({ 'PUT manifest': 1, 'POST upload': 2, 'PUT upload': 2 });
  });
});
