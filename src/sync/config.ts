import { OclError } from '../core/errors.ts';
import { parseYaml, type YamlDocument, type YamlPath } from '../io/yaml.ts';
import { expandHost, expandStep, type Fail } from './expand.ts';
import { readHosts } from './hosts.ts';
import { lintFile } from './lint.ts';
import { type Warn } from './lintKeys.ts';
import { lintExpanded, lintSteps } from './lintSteps.ts';
import { mergeStep } from './merge.ts';
import { FileSchema, type FileInput } from './schema.ts';
import { type ConfigPlace, type ConfigWarning, type SyncConfig } from './settings.ts';
import { type Surroundings } from './template/template.ts';

/** Images at a time when the file does not say: enough to keep two hosts busy, few enough for the limits of public registries. */
export const DEFAULT_PARALLEL = 4;

export interface LoadedConfig {
  readonly config: SyncConfig;
  /** In the order of the file. What is for information is among them when all was asked for. */
  readonly warnings: readonly ConfigWarning[];
}

export interface LoadOptions {
  /** Everything that can be said of the file, and not only what decides about a run. */
  readonly lint?: { readonly server: boolean } | undefined;
}

/**
 * A sync file, regsync's own format included, with its defaults merged into its steps.
 * What the file says and `ocl` does not do, or does otherwise than regsync, is among the warnings.
 *
 * @param file names the text in errors and warnings
 * @param surroundings what its templates may ask for
 * @throws OCL_CONFIG_INVALID with file, line and column; OCL_LIMIT
 */
export function loadConfig(
  text: string,
  file: string,
  surroundings: Surroundings,
  options: LoadOptions = {},
): LoadedConfig {
  const document = parseYaml(text, file, { scalars: 'source' });
  const parsed = check(document, file);
  const version = parsed.version ?? 1;
  if (version > 1)
    throw invalid(document, file, ['version'], `version ${version} of the format is not known, only version 1`);

  const warnings = new WarningList(document, file);
  const warn: Warn = (path, message, level = 'warning') => {
    if (level === 'warning' || options.lint !== undefined) warnings.add(path, message, level);
  };
  for (const warning of document.warnings) warnings.addAt({ file, level: 'warning', ...warning });
  lintFile(document.value ?? {}, parsed, FileSchema, warn);
  const fail: Fail = (path, why) => {
    throw invalid(document, file, path, why);
  };
  const hosts = (parsed.creds ?? []).map((host, index) => expandHost(host ?? {}, ['creds', index], surroundings, fail));
  const creds = readHosts(hosts, (index, key, message) =>
    warn(key === undefined ? ['creds', index] : ['creds', index, key], message),
  );
  const defaults = parsed.defaults ?? {};
  const steps = (parsed.sync ?? []).map((step, index) => {
    const path = ['sync', index];
    const merged = mergeStep(step ?? {}, defaults, place(document, file, path));
    const expanded = expandStep(merged, path, surroundings, fail);
    lintExpanded(step ?? {}, expanded, path, warn);
    return expanded;
  });
  if (options.lint !== undefined)
    lintSteps(parsed, steps, { warn, server: options.lint.server, now: surroundings.now() });
  return {
    config: {
      file,
      creds,
      parallel: defaults.parallel || DEFAULT_PARALLEL,
      skipDockerConfig: defaults.skipDockerConfig ?? false,
      userAgent: defaults.userAgent ?? '',
      steps,
    },
    warnings: warnings.sorted(),
  };
}

function check(document: YamlDocument, file: string): FileInput {
  const result = FileSchema.safeParse(document.value ?? {});
  if (result.success) return result.data;
  const [first, ...more] = result.error.issues.map((issue) => {
    const path = issue.path.filter((step) => typeof step !== 'symbol');
    return { path, message: issue.message };
  });
  if (first === undefined) throw new OclError('OCL_CONFIG_INVALID', `Cannot read ${file}: it has an unknown fault`);
  const others = more.map(({ path, message }) => `${document.at(path).line}: ${written(path)} ${message}`);
  const hint = others.length === 0 ? undefined : `there are more: line ${others.slice(0, 5).join('; line ')}`;
  throw invalid(document, file, first.path, `${written(first.path)} ${first.message}`, hint);
}

function invalid(document: YamlDocument, file: string, path: YamlPath, why: string, hint?: string): OclError {
  const { line, column } = document.at(path);
  return new OclError('OCL_CONFIG_INVALID', `Cannot read ${file}:${line}:${column}: ${why}`, { hint });
}

/** `sync[0].tags.allow` */
function written(path: YamlPath): string {
  if (path.length === 0) return 'the file';
  return path
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${step}`))
    .join('')
    .replace(/^\./, '');
}

function place(document: YamlDocument, file: string, path: YamlPath): ConfigPlace {
  return { file, ...document.at(path) };
}

/** Steps that share an anchor share its faults; each is told once. */
class WarningList {
  readonly #document: YamlDocument;
  readonly #file: string;
  readonly #known = new Map<string, ConfigWarning>();

  constructor(document: YamlDocument, file: string) {
    this.#document = document;
    this.#file = file;
  }

  add(path: YamlPath, message: string, level: ConfigWarning['level']): void {
    this.addAt({ ...place(this.#document, this.#file, path), level, message });
  }

  addAt(warning: ConfigWarning): void {
    const { line, column, message } = warning;
    this.#known.set(`${line}:${column}:${message}`, warning);
  }

  sorted(): readonly ConfigWarning[] {
    return [...this.#known.values()].toSorted((a, b) => a.line - b.line || a.column - b.column);
  }
}
