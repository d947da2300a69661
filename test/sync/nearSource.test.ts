import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type Descriptor } from '../../src/core/descriptor.ts';
import { OclError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/events.ts';
import { Copier } from '../../src/copy/copier.ts';
import { NearSource } from '../../src/sync/nearSource.ts';
import { fakeClock } from '../support/fakeClock.ts';
import { type Source } from '../../src/core/store.ts';
import { Contents } from '../../src/stores/memory/contents.ts';
import { MemoryStore } from '../../src/stores/memory/store.ts';
import { image } from './world.ts';

function storeOf(name: string): MemoryStore {
  return new MemoryStore(name, new Contents());
}

/** A store whose contents are given through a function. */
function giving(store: MemoryStore, open: (descriptor: Descriptor) => Promise<Readable>): Source {
  return new Proxy<Source>(store, {
    get(target, key) {
      if (key === 'open') return open;
      if (key === 'place') return () => ({ kind: 'elsewhere' });
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

describe('what the near target gives', () => {
  it('and is damaged there is taken from the source', async () => {
    const [source, near, to] = [storeOf('source'), storeOf('near'), storeOf('to')];
    const root = image('1')(source);
    const damaged = giving(near, (descriptor) => Promise.resolve(Readable.from([Buffer.alloc(descriptor.size, 'x')])));
    const copier = new Copier({ clock: fakeClock(), emit: silent });
    // The manifest was read before, for the first target.
    await copier.read(root, { from: source, to: to });
    const result = await copier.copy({
      from: new NearSource(source, damaged),
      to: to,
      root,
      name: { tag: '1' },
      image: 'i',
    });
    expect(result.outcome).toBe('copied');
  });

  it('is not asked for from the source when the run was stopped', async () => {
    const [source, near] = [storeOf('source'), storeOf('near')];
    const root = image('1')(source);
    const stopped = giving(near, () => Promise.reject(new OclError('OCL_CANCELLED', 'Stopped')));
    await expect(new NearSource(source, stopped).open(root)).rejects.toMatchObject({ code: 'OCL_CANCELLED' });
  });
});
