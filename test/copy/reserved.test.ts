import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { Copier } from '../../src/copy/copier.ts';
import { OclError } from '../../src/core/errors.ts';
import { silent, type OclEvent } from '../../src/core/events.ts';
import { createGate } from '../../src/io/gate.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { createArchive } from '../../src/stores/archive/writer.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { codeOf, multiPlatform, noise, image, piece, put } from '../support/graphs.ts';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { type NamedRoot } from '../../src/core/store.ts';
import { type ArchiveSink } from '../../src/stores/archive/writer.ts';
import { CountingSource, RecordingSink } from '../support/probes.ts';

const shared = piece(noise(200_000, 1), 'application/vnd.oci.image.layer.v1.tar');
const graphs = [
  multiPlatform('one'),
  image({ name: 'two', layers: [shared] }),
  image({ name: 'three', layers: [shared] }),
];

async function filled(): Promise<ReturnType<typeof createMemory>> {
  const store = createMemory();
  for (const graph of graphs) await put(store, graph);
  return store;
}

/** An archive whose first answers come last, so that contents reach its doors in another order than its own. */
class UpsideDown extends RecordingSink {
  readonly #archive: ArchiveSink;

  constructor(archive: ArchiveSink) {
    let asked = 0;
    super(archive, {
      async before(step) {
        if (step !== 'has') return;
        for (let i = 100 - 10 * asked++; i > 0; i--) await new Promise((resolve) => setImmediate(resolve));
      },
    });
    this.#archive = archive;
  }

  reserve(
    nodes: readonly Descriptor[],
    names: readonly NamedRoot[],
    read: (descriptor: Descriptor) => Promise<Uint8Array>,
  ): Promise<readonly Descriptor[]> {
    return this.#archive.reserve(nodes, names, read);
  }
}

/** Everything into an archive that is a stream, which takes contents one after another. */
async function archived(options: {
  readonly concurrency: number;
  readonly width: number;
  readonly before?: (descriptor: { readonly digest: string }) => Promise<void> | void;
  readonly emit?: (event: OclEvent) => void;
}): Promise<{ readonly bytes: Buffer; readonly opened: readonly string[] }> {
  const from = new CountingSource(await filled(), {
    gates: [createGate('host', options.width)],
    ...(options.before === undefined ? {} : { before: options.before }),
  });
  const stream = new PassThrough();
  const reading = buffer(stream);
  const to = new UpsideDown(createArchive({ stream, name: 'it' }, { emit: silent }));
  const copier = new Copier({ clock: systemClock, emit: options.emit ?? silent, concurrency: options.concurrency });
  try {
    await copier.copyReserved(
      graphs.map(({ root }, i) => ({ from, to, root, name: { tag: `${i}` }, image: `${i}` })),
      to,
    );
    await to.commit();
  } finally {
    stream.end();
  }
  return { bytes: await reading, opened: from.opened };
}

describe('copies into a sink with an order of its own', () => {
  it('give the same bytes however many contents are under way, and wait for no door in vain', async () => {
    const slowFirst = async ({ digest }: { readonly digest: string }): Promise<void> => {
      if (digest < 'sha256:8') for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    };
    const { bytes } = await archived({ concurrency: 1, width: 6 });
    for (const concurrency of [1, 2, 6])
      for (const width of [1, 2]) {
        const again = await archived({ concurrency, width, before: slowFirst });
        expect(again.bytes.equals(bytes)).toBe(true);
      }
  });

  it('open what images share once', async () => {
    const { opened } = await archived({ concurrency: 6, width: 2 });
    expect(opened.filter((digest) => digest === shared.descriptor.digest).length).toBe(1);
  });

  it('fail as a whole, and tell it of each image, with the first cause', async () => {
    const events: OclEvent[] = [];
    const code = await codeOf(() =>
      archived({
        concurrency: 6,
        width: 1,
        emit: (event) => void events.push(event),
        before: ({ digest }) => {
          if (digest === shared.descriptor.digest) throw new OclError('OCL_UNREACHABLE', 'Cannot reach it: no route');
        },
      }),
    );
    expect(code).toBe('OCL_UNREACHABLE');
    const failed = events.filter(({ type }) => type === 'image.failed');
    const told = failed.map((event) => (event.type === 'image.failed' ? `${event.image} ${event.error.code}` : ''));
    expect(told.toSorted()).toEqual(['0', '1', '2'].map((name) => `${name} OCL_UNREACHABLE`));
    expect(failed.map((event) => event.type === 'image.failed' && event.again)).toEqual([undefined, true, true]);
    expect(events.some(({ type }) => type === 'image.done')).toBe(false);
  });
});
