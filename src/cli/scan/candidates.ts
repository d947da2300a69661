import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { formatReference, wantedName, type Reference } from '../../core/reference.ts';
import { type Candidate } from '../../scan/db/find.ts';
import { type Env } from '../env.ts';
import { namedImages } from '../namedImages.ts';
import { ownRepository } from '../../stores.ts';

/** What references name: one thing each where they have a name, else everything that lies in their place. */
export async function* candidates(references: readonly Reference[], env: Env): AsyncGenerator<Candidate> {
  for (const reference of references) {
    const wanted = wantedName(reference);
    if (wanted === undefined) {
      for await (const image of namedImages([reference], env)) yield { ...image, named: false };
      continue;
    }
    const source = await env.stores.source(reference);
    const root = await onlyRoot(source, wanted);
    const repository = reference.kind === 'registry' ? reference.repository : ownRepository(reference.path);
    yield { reference: formatReference(reference), repository, source, root, named: true };
  }
}
