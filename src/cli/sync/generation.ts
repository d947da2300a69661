import { type Emit } from '../../core/events.ts';
import { isRegistryHost, parseReference } from '../../core/reference.ts';
import { type Throttle } from '../../io/throttle.ts';
import { createHookRunner } from '../../sync/hooks.ts';
import { runJournaled } from '../../sync/journaled.ts';
import { type Journal } from '../../sync/journal/journal.ts';
import { type Generation, type HostLimit } from '../../sync/server/generation.ts';
import { type SyncConfig, type SyncStep } from '../../sync/settings.ts';
import { stepKey } from '../../sync/stepKey.ts';
import { createStores } from '../../stores.ts';
import { createEnv, type Env, type GlobalArguments } from '../env.ts';
import { createJsonRenderer } from '../render/json.ts';
import { createPlainRenderer } from '../render/plain.ts';
import { type Renderer } from '../render/renderer.ts';
import { openConfig, surroundings } from './file.ts';
import { envOptions } from './hosts.ts';
import { pullBudget } from './pulls.ts';

export interface GenerationArguments extends GlobalArguments {
  readonly config: string;
  readonly concurrency: number;
  readonly allowEmpty: boolean;
}

export interface GenerationContext {
  /** Of the command. */
  readonly env: Env;
  readonly journal: Journal | undefined;
  /** One rate for all of its generations. */
  readonly throttle: Throttle | undefined;
  /** Ends all requests. */
  readonly signal: AbortSignal;
}

/** Reads the file, and makes the ways to registries that it describes. @throws as openConfig */
export async function openGeneration(
  args: GenerationArguments,
  { env, journal, throttle, signal }: GenerationContext,
): Promise<Generation> {
  const config = await openConfig(args.config);
  const own = createEnv(args, signal, { ...envOptions(config), throttle });
  // One account for all runs. A log has no bars, so waiting is a line of it.
  const mayPull = pullBudget({ ...own, emit: createRunRenderer(args, env).emit }, journal);
  return {
    config,
    async run(steps, { missing, ...how }) {
      const { clock, http, registries, tmpDir } = own;
      // Both keep what they were told: a run has its own, for a server lives for months.
      const renderer = createRunRenderer(args, env);
      const emit = withoutUnchanged(renderer.emit, args);
      const stores = createStores({ clock, emit, registries, tmpDir, signal: how.signal });
      try {
        const report = await runJournaled({ ...config, steps }, stores, {
          ...how,
          clock,
          emit,
          journal,
          missing,
          mayPull,
          surroundings,
          file: config,
          rememberSteps: !missing,
          allowEmpty: args.allowEmpty,
          concurrency: args.concurrency,
          catalog: (registry) => registries.catalog(registry),
          runHook: createHookRunner({ clock, http, env: process.env, signal: how.signal }),
        });
        for (const { image, error } of report.failed) if (!renderer.hasShown(error, image)) env.sayFailed(image, error);
        return report;
      } finally {
        renderer.close();
        await stores.close();
      }
    },
    lastRun(step) {
      const time = journal?.latest('step', stepKey(step))?.time;
      return time === undefined ? undefined : Date.parse(time);
    },
    limits: () => limitsOf(config, own),
    close: async () => await own.close(),
  };
}

function createRunRenderer(args: GlobalArguments, env: Env): Renderer {
  return args.json
    ? createJsonRenderer((line) => env.print(line), env.clock)
    : createPlainRenderer((line) => env.say(line), env.clock);
}

/** A log that says every hour of every image that nothing has changed is read by nobody. */
function withoutUnchanged(emit: Emit, { json }: GlobalArguments): Emit {
  if (json) return emit;
  return (event) => {
    if (event.type !== 'image.done' || event.outcome !== 'current') emit(event);
  };
}

function limitsOf({ steps }: SyncConfig, { registries }: Env): readonly HostLimit[] {
  return [...new Set(steps.flatMap(registryOf))].flatMap((host) => {
    const told = registries.rateLimit(host);
    return told === undefined ? [] : [{ host, ...told }];
  });
}

function registryOf({ source }: SyncStep): readonly string[] {
  if (isRegistryHost(source)) return [source];
  try {
    const reference = parseReference(source);
    return reference.kind === 'registry' ? [reference.registry] : [];
  } catch {
    return [];
  }
}
