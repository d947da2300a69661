import { type Checked } from './checked.ts';

/**
 * Go's reader of YAML (gopkg.in/yaml.v3) gets JSON too: the parts of a model always, and a design by its name. It does not know two escapes of
 * JSON, and refuses some characters. What was found here was tried with it.
 */
export function checkGoYaml(document: Checked): void {
  const { text, syntax } = document;
  document.refuseDuplicates();
  const escape = syntax === 'json' ? firstEscape(text) : undefined;
  if (escape !== undefined) {
    const mendable = unescapeJson(text) !== text && firstEscape(unescapeJson(text)) === undefined;
    document.addAt(
      'json-escape',
      escape.index,
      `Meshery reads this JSON as YAML, and does not know the escape ${escape.text}`,
      mendable ? 'write the character itself' : 'write a character of Unicode',
      ...(mendable ? [{ kind: 'unescape' } as const] : []),
    );
  }
  const control = CONTROL.exec(text);
  if (control !== null) {
    const code = control[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    document.addAt(
      'control-character',
      control.index,
      `Meshery refuses the character U+${code}`,
      'take it out, or write it as an escape',
    );
  }
}

const CONTROL = /[\u007F-\u0084\u0086-\u009F\uFFFE\uFFFF]/;
const ESCAPE = /\\(?:u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|u[\da-fA-F]{4}|.)/g;

function firstEscape(text: string): { readonly index: number; readonly text: string } | undefined {
  for (const match of text.matchAll(ESCAPE))
    if (match[0] === '\\/' || /^\\u[dD][89a-fA-F]/.test(match[0])) return { index: match.index, text: match[0] };
  return undefined;
}

/** JSON with the same value, in which `\/` and pairs of surrogates are the characters that they stand for. */
export function unescapeJson(text: string): string {
  return text.replaceAll(ESCAPE, (escape) => {
    if (escape === '\\/') return '/';
    return escape.length === 12 ? (JSON.parse(`"${escape}"`) as string) : escape;
  });
}
