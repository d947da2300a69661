// docs/errors.md, docs/cli.md, the table of keys and the schema of sync files are made from the program itself: `npm run docs` writes them, `--check` holds them against it.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The help of a command as people see it at a width of 100 columns. */
function help(args) {
  return execFileSync(process.execPath, [join(root, 'bin/ocl.js'), ...args, '--help'], {
    encoding: 'utf8',
    env: { ...process.env, COLUMNS: '100' },
  }).trimEnd();
}

/** The pages by their file names. */
async function makeDocs() {
  const { ERROR_CODES } = await import(join(root, 'dist/core/errors.js'));
  const { EXIT, EXIT_OF } = await import(join(root, 'dist/cli/exit.js'));
  const { COMMANDS } = await import(join(root, 'dist/cli/commands.js'));
  const { ACTIONS } = await import(join(root, 'dist/cli/sync/actions.js'));
  const { MESH_ACTIONS } = await import(join(root, 'dist/cli/mesh/actions.js'));
  const { CNAB_ACTIONS } = await import(join(root, 'dist/cli/cnab/actions.js'));
  const nameOf = (status) => Object.entries(EXIT).find(([, value]) => value === status)?.[0] ?? '';
  const rows = Object.entries(ERROR_CODES).map(
    ([code, sentence]) => `| \`${code}\` | ${EXIT_OF[code]} | ${sentence} |`,
  );
  const statuses = Object.entries(EXIT).map(([name, status]) => `| ${status} | ${name} |`);
  const errors = [
    '# Errors and exit statuses',
    '',
    'Made by `npm run docs` from `src/core/errors.ts` and `src/cli/exit.ts`. Codes and statuses are stable: scripts may rely on them.',
    'An error is printed as `error: Cannot <verb> <thing>: <why> [CODE]`, with the next command to type as `hint:` below it;',
    'with `--json` it is also an object of type `error` on standard output.',
    '',
    '| code | status | meaning |',
    '| --- | --- | --- |',
    ...rows,
    '',
    '| status | name |',
    '| --- | --- |',
    ...statuses,
    '',
    `\`${nameOf(2)}\` (2) is given where it is asked for with \`--exit-code\`, and where volumes of a set are still to come.`,
    '',
  ].join('\n');
  const names = COMMANDS.map(({ usage }) => String(usage).split(' ')[0]);
  const actions = { sync: ACTIONS, mesh: MESH_ACTIONS, cnab: CNAB_ACTIONS };
  const actionsOf = (name) => (actions[name] ?? []).map(({ usage }) => [name, usage.split(' ')[0]]);
  const cli = [
    '# Commands',
    '',
    'Made by `npm run docs` from the help of each command.',
    '',
    '```',
    help([]),
    '```',
    ...names
      .flatMap((name) => [[name], ...actionsOf(name)])
      .flatMap((words) => ['', `## ocl ${words.join(' ')}`, '', '```', help(words), '```']),
    '',
  ].join('\n');
  const { syncJsonSchema } = await import(join(root, 'dist/sync/jsonSchema.js'));
  const { keyTable } = await import(join(root, 'dist/sync/schemaKeys.js'));
  const { typesJsonSchema } = await import(join(root, 'dist/artifact/types/schema.js'));
  const { RULES } = await import(join(root, 'dist/mesh/rules.js'));
  const rules = Object.entries(RULES).map(
    ([rule, { level, about, mended }]) => `| \`${rule}\` | ${level} | ${mended === true ? 'yes' : ''} | ${about} |`,
  );
  const ruleTable = ['| rule | level | `--fix` | what is found |', '| --- | --- | --- | --- |', ...rules].join('\n');
  return {
    'docs/meshery-checks.md': between('docs/meshery-checks.md', 'rules', ruleTable),
    'docs/artifact-types.md': between('docs/artifact-types.md', 'types', await typeTables()),
    'docs/errors.md': errors,
    'docs/cli.md': cli,
    'docs/regsync-compatibility.md': between('docs/regsync-compatibility.md', 'keys', keyTable()),
    'schema/artifact-types.schema.json': `${JSON.stringify(typesJsonSchema(), undefined, 2)}\n`,
    'schema/sync.schema.json': `${JSON.stringify(syncJsonSchema(), undefined, 2)}\n`,
  };
}

/** The built-in artifact types, a table for each category. */
async function typeTables() {
  const { builtInTypes } = await import(join(root, 'dist/artifact/types/table.js'));
  const { CATEGORIES } = await import(join(root, 'dist/artifact/types/icons.js'));
  const code = (text) => `\`${text.replaceAll('|', '\\|')}\``;
  const wanted = (value) =>
    Array.isArray(value)
      ? value.map(code).join(' or ')
      : typeof value === 'object'
        ? Object.entries(value)
            .map(([key, pattern]) => code(pattern === '*' ? key : `${key}=${pattern}`))
            .join(' and ')
        : code(String(value));
  const rule = (conditions) =>
    Object.entries(conditions)
      .filter(([name]) => name !== 'priority')
      .map(([name, value]) => `${name} ${name === 'configHas' ? value.map(code).join(' and ') : wanted(value)}`)
      .join(' and ');
  const types = builtInTypes();
  return CATEGORIES.map((category) => {
    const rows = types
      .filter((type) => type.category === category)
      .map(
        ({ id, name, scan, note, match, actions }) =>
          `| \`${id}\` | ${name} | ${match.map(rule).join('<br>') || 'what remains'} | ${scan} | ${actions.map(({ command }) => code(command)).join('<br>')} | ${note ?? ''} |`,
      );
    return [
      `### ${category}`,
      '',
      '| id | name | told by one of | scan | use | note |',
      '| --- | --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  }).join('\n\n');
}

/** A page of which the part between two marks is made. */
function between(file, name, text) {
  const [begin, end] = [`<!-- ${name}: made by npm run docs -->\n`, `<!-- end of ${name} -->`];
  const page = readFileSync(join(root, file), 'utf8');
  if (!page.includes(begin) || !page.includes(end)) throw new Error(`${file} has no marks of ${name}`);
  return `${page.slice(0, page.indexOf(begin) + begin.length)}\n${text}\n\n${page.slice(page.indexOf(end))}`;
}

const check = process.argv.includes('--check');
for (const [file, text] of Object.entries(await makeDocs())) {
  if (!check) {
    writeFileSync(join(root, file), text);
    console.log(`wrote ${file}`);
  } else if (!existsSync(join(root, file)) || readFileSync(join(root, file), 'utf8') !== text) {
    console.error(`${file} is not what the program says: run npm run docs`);
    process.exitCode = 1;
  }
}
