import { OclError, toOclError } from '../core/errors.ts';
import { parseJson } from '../core/json.ts';
import { parseYaml, YamlError, type YamlDocument, type YamlPath, type YamlPosition } from '../io/yaml.ts';
import { type FindingEdit, type MeshFinding } from './finding.ts';
import { levelOf, type RuleId } from './rules.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Findings of one document: a file of strangers may have a million faults, and nobody reads so many. */
const MOST = 10_000;

/** What git leaves where two versions did not fit together. A published design of Meshery's catalog has it. */
const MERGE_MARKER = /^(?:<{7}|>{7})(?: .*)?$/m;

/** A document under examination: its value, where each entry stands, and what was found so far. */
export class Checked {
  readonly file: string;
  readonly found: MeshFinding[] = [];
  /** Bytes of the file. */
  readonly size: number;
  /** Without a byte order mark. */
  readonly text: string;
  readonly byteOrderMark: boolean;
  readonly syntax: 'json' | 'yaml';
  /** Undefined when the text could not be read; that is among what was found. */
  readonly value: unknown;
  #positions: YamlDocument | undefined;

  /** @param file names it in findings. @throws OCL_LIMIT for what is larger or deeper than is accepted */
  constructor(file: string, bytes: Uint8Array) {
    this.file = file;
    this.size = bytes.length;
    this.byteOrderMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
    this.text = this.#decode(bytes);
    this.syntax = /^\s*[[{]/.test(this.text) && parsesAsJson(this.text) ? 'json' : 'yaml';
    this.value = this.found.length > 0 ? undefined : this.#read();
  }

  get readable(): boolean {
    return this.value !== undefined;
  }

  at(path: YamlPath): YamlPosition {
    // Places are asked for when something is found, and most files have nothing.
    this.#positions ??= parseYaml(this.text, this.file);
    return this.#positions.at(path);
  }

  /** Whether the value of an entry stands between quotes, which tells a reader of YAML that it is a text. */
  isQuoted(path: YamlPath): boolean {
    if (this.syntax === 'json') return true;
    const { line, column } = this.at(path);
    return /^[^:]*:\s*["']/.test(this.text.split('\n')[line - 1]?.slice(column - 1) ?? '');
  }

  add(rule: RuleId, path: YamlPath, message: string, fix: string, ...edits: readonly FindingEdit[]): void {
    this.#push(rule, this.at(path), message, fix, ...edits);
  }

  /** @param offset in the text, in UTF-16 units */
  addAt(rule: RuleId, offset: number, message: string, fix: string, ...edits: readonly FindingEdit[]): void {
    const before = this.text.slice(0, offset);
    const line = before.split('\n').length;
    this.#push(rule, { line, column: offset - before.lastIndexOf('\n') }, message, fix, ...edits);
  }

  #push(
    rule: RuleId,
    { line, column }: YamlPosition,
    message: string,
    fix: string,
    ...edits: readonly FindingEdit[]
  ): void {
    if (this.found.length >= MOST) return;
    const base = { rule, level: levelOf(rule), file: this.file, line, column, message, fix };
    this.found.push(edits.length === 0 ? base : { ...base, edits });
  }

  /** A name twice in JSON is refused where Meshery reads it as YAML. */
  refuseDuplicates(): void {
    const rule = 'duplicate-key';
    for (const [index, finding] of this.found.entries())
      if (finding.rule === 'duplicate-name') this.found[index] = { ...finding, rule, level: levelOf(rule) };
  }

  #decode(bytes: Uint8Array): string {
    try {
      return decoder.decode(bytes);
    } catch {
      this.#push('text-unreadable', { line: 1, column: 1 }, 'this is no text in UTF-8', 'save the file as UTF-8');
      return '';
    }
  }

  #read(): unknown {
    const marker = MERGE_MARKER.exec(this.text);
    if (marker !== null) {
      const line = this.text.slice(0, marker.index).split('\n').length;
      const fix = 'choose one of the versions between the marks, and take the marks out';
      this.#push('merge-markers', { line, column: 1 }, `a merge was not finished: ${marker[0].slice(0, 60)}`, fix);
      return undefined;
    }
    const strict = this.syntax === 'json' ? this.#readStrict() : undefined;
    return strict ?? this.#readYaml();
  }

  /** Fast, and without places. Undefined where something is to be said of the text. */
  #readStrict(): unknown {
    try {
      return parseJson(Buffer.from(this.text), this.file);
    } catch (error) {
      if (toOclError(error).code === 'OCL_LIMIT') throw error;
      return undefined;
    }
  }

  #readYaml(): unknown {
    try {
      const document = parseYaml(this.text, this.file);
      this.#positions = document;
      for (const { about, message, key, line, column } of document.warnings) {
        const at = { line, column };
        if (about === 'several-documents') this.#push(about, at, message, 'put each document into a file of its own');
        if (about === 'duplicate-key' && this.syntax === 'json')
          this.#push('duplicate-name', at, message, 'take one of them away');
        else if (about === 'duplicate-key')
          this.#push(about, at, `the key ${JSON.stringify(key)} stands twice in one map`, 'take one of them away');
      }
      if (document.value === undefined)
        this.#push('text-unreadable', { line: 1, column: 1 }, 'the file is empty', 'take it away, or fill it');
      return document.value;
    } catch (error) {
      if (!(error instanceof YamlError)) throw error instanceof OclError ? error : toOclError(error);
      this.#push('text-unreadable', error.at, `this is neither JSON nor YAML: ${error.why}`, 'mend the text there');
      return undefined;
    }
  }
}

function parsesAsJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
