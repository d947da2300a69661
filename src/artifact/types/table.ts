import { OclError } from '../../core/errors.ts';
import bundles from './builtin/bundles.json' with { type: 'json' };
import generic from './builtin/generic.json' with { type: 'json' };
import images from './builtin/images.json' with { type: 'json' };
import kubernetes from './builtin/kubernetes.json' with { type: 'json' };
import meshery from './builtin/meshery.json' with { type: 'json' };
import models from './builtin/models.json' with { type: 'json' };
import packages from './builtin/packages.json' with { type: 'json' };
import policies from './builtin/policies.json' with { type: 'json' };
import supplyChain from './builtin/supplyChain.json' with { type: 'json' };
import wasm from './builtin/wasm.json' with { type: 'json' };
import { firstMatch, holds, rankRules, type Facts, type Match } from './match.ts';
import { ArtifactTypeSchema, BuiltInSchema, type ArtifactType, type Scan, type TypeChange } from './schema.ts';

const FILES: readonly unknown[] = [
  generic,
  images,
  bundles,
  kubernetes,
  policies,
  wasm,
  models,
  packages,
  meshery,
  supplyChain,
];

/** A change of the table, and how its fault is told. */
export interface Change {
  readonly change: TypeChange;
  readonly fail: (why: string) => OclError;
}

/** All types that are known, by id and in the order of their files. */
export class TypeTable {
  readonly types: ReadonlyMap<string, ArtifactType>;
  readonly #rules: ReturnType<typeof rankRules>;

  /** @throws what a change's `fail` makes of a new type that is not whole, or of a type that is not there */
  constructor(types: readonly ArtifactType[], changes: readonly Change[] = []) {
    const byId = new Map(types.map((type) => [type.id, type]));
    for (const { change, fail } of changes) {
      const result = ArtifactTypeSchema.safeParse({ actions: [], ...byId.get(change.id), ...change });
      // What is given is right already; what remains is a new type without a part that it must have.
      if (!result.success)
        throw fail(`a new type must have ${result.error.issues.map(({ path }) => path.join('.')).join(', ')}`);
      byId.delete(change.id);
      byId.set(change.id, result.data);
    }
    for (const { change, fail } of changes)
      if (change.asIndex !== undefined && !byId.has(change.asIndex)) throw fail(`there is no type ${change.asIndex}`);
    this.types = byId;
    this.#rules = rankRules([...byId.values()]);
  }

  /** The type with the best evidence; what nothing tells is an `artifact`. */
  match(facts: Facts): Match | undefined {
    return firstMatch(this.#rules, facts);
  }

  /** @throws OCL_INTERNAL for an id that a file has taken away, which cannot be */
  get(id: string): ArtifactType {
    const type = this.types.get(id);
    if (type === undefined) throw new OclError('OCL_INTERNAL', `there is no artifact type ${id}`);
    return type;
  }
}

/** How a scanner should treat this thing of that type. */
export function scanOf(type: ArtifactType, facts: Facts): Scan {
  return type.scanWhen?.find(({ when }) => holds(when, facts))?.scan ?? type.scan;
}

/** The types that are built in. */
export function builtInTypes(): readonly ArtifactType[] {
  return FILES.flatMap((file) => BuiltInSchema.parse(file).types);
}
