import { createHash } from 'node:crypto';
import { htmlText as text } from '../../core/html.ts';
import { type Status, type StepStatus } from './status.ts';

/** Steps of one page; JSON has all. */
const ROWS = 1000;

const STYLE = `body{font:14px/1.5 system-ui,sans-serif;margin:2em;color:#1b1f24;background:#fff}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}
table{border-collapse:collapse}th,td{text-align:left;vertical-align:top;padding:.3em .8em;border-bottom:1px solid #d8dee4}
th{background:#f6f8fa}
.bad{color:#a40e26}.good{color:#116329}small{color:#57606a}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}th{background:#161b22}th,td{border-color:#30363d}.bad{color:#ff7b72}.good{color:#56d364}small{color:#8b949e}}`;

/** Lets the page's own style in and nothing else. */
export const PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The state of a server as a page. All that comes from elsewhere is escaped. */
export function pageOf(status: Status): string {
  const { config, steps, ignored, rateLimits, phase, now, startedAt } = status;
  const shown = steps.toSorted((a, b) => urgency(b) - urgency(a) || a.line - b.line).slice(0, ROWS);
  const parts = [
    `<h1>ocl sync server</h1>`,
    `<p>${text(config.file)}, read ${time(config.loadedAt)}; started ${time(startedAt)}, ${phase}; this page is of ${time(now)}.</p>`,
    reloadLine(config.reload),
    section(
      `Steps (${steps.length})`,
      ['Line', 'Source', 'Target', 'When', 'Last run', 'Next run', 'Images', 'Bytes', 'Failures'],
      shown.map(stepRow),
    ),
    shown.length < steps.length
      ? `<p>${steps.length - shown.length} more are left out here; with <code>Accept: application/json</code> all are told.</p>`
      : '',
    ignored.length === 0
      ? ''
      : section(
          `Steps that never run (${ignored.length})`,
          ['Line', 'Source', 'Why'],
          ignored.slice(0, ROWS).map(({ line, source, why }) => [number(line), text(source), text(why)]),
        ),
    rateLimits.length === 0
      ? ''
      : section(
          'Rate limits',
          ['Registry', 'Pulls left', 'Of', 'Until'],
          rateLimits.map(({ host, remaining, limit, resetAt }) => [
            text(host),
            number(remaining),
            limit === null ? '' : number(limit),
            time(resetAt),
          ]),
        ),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>ocl sync server</title><style>${STYLE}</style></head>
<body>
${parts.filter((part) => part !== '').join('\n')}
</body></html>
`;
}

/** What runs or failed stands first. */
function urgency({ running, last }: StepStatus): number {
  return (last?.result === 'failed' ? 2 : 0) + (running === null ? 0 : 1);
}

function reloadLine(reload: Status['config']['reload']): string {
  if (reload === null) return '';
  if (reload.error === null) return `<p class="good">Read anew ${time(reload.at)}.</p>`;
  return `<p class="bad">Could not be read anew ${time(reload.at)}, so the old one counts: ${text(reload.error.message)} [${text(reload.error.code)}]</p>`;
}

function stepRow(step: StepStatus): readonly string[] {
  const { last, images } = step;
  return [
    number(step.line),
    `${text(step.source)} <small>${text(step.type)}</small>`,
    step.targets.map(text).join('<br>'),
    step.schedule === '' ? `every ${number(step.interval / 1000)} s` : text(step.schedule),
    lastRun(step),
    time(step.next),
    `${number(images.copied)} copied, ${number(images.current)} unchanged`,
    number(step.bytes),
    last === null || last.failed === 0
      ? number(images.failed)
      : `<span class="bad">${number(last.failed)} in the last run</span><br>${last.failures
          .map(({ image, code, message }) => `<small>${text(image)}: ${text(message)} [${text(code)}]</small>`)
          .join('<br>')}`,
  ];
}

function lastRun({ running, last }: StepStatus): string {
  const now = running === null ? '' : `<b>runs now</b> <small>${text(running)}</small>`;
  if (last === null) return now;
  const kind = last.result === 'failed' ? 'bad' : 'good';
  return `${now}${now === '' ? '' : '<br>'}<span class="${kind}">${text(last.result)}</span> ${time(last.startedAt)}, ${number(last.ms / 1000)} s`;
}

function section(title: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const headings = head.map((name) => `<th scope="col">${name}</th>`).join('');
  const lines = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`);
  return `<h2>${title}</h2>\n<table><thead><tr>${headings}</tr></thead><tbody>\n${lines.join('\n')}\n</tbody></table>`;
}

function number(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: 1 });
}

function time(iso: string | null): string {
  return iso === null ? '' : `<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`;
}
