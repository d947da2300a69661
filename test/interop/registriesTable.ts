/** By server, then by feature. */
export type Columns = ReadonlyMap<string, ReadonlyMap<string, string>>;

const BEGIN = /<!-- Written by test\/interop\/\w+\.test\.ts \(npm run docs:\w+\): do not edit\. -->\n/;
const END = '\n<!-- End. -->';
const UNKNOWN = '?';

/** The table that stands in a page. @throws when there is none */
export function readTable(page: string): Columns {
  const [head = [], , ...rows] = tableOf(page).split('\n').filter(Boolean).map(cells);
  return new Map(
    head
      .slice(1)
      .map((server, i) => [
        server,
        new Map(
          rows.flatMap(([feature = '', ...answers]) => (answers[i] === UNKNOWN ? [] : [[feature, answers[i] ?? '']])),
        ),
      ]),
  );
}

/** The page with another table. */
export function writeTable(
  page: string,
  columns: Columns,
  { servers, features }: { readonly servers: readonly string[]; readonly features: readonly string[] },
): string {
  const rows = [
    ['', ...servers],
    ['---', ...servers.map(() => '---')],
    ...features.map((feature) => [feature, ...servers.map((server) => columns.get(server)?.get(feature) ?? UNKNOWN)]),
  ];
  const table = rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
  return page.replace(`${tableOf(page)}${END}`, () => `${table}${END}`);
}

function tableOf(page: string): string {
  const begin = BEGIN.exec(page);
  const from = (begin?.index ?? 0) + (begin?.[0].length ?? 0);
  const to = page.indexOf(END, from);
  if (begin === null || to < 0) throw new Error('the page has no table');
  return page.slice(from, to);
}

function cells(line: string): readonly string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}
