import { type Warn } from './lintKeys.ts';
import { type FileInput } from './schema.ts';

/** Keys of `creds` whose value nobody should read in a file. Names and certificates are no secrets. */
export const SECRETS = ['pass', 'token', 'clientKey'] as const;

/** Secrets that stand in the file itself. @param file before its templates are expanded */
export function lintSecrets(file: FileInput, warn: Warn): void {
  for (const [index, host] of (file.creds ?? []).entries()) {
    for (const key of SECRETS) {
      const text = host?.[key];
      if (!text || text.includes('{{')) continue;
      warn(
        ['creds', index, key],
        `${key} stands in clear; write '{{env "NAME"}}' or '{{file "PATH"}}', or leave it out and use ocl login`,
      );
    }
  }
}
