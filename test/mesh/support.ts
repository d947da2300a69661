import { readFileSync } from 'node:fs';
import { type MeshFinding } from '../../src/mesh/finding.ts';
import { validateFiles, type ValidateInput } from '../../src/mesh/validate.ts';

export type Files = Readonly<Record<string, string | Uint8Array | object>>;

const SAMPLES = new URL('../../testdata/meshery/', import.meta.url);

export function sample(path: string): string {
  return readFileSync(new URL(path, SAMPLES), 'utf8');
}

/** A sample in JSON, with members set; undefined takes one away. */
export function altered(path: string, ...changes: readonly (readonly [string, unknown])[]): object {
  const value = JSON.parse(sample(path)) as Record<string, unknown>;
  for (const [at, set] of changes) {
    const steps = at.split('.');
    const last = steps.pop() ?? '';
    const parent = steps.reduce<Record<string, unknown>>((here, step) => here[step] as Record<string, unknown>, value);
    if (set === undefined) Reflect.deleteProperty(parent, last);
    else parent[last] = set;
  }
  return value;
}

export function bytesOf(content: Files[string]): Uint8Array {
  if (content instanceof Uint8Array) return content;
  return Buffer.from(typeof content === 'string' ? content : JSON.stringify(content, null, 2));
}

export async function findings(
  files: Files,
  form: ValidateInput['form'] = 'directory',
): Promise<readonly MeshFinding[]> {
  const input: ValidateInput = {
    form,
    files: Object.keys(files)
      .toSorted()
      .map((path) => ({ path })),
    read: (path) => Promise.resolve(bytesOf(files[path] ?? '')),
    nameOf: (path) => path,
  };
  return (await validateFiles(input)).findings;
}

/** `file @what rule` of all that was found, where `what` is the word at the place that it names. */
export async function found(files: Files, form?: ValidateInput['form']): Promise<readonly string[]> {
  return (await findings(files, form)).map(({ file, line, column, rule }) => {
    const text = Buffer.from(bytesOf(files[file] ?? '')).toString('utf8');
    const from = text.split('\n')[line - 1]?.slice(column - 1) ?? '';
    return `${file} @${/^["']?([^"':,\s]*)/.exec(from)?.[1] ?? ''} ${rule}`;
  });
}

export const COMPONENT = 'minimal/component.v1beta1.json';
export const MODEL = 'minimal/model.json';
export const DESIGN = 'minimal/design.v1beta1.one-component.json';
export const RELATIONSHIP = 'minimal/relationship.v1beta2.json';

/** A model package that Meshery takes as it is. */
export const GOOD_MODEL: Files = {
  'v1.0.0/model.json': sample(MODEL),
  'v1.0.0/components/Widget.json': sample(COMPONENT),
  'v1.0.0/relationships/edge.json': sample(RELATIONSHIP),
  'v1.0.0/connections/registry.json': sample('minimal/connection.v1beta3.json'),
  'v1.0.0/README.md': '# Widget\n',
  'v1.0.0/icons/w.svg': '<svg/>',
};
