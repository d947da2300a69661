import { tagOf } from '../core/names.ts';
import { type LocalSource, type Source } from '../core/store.ts';

/**
 * The tags of a repository, in its order, each once. On disk a name may be written in full, where entries come from several
 * repositories: there its tag counts, as in regsync (spec/regsync.md 3.2). Two contents under one tag are an error of that image.
 */
export async function* tagsIn(source: Source): AsyncGenerator<string> {
  if (!isLocal(source)) return yield* source.tags();
  yield* new Set((await source.roots()).map(tagOf).filter((tag) => tag !== undefined));
}

function isLocal(source: Source): source is LocalSource {
  return 'roots' in source;
}
