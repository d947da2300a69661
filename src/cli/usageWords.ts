/** Options that must be given, as they are typed. */
const REQUIRED: Readonly<Record<string, string>> = { config: '--config FILE', output: '--output FILE' };

/** What yargs says about a command line, without its jargon. @param usage such as `copy <source> <target>` */
export function plainWords(message: string, usage: string, argv: readonly string[]): string {
  const line = message.replaceAll(/\s*\n\s*/g, ' ').trim();
  for (const [pattern, say] of FAILURES) {
    const match = pattern.exec(line);
    if (match !== null) return say(match.slice(1), usage, argv);
  }
  return `${line.charAt(0).toLowerCase()}${line.slice(1)}`;
}

type Say = (parts: readonly string[], usage: string, argv: readonly string[]) => string;

const FAILURES: readonly (readonly [RegExp, Say])[] = [
  [/^Not enough non-option arguments: got (\d+)/, ([got], usage) => `it needs ${and(positionals(usage, Number(got)))}`],
  [
    /^Too many non-option arguments: got (\d+), maximum of (\d+)/,
    ([got, most]) => `it takes ${most} words, not ${got}`,
  ],
  [/^Missing required arguments?: (.*)$/, ([names = '']) => `it needs ${and(names.split(', ').map(requiredName))}`],
  [/^Not enough arguments following: (.*)$/, ([name = '']) => `${optionName(name)} needs a value`],
  [/^Given twice: (.*)$/, ([name = '']) => `${optionName(name)} is given more than once`],
  [/^Not a number: (.*)$/, ([name = '']) => `${optionName(name)} needs a number`],
  [
    /^Invalid values: (.*)$/,
    ([values = '']) =>
      values
        .split(/ (?=Argument: )/)
        .map(wrongChoice)
        .join('; '),
  ],
  [/^Unknown (?:arguments?|commands?): (.*)$/, ([names = ''], _, argv) => unknown(names.split(', '), argv)],
];

function positionals(usage: string, given: number): readonly string[] {
  return [...usage.matchAll(/<[^>]+>/g)].map(([name]) => name.replace('..>', '>')).slice(given);
}

function requiredName(name: string): string {
  return REQUIRED[name] ?? optionName(name);
}

function optionName(name: string): string {
  return `${name.length === 1 ? '-' : '--'}${name}`;
}

/** `Argument: action, Given: "list", Choices: "ls", "add", "rm"` */
function wrongChoice(text: string): string {
  const match = /^Argument: (.*?), Given: (.*), Choices: (.*)$/.exec(text);
  if (match === null) return text;
  const [, name = '', given = '', choices = ''] = match;
  return `${name} is ${given}, and can be ${or(choices.replaceAll('"', '').split(', '))}`;
}

function unknown(names: readonly string[], argv: readonly string[]): string {
  const words = names.filter((name) => argv.includes(name));
  const options = [...new Set(names.filter((name) => !argv.includes(name)).map((name) => typed(name, argv)))];
  return [
    ...(options.length === 0 ? [] : [`there is no option ${or(options)}`]),
    ...(words.length === 0 ? [] : [`${and(words.map((word) => JSON.stringify(word)))} is more than it takes`]),
  ].join('; ');
}

/** Yargs turns `--no-such` into noSuch and takes `-pSECRET` apart: an option is told as it was typed, without its value. */
export function typed(name: string, argv: readonly string[]): string {
  if (name.length === 1)
    return `-${argv.find((word) => /^-[^-]/.test(word) && word.includes(name))?.charAt(1) ?? name}`;
  const word = argv.find((each) => each.startsWith('--') && camel(bare(each)) === camel(name));
  return word === undefined ? optionName(name) : `--${bare(word)}`;
}

function bare(word: string): string {
  return word.replace(/^--/, '').replace(/=.*$/s, '');
}

function camel(name: string): string {
  return name.replaceAll(/-+([a-z0-9])/gi, (_, letter: string) => letter.toUpperCase());
}

function and(words: readonly string[]): string {
  return join(words, 'and');
}

function or(words: readonly string[]): string {
  return join(words, 'or');
}

function join(words: readonly string[], last: string): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`;
}
