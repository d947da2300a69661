import { OclError } from '../../core/errors.ts';
import { parseYaml, type YamlDocument, type YamlPath } from '../../io/yaml.ts';
import { ArtifactTypeSchema, TypesFileSchema, type ArtifactType, type TypeChange } from './schema.ts';

/** A change of a type, or a new one, and how its fault is told. */
interface Change {
  readonly change: TypeChange;
  readonly fail: (why: string) => OclError;
}

/**
 * The types with what a user's file says of them: new ones, and changes of those that are known. JSON is YAML, too.
 *
 * @param file names the text in errors
 * @throws OCL_CONFIG_INVALID with file, line and column; OCL_LIMIT
 */
export function withTypes(types: readonly ArtifactType[], text: string, file: string): readonly ArtifactType[] {
  const changes = parseTypes(text, file);
  const byId = new Map(types.map((type) => [type.id, type]));
  for (const { change, fail } of changes) {
    const result = ArtifactTypeSchema.safeParse({ actions: [], ...byId.get(change.id), ...change });
    // What is given is right already; what remains is a new type without a part that it must have.
    if (!result.success)
      throw fail(`a new type must have ${result.error.issues.map(({ path }) => path.join('.')).join(', ')}`);
    byId.delete(change.id);
    byId.set(change.id, result.data);
  }
  for (const { change, fail } of changes)
    if (change.asIndex !== undefined && !byId.has(change.asIndex)) throw fail(`there is no type ${change.asIndex}`);
  return [...byId.values()];
}

function parseTypes(text: string, file: string): readonly Change[] {
  const document = parseYaml(text, file);
  const result = TypesFileSchema.safeParse(document.value ?? { types: [] });
  if (!result.success) {
    const [issue] = result.error.issues;
    const path = (issue?.path ?? []).filter((step) => typeof step !== 'symbol');
    throw invalid(document, file, path, issue === undefined ? 'it has an unknown fault' : issue.message);
  }
  const seen = new Set<string>();
  return result.data.types.map((change, index) => {
    const path = ['types', index];
    if (seen.has(change.id)) throw invalid(document, file, [...path, 'id'], `${change.id} stands there twice`);
    seen.add(change.id);
    return { change, fail: (why) => invalid(document, file, path, why) };
  });
}

function invalid(document: YamlDocument, file: string, path: YamlPath, why: string): OclError {
  const { line, column } = document.at(path);
  const member = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`)).join('');
  const where = member === '' ? '' : `${member.replace(/^\./, '')}: `;
  return new OclError('OCL_CONFIG_INVALID', `Cannot read ${file}:${line}:${column}: ${where}${why}`, {
    hint: 'ocl types --schema prints what the file may say',
  });
}
