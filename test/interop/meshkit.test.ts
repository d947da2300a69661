import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { type MeshFinding } from '../../src/mesh/finding.ts';
import { type RuleId } from '../../src/mesh/rules.ts';
import { GENUINE, kindFiles, SAMPLES, writeFiles, type Files } from '../mesh/kit.ts';
import { DESIGN_CASES, MODEL_CASES } from '../mesh/checkCases.ts';
import { bytesOf, findings, GOOD_MODEL, type Files as CheckFiles } from '../mesh/support.ts';
import { oclDone } from '../support/cli.ts';
import { buildGoProgram, type GoProgram } from '../support/goProgram.ts';
import { workspace } from './support.ts';

const path = workspace();

/** Meshery's own code, by its module. What it stands on (Helm, Kubernetes) takes minutes to compile the first time. */
let meshkit: GoProgram;
beforeAll(async () => {
  meshkit = await buildGoProgram('meshkit', { timeout: 150_000, prebuilt: 'OCL_MESHKIT' });
}, 300_000);
afterAll(async () => await meshkit.remove());

function needed({ skip }: TestContext): void {
  skip(meshkit.missing !== undefined, meshkit.missing);
}

interface Design {
  readonly oci: boolean;
  readonly type: string;
  readonly schemaVersion: string;
  readonly version: string;
  readonly components: readonly string[];
  readonly relationships: number;
}

interface Model {
  readonly model: string;
  readonly version: string;
  readonly components: readonly string[];
  readonly relationships: readonly string[];
  readonly connections: readonly string[];
  readonly complaints: readonly string[];
}

function asDesign(file: string): Design {
  return JSON.parse(meshkit.run('design', file)) as Design;
}

function asModel(file: string): Model {
  return JSON.parse(meshkit.run('model', file)) as Model;
}

async function packed(name: string, files: Files, ...options: readonly string[]): Promise<string> {
  const directory = await writeFiles(path(name), files);
  await oclDone(['mesh', 'pack', directory, path(`${name}.tar`), ...options]);
  return path(`${name}.tar`);
}

const YAML_DESIGN = readFileSync(join(SAMPLES, 'designs/from-genuine-oci-export.v1beta1.design.yml'));

describe("Meshery's own import", () => {
  it('takes its own export of 2025', (context) => {
    needed(context);
    expect(asDesign(GENUINE)).toMatchObject({ oci: true, type: 'meshery-design', version: '0.0.2', relationships: 3 });
  });

  it.for<[string, readonly string[]]>([
    ['as it is', []],
    ['as YAML', ['--yaml']],
    ['in the form of Meshery', ['--format', 'meshery-legacy']],
  ])('takes a design that was packed %s, and it says the same', async ([title, options], context) => {
    needed(context);
    const name = `design ${title}`.replaceAll(/\W+/g, '-');
    const file = await packed(name, { 'shop.yml': YAML_DESIGN }, ...options);
    expect(asDesign(file)).toEqual(asDesign(GENUINE));
  });

  it('takes a design of 60 components and 100 relationships', async (context) => {
    needed(context);
    const read = (name: string): Record<string, unknown> =>
      JSON.parse(readFileSync(join(SAMPLES, 'minimal', name), 'utf8')) as Record<string, unknown>;
    const many = (count: number, value: Record<string, unknown>, last: number): readonly unknown[] =>
      Array.from({ length: count }, (_, i) => ({
        ...value,
        id: `22222222-2222-4222-8222-${String(last + i).padStart(12, '0')}`,
      }));
    const design = {
      ...read('design.v1beta3.json'),
      components: many(60, read('component.v1beta1.json'), 0),
      relationships: many(100, read('relationship.v1beta2.json'), 1000),
    };
    const made = asDesign(await packed('large', { 'large.json': JSON.stringify(design) }));
    expect([made.components.length, made.relationships]).toEqual([60, 100]);
  });

  it('takes a model with all its parts, and complains of what is for people and policies alone', async (context) => {
    needed(context);
    const { complaints, ...model } = asModel(await packed('model', await kindFiles('model')));
    expect(model).toEqual({
      model: 'acme-widget',
      version: 'v0.1.0',
      components: ['Widget'],
      relationships: ['edge'],
      connections: ['OCI Registry'],
    });
    // This version lists what it does not read as errors, and goes on; newer ones pass over it.
    expect(complaints.map((text) => /^unknown (\S+): The file/.exec(text)?.[1])).toEqual(['README.md', 'network.rego']);
  });

  it.for([
    ['component', { components: ['Widget'] }],
    ['relationship', { relationships: ['edge'] }],
    ['connection', { connections: ['OCI Registry'] }],
  ] as const)('takes a %s by itself, for it is packed in a model', async ([kind, expected], context) => {
    needed(context);
    const file = await packed(kind, await kindFiles(kind));
    expect(asModel(file)).toMatchObject({ ...expected, complaints: [] });
  });

  it('writes what ocl reads', async (context) => {
    needed(context);
    const directory = await writeFiles(path('written'), { 'design.yml': YAML_DESIGN });
    meshkit.run('write', directory, path('written.tar'), 'shop');
    await oclDone(['mesh', 'unpack', path('written.tar'), '-o', path('read')]);
    expect(readFileSync(path('read', 'design.yml'))).toEqual(YAML_DESIGN);
  });
});

function put(name: string, files: CheckFiles): string {
  for (const [file, content] of Object.entries(files)) {
    mkdirSync(dirname(path(name, file)), { recursive: true });
    writeFileSync(path(name, file), bytesOf(content));
  }
  return path(name);
}

/** What the reader itself sees. What is wrong only when it is registered, or gets lost, it does not say. */
const READER: ReadonlySet<RuleId> = new Set<RuleId>([
  'text-unreadable',
  'merge-markers',
  'duplicate-key',
  'json-escape',
  'control-character',
  'short-yaml',
  'field-type',
  'uuid',
  'time',
  'schema-version',
  'model-none',
  'stray-file',
  'policy-document',
]);
/** The released version complains of files that later ones pass over. */
const PASSED_OVER = /extension '\.(?:md|svg|rego)'/;

describe("Meshery's own readers", () => {
  it('complain of a model where validate says so', async (context) => {
    needed(context);
    // An archive that is none is Meshery's to open.
    const cases = MODEL_CASES.filter(([, files]) => !Object.keys(files).some((file) => file.endsWith('.tar.gz')));
    const packages = cases.map(([, files]) => ({ ...GOOD_MODEL, ...files }));
    const directories = packages.map((files, index) => put(`model${index}`, files));
    const said = JSON.parse(meshkit.run('check', 'model', ...directories)) as readonly (readonly string[])[];
    const theirs = said.map((texts) => texts.some((text) => !PASSED_OVER.test(text)));
    const ours = await Promise.all(
      packages.map(async (files) => (await findings(files)).some(({ rule }) => READER.has(rule))),
    );
    expect(named(cases, theirs)).toEqual(named(cases, ours));
    expect(theirs.filter(Boolean).length).toBeGreaterThan(20);
  });

  it('refuse a design where validate says so', async (context) => {
    needed(context);
    const files = DESIGN_CASES.map(([, each], index) => {
      const [name = ''] = Object.keys(each);
      return `${put(`design${index}`, each)}/${name}`;
    });
    const said = JSON.parse(meshkit.run('check', 'design', ...files)) as readonly (readonly string[])[];
    const theirs = said.map((texts) => texts.length > 0);
    const refuses = ({ level, rule }: MeshFinding): boolean => level === 'error' || rule === 'no-entity';
    const ours = await Promise.all(DESIGN_CASES.map(async ([, each]) => (await findings(each, 'file')).some(refuses)));
    expect(named(DESIGN_CASES, theirs)).toEqual(named(DESIGN_CASES, ours));
    expect(theirs.filter(Boolean).length).toBeGreaterThan(20);
  });
});

/** Each case with its answer, so that a difference says where it is. */
function named(cases: typeof MODEL_CASES, answers: readonly boolean[]): readonly string[] {
  return cases.map(([what], index) => `${what}: ${answers[index] === true ? 'refused' : 'taken'}`);
}
