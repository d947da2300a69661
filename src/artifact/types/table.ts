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
import { type ArtifactType, type Scan } from './schema.ts';

const FILES = [generic, images, bundles, kubernetes, policies, wasm, models, packages, meshery, supplyChain];

/** All types that are known, by id and in the order of their files. */
export class TypeTable {
  readonly types: ReadonlyMap<string, ArtifactType>;
  readonly #rules: ReturnType<typeof rankRules>;

  constructor(types: readonly ArtifactType[]) {
    this.types = new Map(types.map((type) => [type.id, type]));
    this.#rules = rankRules([...this.types.values()]);
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

/** The types that are built in. A test holds them against the schema, so that no run has to. */
export function builtInTypes(): readonly ArtifactType[] {
  return FILES.flatMap(({ types }) => types as readonly unknown[] as readonly ArtifactType[]);
}
