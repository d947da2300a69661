import { OclError } from '../../core/errors.ts';
import { type ProxySettings } from '../../io/proxy.ts';
import { diagnose } from '../../stores/registry/diagnose/diagnose.ts';
import { type Step } from '../../stores/registry/diagnose/step.ts';
import { defineCommand } from '../command.ts';
import { toMilliseconds } from '../duration.ts';
import { EXIT } from '../exit.ts';
import { parseRegistryPlace } from '../registryPlace.ts';
import { stepLines, verdict } from '../render/steps.ts';
import { runCommand } from '../run.ts';

export const ping = defineCommand(
  (cli) =>
    cli
      .positional('registry', {
        type: 'string',
        demandOption: true,
        describe: 'HOST[:PORT], or an image: then also whether it may be pulled',
      })
      .option('push', {
        type: 'boolean',
        default: false,
        describe: 'Also whether the repository takes uploads; nothing is left there',
      })
      .option('timeout', {
        type: 'string',
        default: '10s',
        coerce: toMilliseconds,
        describe: 'What one step may take: 10s, 1m',
      })
      .example('$0 ping registry.example', 'Why does it not work?')
      .example('$0 ping ghcr.io/team/app:1.0', 'May I pull this?')
      .example('$0 ping registry.example:5000/team/app --push', 'May I push there?')
      .example('$0 ping registry.example --json', 'One object with all steps'),
  async (args) => {
    const { registry, image } = parseRegistryPlace(args.registry);
    if (args.push && image === undefined)
      throw new OclError('OCL_USAGE', `Cannot try a push to ${registry}: name a repository there`, {
        hint: `ocl ping ${registry}/REPOSITORY --push`,
      });
    if (args.timeout === 0)
      throw new OclError('OCL_USAGE', 'Cannot ask within no time at all', { hint: 'write it like --timeout 10s' });
    await runCommand(args, { showsOnly: !args.push }, async (env) => {
      const colours = process.stdout.isTTY && !process.env['NO_COLOR'] && process.env['TERM'] !== 'dumb';
      const steps: Step[] = [];
      const { push, timeout } = args;
      const variables = variablesOf(env.reach.proxies ?? {});
      for await (const step of diagnose({ ...env.reach, registry, image, push, timeout, variables })) {
        steps.push(step);
        if (!env.json) env.print(stepLines(step, colours));
      }
      const ok = steps.every((step) => step.ok);
      if (env.json) env.print(JSON.stringify({ host: registry, ok, steps: steps.map(plain) }));
      else env.print(verdict(args.registry, steps.at(-1)));
      return ok ? EXIT.done : EXIT.failed;
    });
  },
);

/** The variables that gave the proxies: the first with that value, in the order in which they are read. */
function variablesOf(proxies: ProxySettings): Partial<Record<keyof ProxySettings, string>> {
  const first = (value: string | undefined, ...names: readonly string[]): string | undefined =>
    names
      .flatMap((name) => [name, name.toUpperCase()])
      .find((name) => value !== undefined && process.env[name] === value);
  return {
    http: first(proxies.http, 'http_proxy', 'all_proxy') ?? 'http_proxy',
    https: first(proxies.https, 'https_proxy', 'all_proxy') ?? 'https_proxy',
    except: first(proxies.except, 'no_proxy') ?? 'no_proxy',
  };
}

function plain({ step, ok, ms, says, facts, hint }: Step): object {
  return { step, ok, ms, says, ...facts, hint: hint ?? null };
}
