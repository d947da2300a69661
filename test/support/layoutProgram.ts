import { Copier } from '../../src/copy/copier.ts';
import { silent } from '../../src/core/events.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { openLayout } from '../../src/stores/layout/layout.ts';
import { image, multiPlatform, opening, piece, put } from './graphs.ts';
import { layoutOptions, newLayout } from './layoutTools.ts';

// Bundled by tests that need processes of their own: see `child.ts`.

const [command = '', root = '', ...rest] = process.argv.slice(2);

/** Tags images of its own, one commit each. */
async function tags(prefix: string, count: number): Promise<void> {
  const layout = await newLayout(root, { lockTimeout: 30_000 });
  for (let i = 0; i < count; i++) await put(layout, image({ name: `${prefix}-${i}` }), `${prefix}-${i}`);
  await layout.close();
}

/** Becomes a writer, says so, and stays one until it is killed. */
async function hold(): Promise<void> {
  const layout = await newLayout(root);
  const { descriptor, bytes } = piece('not named yet', 'text/plain');
  await layout.put(descriptor, opening(bytes));
  console.log(descriptor.digest);
  setInterval(() => {}, 1000);
}

/** Makes the layout and ends at once, over and over: what is beside it must not be lost. */
async function visits(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const layout = await newLayout(root, { lockTimeout: 30_000 });
    await layout.begin();
    await layout.close();
  }
}

/** Copies all tags of a layout into another. */
async function copy(from: string): Promise<void> {
  const source = await openLayout(from, layoutOptions());
  const sink = await newLayout(root, { reverify: true });
  const copier = new Copier({ clock: systemClock, emit: silent, concurrency: 4 });
  const select = { referrers: true };
  for await (const tag of source.tags())
    await copier.copy({ from: source, to: sink, root: await source.resolve(tag), name: { tag }, image: tag, select });
  await sink.commit();
  await sink.close();
}

if (command === 'tags') await tags(rest[0] ?? '', Number(rest[1]));
else if (command === 'hold') await hold();
else if (command === 'visits') await visits(Number(rest[0]));
else if (command === 'copy') await copy(rest[0] ?? '');
else if (command === 'fill') await put(await newLayout(root), multiPlatform(), '1.0');
else throw new Error(`no such command: ${command}`);
