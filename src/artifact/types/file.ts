import { OclError } from '../../core/errors.ts';
import { parseYaml, type YamlDocument, type YamlPath } from '../../io/yaml.ts';
import { TypesFileSchema } from './schema.ts';
import { type Change } from './table.ts';

/**
 * What a user's file says of types: new ones, and changes of those that are known. JSON is YAML, too.
 *
 * @param file names the text in errors
 * @throws OCL_CONFIG_INVALID with file, line and column; OCL_LIMIT
 */
export function parseTypes(text: string, file: string): readonly Change[] {
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
