import { OclError } from '../core/errors.ts';
import { LIMITS } from '../core/limits.ts';
import { readBounded } from '../io/verify.ts';

/** Questions to the person at the terminal. What is typed or pasted ahead is for the next one. */
export interface Prompt {
  /** A line of text. @param echo whether it may be seen @throws OCL_CANCELLED for Ctrl-C and Ctrl-D */
  ask(question: string, echo: boolean): Promise<string>;
  /** The terminal shows again what is typed. */
  close(): void;
}

/** Undefined where standard input is no terminal. */
export function openPrompt(signal: AbortSignal): Prompt | undefined {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) return undefined;
  let ahead = '';
  stdin.setEncoding('utf8');
  return {
    async ask(question, echo) {
      // From before the question until the end the terminal itself shows nothing, so that what is typed early is not seen either.
      stdin.setRawMode(true);
      stderr.write(question);
      let line = '';
      try {
        for (;;) {
          if (ahead === '') ahead = await nextInput(signal);
          const [char = ''] = ahead.replace(ESCAPE, '');
          ahead = ahead.replace(ESCAPE, '').slice(char.length);
          if (char === '\r' || char === '\n') return line;
          if (char === '\u0003' || char === '\u0004')
            throw new OclError('OCL_CANCELLED', 'Stopped: nothing was typed that could be used');
          const kept = char === '\u007F' || char === '\b' ? line.replace(/.$/su, '') : char < ' ' ? line : line + char;
          if (echo && kept !== line) stderr.write(kept.length > line.length ? char : '\b \b');
          line = kept.slice(0, LONGEST);
        }
      } finally {
        stderr.write('\n');
      }
    },
    close() {
      stdin.setRawMode(false);
      stdin.pause();
    },
  };
}

const LONGEST = 64 << 10;
/** Arrows and the like, which would be letters of a password otherwise. */
const ESCAPE = new RegExp(`^(?:${String.fromCodePoint(27)}(?:\\[[0-9;]*[A-Za-z~]|O[A-Z]|.)?)+`);

function nextInput(signal: AbortSignal): Promise<string> {
  const { stdin } = process;
  return new Promise((resolve, reject) => {
    const done = (settle: () => void): void => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      signal.removeEventListener('abort', onAbort);
      stdin.pause();
      settle();
    };
    const onData = (chunk: string | Buffer): void => done(() => resolve(String(chunk)));
    const onEnd = (): void => done(() => resolve('\u0004'));
    const onAbort = (): void => done(() => reject(signal.reason as Error));
    stdin.on('data', onData);
    stdin.once('end', onEnd);
    signal.addEventListener('abort', onAbort, { once: true });
    stdin.resume();
  });
}

/** A secret from a pipe, without the end of its last line. @throws OCL_USAGE when there is none, OCL_LIMIT */
export async function readSecret(what: string): Promise<string> {
  const bytes = await readBounded(process.stdin, LIMITS.tokenBody, 'standard input');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch {
    throw new OclError('OCL_USAGE', `Cannot read the ${what} from standard input: it is not UTF-8 text`);
  }
  if (text === '')
    throw new OclError('OCL_USAGE', `Cannot read the ${what} from standard input: it is empty`, {
      hint: 'give it in one line: … < FILE, or printenv VARIABLE | …; an unset variable gives nothing',
    });
  return text;
}
