import { printable } from '../../core/redact.ts';
import { askRateLimit } from '../../stores/registry/askRateLimit.ts';
import { type RateLimit } from '../../stores/registry/rateLimit.ts';
import { defineCommand } from '../command.ts';
import { parseRegistryPlace } from '../registryPlace.ts';
import { formatDuration } from '../render/format.ts';
import { runCommand } from '../run.ts';

export const ratelimit = defineCommand(
  (cli) =>
    cli
      .positional('registry', {
        type: 'string',
        default: 'docker.io',
        describe: 'HOST[:PORT], or an image of it',
      })
      .example('$0 ratelimit', 'Pulls that Docker Hub still allows; asking costs none')
      .example('$0 ratelimit registry.example/team/app:1.0', 'What another registry tells')
      .example('$0 ratelimit docker.io --json', 'For scripts; null is unknown'),
  async (args) => {
    const { registry, image } = parseRegistryPlace(args.registry);
    await runCommand(args, { showsOnly: true }, async (env) => {
      const settings = env.reach.hosts.get(registry) ?? {};
      const limit = await askRateLimit({ ...env.reach, registry, settings, image });
      if (env.json) env.print(JSON.stringify({ registry, ...plain(limit) }));
      else env.print(describe(registry, limit, env.clock.now()));
    });
  },
);

/** Dates as ISO 8601; null: unknown. */
function plain(limit: RateLimit | undefined): object {
  const date = (time: number | undefined): string | null => (time === undefined ? null : new Date(time).toISOString());
  return {
    limit: limit?.limit ?? null,
    remaining: limit?.remaining ?? null,
    window: limit?.window ?? null,
    resetAt: date(limit?.resetAt),
    source: limit?.source ?? null,
    seenAt: date(limit?.seenAt),
  };
}

function describe(registry: string, limit: RateLimit | undefined, now: number): string {
  if (limit === undefined)
    return `${registry} tells nothing about limits: there are none for this account, or it keeps them to itself`;
  const { remaining, window, resetAt, source } = limit;
  const of = limit.limit === undefined ? '' : ` of ${limit.limit}`;
  const within = window === undefined ? '' : ` in ${formatDuration(window * 1000)}`;
  const anew = resetAt === undefined ? '' : `, anew in ${formatDuration(resetAt - now)}`;
  const who = source === undefined ? '' : `, counted for ${printable(source)}`;
  return `${registry}: ${remaining} left${of}${within}${anew}${who}`;
}
