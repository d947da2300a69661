import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { createMemoryLibrary } from '../../src/stores/memory/library.ts';
import { ended } from '../support/child.ts';
import { jsonLines, ocl, oclDone, resultOf, startOcl } from '../support/cli.ts';
import { startEmbedded, type Embedded } from '../support/embedded.ts';
import { digestsIn, image, noise, piece, put, signature } from '../support/graphs.ts';
import { layoutOptions, temporaryDirectories } from '../support/layouts.ts';
import { startSlowRegistry } from '../support/slowRegistry.ts';

const temporary = temporaryDirectories();
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';
const slow = piece(noise(1 << 20, 3), LAYER);
const quick = image({ name: 'quick', layers: [piece(noise(50_000, 4), LAYER)] });
const large = image({ name: 'large', layers: [piece(noise(80_000, 5), LAYER), slow] });
const graphs = [quick, large, signature(quick.root), signature(large.root)];
let registry: Embedded;

beforeAll(async () => {
  const library = createMemoryLibrary();
  const sink = await library.sink('app');
  await put(sink, quick, '1');
  await put(sink, large, '2');
  for (const graph of graphs.slice(2)) await put(sink, graph, {});
  registry = await startEmbedded(library);
});

afterAll(async () => {
  await registry.close();
});

interface Summary {
  readonly type: string;
  readonly copied: number;
  readonly current: number;
  readonly bytes: number;
  readonly outcome?: string;
}

async function config(directory: string, host: string, target: string): Promise<readonly string[]> {
  const file = join(directory, 'sync.yaml');
  await writeFile(
    file,
    `version: 1
creds: [{registry: origin.example, hostname: "${host}", tls: disabled}]
defaults: {referrers: true}
sync: [{type: repository, source: origin.example/app, target: "${target}"}]
`,
  );
  return ['sync', '--config', file];
}

const EXPECTED = [...new Set(graphs.flatMap(({ pieces }) => pieces.map(({ descriptor }) => descriptor.digest)))];

describe('a sync', () => {
  it.each(['a layout', 'a registry'])('that is run twice transfers nothing the second time: into %s', async (kind) => {
    const directory = await temporary();
    const mirror = await startEmbedded(createMemoryLibrary());
    try {
      const target = kind === 'a layout' ? `ocidir://${join(directory, 'mirror')}` : `${mirror.host}/mirror`;
      const command = [...(await config(directory, registry.host, target)), '--json'];
      const [first, second] = [jsonLines<Summary>((await oclDone(command)).stdout), await oclDone(command)];
      expect(first.at(-1)).toMatchObject({ copied: 2, current: 0 });
      const lines = jsonLines<Summary>(second.stdout);
      expect(lines.at(-1)).toMatchObject({ copied: 0, current: 2, bytes: 0 });
      const moved = lines.filter(({ type, outcome }) => type.startsWith('blob.') && outcome !== 'present');
      expect(moved).toEqual([]);
    } finally {
      await mirror.close();
    }
  });

  it('that is stopped by Ctrl-C ends in order with 130, and the same command finishes it', async () => {
    const directory = await temporary();
    const server = await startSlowRegistry(registry.host, slow.descriptor.digest);
    try {
      const target = join(directory, 'mirror');
      const command = await config(directory, server.host, `ocidir://${target}`);
      const child = startOcl(command);
      const result = resultOf(child);
      await server.asked;
      child.kill('SIGINT');
      const { status, stderr } = await result;
      expect(status).toBe(130);
      expect(stderr).toContain('[OCL_CANCELLED]\nhint:  run the same command again');
      expect((await ocl(['check', target])).status).not.toBe(6);

      server.release();
      await oclDone(command);
      const layout = await openLayout(target, layoutOptions());
      expect(await digestsIn(layout)).toEqual(EXPECTED.toSorted());
      expect((await oclDone(['check', target])).stdout).toContain(': ok, ');
    } finally {
      await server.close();
    }
  });

  it('that is stopped twice ends at once', async () => {
    const directory = await temporary();
    const server = await startSlowRegistry(registry.host, slow.descriptor.digest);
    try {
      const child = startOcl(await config(directory, server.host, `ocidir://${join(directory, 'mirror')}`));
      const gone = ended(child);
      child.stdout.resume();
      await server.asked;
      child.stderr.once('data', () => child.kill('SIGINT'));
      child.kill('SIGINT');
      expect(await gone).toBe(130);
    } finally {
      await server.close();
    }
  });
});
