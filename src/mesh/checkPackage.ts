import { type YamlPath, type YamlPosition } from '../io/yaml.ts';
import { SNIFFED, type Examined } from './examine.ts';
import { type FindingEdit, type MeshFinding } from './finding.ts';
import { levelOf, type RuleId } from './rules.ts';

/** Says something of a file that was examined before: where an entry of it stands has to be looked up. */
export type Locate = (of: Examined, path: YamlPath) => Promise<YamlPosition>;

const PARTS: ReadonlySet<string> = new Set(['component', 'relationship', 'connection']);

/**
 * What the import of models does with all files of a package together (meshkit `registration.Dir.PkgUnit` and `register`).
 * @param files in the order of their paths
 */
export async function checkPackage(files: readonly Examined[], locate: Locate): Promise<readonly MeshFinding[]> {
  const found: MeshFinding[] = [];
  const add = async (
    rule: RuleId,
    of: Examined,
    path: YamlPath,
    message: string,
    fix: string,
    ...edits: readonly FindingEdit[]
  ): Promise<void> => {
    const { line, column } = await locate(of, path);
    const base = { rule, level: levelOf(rule), file: of.file, line, column, message, fix };
    found.push(edits.length === 0 ? base : { ...base, edits });
  };
  const models = files.filter(({ what }) => what === 'model');
  const parts = files.filter(({ what }) => PARTS.has(what));
  const model = models.at(-1);
  const [firstPart] = parts;
  if (model === undefined) {
    if (firstPart !== undefined)
      await add(
        'model-none',
        firstPart,
        [],
        'there is no model beside it: the import of the whole fails',
        'add the model.json, or pack each by itself: ocl mesh pack wraps it in a model',
      );
    return found;
  }
  for (const other of models.slice(0, -1))
    await add(
      'model-several',
      other,
      [],
      `there are ${models.length} models; the last one wins, which is ${model.file}`,
      'put each model with its parts into a directory of its own',
    );
  await checkModel(model, parts, add);
  await checkComponents(model, parts, add);
  for (const file of files) await checkFile(file, add);
  return found;
}

type Add = (
  rule: RuleId,
  of: Examined,
  path: YamlPath,
  message: string,
  fix: string,
  ...edits: readonly FindingEdit[]
) => Promise<void>;

async function checkModel(model: Examined, parts: readonly Examined[], add: Add): Promise<void> {
  const registered = parts.filter(({ what }) => what !== 'connection');
  if (registered.length === 0)
    await add(
      'model-empty',
      model,
      [],
      'the model has neither a component nor a relationship: nothing is registered',
      'add one of them',
    );
  if (model.kind === undefined) await addRegistrant(model, add);
  if (model.status === 'ignored')
    await add(
      'model-ignored',
      model,
      ['status'],
      'nothing of the model is registered, for its status is "ignored"',
      'write status: enabled',
    );
  if (model.model === undefined) await add('model-name', model, ['name'], 'the model has no name', 'add name');
  else if (model.model === 'untitled-model')
    await add(
      'model-template',
      model,
      ['name'],
      'the model is called as its template is',
      'give it a name, also where its parts refer to it',
    );
  else if (!/^[a-z0-9-]+$/.test(model.model))
    await add(
      'model-name',
      model,
      ['name'],
      `the name ${JSON.stringify(model.model)} has other characters than a-z, 0-9 and dashes`,
      'rename it, also where its parts and designs refer to it',
    );
}

/** The kind is set where it is empty; where there is no registrant at all it is made. */
async function addRegistrant(model: Examined, add: Add): Promise<void> {
  await add(
    'model-registrant',
    model,
    ['registrant', 'kind'],
    'registrant.kind is missing: nothing of the model is registered',
    'write kind: meshery',
    {
      kind: 'set',
      path: model.hasRegistrant ? ['registrant', 'kind'] : ['registrant'],
      value: model.hasRegistrant ? 'meshery' : { kind: 'meshery' },
    },
  );
}

async function checkComponents(model: Examined, parts: readonly Examined[], add: Add): Promise<void> {
  const byKind = new Map<string, Examined>();
  for (const part of parts) {
    if (part.model !== undefined && model.model !== undefined && part.model !== model.model)
      await add(
        'component-model',
        part,
        ['model', 'name'],
        `it names the model ${JSON.stringify(part.model)}, and is registered under ${JSON.stringify(model.model)}`,
        `write ${model.model}`,
      );
    if (part.what !== 'component' || part.kind === undefined) continue;
    const before = byKind.get(part.kind);
    if (before === undefined) byKind.set(part.kind, part);
    else
      await add(
        'component-duplicate',
        part,
        ['component', 'kind'],
        before.version === part.version
          ? `${before.file} is of the kind ${part.kind} too`
          : `${before.file} is of the kind ${part.kind} too, in version ${String(before.version)}: an export of Meshery keeps one of them`,
        before.version === part.version ? 'take one of them away' : 'keep the files; do not rely on an export',
      );
  }
}

/** Neither an entity nor what the import passes over. What is meant to be JSON or YAML has a finding of its own. */
export function isStray({ what, path }: Examined): boolean {
  if (what === 'unreadable') return !/\.(?:json|ya?ml)$/i.test(path);
  return !(
    what === 'model' ||
    PARTS.has(what) ||
    what === 'skipped' ||
    what === 'archive' ||
    what === 'rego' ||
    what === 'policy'
  );
}

async function checkFile(file: Examined, add: Add): Promise<void> {
  const { what, syntax, size } = file;
  const isPart = what === 'model' || PARTS.has(what);
  if (isPart && syntax === 'yaml' && size < SNIFFED)
    await add(
      'short-yaml',
      file,
      [],
      `Meshery drops YAML below ${SNIFFED} bytes, and this has ${size}: it does not see that it is text`,
      'write it as JSON',
    );
  if (what === 'policy')
    await add(
      'policy-document',
      file,
      ['schemaVersion'],
      'the import refuses policies',
      'leave it out; a .rego file beside the model is passed over in silence',
    );
  else if (what === 'rego')
    await add(
      'policy-skipped',
      file,
      [],
      'Meshery passes over policies: it imports none',
      'install it by hand where it is needed',
    );
  else if (isStray(file))
    await add(
      'stray-file',
      file,
      [],
      'this is no part of a model: Meshery reports an error for it',
      'take it out of the model; README.md may stay',
    );
}
