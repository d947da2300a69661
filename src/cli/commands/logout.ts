import { OclError } from '../../core/errors.ts';
import { printable } from '../../core/redact.ts';
import { eraseLogins, formatScope, knownScopes, parseLoginScope } from '../../stores/registry/auth/loginStore.ts';
import { defineCommand } from '../command.ts';
import { EXIT } from '../exit.ts';
import { loginSources } from '../logins.ts';
import { runCommand } from '../run.ts';

export const logout = defineCommand(
  (cli) =>
    cli
      .positional('host', { type: 'string', describe: 'HOST[:PORT] of the registry' })
      .option('all', { type: 'boolean', default: false, describe: 'Take away every login' })
      .option('auth-file', { type: 'string', requiresArg: true, describe: 'Look into this file alone' })
      .example('$0 logout ghcr.io', 'Forget one login')
      .example('$0 logout --all', 'Forget all that files and helpers keep'),
  async (args) => {
    await runCommand(args, {}, async (env) => {
      const { host, all, authFile } = args;
      if ((host === undefined) !== all)
        throw new OclError(
          'OCL_USAGE',
          `Cannot log out: ${all ? 'a registry and --all exclude each other' : 'name the registry'}`,
          { hint: all ? `ocl logout ${host}, or ocl logout --all` : 'ocl logout HOST, or ocl logout --all' },
        );
      const scope = host === undefined ? undefined : parseLoginScope(host);
      const sources = loginSources();
      const files = authFile === undefined ? sources.files.filter((file) => typeof file === 'string') : [authFile];
      const { from, failed } = await eraseLogins(files, scope, { ...env, helpers: sources.helpers });
      const name = scope === undefined ? 'any registry' : formatScope(scope);
      if (env.json) for (const each of from) env.print(JSON.stringify(each));
      for (const { kind, where, scope: gone } of from)
        env.say(
          `logged out of ${printable(gone)}: taken from ${kind === 'helper' ? 'docker-credential-' : ''}${printable(where)}`,
        );
      if (from.length === 0 && failed.length === 0) env.say(`no login to ${name} was kept`);
      for (const error of failed) env.sayFailed('logout', error);
      const asked =
        scope !== undefined || authFile !== undefined ? [] : await knownScopes(sources, sources.helpers, env.emit);
      for (const each of scope === undefined ? asked : [scope]) {
        const left = await env.credentials.locate(each.registry, each.path);
        if (left !== undefined && left.source.kind !== 'helper')
          env.emit({
            type: 'notice',
            level: 'warning',
            message: `${formatScope(each)} still gets the login in ${left.source.where}`,
          });
      }
      return failed.length > 0 ? EXIT.failed : EXIT.done;
    });
  },
);
