import { mkdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { type TypeTable } from '../../artifact/types/table.ts';
import { type Copier } from '../../copy/copier.ts';
import { loadDocument } from '../../copy/documents.ts';
import { type Platform } from '../../core/descriptor.ts';
import { type Digest } from '../../core/digest.ts';
import { isCode, toOclError } from '../../core/errors.ts';
import { type Emit } from '../../core/events.ts';
import { type Stores } from '../../core/store.ts';
import { makeDirectory, writeFileAtomic } from '../../io/atomicFile.ts';
import { refuseOccupied } from '../rootfs/toDirectory.ts';
import { writeConfiguration } from './config.ts';
import { takeDocument } from './documents.ts';
import { findInputs } from './find.ts';
import { type Found, type NamedImage } from './found.ts';
import { FormWriter, type WrittenForm } from './forms.ts';
import {
  commandLine,
  configCommands,
  formOf,
  imageCommands,
  sbomCommands,
  type Form,
  type ScanCommand,
  type ScannerName,
} from './scanners.ts';
import { composeScript } from './script.ts';
import { Stems } from './stem.ts';

export interface PrepareOptions {
  readonly stores: Stores;
  readonly copier: Copier;
  readonly types: TypeTable;
  readonly emit: Emit;
  readonly scanners: readonly ScannerName[];
  /** All when it is empty. */
  readonly platforms: readonly Platform[];
  /** Where Clair finds layers, such as `http://127.0.0.1:5000`; undefined: in the registry that they lie in, else there. */
  readonly servedAt: string | undefined;
  /** Where a registry is reached: `https://host/`. */
  readonly addressOf: (registry: string) => URL;
  readonly tool: { readonly name: string; readonly version: string };
  readonly signal?: AbortSignal | undefined;
}

/** One thing to scan, in one form. All paths are from the directory of `scan-input.json`, with `/`. */
export interface ScanInput {
  readonly reference: string;
  /** Other names of the same content. */
  readonly alsoNamed: readonly string[];
  readonly digest: Digest;
  readonly platform: string | null;
  /** The id of its artifact type. */
  readonly type: string;
  readonly form: Form | 'sbom' | 'vex' | 'config';
  readonly path: string;
  /** Of a document: what it tells about. */
  readonly subject?: Digest;
  readonly commands: readonly {
    readonly scanner: string;
    readonly command: string;
    readonly argv: readonly string[];
    readonly result: string;
  }[];
  readonly notes: readonly string[];
}

export interface SkippedInput {
  readonly reference: string;
  readonly digest: Digest;
  readonly type: string;
  readonly reason: string;
}

/** What `scan-input.json` holds. */
export interface ScanInputs {
  readonly version: 1;
  readonly tool: { readonly name: string; readonly version: string };
  readonly inputs: readonly ScanInput[];
  readonly skipped: readonly SkippedInput[];
}

/**
 * Makes a directory with everything in the form that scanners read, `scan-input.json` and `run.sh`. It appears when it is complete.
 * An image that cannot be given in a form is listed with the reason, and the others go on.
 *
 * @param directory is missing or empty
 * @throws OCL_EXISTS, OCL_NO_SPACE, OCL_IO, OCL_CANCELLED, and failures of a connection
 */
export async function prepareInputs(
  images: AsyncIterable<NamedImage>,
  directory: string,
  options: PrepareOptions,
): Promise<ScanInputs> {
  await refuseOccupied(directory);
  const target = resolve(directory);
  await makeDirectory(dirname(target));
  const work = join(dirname(target), `.${basename(target)}.${process.pid}.partial`);
  await rm(work, { recursive: true, force: true });
  await mkdir(work);
  try {
    const inputs = await new Preparation(work, options).run(images);
    await rename(work, target);
    return inputs;
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    throw error;
  }
}

type Of<K extends Found['kind']> = Extract<Found, { kind: K }>;

/** What came of one thing that was found. */
interface Outcome {
  readonly inputs: (ScanInput & { readonly alsoNamed: string[] })[];
  readonly skipped: SkippedInput[];
  readonly commands: ScanCommand[];
}

/** Images that are written side by side where their contents are linked, which is waiting for the disk and little else. */
const AT_ONCE = 6;

class Preparation {
  readonly #directory: string;
  readonly #options: PrepareOptions;
  readonly #writer: FormWriter;
  readonly #stems = new Stems();
  /** In the order in which things were found. */
  readonly #outcomes: Outcome[] = [];
  readonly #running = new Set<Promise<void>>();
  /** By digest of an image: what its documents are named after. */
  readonly #images = new Map<Digest, { readonly reference: string; readonly platform: string }>();
  readonly #otherNames = new Map<Digest, Set<string>>();

  constructor(directory: string, options: PrepareOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#writer = new FormWriter(directory, options);
  }

  async run(images: AsyncIterable<NamedImage>): Promise<ScanInputs> {
    const { types, platforms, signal, tool } = this.#options;
    try {
      for await (const found of findInputs(images, { types, platforms, signal })) await this.#take(found);
      await Promise.all(this.#running);
    } finally {
      // Also after a failure: nothing may be written while the directory is removed.
      await Promise.allSettled(this.#running);
    }
    const inputs = this.#outcomes.flatMap((outcome) => outcome.inputs);
    const skipped = this.#outcomes.flatMap((outcome) => outcome.skipped);
    for (const { digest, reference, alsoNamed } of inputs)
      alsoNamed.push(...[...(this.#otherNames.get(digest) ?? [])].filter((name) => name !== reference));
    const result: ScanInputs = { version: 1, tool, inputs, skipped };
    await mkdir(join(this.#directory, 'results'), { recursive: true });
    await this.#file('run.sh', composeScript(this.#outcomes.flatMap(({ commands }) => commands)), 0o755);
    await this.#file('scan-input.json', `${JSON.stringify(result, undefined, 2)}\n`);
    return result;
  }

  async #take(found: Found): Promise<void> {
    if (found.kind === 'alias') {
      const { digest } = found.descriptor;
      this.#otherNames.set(digest, (this.#otherNames.get(digest) ?? new Set()).add(found.reference));
      return;
    }
    const outcome: Outcome = { inputs: [], skipped: [], commands: [] };
    this.#outcomes.push(outcome);
    if (found.kind === 'skipped') skip(outcome, found, found.reason);
    else if (found.kind === 'config') await this.#attempt(outcome, found, () => this.#config(outcome, found));
    else if (found.kind === 'document') await this.#attempt(outcome, found, () => this.#document(outcome, found));
    else await this.#schedule(outcome, found);
  }

  /** Side by side with others where contents are files: elsewhere two images at once would bring their common layers twice. */
  async #schedule(outcome: Outcome, found: Of<'image'>): Promise<void> {
    const { digest } = found.descriptor;
    const { reference, platform } = found;
    this.#images.set(digest, { reference, platform });
    const stem = this.#stems.of(reference, platform, digest);
    const atOnce = found.source.place(found.descriptor).kind === 'file' ? AT_ONCE : 1;
    while (this.#running.size >= atOnce) await Promise.race(this.#running);
    // One that failed stays, so that whoever waits next learns of it.
    const running = this.#image(outcome, found, stem).then(() => void this.#running.delete(running));
    running.catch(() => {});
    this.#running.add(running);
  }

  async #image(outcome: Outcome, found: Of<'image'>, stem: string): Promise<void> {
    const scanners = this.#options.scanners.filter((scanner) => scanner !== 'sbom');
    const forms = new Map<Form, typeof scanners>();
    for (const scanner of scanners) forms.set(formOf(scanner), [...(forms.get(formOf(scanner)) ?? []), scanner]);
    for (const [form, users] of forms) {
      await this.#attempt(outcome, found, async () => {
        const written = await this.#writer.write(form, found, stem);
        const commands = users.flatMap((scanner) => imageCommands(scanner, { path: written.path, stem }));
        add(outcome, found, { form, platform: found.platform, written, commands });
      });
    }
  }

  async #config(outcome: Outcome, found: Of<'config'>): Promise<void> {
    const { signal, scanners } = this.#options;
    if (!scanners.includes('trivy'))
      return skip(outcome, found, 'it is configuration, which only --for trivy is given');
    const { document } = await loadDocument(found.descriptor, found.source);
    if (document.kind === 'index') return skip(outcome, found, 'it is an index of configuration');
    const stem = this.#stems.of(found.reference, undefined, found.descriptor.digest);
    const path = `config/${stem}`;
    await writeConfiguration(found.source, document.layers, join(this.#directory, path), signal);
    const commands = configCommands({ path, stem });
    add(outcome, found, { form: 'config', platform: null, written: { path, notes: [] }, commands });
  }

  async #document(outcome: Outcome, found: Of<'document'>): Promise<void> {
    if (!this.#options.scanners.includes('sbom'))
      return skip(outcome, found, 'it is a document about an image: add --for sbom');
    const { document } = await loadDocument(found.descriptor, found.source);
    if (document.kind === 'index') return skip(outcome, found, 'it is an index of documents');
    const about = found.subject === undefined ? undefined : this.#images.get(found.subject);
    for (const layer of document.layers) {
      const content = await takeDocument(found.source, layer);
      if (content === undefined) continue;
      const stem = this.#stems.of(about?.reference ?? found.reference, about?.platform, layer.digest);
      const path = `sbom/${stem}.${content.extension}`;
      await mkdir(join(this.#directory, 'sbom'), { recursive: true });
      await writeFileAtomic(join(this.#directory, path), content.bytes);
      const commands = content.isSbom ? sbomCommands({ path, stem, format: content.format }) : [];
      add(outcome, found, {
        form: content.isSbom ? 'sbom' : 'vex',
        platform: about?.platform ?? null,
        written: { path, notes: [] },
        commands,
      });
    }
    if (outcome.inputs.length === 0) skip(outcome, found, 'there is no SBOM or VEX document in it');
  }

  /** One that fails is listed, unless the disk or the run is at fault. */
  async #attempt(outcome: Outcome, found: Found, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#options.signal?.throwIfAborted();
      if (isCode(toOclError(error), 'OCL_NO_SPACE') || isCode(toOclError(error), 'OCL_UNREACHABLE')) throw error;
      const { message } = toOclError(error);
      this.#options.emit({ type: 'notice', level: 'warning', message: `${found.reference}: ${message}` });
      skip(outcome, found, message);
    }
  }

  async #file(name: string, text: string, mode?: number): Promise<void> {
    await writeFileAtomic(join(this.#directory, name), Buffer.from(text), mode);
  }
}

function add(
  outcome: Outcome,
  found: Found,
  made: {
    readonly form: ScanInput['form'];
    readonly platform: string | null;
    readonly written: WrittenForm;
    readonly commands: readonly ScanCommand[];
  },
): void {
  outcome.commands.push(...made.commands);
  outcome.inputs.push({
    reference: found.reference,
    alsoNamed: [],
    digest: found.descriptor.digest,
    platform: made.platform,
    type: found.type,
    form: made.form,
    path: made.written.path,
    ...(found.kind === 'document' && found.subject !== undefined ? { subject: found.subject } : {}),
    commands: made.commands.map((command) => ({
      scanner: command.scanner,
      command: commandLine(command),
      argv: command.argv,
      result: command.result,
    })),
    notes: made.written.notes,
  });
}

function skip(outcome: Outcome, { reference, descriptor, type }: Found, reason: string): void {
  outcome.skipped.push({ reference, digest: descriptor.digest, type, reason });
}
