import { homedir } from 'node:os';
import { createHelpers, type Helpers } from '../stores/registry/auth/credentialHelper.ts';
import { credentialSources, type CredentialSources } from '../stores/registry/auth/credentialSources.ts';

/** Where this user's logins are, and the programs that keep them. @throws OCL_CONFIG_INVALID */
export function loginSources(): CredentialSources & { readonly helpers: Helpers } {
  const { env } = process;
  const sources = credentialSources({ env, home: homedir(), uid: process.getuid?.() });
  return { ...sources, helpers: createHelpers({ env }) };
}
