import { Copier } from '../../src/copy/copier.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { newLayout } from '../support/layouts.ts';
import { ROWS } from './typeRows.ts';
import { thing } from './thing.ts';

/** A layout with one thing of each row of the list of types, tagged `0-ID`, `1-ID`, …; those that go by a name have that one. */
export async function writeThings(path: string): Promise<void> {
  const layout = await newLayout(path);
  const copier = new Copier({ clock: systemClock, emit: () => {} });
  for (const [i, { spec, is, tag }] of ROWS.entries()) {
    const { store, descriptor } = thing(spec);
    const name = { tag: tag ?? `${i}-${is}` };
    const select = { referrers: false, digestTags: false };
    await copier.copy({ from: store, to: layout, root: descriptor, name, image: is, select });
  }
  await layout.commit();
  await layout.close();
}
