import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { type StorableCredential } from '../../stores/registry/auth/credentialHelper.ts';
import { formatScope, parseLoginScope, storeLogin, type LoginScope } from '../../stores/registry/auth/loginStore.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { loginSources } from '../logins.ts';
import { openPrompt, readSecret } from '../prompt.ts';
import { runCommand } from '../run.ts';

export const login = defineCommand(
  (cli) =>
    cli
      .positional('host', { type: 'string', default: 'docker.io', describe: 'HOST[:PORT] of the registry' })
      .option('username', { alias: 'u', type: 'string', requiresArg: true, describe: 'The account' })
      .option('password-stdin', { type: 'boolean', default: false, describe: 'Read the password from standard input' })
      .option('identity-token-stdin', {
        type: 'boolean',
        default: false,
        describe: 'Read an OAuth2 refresh token from standard input',
      })
      .option('auth-file', {
        type: 'string',
        requiresArg: true,
        describe: "Keep it in this file (auth.json or docker's config.json)",
      })
      .example('$0 login ghcr.io -u me', 'Ask for the password or token')
      .example('$0 login quay.io -u me --password-stdin < token', 'For scripts')
      .example('$0 login quay.io/team -u me --auth-file a.json', 'For a part of a registry'),
  async (args) => {
    await runCommand(args, {}, async (env) => {
      const scope = parseLoginScope(args.host);
      const { loginFile, takesPaths, files, helpers } = loginSources();
      const file = args.authFile ?? loginFile;
      if (scope.path !== undefined && args.authFile === undefined && !takesPaths) throw needsAuthFile(args.host);
      const credential = await readCredential(args, scope, env.signal);
      const verdict = await env.registries.verify(scope.registry, credential);
      const kept = await storeLogin(file, scope, credential, { ...env, helpers });
      const account = credential.username;
      if (env.json)
        env.print(JSON.stringify({ registry: formatScope(scope), account, tested: verdict === 'accepted', kept }));
      if (verdict === 'unasked')
        warn(env, `${scope.registry} lets everybody in at its door, so the login could not be tested`);
      env.say(`logged in to ${formatScope(scope)}${account === undefined ? '' : ` as ${printable(account)}`}`);
      env.say(
        kept.kind === 'helper'
          ? `kept by docker-credential-${printable(kept.where)}`
          : `kept unencrypted in ${printable(kept.where)}, which only you can read; docs/credentials.md tells of helpers that encrypt`,
      );
      if (!files.includes(file)) env.say(`other commands find it with REGISTRY_AUTH_FILE=${printable(file)}`);
    });
  },
);

interface Given {
  readonly host: string;
  readonly username: string | undefined;
  readonly passwordStdin: boolean;
  readonly identityTokenStdin: boolean;
}

/** What the command line, a pipe or the person at the terminal says. @throws OCL_USAGE */
async function readCredential(args: Given, scope: LoginScope, signal: AbortSignal): Promise<StorableCredential> {
  const { username, passwordStdin, identityTokenStdin } = args;
  const name = formatScope(scope);
  if (passwordStdin && identityTokenStdin)
    throw cannot(name, 'standard input is either a password or an identity token', 'use one of both options');
  if (username !== undefined) checkUsername(username, name);
  if (identityTokenStdin) return { kind: 'identity', token: checkSecret(await readSecret('token'), name), username };
  if (passwordStdin) {
    if (username === undefined)
      throw cannot(name, 'the account is missing', `ocl login ${name} -u USER --password-stdin < FILE`);
    return { kind: 'password', username, password: checkSecret(await readSecret('password'), name) };
  }
  const prompt = openPrompt(signal);
  if (prompt === undefined)
    throw cannot(
      name,
      'there is no terminal to ask for the password',
      `ocl login ${name} -u ${username ?? 'USER'} --password-stdin < FILE`,
    );
  try {
    const user = username ?? checkUsername(await prompt.ask(`Account at ${name}: `, true), name);
    const password = await prompt.ask('Password or token (not shown): ', false);
    if (password === '') throw cannot(name, 'the password is empty', `ocl login ${name} -u ${user}`);
    return { kind: 'password', username: user, password: checkSecret(password, name) };
  } finally {
    prompt.close();
  }
}

/** Basic authentication puts a colon between name and password (RFC 7617). */
function checkUsername(username: string, name: string): string {
  if (username === '') throw cannot(name, 'the account is empty', `ocl login ${name} -u USER`);
  if (/[:\p{Cc}]/u.test(username))
    throw cannot(name, 'an account has no colon and no control characters', `ocl login ${name} -u USER`);
  return username;
}

function checkSecret(secret: string, name: string): string {
  if (!secret.includes('\0')) return secret;
  throw cannot(name, 'a password has no NUL', `ocl login ${name} -u USER --password-stdin < FILE`);
}

function cannot(name: string, why: string, hint: string): OclError {
  return new OclError('OCL_USAGE', `Cannot log in to ${name}: ${why}`, { hint });
}

function needsAuthFile(host: string): OclError {
  return cannot(host, "docker's config.json knows whole registries alone", `ocl login ${host} --auth-file auth.json`);
}

function warn({ emit }: Env, message: string): void {
  emit({ type: 'notice', level: 'warning', message });
}
