import { OclError, toOclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { type FoundCredential } from '../../stores/registry/credentials.ts';
import { formatScope, knownScopes, parseLoginScope, type LoginScope } from '../../stores/registry/loginStore.ts';
import { accountOf } from '../../stores/registry/verifyLogin.ts';
import { defineCommand } from '../command.ts';
import { type Env } from '../env.ts';
import { EXIT } from '../exit.ts';
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
      const scopes =
        args.host === undefined ? await knownScopes(sources, sources.helpers) : [parseLoginScope(args.host)];
      const rows: string[][] = [];
      let refused = false;
      for (const scope of scopes) {
        const found = await env.credentials.locate(scope.registry, scope.path);
        if (found === undefined) {
          if (args.host !== undefined) throw nobody(scope);
          continue;
        }
        const answer = args.check ? await check(env, scope, found) : undefined;
        refused ||= answer?.error !== undefined;
        const { kind, where } = found.source;
        const account = accountOf(found.credential);
        if (env.json)
          env.print(
            JSON.stringify({
              registry: formatScope(scope),
              account,
              credential: found.credential.kind,
              source: { kind, where },
              ...(answer === undefined ? {} : { check: answer.verdict, error: answer.error }),
            }),
          );
        rows.push([
          printable(formatScope(scope)),
          printable(account ?? '(token)'),
          `${kind}: ${printable(where)}`,
          ...(answer === undefined
            ? []
            : [answer.error === undefined ? answer.verdict : printable(answer.error.message)]),
        ]);
      }
      if (rows.length === 0) env.say('no logins are kept: registries are asked anonymously');
      else if (!env.json)
        env.print(formatTable(['REGISTRY', 'ACCOUNT', 'SOURCE', ...(args.check ? ['CHECK'] : [])], rows));
      return refused ? EXIT.refused : EXIT.done;
    });
  },
);

interface Checked {
  readonly verdict: 'accepted' | 'unasked' | 'failed';
  readonly error?: { readonly code: string; readonly message: string } | undefined;
}

async function check(env: Env, scope: LoginScope, { credential }: FoundCredential): Promise<Checked> {
  try {
    return { verdict: await env.registries.verify(scope.registry, credential) };
  } catch (error) {
    if (env.signal.aborted) throw error;
    const { code, message } = toOclError(error);
    return { verdict: 'failed', error: { code, message } };
  }
}

function nobody(scope: LoginScope): OclError {
  const name = formatScope(scope);
  return new OclError(
    'OCL_NOT_FOUND',
    `Cannot tell the account at ${name}: no login is kept, so it is asked anonymously`,
    {
      hint: `ocl login ${name}`,
    },
  );
}
