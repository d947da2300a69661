import { toOclError } from '../../../core/errors.ts';
import { API_CHECKS } from './api.ts';
import { CONNECTION_CHECKS } from './connection.ts';
import { REPOSITORY_CHECKS } from './repository.ts';
import { endpointOf } from '../hosts.ts';
import { type Case, type Check, type DiagnoseOptions, type Finding, type Step } from './step.ts';

const CHECKS: readonly Check[] = [...CONNECTION_CHECKS, ...API_CHECKS, ...REPOSITORY_CHECKS];

/**
 * Goes the way that every request to a registry goes, a step at a time, and ends after the first that fails. Nothing is pulled,
 * and an upload that was begun is given up.
 * @throws the signal's reason
 */
export async function* diagnose(options: DiagnoseOptions): AsyncGenerator<Step> {
  let on: Case;
  try {
    const settings = options.hosts.get(options.registry) ?? {};
    const endpoint = endpointOf(options.registry, settings);
    on = {
      ...options,
      ...endpoint,
      settings,
      proxy: undefined,
      addresses: [],
      socket: undefined,
      challenges: [],
      found: undefined,
    };
  } catch (error) {
    yield {
      step: 'settings',
      ms: 0,
      ...failure(error, 'check the options and the directories of certificates: ocl ping --help'),
    };
    return;
  }
  try {
    for (const check of CHECKS) {
      const started = performance.now();
      const limit = AbortSignal.timeout(options.timeout);
      const signal = options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]);
      const finding = await run(check, on, signal, limit);
      if (finding === undefined) continue;
      const ok = finding.ok !== false;
      yield { ...finding, step: check.step, ok, ms: Math.round(performance.now() - started) };
      if (!ok) return;
    }
  } finally {
    on.socket?.destroy();
  }
}

async function run(check: Check, on: Case, signal: AbortSignal, limit: AbortSignal): Promise<Finding | undefined> {
  try {
    return await check.run(on, signal);
  } catch (error) {
    on.signal?.throwIfAborted();
    const hint = check.hint?.(on);
    if (!limit.aborted) return failure(error, hint);
    return { ok: false, says: `there is no answer within ${on.timeout / 1000} s`, facts: { timeout: true }, hint };
  }
}

function failure(error: unknown, hint: string | undefined): Finding & { readonly ok: false } {
  const { code, message, hint: own } = toOclError(error);
  // Who reads this has typed that already.
  const next = own === undefined || own.includes('ocl ping') ? undefined : own;
  return { ok: false, says: message, facts: { code }, hint: next ?? hint };
}
