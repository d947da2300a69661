import { type YamlPath, type YamlPosition } from '../io/yaml.ts';
import { checkPackage, isStray, type Locate } from './checkPackage.ts';
import { Checked } from './checked.ts';
import { examine, type Examined } from './examine.ts';
import { type MeshFinding } from './finding.ts';
import { levelOf, type RuleId } from './rules.ts';
import { baseName, directoryOf } from './survey.ts';

/** What is examined as one: a file, a directory, or all that one archive or artifact holds. */
export interface ValidateInput {
  readonly form: 'file' | 'directory' | 'archive';
  /** Sorted by path. */
  readonly files: readonly { readonly path: string }[];
  read(path: string): Promise<Uint8Array>;
  /** The file in findings, as people can open it. */
  nameOf(path: string): string;
}

export interface ValidateReport {
  /** Sorted by file, line and column. */
  readonly findings: readonly MeshFinding[];
  /** Files that are entities, or that say something of one. */
  readonly examined: number;
}

const PARTS: ReadonlySet<string> = new Set(['model', 'component', 'relationship', 'connection']);
/** What Meshery takes by its REST API alone. */
const REST: ReadonlySet<string> = new Set(['policy', 'filter', 'view', 'environment', 'workspace', 'rego', 'wasm']);

/**
 * Says what Meshery's importers and Artifact Hub's tracker would do with files, and what mends it. One file after the other is held in memory.
 * @throws OCL_LIMIT; what reading throws
 */
export async function validateFiles(input: ValidateInput): Promise<ValidateReport> {
  const examined: Examined[] = [];
  for (const { path } of input.files)
    examined.push(
      examine(path, input.nameOf(path), await input.read(path), input.form === 'archive' ? 'archive' : 'file'),
    );
  const locate: Locate = async (of, path) => await placeOf(input, of, path);
  const findings: MeshFinding[] = [];
  const packages = packagesOf(examined, input.form);
  const inPackage = new Set(packages.flat());
  for (const files of packages) findings.push(...(await checkPackage(files, locate)));
  for (const file of examined) findings.push(...besides(file, examined, inPackage.has(file), input.form));
  if (input.form === 'archive') findings.push(...severalDesigns(examined));
  for (const file of examined)
    if (file.what !== 'unreadable' || isMeant(file, inPackage.has(file), input.form)) findings.push(...file.found);
  return {
    findings: findings.toSorted((a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column),
    examined: examined.filter(({ what }) => what !== 'other' && what !== 'skipped').length,
  };
}

/** Which files are one package to the import of models. */
function packagesOf(examined: readonly Examined[], form: ValidateInput['form']): readonly (readonly Examined[])[] {
  const models = examined.filter(({ what }) => what === 'model');
  const parts = examined.filter(({ what }) => PARTS.has(what));
  if (parts.length === 0 || (form === 'file' && models.length === 0)) return [];
  const others = examined.some(({ what }) => what === 'design' || what === 'package');
  // All of it is what a person would give to the import.
  if (form !== 'directory' || (models.length <= 1 && !others)) return [examined];
  const roots = outermost(models.map(({ path }) => directoryOf(path)));
  const inRoot = (root: string, { path }: Examined): boolean => root === '' || path.startsWith(`${root}/`);
  const packages = roots.map((root) => examined.filter((file) => inRoot(root, file)));
  const orphans = parts.filter((part) => !roots.some((root) => inRoot(root, part)));
  return orphans.length === 0 ? packages : [...packages, orphans];
}

/** Directories of which none lies in another. */
function outermost(directories: readonly string[]): readonly string[] {
  const roots: string[] = [];
  for (const directory of [...new Set(directories)].toSorted(compare))
    if (!roots.some((root) => root === '' || directory.startsWith(`${root}/`))) roots.push(directory);
  return roots;
}

/** What is to be said of a file by the company that it keeps. */
function besides(
  file: Examined,
  all: readonly Examined[],
  inPackage: boolean,
  form: ValidateInput['form'],
): readonly MeshFinding[] {
  const { what, path } = file;
  const siblings = all.filter((other) => directoryOf(other.path) === directoryOf(path));
  if (what === 'package' && !siblings.some((other) => baseName(other.path) === 'design.yml' || other.what === 'wasm'))
    return [
      said(
        file,
        'artifacthub-design',
        'there is no design.yml beside it: Artifact Hub refuses the package',
        'put the design beside it, as design.yml',
      ),
    ];
  if (inPackage) return [];
  if (PARTS.has(what))
    return [
      said(file, 'part-alone', 'Meshery imports it in a model alone', 'pack it: ocl mesh pack wraps it in a model'),
    ];
  if (REST.has(what) && !(what === 'filter' && siblings.some((other) => other.what === 'wasm')))
    return [
      said(
        file,
        'no-importer',
        'Meshery imports this from no file',
        'carry it packed, and hand it to the REST API on the other side',
      ),
    ];
  if (form === 'file' && (what === 'other' || what === 'skipped'))
    return [
      said(
        file,
        'no-entity',
        'this is no entity of Meshery',
        'Meshery may take it as a Kubernetes manifest, a Compose file or a chart',
      ),
    ];
  return [];
}

function severalDesigns(examined: readonly Examined[]): readonly MeshFinding[] {
  const designs = examined.filter(({ path }) => baseName(path) === 'design.yml');
  const last = designs.at(-1);
  return designs
    .slice(0, -1)
    .map((design) =>
      said(
        design,
        'design-several',
        `there are ${designs.length} files design.yml; the last one wins, which is ${String(last?.file)}`,
        'leave one of them',
      ),
    );
}

/** Whether a file that cannot be read was meant to be an entity: in a tree of all kinds of files a broken YAML is nobody's. */
function isMeant(file: Examined, inPackage: boolean, form: ValidateInput['form']): boolean {
  const { path, found } = file;
  if (inPackage) return !isStray(file);
  if (form !== 'directory') return true;
  return (
    /^(?:design|model)\.(?:ya?ml|json)$/.test(baseName(path)) || found.some(({ rule }) => rule === 'merge-markers')
  );
}

function said(of: Examined, rule: RuleId, message: string, fix: string): MeshFinding {
  return { rule, level: levelOf(rule), file: of.file, line: 1, column: 1, message, fix };
}

async function placeOf(input: ValidateInput, of: Examined, path: YamlPath): Promise<YamlPosition> {
  if (path.length === 0) return { line: 1, column: 1 };
  return new Checked(of.file, await input.read(of.path)).at(path);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
