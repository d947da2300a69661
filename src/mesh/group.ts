import { type OclError } from '../core/errors.ts';
import { type DocumentFacts } from './detect.ts';
import { type EntityKind } from './entity.ts';
import { baseName, directoryOf, type Sighting } from './survey.ts';

/** The files that make one entity, before they are read. */
export interface Group {
  readonly kind: EntityKind;
  /** The directory that its paths are relative to; '' is the tree itself. */
  readonly base: string;
  readonly main: string;
  readonly paths: readonly string[];
  readonly facts: DocumentFacts | undefined;
  readonly notes: readonly string[];
}

export interface Grouped {
  /** In the order of their main files. */
  readonly groups: readonly Group[];
  readonly broken: readonly { readonly path: string; readonly error: OclError }[];
  /** Archives that belong to no entity, and may hold some. */
  readonly archives: readonly string[];
}

type Found = Sighting & { readonly what: { readonly type: 'document' } };

/** Which files belong together: a model with all below it, a package directory of Artifact Hub, a filter with its description, or a file by itself. */
export function groupSightings(sightings: readonly Sighting[]): Grouped {
  const models = new Map<string, Found[]>();
  for (const sighting of sightings) {
    if (!isDocument(sighting, 'model')) continue;
    const directory = directoryOf(sighting.path);
    models.set(directory, [...(models.get(directory) ?? []), sighting]);
  }
  const owned = new Map<string, Sighting[]>();
  const free: Sighting[] = [];
  for (const sighting of sightings) {
    const owner = belongsToModel(sighting) ? ownerOf(sighting.path, models) : undefined;
    if (owner === undefined) free.push(sighting);
    else owned.set(owner, [...(owned.get(owner) ?? []), sighting]);
  }
  const groups = [
    ...[...models].map(([directory, found]) => modelGroup(directory, found, owned.get(directory) ?? [])),
    ...freeGroups(free),
  ];
  const taken = new Set(groups.flatMap(({ paths }) => paths));
  const left = sightings.filter(({ path }) => !taken.has(path));
  return {
    groups: groups.toSorted((a, b) => (a.main < b.main ? -1 : 1)),
    broken: left.flatMap(({ path, what }) => (what.type === 'broken' ? [{ path, error: what.error }] : [])),
    archives: left.filter(({ what }) => what.type === 'archive').map(({ path }) => path),
  };
}

function isDocument(sighting: Sighting, kind: EntityKind): sighting is Found {
  return sighting.what.type === 'document' && sighting.what.kind === kind;
}

/** Designs and what else stands by itself may lie beside a model, and are no part of it. */
function belongsToModel({ what }: Sighting): boolean {
  return what.type !== 'document' || ['model', 'component', 'relationship', 'connection', 'policy'].includes(what.kind);
}

function ownerOf(path: string, models: ReadonlyMap<string, unknown>): string | undefined {
  for (let directory = directoryOf(path); ; directory = directoryOf(directory)) {
    if (models.has(directory)) return directory;
    if (directory === '') return undefined;
  }
}

function modelGroup(directory: string, found: readonly Found[], owned: readonly Sighting[]): Group {
  // Of several, Meshery takes the last.
  const main = found.at(-1) as Found;
  return {
    kind: 'model',
    base: directory,
    main: main.path,
    paths: owned.map(({ path }) => path),
    facts: main.what.facts,
    notes:
      found.length > 1
        ? [`${found.length} models lie in one directory; Meshery takes the last, ${baseName(main.path)}`]
        : [],
  };
}

function freeGroups(free: readonly Sighting[]): readonly Group[] {
  const byDirectory = new Map<string, Sighting[]>();
  for (const sighting of free) {
    const directory = directoryOf(sighting.path);
    byDirectory.set(directory, [...(byDirectory.get(directory) ?? []), sighting]);
  }
  return [...byDirectory].flatMap(([directory, sightings]) => directoryGroups(directory, sightings));
}

function directoryGroups(base: string, sightings: readonly Sighting[]): readonly Group[] {
  const lead = leadOf(sightings);
  const company = lead === undefined ? [] : sightings.filter((other) => keepsCompany(other, lead, sightings));
  return sightings.flatMap((sighting): Group[] => {
    const { path, what } = sighting;
    if (company.includes(sighting) && sighting !== lead) return [];
    const kind: EntityKind | undefined =
      what.type === 'document'
        ? what.kind
        : what.type === 'rego'
          ? 'policy'
          : what.type === 'wasm'
            ? 'filter'
            : undefined;
    if (kind === undefined) return [];
    const paths = sighting === lead ? sightings.filter((one) => one === lead || company.includes(one)) : [sighting];
    const described = paths.find((one) => isDocument(one, kind));
    return [
      {
        kind,
        base,
        main: path,
        paths: paths.map((one) => one.path),
        facts: described?.what.type === 'document' ? described.what.facts : undefined,
        notes: [],
      },
    ];
  });
}

/** The file that the others of its directory describe: a WASM module, or the design of a package of Artifact Hub. */
function leadOf(sightings: readonly Sighting[]): Sighting | undefined {
  const modules = sightings.filter(({ what }) => what.type === 'wasm');
  if (modules.length === 1) return modules[0];
  if (!sightings.some(({ what }) => what.type === 'package')) return undefined;
  const designs = sightings.filter((sighting) => isDocument(sighting, 'design'));
  return designs.find(({ path }) => baseName(path) === 'design.yml') ?? (designs.length === 1 ? designs[0] : undefined);
}

/** Beside a module goes its description, in a package directory all that is no entity of its own. */
function keepsCompany(other: Sighting, lead: Sighting, all: readonly Sighting[]): boolean {
  if (other === lead) return true;
  const { what } = other;
  const isPackage = all.some((one) => one.what.type === 'package');
  if (lead.what.type === 'wasm' && isDocument(other, 'filter'))
    return all.filter((one) => isDocument(one, 'filter')).length === 1;
  return isPackage && (what.type === 'package' || what.type === 'other' || what.type === 'archive');
}
