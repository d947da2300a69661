/** What Meshery calls entities, each a kind of artifact here. */
export const ENTITY_KINDS = [
  'design',
  'model',
  'component',
  'relationship',
  'connection',
  'policy',
  'filter',
  'view',
  'environment',
  'workspace',
] as const;
export type EntityKind = (typeof ENTITY_KINDS)[number];

export interface MeshFile {
  /** `/`-separated, relative, without `.` and `..`. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** One thing of Meshery with its files as they were given. */
export interface Entity {
  readonly kind: EntityKind;
  readonly name: string;
  /** Of the entity's own definition; `0.0.1`, Meshery's first, where it says none. */
  readonly version: string;
  /** Of a model: the version of the software that it describes. */
  readonly modelVersion?: string | undefined;
  readonly id?: string | undefined;
  readonly schemaVersion?: string | undefined;
  /** Sorted by path. */
  readonly files: readonly MeshFile[];
  /** The path of the file among them that says what it is: the design, `model.json`, the WASM module. */
  readonly main: string;
  /** Where it was read, for messages. */
  readonly origin: string;
  /** What happened on the way that its owner should know. */
  readonly notes: readonly string[];
}
