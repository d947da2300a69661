import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, type TestContext } from 'vitest';
import { filesBelow, GENUINE, kindFiles, latin1, SAMPLES, writeFiles, type Files } from '../mesh/kit.ts';
import { oclDone } from '../support/cli.ts';
import { buildGoProgram, type GoProgram } from '../support/goProgram.ts';
import { readJson, sha256, tar, workspace } from './support.ts';

const path = workspace();

/** What Meshery reads and writes archives with: go-containerregistry and Flux, in the versions that meshkit requires. */
let libraries: GoProgram;
beforeAll(async () => {
  libraries = await buildGoProgram('meshkit/libraries', { timeout: 150_000, prebuilt: 'OCL_MESHKIT_LIBRARIES' });
}, 300_000);
afterAll(async () => await libraries.remove());

function needed({ skip }: TestContext): void {
  skip(libraries.missing !== undefined, libraries.missing);
}

async function readBack(file: string): Promise<Files> {
  const directory = `${file}.read`;
  mkdirSync(directory);
  libraries.run('read', file, directory);
  return await filesBelow(directory);
}

/** What the libraries make of files, as Meshery does it for an export. */
async function exported(name: string, files: Files): Promise<string> {
  const directory = await writeFiles(path(name), files);
  chmodSync(directory, 0o700);
  libraries.run('write', directory, path(`${name}.tar`), name);
  return path(`${name}.tar`);
}

/** The entries of an export: a layer by what is in it, for compressed bytes differ from one library to another. */
function entriesOf(file: string): readonly (readonly [name: string, content: unknown])[] {
  const directory = `${file}.entries`;
  mkdirSync(directory);
  tar.run(['xf', file, '-C', directory, '--force-local']);
  const names = tar.run(['tf', file, '--force-local']).trim().split('\n');
  return names.map((name) => {
    if (name === 'manifest.json') {
      const [image] = readJson(join(directory, name)) as readonly {
        readonly Config: string;
        readonly RepoTags: unknown;
      }[];
      return [name, [image?.Config, image?.RepoTags]];
    }
    const bytes = readFileSync(join(directory, name));
    return name.endsWith('.gz') ? ['a layer', sha256(gunzipSync(bytes))] : [name, sha256(bytes)];
  });
}

const DESIGN: Files = {
  'artifacthub-pkg.yml': readFileSync(join(SAMPLES, 'designs/from-genuine-oci-export.artifacthub-pkg.yml')),
  'design.yml': readFileSync(join(SAMPLES, 'designs/from-genuine-oci-export.v1beta1.design.yml')),
};

/** A model as it lies in the export of a server. */
async function modelFiles(): Promise<Files> {
  const { LICENSE: _, ...files } = await kindFiles('model');
  return Object.fromEntries(Object.entries(files).map(([name, bytes]) => [`v0.1.0/v1.0.0/${name}`, bytes]));
}

describe('the libraries of Meshery', () => {
  it('write its export of 2025 to the byte, so what they read is what Meshery reads', async (context) => {
    needed(context);
    expect(sha256(readFileSync(await exported('mydesign', DESIGN)))).toBe(sha256(readFileSync(GENUINE)));
  });

  it.for<[string, readonly string[]]>([
    ['as it is packed', []],
    ['as YAML', ['--yaml']],
    ['in the form of Meshery', ['--format', 'meshery-legacy']],
    ["in the types of Meshery's pushes", ['--media-types', 'flux']],
    ['as an image', ['--image']],
  ])('read a design %s', async ([title, options], context) => {
    needed(context);
    const name = `design ${title}`.replaceAll(/\W+/g, '-');
    const directory = await writeFiles(path(name), await kindFiles('design'));
    await oclDone(['mesh', 'pack', directory, path(`${name}.tar`), ...options]);
    const read = await readBack(path(`${name}.tar`));
    expect(Object.keys(read)).toEqual(['artifacthub-pkg.yml', 'design.yml']);
    expect(read['design.yml']).toContain('designs.meshery.io/');
  });

  it.for<[string, readonly string[]]>([
    ['as it is packed', []],
    ['in the form of Meshery', ['--format', 'meshery-legacy']],
  ])('read a model %s, file by file', async ([title, options], context) => {
    needed(context);
    const name = `model ${title}`.replaceAll(/\W+/g, '-');
    const files = await modelFiles();
    const directory = await writeFiles(path(name), files);
    await oclDone(['mesh', 'pack', directory, path(`${name}.tar`), ...options]);
    expect(Object.keys(await readBack(path(`${name}.tar`)))).toEqual(Object.keys(latin1(files)));
  });

  it('refuse what is compressed as a whole', async (context) => {
    needed(context);
    const directory = await writeFiles(path('refused'), await kindFiles('design'));
    await oclDone(['mesh', 'pack', directory, path('refused.tar')]);
    await writeFile(path('refused.tar.gz'), gzipSync(readFileSync(path('refused.tar'))));
    expect(libraries.refuses('read', path('refused.tar.gz'), path('x'))).toMatch(/invalid tar header/);
  });

  it.for<[string, () => Promise<Files>]>([
    ['design', () => Promise.resolve(DESIGN)],
    ['model', modelFiles],
  ])(
    'wrote a %s, which ocl unpacks, and packs again so that only the compression differs',
    async ([kind, files], context) => {
      needed(context);
      const given = await files();
      const file = await exported(`export-${kind}`, given);
      await oclDone(['mesh', 'unpack', file, '-o', path(`unpacked-${kind}`)]);
      // A model is given back from its own directory on; packing lays it out by its versions again.
      const own = Object.entries(given).map(([name, bytes]) => [name.replace('v0.1.0/v1.0.0/', ''), bytes]);
      expect(await filesBelow(path(`unpacked-${kind}`))).toEqual(latin1(Object.fromEntries(own) as Files));
      await oclDone([
        'mesh',
        'pack',
        path(`unpacked-${kind}`),
        path(`again-${kind}.tar`),
        '--format',
        'meshery-legacy',
      ]);
      const [ours, theirs] = [entriesOf(path(`again-${kind}.tar`)), entriesOf(file)];
      const manifest = (entries: typeof ours): unknown => (entries.at(-1)?.[1] as readonly unknown[] | undefined)?.[0];
      expect(ours.slice(0, -1)).toEqual(theirs.slice(0, -1));
      expect(manifest(ours)).toEqual(manifest(theirs));
    },
  );
});
