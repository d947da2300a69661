import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Copier } from '../../src/copy/copier.ts';
import { silent } from '../../src/core/events.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { createMemory } from '../../src/stores/memory/store.ts';
import { digestsIn, multiPlatform, namesIn, put } from '../support/graphs.ts';
import { layoutOptions, newLayout, temporaryDirectories } from '../support/layouts.ts';

const temporary = temporaryDirectories();

describe('a copy', () => {
  it('moves an image from memory through a layout to memory', async () => {
    const from = createMemory();
    const graph = multiPlatform();
    await put(from, graph, '1.0');
    const root = join(await temporary(), 'layout');
    const layout = await newLayout(root);
    const copier = new Copier({ clock: systemClock, emit: silent });
    const request = { root: graph.root, name: { tag: '1.0' }, image: 'app:1.0' };
    await copier.copy({ ...request, from, to: layout });
    await layout.commit();
    await layout.close();
    const to = createMemory();
    const opened = await openLayout(root, layoutOptions());
    await copier.copy({ ...request, from: opened, to, root: await opened.resolve('1.0') });
    await to.commit();
    expect(await digestsIn(to)).toEqual(await digestsIn(from));
    expect(await namesIn(to)).toEqual(await namesIn(from));
  });
});
