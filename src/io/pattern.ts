import { RE2JS } from 're2js';
import { OclError, type ErrorCode } from '../core/errors.ts';

export interface PatternOptions {
  /** Of the failure; OCL_CONFIG_INVALID when it is not said. */
  readonly code?: ErrorCode | undefined;
  /** As regsync anchors: `^` before and `$` after it. */
  readonly whole?: boolean | undefined;
  readonly anyCase?: boolean | undefined;
}

/** A regular expression of RE2, which no text can make slow. @throws the code that is asked for */
export function compilePattern(pattern: string, options: PatternOptions = {}): RE2JS {
  const { code = 'OCL_CONFIG_INVALID', whole = false, anyCase = false } = options;
  try {
    return RE2JS.compile(whole ? `^${pattern}$` : pattern, anyCase ? RE2JS.CASE_INSENSITIVE : 0);
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    throw new OclError(code, `Cannot use the pattern ${JSON.stringify(pattern)}: ${why}`, {
      hint: 'patterns are RE2 regular expressions (https://github.com/google/re2/wiki/Syntax): no look-around, no back-references',
      cause: error,
    });
  }
}

/**
 * A rule like sed's `s#from#to#`: any character may stand for the `#`; `\1` to `\9` and `$1` to `$9` are groups, `&` is the match; the
 * flags are g (every match) and i (in any case).
 *
 * @returns the text after the rule; the same text where the pattern is not found
 * @throws OCL_USAGE
 */
export function compileRewrite(rule: string): (text: string) => string {
  const [from, to, flags] = parts(rule);
  const pattern = compilePattern(from, { code: 'OCL_USAGE', anyCase: flags.includes('i') });
  return (text) => {
    const matcher = pattern.matcher(text);
    let written = '';
    let done = 0;
    while (matcher.find()) {
      const groups = Array.from({ length: matcher.groupCount() + 1 }, (_, i) => matcher.group(i) ?? '');
      const filled = to.replaceAll(/[\\$](\d)|\\(.)|&/gs, (whole, group?: string, plain?: string) =>
        whole === '&' ? (groups[0] ?? '') : group === undefined ? (plain ?? '') : (groups[Number(group)] ?? ''),
      );
      written += text.slice(done, matcher.start()) + filled;
      done = matcher.end();
      if (!flags.includes('g')) break;
    }
    return written + text.slice(done);
  };
}

function parts(rule: string): readonly [from: string, to: string, flags: string] {
  const mark = rule[1] ?? '';
  const found = ['']; // what stands between the marks
  for (let i = 2; i < rule.length; i++) {
    if (rule[i] === '\\' && rule[i + 1] === mark) found.push(`${found.pop() ?? ''}${rule[++i] ?? ''}`);
    else if (rule[i] === '\\') found.push(`${found.pop() ?? ''}\\${rule[++i] ?? ''}`);
    else if (rule[i] === mark) found.push('');
    else found.push(`${found.pop() ?? ''}${rule[i] ?? ''}`);
  }
  const [from = '', to = '', flags = ''] = found;
  if (rule.startsWith('s') && /[^\w\s\\]/.test(mark) && found.length === 3 && from !== '' && /^[gi]*$/.test(flags))
    return [from, to, flags];
  throw new OclError('OCL_USAGE', `Cannot use the rule ${JSON.stringify(rule)}: it must be like s#from#to#`, {
    hint: "--rewrite 's#^docker.io/library/#base/#'",
  });
}
