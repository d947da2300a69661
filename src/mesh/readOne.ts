import { OclError } from '../core/errors.ts';
import { formatReference, type Reference } from '../core/reference.ts';
import { type Entity } from './entity.ts';
import { readEntities, type ReadOptions } from './read.ts';

/** The only entity of an input. @throws OCL_AMBIGUOUS when there are several; as `readEntities` */
export async function readEntity(input: Reference, options: ReadOptions): Promise<Entity> {
  const found: Entity[] = [];
  for await (const entity of readEntities(input, options)) {
    found.push(entity);
    if (found.length > 1) break;
  }
  const [entity, other] = found;
  if (entity !== undefined && other === undefined) return entity;
  const name = formatReference(input);
  if (entity === undefined || other === undefined)
    throw new OclError('OCL_NOT_FOUND', `Cannot read ${name}: it holds no entity of Meshery`);
  throw new OclError(
    'OCL_AMBIGUOUS',
    `Cannot choose an entity of ${name}: it holds ${entity.kind} ${entity.name}, ${other.kind} ${other.name} and maybe more`,
    { hint: 'name one of them: a file, a directory, or a reference with a tag' },
  );
}
