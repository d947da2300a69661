import { OclError, toOclError, type ErrorCode } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { type Credential, type CredentialSource } from '../../stores/registry/auth/credentials.ts';
import { formatScope, knownScopes, parseLoginScope, type LoginScope } from '../../stores/registry/auth/loginStore.ts';
import { accountOf, type Verdict } from '../../stores/registry/auth/verifyLogin.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT, EXIT_OF } from '../exit.ts';
import { loginSources } from '../logins.ts';
import { formatTable } from '../render/format.ts';
import { runCommand } from '../run.ts';

export const whoami = defineCommand(
  (cli) =>
    cli
      .positional('host', {
        type: 'string',
        describe: 'HOST[:PORT] of a registry, or a part of one; all when left out',
      })
      .option('check', { type: 'boolean', default: false, describe: 'Ask the registry whether it takes the login' })
      .example('$0 whoami ghcr.io', 'Which account, and where it was found')
      .example('$0 whoami --check', 'Does every login still work?'),
  async (args) => {
    await runCommand(args, { showsOnly: true }, async (env) => {
      const sources = loginSources();
      const { host } = args;
      const scopes =
        host === undefined ? await knownScopes(sources, sources.helpers, env.emit) : [parseLoginScope(host)];
      const told: Told[] = [];
      for (const scope of scopes) {
        const each = await tell(env, scope, args.check, host !== undefined);
        if (each === undefined) continue;
        if (env.json) env.print(JSON.stringify(each));
        told.push(each);
      }
      if (told.length === 0) env.say('no logins are kept: registries are asked anonymously');
      else if (!env.json) env.print(table(told, args.check));
      const error = told.find((each) => each.error !== undefined)?.error;
      if (error === undefined) return EXIT.done;
      return told.length === 1 ? EXIT_OF[error.code] : EXIT.failed;
    });
  },
);

/** What is known of one login; it holds no secret. */
interface Told {
  readonly registry: string;
  readonly account?: string | undefined;
  readonly credential?: Credential['kind'];
  readonly source?: CredentialSource;
  readonly check?: Verdict | 'failed';
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

/** @param alone whether only this one was asked for, so that its failures end the command */
async function tell(env: Env, scope: LoginScope, check: boolean, alone: boolean): Promise<Told | undefined> {
  const registry = formatScope(scope);
  let known: Told = { registry };
  try {
    const found = await env.credentials.locate(scope.registry, scope.path);
    if (found === undefined && alone) throw nobody(registry);
    if (found === undefined) return undefined;
    const { credential, source } = found;
    known = { registry, account: accountOf(credential), credential: credential.kind, source };
    return check ? { ...known, check: await env.registries.verify(scope.registry, credential) } : known;
  } catch (thrown) {
    const error = toOclError(thrown);
    if (env.signal.aborted || (alone && known.source === undefined)) throw error;
    return { ...known, ...(check ? { check: 'failed' } : {}), error: { code: error.code, message: error.message } };
  }
}

function table(told: readonly Told[], check: boolean): string {
  const rows = told.map(({ registry, account, source, check: verdict = '', error }) => [
    printable(registry),
    printable(account ?? (source === undefined ? '-' : '(token)')),
    source === undefined ? printable(error?.message ?? '') : `${source.kind}: ${printable(source.where)}`,
    ...(check ? [source === undefined || error === undefined ? verdict : printable(error.message)] : []),
  ]);
  return formatTable(['REGISTRY', 'ACCOUNT', 'SOURCE', ...(check ? ['CHECK'] : [])], rows);
}

function nobody(name: string): OclError {
  return new OclError(
    'OCL_NOT_FOUND',
    `Cannot tell the account at ${name}: no login is kept, so it is asked anonymously`,
    { hint: `ocl login ${name}` },
  );
}
