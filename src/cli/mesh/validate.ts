import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { type MeshFinding } from '../../mesh/finding.ts';
import { fixFiles } from '../../mesh/fix.ts';
import { validateFiles, type ValidateInput, type ValidateReport } from '../../mesh/validate.ts';
import { openInputs } from '../../mesh/validateInputs.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
import { plural } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { inputReference, noteTo } from './input.ts';

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
      let files = 0;
      for (const text of args.inputs) {
        const result = await validateInput(text, env, args.fix);
        for (const finding of result.findings) count[finding.level]++;
        fixed += result.fixed;
        files += result.examined;
      }
      const { error: errors, warning: warnings, info: infos } = count;
      if (env.json) env.print(JSON.stringify({ type: 'summary', files, errors, warnings, infos, fixed }));
      else
        env.say(
          `${plural(files, 'file')}: ${plural(errors, 'error')}, ${plural(warnings, 'warning')}${fixed > 0 ? `, ${fixed} mended` : ''}`,
        );
      return errors > 0 || (args.strict && warnings > 0) ? EXIT.failed : EXIT.done;
    });
  },
);

interface Validated extends ValidateReport {
  /** Findings that are mended. */
  readonly fixed: number;
}

/** Prints what is found and mended. @throws OCL_NOT_FOUND when nothing of Meshery is there */
async function validateInput(text: string, env: Env, fix: boolean): Promise<Validated> {
  const findings: MeshFinding[] = [];
  let [examined, fixed, files] = [0, 0, 0];
  const { stores, tmpDir, emit } = env;
  const reference = inputReference(text);
  for await (const { input, onDisk } of openInputs(reference, { stores, tmpDir, onNote: noteTo(emit) })) {
    files += input.files.length;
    const done = fix && onDisk ? await mend(input) : [];
    for (const finding of done) printFinding(finding, env, 'fixed');
    fixed += done.length;
    const report = await validateFiles(input);
    for (const finding of report.findings) printFinding(finding, env, 'finding');
    findings.push(...report.findings);
    examined += report.examined;
    if (fix && !onDisk && report.findings.some(({ edits }) => edits !== undefined))
      env.say(`${printable(text)} is not mended in its place: unpack it, mend the files, and pack them again`);
  }
  if (examined === 0 && findings.length === 0)
    throw new OclError('OCL_NOT_FOUND', `Cannot validate ${text}: none of its ${files} files is an entity of Meshery`);
  return { findings, examined, fixed };
}

async function mend(input: ValidateInput): Promise<readonly MeshFinding[]> {
  const all: MeshFinding[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const done = await fixFiles((await validateFiles(input)).findings, (file) => file);
    if (done.length === 0) break;
    all.push(...done);
  }
  return all;
}

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
