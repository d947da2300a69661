import { type Argv } from 'yargs';
import { type DeprecationStatement } from '../../artifact/deprecation.ts';
import { OclError, toOclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { formatReference, wantedName } from '../../core/reference.ts';
import { onlyRoot } from '../../artifact/onlyRoot.ts';
import { Copier } from '../../copy/copier.ts';
import { stateDeprecation } from '../../mesh/deprecate.ts';
import { defineCommand } from '../command.ts';
import { type Env, type GlobalArguments } from '../env.ts';
import { parsePlace } from '../place.ts';
import { runCommand } from '../run.ts';

export const deprecate = defineCommand(
  (cli) =>
    reasonOption(cli)
      .option('replaced-by', { type: 'string', requiresArg: true, describe: 'What to use instead: a reference' })
      .option('since', {
        type: 'string',
        requiresArg: true,
        coerce: toDate,
        describe: 'A date, 2026-01-31; now when it is not said',
      })
      .option('end-of-life', {
        type: 'string',
        requiresArg: true,
        coerce: toDate,
        describe: 'A date after which nobody should use it',
      })
      .example(
        "$0 mesh deprecate registry.local:5000/meshery/designs/shop:1.0.0 --reason 'fails on Kubernetes 1.33'",
        'A statement beside the version, whose digest stays',
      ),
  async (args) => {
    await runCommand(args, {}, async (env) => {
      const { reason, since, endOfLife } = args;
      const replacedBy = args.replacedBy === undefined ? undefined : await replacement(args.replacedBy, env);
      await state(args, env, { deprecated: true, reason, since, endOfLife, replacedBy });
    });
  },
);

export const undeprecate = defineCommand(
  (cli) =>
    reasonOption(cli).example(
      '$0 mesh undeprecate registry.local:5000/meshery/designs/shop:1.0.0',
      'The newest statement counts; the one before stays for the record',
    ),
  async (args) => {
    await runCommand(args, {}, async (env) => await state(args, env, { deprecated: false, reason: args.reason }));
  },
);

function reasonOption(cli: Argv) {
  return cli
    .positional('reference', { type: 'string', demandOption: true, describe: 'The version that is meant' })
    .option('reason', { type: 'string', requiresArg: true, describe: 'Why, for people' });
}

async function state(
  args: GlobalArguments & { readonly reference: string },
  env: Env,
  statement: DeprecationStatement,
): Promise<void> {
  const { stores, clock, emit, signal } = env;
  const copier = new Copier({ clock, emit: (event) => event.type === 'notice' && emit(event), signal });
  const result = await stateDeprecation(parsePlace(args.reference), statement, { stores, copier, clock });
  if (env.json) env.print(JSON.stringify({ type: 'deprecation', ...result }));
  else {
    const what = statement.deprecated ? 'deprecated' : 'not deprecated';
    env.print(
      printable(
        `${result.reference}@${result.digest}  ${what}${result.outcome === 'unchanged' ? ' (nothing to say that is not said)' : ''}`,
      ),
    );
  }
}

/** Its digest is put down where it can be had, so that the word stays right when its tag moves. */
async function replacement(text: string, env: Env): Promise<DeprecationStatement['replacedBy']> {
  const reference = parsePlace(text);
  const ref = formatReference(reference);
  try {
    const root = await onlyRoot(await env.stores.source(reference), wantedName(reference));
    return { ref, digest: root.digest };
  } catch (error) {
    const { code, message } = toOclError(error);
    if (code === 'OCL_CANCELLED') throw error;
    env.emit({ type: 'notice', level: 'warning', message: `${ref} is named without its digest: ${message}` });
    return { ref };
  }
}

function toDate(value: unknown): string {
  const text = String(value);
  if (!/^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/.test(text) || Number.isNaN(Date.parse(text)))
    throw new OclError('OCL_USAGE', `Cannot use ${JSON.stringify(text)}: it is no date`, {
      hint: 'write it like 2026-01-31',
    });
  return text;
}
