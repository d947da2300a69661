/**
 * The types that Meshery's decoders give to the members that they know, as far as a wrong value makes them fail
 * (meshery/schemas: models/v1beta1 and v1beta2 model, component, relationship, connection; models/v1beta3 design and connection).
 * Members that are not named here may hold anything; null stands for missing.
 */
export type Shape =
  | 'text'
  | 'flag'
  | 'count'
  /** The identifier of the thing itself. */
  | 'id'
  /** The identifier of another thing, where all zeros stand for none. */
  | 'uuid'
  /** The same where null stands for none. */
  | 'uuid-or-null'
  | 'time'
  /** Null, and an empty text in YAML, stand for none. */
  | 'time-or-null'
  /** A map of any members. */
  | 'map'
  | { readonly list: Shape }
  | { readonly map: Readonly<Record<string, Shape>> };

const SNAKE_TIMES = { created_at: 'time', updated_at: 'time', deleted_at: 'time-or-null' } as const;
const CAMEL_TIMES = { createdAt: 'time', updatedAt: 'time', deletedAt: 'time-or-null' } as const;
const VERSIONED = { schemaVersion: 'text', version: 'text', description: 'text' } as const;

const REGISTRANT: Shape = {
  map: {
    id: 'uuid',
    name: 'text',
    credentialId: 'uuid-or-null',
    type: 'text',
    subType: 'text',
    kind: 'text',
    metadata: 'map',
    status: 'text',
    user_id: 'uuid-or-null',
    ...SNAKE_TIMES,
    environments: {
      list: { map: { id: 'uuid', organization_id: 'uuid', owner: 'uuid-or-null', name: 'text', ...SNAKE_TIMES } },
    },
    schemaVersion: 'text',
  },
};

/** A model as others refer to it. */
const MODEL_REFERENCE: Shape = {
  map: {
    id: 'uuid',
    name: 'text',
    version: 'text',
    displayName: 'text',
    model: { map: { version: 'text' } },
    registrant: { map: { kind: 'text' } },
  },
};

/** `id`: the model's identifier is computed when it is registered. */
export const MODEL: Shape = {
  map: {
    ...VERSIONED,
    id: 'uuid',
    name: 'text',
    displayName: 'text',
    status: 'text',
    registrant: REGISTRANT,
    connection_id: 'uuid',
    category: { map: { id: 'uuid', name: 'text', metadata: 'map' } },
    subCategory: 'text',
    metadata: {
      map: {
        isAnnotation: 'flag',
        primaryColor: 'text',
        secondaryColor: 'text',
        svgWhite: 'text',
        svgColor: 'text',
        svgComplete: 'text',
        shape: 'text',
      },
    },
    model: { map: { version: 'text' } },
    components_count: 'count',
    relationships_count: 'count',
    ...SNAKE_TIMES,
  },
};

const COMPONENT_MEMBERS = {
  ...VERSIONED,
  id: 'id',
  displayName: 'text',
  format: 'text',
  model: MODEL,
  modelReference: MODEL_REFERENCE,
  styles: 'map',
  capabilities: { list: 'map' },
  status: 'text',
  metadata: {
    map: {
      genealogy: 'text',
      isAnnotation: 'flag',
      isNamespaced: 'flag',
      published: 'flag',
      instanceDetails: 'map',
      configurationUISchema: 'text',
    },
  },
  configuration: 'map',
  component: { map: { kind: 'text', version: 'text', schema: 'text' } },
} as const satisfies Readonly<Record<string, Shape>>;

/** In a design (v1beta2 of the type). */
const DESIGN_COMPONENT: Shape = { map: { ...COMPONENT_MEMBERS, created_at: 'time', updated_at: 'time' } };

/** In a model (v1beta3 of the type). */
export const COMPONENT: Shape = { map: { ...COMPONENT_MEMBERS, ...CAMEL_TIMES } };

const MATCHED: Shape = { list: { map: { id: 'uuid-or-null', kind: 'text' } } };
const SELECTORS: Shape = {
  list: {
    map: {
      id: 'uuid-or-null',
      kind: 'text',
      model: MODEL_REFERENCE,
      match: { map: { from: MATCHED, to: MATCHED } },
      patch: 'map',
    },
  },
};
const SELECTOR: Shape = { map: { from: SELECTORS, to: SELECTORS } };

export const RELATIONSHIP: Shape = {
  map: {
    ...VERSIONED,
    id: 'id',
    kind: 'text',
    type: 'text',
    subType: 'text',
    status: 'text',
    evaluationQuery: 'text',
    model: MODEL_REFERENCE,
    capabilities: { list: 'map' },
    metadata: { map: { description: 'text', isAnnotation: 'flag', styles: 'map' } },
    selectors: { list: { map: { allow: SELECTOR, deny: SELECTOR } } },
  },
};

export const CONNECTION: Shape = {
  map: {
    id: 'id',
    schemaVersion: 'text',
    name: 'text',
    description: 'text',
    url: 'text',
    credentialId: 'uuid-or-null',
    type: 'text',
    subType: 'text',
    kind: 'text',
    status: 'text',
    modelReference: MODEL_REFERENCE,
    connectionSchema: 'map',
    credentialSchema: 'map',
    metadata: 'map',
    transitionMap: 'map',
    owner: 'uuid-or-null',
    styles: 'map',
    ...CAMEL_TIMES,
  },
};

export const DESIGN: Shape = {
  map: {
    id: 'id',
    name: 'text',
    schemaVersion: 'text',
    version: 'text',
    metadata: 'map',
    preferences: { map: { layers: 'map' } },
    components: { list: DESIGN_COMPONENT },
    relationships: { list: RELATIONSHIP },
  },
};
