import { createHash } from 'node:crypto';
import { type Link, type Listed } from '../../artifact/list.ts';
import { CATEGORIES, icon, type Category } from '../../artifact/types/icons.ts';
import { type TypeTable } from '../../artifact/types/table.ts';
import { type Use } from '../../artifact/usage.ts';
import { shortDigest } from '../../core/digest.ts';
import { htmlText as text } from '../../core/html.ts';
import { formatBytes, formatTime, plural } from './format.ts';

const STYLE = `:root{color-scheme:light dark;--ink:#1b1f24;--dim:#59636e;--line:#d8dee4;--paper:#fff;--soft:#f3f5f8;--tint:#e7effb;--blue:#0b57d0;--bad:#a40e26}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--line:#30363d;--paper:#0d1117;--soft:#161b22;--tint:#17263c;--blue:#79b8ff;--bad:#ff7b72}}
*{box-sizing:border-box}[hidden]{display:none!important}.sprite{position:absolute;width:0;height:0}body{margin:0;font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
header,main,footer{max-width:90rem;margin:auto;padding:1rem 1.5rem}h1{margin:.5rem 0 0;font-size:1.5rem;overflow-wrap:anywhere}p{margin:.2rem 0;color:var(--dim)}
.tools{display:none;gap:.4rem;flex-wrap:wrap;margin-top:1rem}.live .tools{display:flex}
.tools input{flex:1 1 16rem;font:inherit;padding:.4rem .8rem;border:1px solid var(--line);border-radius:2rem;background:var(--soft);color:inherit}
.tools button{display:flex;gap:.35rem;align-items:center;font:inherit;padding:.3rem .7rem;border:1px solid var(--line);border-radius:2rem;background:none;color:inherit;cursor:pointer}
.tools button[aria-pressed=true]{background:var(--tint);border-color:var(--blue)}
svg,img.icon{width:1.6rem;height:1.6rem;flex:none;color:var(--blue)}.tools svg{width:1.1rem;height:1.1rem}
table{width:100%;border-collapse:collapse;table-layout:fixed}col:nth-child(1),col:nth-child(2){width:26%}col:nth-child(3){width:15%}col:nth-child(4),col:nth-child(5){width:6.5rem}th,td{text-align:left;vertical-align:top;padding:.6rem .7rem;border-bottom:1px solid var(--line)}
th{position:sticky;top:0;background:var(--paper);color:var(--dim);font-weight:600;font-size:.85rem}tbody tr:hover{background:var(--soft)}
.what{display:flex;gap:.6rem}.what div{min-width:0;overflow-wrap:anywhere}.what b{font-weight:600}.what small,td small{display:block;color:var(--dim)}
.name{overflow-wrap:anywhere;font-weight:600}.tag{display:inline-block;margin:0 .25rem .25rem 0;padding:0 .5rem;border-radius:1rem;background:var(--soft);font-size:.85rem;white-space:nowrap}
.num{text-align:right;white-space:nowrap}code{font:.85rem/1.5 ui-monospace,monospace;overflow-wrap:anywhere}
summary{cursor:pointer;color:var(--blue)}dl{margin:.4rem 0}dt{color:var(--dim);font-size:.85rem}dd{margin:0 0 .5rem}
dd code{display:block;padding:.4rem .6rem;border-radius:.4rem;background:var(--soft);user-select:all}a{color:var(--blue)}.bad{color:var(--bad)}
@media(max-width:60rem){thead,colgroup{display:none}table,tbody{display:block}tr{display:block;padding:.6rem 0;border-bottom:1px solid var(--line)}td{display:block;border:0;padding:.15rem .7rem}.num{text-align:left}}
@media print{.tools{display:none!important}th{position:static}}`;

/** Hides rows; the page says all without it. */
const SCRIPT = `(()=>{const d=document,rows=[...d.querySelectorAll('tbody tr')],box=d.querySelector('input'),keys=[...d.querySelectorAll('.tools button')],told=d.querySelector('output');
let kind='';const show=()=>{const words=box.value.toLowerCase().split(/\\s+/).filter(Boolean);let n=0;for(const row of rows){const on=(!kind||row.dataset.kind===kind)&&words.every(w=>row.textContent.toLowerCase().includes(w));row.hidden=!on;if(on)n++}
told.textContent=n===rows.length?'':n+' of '+rows.length};
box.addEventListener('input',show);for(const key of keys)key.addEventListener('click',()=>{kind=kind===key.value?'':key.value;for(const each of keys)each.setAttribute('aria-pressed',String(each.value===kind));show()});
d.body.classList.add('live')})()`;

const hash = (content: string): string => `'sha256-${createHash('sha256').update(content).digest('base64')}'`;

export interface CatalogOptions {
  /** What was listed. */
  readonly place: string;
  readonly types: TypeTable;
  /** Milliseconds of the epoch. */
  readonly now: number;
}

/** A listing as one page for a browser, without network. All that comes from elsewhere is escaped; only http(s) addresses become links. */
export function catalogPage(listed: readonly Listed[], { place, types, now }: CatalogOptions): string {
  const kinds = countKinds(listed);
  const bytes = listed.reduce((sum, { size }) => sum + size, 0);
  const policy = `default-src 'none'; img-src data:; style-src ${hash(STYLE)}; script-src ${hash(SCRIPT)}; base-uri 'none'; form-action 'none'`;
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><meta name="viewport" content="width=device-width"><meta name="referrer" content="no-referrer"><title>${text(place)}</title><style>${STYLE}</style></head>
<body>
<svg class="sprite" aria-hidden="true">${[...kinds.keys()].map(symbol).join('')}</svg>
<header><h1>${text(place)}</h1>
<p>${plural(listed.length, 'name')}, ${formatBytes(bytes)} as listed (what is shared counts for each name). Listed ${formatTime(now)}.</p>
<div class="tools"><input type="search" aria-label="Search" placeholder="Search">${[...kinds].map(chip).join('')}</div><output aria-live="polite"></output></header>
<main>
<table><colgroup>${'<col>'.repeat(6)}</colgroup><thead><tr><th scope="col">What it is</th><th scope="col">Name</th><th scope="col">Platforms</th><th scope="col" class="num">Size</th><th scope="col">Created</th><th scope="col">Use</th></tr></thead><tbody>
${listed.map((each) => row(each, types)).join('\n')}
</tbody></table>
</main>
<footer><p>Written by ocl. Icons show categories, not brands.</p></footer>
<script>${SCRIPT}</script>
</body></html>
`;
}

/** In the order of the categories. */
function countKinds(listed: readonly Listed[]): ReadonlyMap<Category, number> {
  const counts = new Map<Category, number>();
  for (const each of listed) counts.set(kindOf(each), (counts.get(kindOf(each)) ?? 0) + 1);
  return new Map(
    CATEGORIES.flatMap((category) => (counts.has(category) ? [[category, counts.get(category) ?? 0]] : [])),
  );
}

function kindOf({ artifact }: Listed): Category {
  return artifact?.category ?? 'other';
}

/** Each icon stands in the page once. */
function symbol(category: Category): string {
  return icon(category)
    .replace(/^<svg xmlns="[^"]*"/, `<symbol id="i-${category}"`)
    .replace(/<\/svg>$/, '</symbol>');
}

function drawn(category: Category): string {
  return `<svg aria-hidden="true"><use href="#i-${category}"/></svg>`;
}

function chip([category, count]: readonly [Category, number]): string {
  return `<button type="button" value="${category}" aria-pressed="false">${drawn(category)}${category} ${count}</button>`;
}

function row(listed: Listed, types: TypeTable): string {
  const {
    reference,
    digest,
    artifact,
    kind,
    platforms,
    size,
    created,
    problem,
    deprecation,
    actions = [],
    links = [],
  } = listed;
  const what = `<b>${text(artifact?.name ?? kind)}</b>${problem === undefined ? '' : `<small class="bad">damaged: ${text(problem)}</small>`}`;
  const gone =
    deprecation?.deprecated === true
      ? `<small class="bad">deprecated${deprecation.reason === undefined ? '' : `: ${text(deprecation.reason)}`}</small>`
      : '';
  const why = artifact === undefined || artifact.why === '' ? '' : `<small>${text(artifact.why)}</small>`;
  return `<tr data-kind="${kindOf(listed)}"><td><div class="what">${picture(listed, types)}<div>${what}${gone}${why}</div></div></td><td><span class="name">${text(reference)}</span><small><code title="${text(digest)}">${text(shortDigest(digest))}</code></small></td><td>${platforms.map((platform) => `<span class="tag">${text(platform)}</span>`).join('')}</td><td class="num">${formatBytes(size)}</td><td>${text(created?.slice(0, 10) ?? '')}</td><td>${uses(actions)}${links.map(anchor).join(' ')}</td></tr>`;
}

/** A type of a user's own may bring an image; as an image it runs no scripts. */
function picture(listed: Listed, types: TypeTable): string {
  const own = listed.artifact === undefined ? undefined : types.types.get(listed.artifact.id)?.icon;
  const category = CATEGORIES.find((each) => each === own);
  if (own === undefined) return drawn(kindOf(listed));
  if (category === undefined) return `<img class="icon" alt="" src="${text(own)}">`;
  // Only icons of the categories that are listed are in the page.
  return icon(category);
}

function uses(actions: readonly Use[]): string {
  if (actions.length === 0) return '';
  const [first] = actions;
  const entries = actions.map(({ label, command }) => `<dt>${text(label)}</dt><dd><code>${text(command)}</code></dd>`);
  return `<details><summary>${text(first?.label ?? '')}${actions.length > 1 ? ` and ${actions.length - 1} more` : ''}</summary><dl>${entries.join('')}</dl></details>`;
}

function anchor({ label, url }: Link): string {
  return `<a href="${text(url)}" rel="noopener noreferrer">${text(label)}</a>`;
}
