/** `error`: who reads it refuses it, breaks on it or drops a part. `warning`: something gets lost or is not what it looks like. */
export type FindingLevel = 'error' | 'warning' | 'info';

interface Rule {
  readonly level: FindingLevel;
  /** What it is about, for the table of the documentation. */
  readonly about: string;
  /** `--fix` mends it, where that is no guess. */
  readonly mended?: boolean;
}

/**
 * Every rule of `ocl mesh validate`. They say what Meshery's importers and Artifact Hub's tracker do with a file, not what a JSON schema says of it.
 * The names are for scripts: they stay.
 */
export const RULES = {
  'text-unreadable': { level: 'error', about: 'neither JSON nor YAML, or no UTF-8' },
  'merge-markers': { level: 'error', about: 'a merge of git was not finished' },
  'duplicate-key': { level: 'error', about: 'one key twice in a YAML map: the decoder refuses the file' },
  'duplicate-name': { level: 'warning', about: 'one name twice in a JSON object: the last one counts' },
  'byte-order-mark': { level: 'error', about: 'a byte order mark before JSON that is imported by itself' },
  'json-escape': {
    level: 'error',
    about: 'an escape in JSON that Meshery does not know, for it reads the text as YAML',
    mended: true,
  },
  'control-character': { level: 'error', about: 'a character that the reader of YAML refuses' },
  'several-documents': { level: 'warning', about: 'only the first YAML document of a file is read' },
  'short-yaml': {
    level: 'error',
    about: 'a YAML file below 512 bytes in a model: Meshery does not see that it is YAML, and drops it',
  },
  'field-type': { level: 'error', about: 'a value of another type than the decoder takes' },
  uuid: { level: 'error', about: 'an identifier that is no UUID; an empty one is none either', mended: true },
  time: { level: 'error', about: 'a time that cannot be read' },
  'year-one': {
    level: 'warning',
    about: 'a time in the year 1, which stands for none and broke a decoder of Meshery',
    mended: true,
  },
  'additional-properties': {
    level: 'warning',
    about: 'unknown keys that an export of 2025 put one level too deep, where nobody finds them',
    mended: true,
  },

  'design-schema-version': { level: 'error', about: 'a version of the schema that the import of designs refuses' },
  'design-legacy': { level: 'error', about: 'a design of 2023 with services instead of components' },
  'design-file-name': { level: 'error', about: 'a name that the import of designs refuses' },
  'design-archive-name': { level: 'error', about: 'in an archive Meshery reads a design from design.yml alone' },
  'design-several': { level: 'error', about: 'several files design.yml in one archive: the last one wins' },
  'design-name': { level: 'warning', about: 'no name' },
  'design-version': { level: 'warning', about: 'no version, or none that is semantic' },
  'design-id': { level: 'warning', about: 'no identifier of its own', mended: true },
  'design-list': { level: 'warning', about: 'no list of components or relationships', mended: true },
  'design-duplicate-id': { level: 'warning', about: 'several components of one design share an identifier' },
  'design-yaml-loses': { level: 'info', about: 'keys that Meshery drops when it reads the design as YAML' },

  'model-none': { level: 'error', about: 'components or relationships without a model: the whole import fails' },
  'model-several': { level: 'error', about: 'several models in one package: the last one wins' },
  'model-empty': {
    level: 'error',
    about: 'neither a component nor a relationship: nothing is registered, and nothing said',
  },
  'model-registrant': {
    level: 'error',
    about: 'a model without the kind of its registrant: nothing is registered',
    mended: true,
  },
  'model-ignored': { level: 'warning', about: 'the status "ignored": nothing is registered, and nothing said' },
  'model-name': { level: 'warning', about: 'a name with other characters than a-z, 0-9 and dashes' },
  'model-template': { level: 'warning', about: 'the name that the template has' },
  'schema-version': {
    level: 'error',
    about: 'a version of the schema that the import of models refuses',
    mended: true,
  },
  'stray-file': { level: 'warning', about: 'a file in a model that is no entity: Meshery reports an error for each' },
  'policy-document': { level: 'warning', about: 'a policy as a document, which the import refuses' },
  'policy-skipped': { level: 'info', about: 'a policy beside a model, which Meshery passes over' },

  'component-status': { level: 'error', about: 'a component without status: the import crashes', mended: true },
  'component-ignored': { level: 'warning', about: 'a component that is passed over' },
  'component-kind': { level: 'error', about: 'a component without kind or version of what it stands for' },
  'component-schema': {
    level: 'error',
    about: 'an empty schema and no annotation: the component is dropped without a word',
  },
  'component-schema-properties': { level: 'warning', about: 'a schema that is no JSON or has no properties' },
  'component-duplicate': { level: 'warning', about: 'several components of one kind, of which an export keeps one' },
  'component-model': { level: 'warning', about: 'a component that names another model than the one of its package' },
  'relationship-kind': {
    level: 'warning',
    about: 'a relationship without kind, type or subType, or with a kind that is none',
  },

  'connection-field': { level: 'warning', about: 'a connection without name, type, subType, kind or status' },
  'connection-status': { level: 'warning', about: 'a status that connections do not have' },
  'connection-secret': { level: 'warning', about: 'a value that looks like a credential' },
  'entity-field': { level: 'warning', about: 'an entity without a member that its API wants' },
  'filter-wasm': { level: 'error', about: 'a filter whose content is no WebAssembly module' },
  'policy-package': { level: 'warning', about: 'a policy without a package' },
  'no-importer': { level: 'info', about: 'an entity that Meshery imports from no file' },
  'part-alone': {
    level: 'info',
    about: 'a component, relationship or connection that Meshery imports in a model alone',
  },
  'no-entity': { level: 'warning', about: 'a document that is no entity of Meshery' },

  'artifacthub-key': { level: 'error', about: 'a key that Artifact Hub does not know' },
  'artifacthub-duplicate-key': { level: 'error', about: 'a key that stands twice' },
  'artifacthub-type': {
    level: 'error',
    about: 'a value of another type than Artifact Hub reads, such as "true" between quotes',
  },
  'artifacthub-required': { level: 'error', about: 'a key that Artifact Hub wants and that is missing or empty' },
  'artifacthub-value': { level: 'error', about: 'a value that Artifact Hub refuses' },
  'artifacthub-design': { level: 'error', about: 'a package without design.yml beside it' },
  'artifacthub-name': {
    level: 'warning',
    about: 'a package name with other characters than letters, digits and dashes',
  },
} as const satisfies Readonly<Record<string, Rule>>;

export type RuleId = keyof typeof RULES;

export function levelOf(rule: RuleId): FindingLevel {
  return RULES[rule].level;
}
