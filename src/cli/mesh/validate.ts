import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { LIMITS } from '../../core/limits.ts';
import { readSmallFile } from '../../io/smallFile.ts';
import { isArchive } from '../../mesh/examine.ts';
import { type MeshFinding } from '../../mesh/finding.ts';
import { fixFiles } from '../../mesh/fix.ts';
import { readEntities } from '../../mesh/read.ts';
import { directoryTree } from '../../mesh/tree.ts';
import { validateFiles, type ValidateInput, type ValidateReport } from '../../mesh/validate.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { parsePlace } from '../place.ts';
import { plural } from '../render/format.ts';
import { runCommand } from '../run.ts';

/** What is mended may uncover what can be mended; more rounds than these no file needs. */
const ROUNDS = 4;

export const validate = defineCommand(
  (cli) =>
    cli
      .positional('inputs', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Files, directories, archives or references with entities of Meshery',
      })
      .option('fix', { type: 'boolean', default: false, describe: 'Mend in the files what needs no guess, and say so' })
      .option('strict', { type: 'boolean', default: false, describe: 'Exit with 1 for warnings too' })
      .example('$0 mesh validate design.yml', 'What Meshery would say of a design')
      .example('$0 mesh validate my-model/ --fix', 'Mend a model, and see what is left')
      .example('$0 mesh validate registry.local/designs/shop:1.2.0 --strict --json', 'In a pipeline'),
  async (args) => {
    await runCommand(args, { showsOnly: !args.fix }, async (env) => {
      const count = { error: 0, warning: 0, info: 0 };
      let fixed = 0;
      let examined = 0;
      for (const text of args.inputs) {
        for await (const { input, onDisk } of openInputs(text, env)) {
          let report = await validateFiles(input);
          const rounds = args.fix && onDisk ? ROUNDS : 0;
          for (let round = 0; round < rounds; round++) {
            const done = await fixFiles(report.findings, (file) => file);
            if (done.length === 0) break;
            for (const finding of done) printFinding(finding, env, 'fixed');
            fixed += done.length;
            report = await validateFiles(input);
          }
          if (args.fix && !onDisk && report.findings.some(({ edits }) => edits !== undefined))
            env.say(`${printable(text)} is not mended in its place: unpack it, mend the files, and pack them again`);
          for (const finding of report.findings) printFinding(finding, env, 'finding');
          for (const { level } of report.findings) count[level]++;
          examined += examinedIn(report, input, text);
        }
      }
      const { error: errors, warning: warnings, info: infos } = count;
      if (env.json) env.print(JSON.stringify({ type: 'summary', files: examined, errors, warnings, infos, fixed }));
      else
        env.say(
          `${plural(examined, 'file')}: ${plural(errors, 'error')}, ${plural(warnings, 'warning')}${fixed > 0 ? `, ${fixed} mended` : ''}`,
        );
      return errors > 0 || (args.strict && warnings > 0) ? EXIT.failed : EXIT.done;
    });
  },
);

function printFinding(finding: MeshFinding, env: Env, type: 'finding' | 'fixed'): void {
  const { rule, level, file, line, column, message, fix, edits } = finding;
  if (env.json) {
    env.print(JSON.stringify({ type, rule, level, file, line, column, message, fix, fixable: edits !== undefined }));
    return;
  }
  env.print(
    `${printable(file)}:${line}:${column}: ${type === 'fixed' ? 'mended' : level}: ${printable(type === 'fixed' ? `${message}: ${fix}` : message)} [${rule}]`,
  );
  if (type === 'finding') env.print(`    ${printable(fix)}${edits === undefined ? '' : ' (--fix does it)'}`);
}

/** @throws OCL_NOT_FOUND when nothing of Meshery is there */
function examinedIn({ examined, findings }: ValidateReport, input: ValidateInput, text: string): number {
  if (examined === 0 && findings.length === 0)
    throw new OclError(
      'OCL_NOT_FOUND',
      `Cannot validate ${text}: none of its ${input.files.length} files is an entity of Meshery`,
    );
  return examined;
}

/** What is on disk by its files, all else by what `ocl` reads from it. */
async function* openInputs(
  text: string,
  env: Env,
): AsyncGenerator<{ readonly input: ValidateInput; readonly onDisk: boolean }> {
  if (existsSync(text) && statSync(text).isDirectory()) {
    const tree = await directoryTree(text);
    for (const note of tree.notes) env.say(printable(note));
    if (tree.paths.length > 0)
      yield {
        onDisk: true,
        input: {
          form: 'directory',
          files: tree.paths.map((path) => ({ path })),
          read: (path) => tree.read(path),
          nameOf: (path) => join(text, path),
        },
      };
    return;
  }
  const isFile = existsSync(text);
  const bytes = isFile ? await readSmallFile(text, LIMITS.meshFile, text) : undefined;
  if (bytes !== undefined && !isArchive(bytes)) {
    const read = async (): Promise<Uint8Array> => await readSmallFile(text, LIMITS.meshFile, text);
    yield { onDisk: true, input: { form: 'file', files: [{ path: basename(text) }], read, nameOf: () => text } };
    return;
  }
  const reference = isFile ? ({ kind: 'path', path: text } as const) : parsePlace(text);
  for await (const entity of readEntities(reference, { stores: env.stores, tmpDir: env.tmpDir })) {
    const contents = new Map(entity.files.map((file) => [file.path, file.bytes]));
    yield {
      onDisk: false,
      input: {
        form: 'archive',
        files: entity.files,
        read: (path) => Promise.resolve(contents.get(path) ?? new Uint8Array()),
        nameOf: (path) => `${entity.origin}: ${path}`,
      },
    };
  }
}
