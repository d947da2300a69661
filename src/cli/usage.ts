import { OclError } from '../core/errors.ts';
import { nearest } from '../sync/lintNear.ts';
import { COMMANDS } from './commands.ts';
import { restoreDash } from './dash.ts';
import { CNAB_ACTIONS } from './cnab/actions.ts';
import { MESH_ACTIONS } from './mesh/actions.ts';
import { ACTIONS as SYNC_ACTIONS } from './sync/actions.ts';
import { plainWords, typed } from './usageWords.ts';

/** Options before the command that take the next word. */
const VALUED: ReadonlySet<string> = new Set(['--plain-http', '--insecure', '--limit-rate', '--tmpdir']);

/** What other tools call it, and what to type here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  ...of(['pull', 'push', 'cp', 'download', 'upload'], 'ocl copy SOURCE TARGET'),
  ...of(['load'], 'ocl import FILE DIRECTORY'),
  ...of(['save'], 'ocl export IMAGE -o FILE'),
  ...of(['list', 'images', 'catalog'], 'ocl ls PLACE'),
  ...of(['fsck', 'validate'], 'ocl check PLACE'),
  ...of(['prune'], 'ocl gc PLACE'),
  ...of(['rm', 'rmi', 'delete', 'untag', 'remove'], 'ocl tag rm IMAGE:TAG'),
  ...of(['tags', 'list-tags'], 'ocl tag ls REPOSITORY'),
  ...of(['mirror', 'once'], 'ocl sync --config FILE'),
};

/** What yargs has against a command line, as one line of ours. @param options the names of those that the command has */
export function usageError(message: string, argv: readonly string[], options: readonly string[] = []): OclError {
  const word = commandWord(argv);
  const usage = COMMANDS.map((each) => String(each.usage)).find((each) => each.split(' ')[0] === word);
  if (word !== undefined && usage === undefined && word !== 'completion') return unknownCommand(word);
  const action = word === undefined ? undefined : actionUsage(word, argv);
  const command = usage === undefined ? 'ocl' : `ocl ${[word, ...(action?.split(' ').slice(0, 1) ?? [])].join(' ')}`;
  const config = word === 'sync' ? argv.find((each, i) => isLooseConfig(each, argv[i - 1])) : undefined;
  return new OclError(
    'OCL_USAGE',
    `Cannot run ${command}: ${plainWords(restoreDash(message), action ?? usage ?? '', argv)}`,
    {
      hint:
        config === undefined
          ? (optionHint(message, argv, options, word) ?? `${command} --help`)
          : `ocl sync --config ${config}`,
    },
  );
}

/** Commands whose actions are commands with options of their own. */
const ACTIONS: ReadonlyMap<string, readonly { readonly usage: string }[]> = new Map([
  ['cnab', CNAB_ACTIONS],
  ['mesh', MESH_ACTIONS],
  ['sync', SYNC_ACTIONS],
]);

/** The usage of what a command is to do: the words that an action needs are its own. What stands behind an option may be its value. */
function actionUsage(command: string, argv: readonly string[]): string | undefined {
  const usages = (ACTIONS.get(command) ?? []).map(({ usage }) => usage);
  const named = (word: string | undefined): string | undefined => usages.find((usage) => usage.split(' ')[0] === word);
  const start = argv.indexOf(command) + 1;
  const words = argv.slice(start);
  return named(words[0]) ?? named(words.find((word, i) => named(word) !== undefined && words[i - 2]?.startsWith('-')));
}

/** What was probably meant by an option that is not there. */
function optionHint(
  message: string,
  argv: readonly string[],
  options: readonly string[],
  command: string | undefined,
): string | undefined {
  const [, names = ''] = /^Unknown arguments?: (.*)$/s.exec(message) ?? [];
  const [first = ''] = names.split(', ');
  if (first === '' || argv.includes(first)) return undefined;
  const word = typed(first, argv);
  if (command === 'login' && /^(?:-p|--passw(?:or)?d)$/.test(word))
    return 'ocl login HOST -u USER --password-stdin < FILE (what stands in a command line is seen by others)';
  const near = nearest(
    word.replace(/^-+/, ''),
    options.filter((name) => name.length > 1 && !/[A-Z]/.test(name)),
  );
  return near === undefined || !word.startsWith('--') ? undefined : `did you mean --${near}?`;
}

function unknownCommand(word: string): OclError {
  const names = COMMANDS.map(({ usage }) => String(usage).split(' ')[0]).join(', ');
  return new OclError('OCL_USAGE', `Cannot run ocl: there is no command ${JSON.stringify(word)}`, {
    hint: Object.hasOwn(ELSEWHERE, word) ? ELSEWHERE[word] : `ocl --help tells of ${names}`,
  });
}

/** What regsync takes and would mean something else here: `-v info` would print the version, and mirror nothing. */
export function regsyncOnly(argv: readonly string[]): OclError | undefined {
  const option = argv.find((word) => /^(?:-v|-v=.*|--verbosity(?:=.*)?|--logopt(?:=.*)?)$/s.test(word));
  if (option === undefined || commandWord(argv) !== 'sync') return undefined;
  const name = option.replace(/=.*$/s, '');
  return new OclError('OCL_USAGE', `Cannot run ocl sync: ${name} is regsync's, and there is no such option here`, {
    hint: '--quiet prints results and errors alone, --json prints one object a line; ocl --version tells the version',
  });
}

/** The first word that is no option and belongs to none. */
function commandWord(argv: readonly string[]): string | undefined {
  return argv.find((word, i) => !word.startsWith('-') && !VALUED.has(argv[i - 1] ?? ''));
}

function isLooseConfig(word: string, before = ''): boolean {
  return /\.ya?ml$/.test(word) && !word.startsWith('-') && !['-c', '--config'].includes(before);
}

function of(words: readonly string[], hint: string): Record<string, string> {
  return Object.fromEntries(words.map((word) => [word, hint]));
}
