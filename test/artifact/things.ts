import { Copier } from '../../src/copy/copier.ts';
import { systemClock } from '../../src/io/systemClock.ts';
import { newLayout } from '../support/layouts.ts';
import { ROWS, type Row } from './typeRows.ts';
import { thing } from './thing.ts';

/** `12-sif`, or the name that it goes by. */
export function tagOf({ tag, is }: Row, i: number): string {
  return tag ?? `${i}-${is}`;
}

/** The name of the thing of a type, the first one or that of which the explanation begins so. */
export function tagOfType(is: string, why = ''): string {
  const i = ROWS.findIndex((row) => row.is === is && row.why.startsWith(why));
  const row = ROWS[i];
  if (row === undefined) throw new Error(`there is no ${is}`);
  return tagOf(row, i);
}

/** A layout with one thing of each row of the list of types, tagged `0-ID`, `1-ID`, …; those that go by a name have that one. */
export async function writeThings(path: string): Promise<void> {
  const layout = await newLayout(path);
  const copier = new Copier({ clock: systemClock, emit: () => {} });
  for (const [i, row] of ROWS.entries()) {
    const { spec, is } = row;
    const { store, descriptor } = thing(spec);
    const name = { tag: tagOf(row, i) };
    const select = { referrers: false, digestTags: false };
    await copier.copy({ from: store, to: layout, root: descriptor, name, image: is, select });
  }
  await layout.commit();
  await layout.close();
}
