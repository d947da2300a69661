import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRegularFile, Tarball } from '../../src/io/tarball.ts';
import { startServe, type Served } from '../support/processes.ts';
import { FORM_NAMES, writeForms, type Expected, type Form } from './bundleForms.ts';
import { READERS, type RunningReader, type Taken } from './bundleReaders.ts';
import { readTable, writeTable } from './registriesTable.ts';
import { workspace } from './support.ts';

const PAGE = join(import.meta.dirname, '..', '..', 'docs', 'interop.md');
/** Puts what was found into the page instead of holding it against what stands there. */
const WRITES = process.env['OCL_WRITE_INTEROP'] !== undefined;

const known = readTable(readFileSync(PAGE, 'utf8'));
const found = new Map<string, Map<string, string>>();
const path = workspace();
let forms: readonly Form[];
let registry: Served;

beforeAll(async () => {
  mkdirSync(path('forms'));
  forms = await writeForms(path('forms'));
  mkdirSync(path('registry'));
  registry = await startServe(path('registry'));
});
afterAll(() => registry.stop());

it('docs/interop.md has each form', () => {
  for (const column of known.values()) expect([...column.keys()]).toEqual(FORM_NAMES);
});

describe.each(READERS)('$name', ({ name, why, start }) => {
  const column = known.get(name);
  const reason = why ?? (column === undefined && !WRITES ? 'the page was made with another version' : undefined);
  describe.skipIf(reason !== undefined)(`takes${reason === undefined ? '' : ` (${reason})`}`, () => {
    let reader: RunningReader;
    beforeAll(async () => {
      const directory = path(`reader-${READERS.findIndex((each) => each.name === name)}`);
      mkdirSync(directory);
      reader = await start(directory, registry.host);
      found.set(name, new Map());
    });
    afterAll(() => reader.stop());

    it.each(FORM_NAMES)('a %s', async (formName) => {
      const form = forms.find((each) => each.name === formName);
      const answer = form === undefined ? '' : await answerOf(reader, form);
      found.get(name)?.set(formName, answer);
      expect(answer).toBe(WRITES ? answer : column?.get(formName));
    });
  });
});

/** What a reader makes of a form, in the words of the page. */
async function answerOf(reader: RunningReader, form: Form): Promise<string> {
  const { images } = form;
  const [only] = images;
  const all = reader.all === undefined ? undefined : await attempt(async () => await reader.all?.(form));
  if (all !== undefined && images.every(({ name }) => all.has(name)))
    return words(images.map((image) => [image, all.get(image.name)] as const));
  const { one } = reader;
  if (one === undefined || only === undefined) return 'no';
  if (images.length === 1) {
    const taken = await attempt(async () => await one(form, only, false));
    if (taken !== undefined) return words([[only, taken]]);
  }
  const taken: (readonly [Expected, Taken | undefined])[] = [];
  for (const image of images) taken.push([image, await attempt(async () => await one(form, image, true))]);
  return taken.every(([, each]) => each === undefined) ? 'no' : `by name, ${words(taken)}`;
}

function words(taken: readonly (readonly [Expected, Taken | undefined])[]): string {
  const missing = taken.filter(([, each]) => each === undefined);
  if (missing.length > 0)
    return `${words(taken.filter(([, each]) => each !== undefined))}; not ${missing.map(([{ name }]) => name.replace('localhost/', '')).join(', ')}`;
  if (taken.every(([image, each]) => each?.digest === image.digest || each?.manifest === image.manifest))
    return 'same digests';
  if (taken.every(([image, each]) => each?.config === image.config)) return 'same images';
  return 'other images';
}

async function attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch {
    return undefined;
  }
}

afterAll(() => {
  if (!WRITES) return;
  const page = readFileSync(PAGE, 'utf8');
  const columns = new Map([...known, ...found]);
  writeFileSync(PAGE, writeTable(page, columns, { servers: [...columns.keys()], features: [...FORM_NAMES] }));
});

it("keeps to the rules of containerd's importer, and to docker's", async () => {
  for (const form of forms.filter(({ kind }) => kind === 'file')) {
    const tarball = await Tarball.read(await openRegularFile(form.path));
    try {
      const names = [...tarball.names()];
      // Names are compared as they are; every blob is taken for sha256; links are followed in docker's form alone.
      const own = names.filter((name) => !name.startsWith('ocl/'));
      for (const name of own)
        expect(name).toMatch(/^(?:oci-layout|index\.json|manifest\.json|repositories|blobs\/sha256\/[0-9a-f]{64})$/);
      const isDocker = form.name.startsWith('docker-archive');
      expect(names.includes('oci-layout')).toBe(!isDocker);
      const manifest = tarball.find('manifest.json');
      if (manifest === undefined) throw new Error('docker load asks for manifest.json');
      const entries = JSON.parse(Buffer.from(await tarball.bytes(manifest, 20 << 20, 'it')).toString()) as readonly {
        Config: string;
        Layers: readonly string[];
        RepoTags: readonly string[] | null;
      }[];
      for (const { Config, Layers } of entries) for (const each of [Config, ...Layers]) expect(names).toContain(each);
      expect(entries.flatMap(({ RepoTags }) => RepoTags ?? []).toSorted()).toEqual(
        form.images.map(({ name }) => name).toSorted(),
      );
    } finally {
      await tarball.close();
    }
  }
});
