import { OclError } from '../core/errors.ts';

/** `ADDRESS:PORT` or `PORT`, of which the latter is this machine alone. @throws OCL_USAGE */
export function parseListen(text: string, example: string): { readonly host: string; readonly port: number } {
  const match = /^(?:(\[[0-9A-Fa-f:.]+\]|[^:]*):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match === null || port > 65_535)
    throw new OclError('OCL_USAGE', `Cannot listen on ${JSON.stringify(text)}: it must be like ${example}`);
  return { host: (match[1] ?? '127.0.0.1').replace(/^\[|\]$/g, '') || '0.0.0.0', port };
}

/** Returns when the signal comes. */
export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
