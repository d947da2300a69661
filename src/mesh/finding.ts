import { type YamlEdit } from '../io/yamlEdit.ts';
import { type FindingLevel, type RuleId } from './rules.ts';

/** One thing that can be said of a file, and what to do about it. */
export interface MeshFinding {
  /** Stays the same over versions, for scripts. */
  readonly rule: RuleId;
  readonly level: FindingLevel;
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
  readonly message: string;
  /** What a person does about it. */
  readonly fix: string;
  /** How `validate --fix` does it by itself; undefined where that would be a guess. */
  readonly edits?: readonly FindingEdit[] | undefined;
}

export type FindingEdit =
  | YamlEdit
  /** Escapes of JSON that not every reader knows become the characters that they stand for, in the whole text. */
  | { readonly kind: 'unescape' };
