import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { GENUINE, kindFiles, SAMPLES, writeFiles, type Files } from '../mesh/kit.ts';
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
