import { access } from 'node:fs/promises';
import { isAbsent, OclError, toOclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { Since } from '../../sync/fields.ts';
import { Journal } from '../../sync/journal/journal.ts';
import { readHistory } from '../../sync/journal/history.ts';
import { type HistoryRecord } from '../../sync/journal/records.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { formatBytes, formatTable } from '../render/format.ts';
import { runCommand } from '../run.ts';
import { stateOption, wantedJournal } from './journal.ts';

export const history = defineCommand(
  (cli) =>
    stateOption(cli)
      .option('config', { alias: 'c', type: 'string', requiresArg: true, describe: 'The YAML file' })
      .option('image', {
        type: 'string',
        requiresArg: true,
        describe: 'Only what comes from or goes to such a name; * is anything, ? one character',
      })
      .option('failed', { type: 'boolean', default: false, describe: 'Only failures' })
      .option('since', {
        type: 'string',
        requiresArg: true,
        coerce: toMoment,
        describe: 'Only from then on: a date, a time, or how long ago (36h, 7d)',
      })
      .option('limit', {
        default: 100,
        requiresArg: true,
        coerce: toLimit,
        describe: 'At most so many, the newest; 0: all',
      })
      .example('$0 sync history --config sync.yaml', 'What was mirrored lately, the newest last')
      .example("$0 sync history --config sync.yaml --image '*/nginx:*' --since 7d", 'One image, a week back')
      .example('$0 sync history --state /var/lib/ocl/journal --failed --json', 'Failures, for scripts'),
  async (args) => {
    const path = wantedJournal(args);
    await runCommand(args, { showsOnly: true }, async (env) => {
      const { clock, emit } = env;
      await mustExist(path);
      const journal = await Journal.open(path, { clock, emit, readOnly: true });
      const { image, failed, since, limit } = args;
      const from = since === undefined ? undefined : 'at' in since ? since.at : clock.now() - since.ago;
      const records = readHistory(journal, { image, failed, since: from, limit });
      if (env.json) for await (const record of records) env.print(JSON.stringify(record));
      else await printTable(records, env);
    });
  },
);

async function mustExist(path: string): Promise<void> {
  try {
    await access(path);
  } catch (error) {
    if (!isAbsent(error)) throw toOclError(error);
    throw new OclError('OCL_NOT_FOUND', `Cannot read the journal ${path}: there is none`, {
      hint: 'ocl sync once --config FILE writes it; --state names another place',
    });
  }
}

async function printTable(records: AsyncIterable<HistoryRecord>, env: Env): Promise<void> {
  const rows: string[][] = [];
  for await (const record of records) {
    const { time, target, digest } = record;
    const [outcome, image, bytes, why] =
      record.kind === 'image'
        ? [record.outcome, record.image, formatBytes(record.bytes), errorText(record)]
        : [record.outcome, '-', '-', record.reason];
    const short = digest === undefined ? '-' : digest.slice(0, digest.indexOf(':') + 13);
    rows.push([time, outcome, printable(image), printable(target), short, bytes, printable(why)]);
  }
  if (rows.length === 0) env.say('nothing of that is in the journal');
  else env.print(formatTable(['TIME', 'OUTCOME', 'IMAGE', 'TARGET', 'DIGEST', 'BYTES', 'WHY'], rows));
}

function errorText({ error }: Extract<HistoryRecord, { kind: 'image' }>): string {
  return error === undefined ? '' : `${error.message} [${error.code}]`;
}

function toMoment(text: string): ReturnType<typeof Since.parse> {
  const result = Since.safeParse(text);
  if (result.success) return result.data;
  throw new Error(`${text} is no date (2026-01-31), no time (2026-01-31T12:00:00Z) and no duration (36h, 7d)`);
}

function toLimit(value: unknown): number {
  const limit = Number(value);
  if (!Number.isSafeInteger(limit) || limit < 0) throw new Error(`${String(value)} is no count of lines; 0 is all`);
  return limit;
}
