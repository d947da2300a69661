import { expect, it } from 'vitest';
import { OclError } from '../../../src/core/errors.ts';
import { parseReference } from '../../../src/core/reference.ts';
import { loadConfig } from '../../../src/sync/config.ts';
import { type SyncJob } from '../../../src/sync/list.ts';
import { StepProgress, type StepEnd } from '../../../src/sync/server/stepProgress.ts';
import { type SyncStep } from '../../../src/sync/settings.ts';
import { surroundings } from '../../support/surroundings.ts';

const ENDS = 'type: repository, source: s.test/a, target: t.test/a';

function stepOf(more: string): SyncStep {
  const { config } = loadConfig(`sync: [{${ENDS}${more}}]`, 'sync.yaml', surroundings());
  const [step] = config.steps;
  if (step === undefined) throw new Error('there is no step');
  return step;
}

function job(step: SyncStep, tag: string): SyncJob {
  const from = parseReference(`docker://s.test/a:${tag}`);
  return { step, image: `s.test/a:${tag}`, from, to: from };
}

function watch(...steps: readonly SyncStep[]): { progress: StepProgress; ends: [SyncStep, StepEnd][] } {
  const ends: [SyncStep, StepEnd][] = [];
  return { progress: new StepProgress(steps, (step, end) => void ends.push([step, end])), ends };
}

function settle(
  progress: StepProgress,
  one: SyncJob,
  outcome: 'copied' | 'current' | 'failed',
  error?: OclError,
): void {
  progress.settled({ job: one, outcome, reason: '', digest: undefined, before: undefined, bytes: 5, ms: 1, error });
}

const refused = new OclError('OCL_DENIED', 'Cannot push: it is refused');

it('ends a step with its last image, and one that has none when it was listed', () => {
  const [one, empty, later] = [stepOf(''), stepOf(''), stepOf('')];
  const { progress, ends } = watch(one, empty, later);
  expect(progress.hasBegun).toBe(false);
  const jobs = [job(one, '1'), job(one, '2')] as const;
  progress.listed({ steps: [one, empty], jobs, failed: [], repositories: [] });
  expect(progress.hasBegun).toBe(true);
  expect(ends.map(([step]) => step)).toEqual([empty]);
  settle(progress, jobs[0], 'copied');
  expect(ends).toHaveLength(1);
  settle(progress, jobs[1], 'failed', refused);
  expect(ends[1]).toEqual([
    one,
    {
      copied: 1,
      current: 0,
      skipped: 0,
      failed: 1,
      bytes: 10,
      ended: true,
      failures: [{ image: 's.test/a:2', code: 'OCL_DENIED', message: 'Cannot push: it is refused' }],
    },
  ]);
  // What was never listed has not come to its end.
  progress.finish(undefined);
  expect(ends[2]).toMatchObject([later, { ended: false, failed: 0 }]);
});

it('does not end a step before it was pruned, and counts what pruning could not do', () => {
  const step = stepOf(', prune: true');
  const { progress, ends } = watch(step);
  const one = job(step, '1');
  progress.listed({ steps: [step], jobs: [one], failed: [], repositories: [] });
  settle(progress, one, 'current');
  expect(ends).toEqual([]);
  const to = { ...parseReference('docker://t.test/a:0'), tag: '0' };
  const gone = { target: 't.test/a:0', to, digest: 'sha256:0', image: '', step, reason: '', copied: 0 } as const;
  progress.pruned(gone);
  progress.pruned(gone, refused);
  progress.finish(undefined);
  expect(ends).toMatchObject([[step, { ended: true, current: 1, failed: 1, failures: [{ image: 't.test/a:0' }] }]]);
});

it('keeps the words of a few failures, and counts all', () => {
  const step = stepOf('');
  const { progress, ends } = watch(step);
  const jobs = Array.from({ length: 500 }, (_, i) => job(step, String(i)));
  progress.listed({ steps: [step], jobs, failed: [{ step, image: 's.test/b', error: refused }], repositories: [] });
  for (const one of jobs) settle(progress, one, 'failed', refused);
  expect(ends[0]?.[1].failed).toBe(501);
  expect(ends[0]?.[1].failures).toHaveLength(10);
});

it.each([
  ['is no failure when it was stopped', new OclError('OCL_CANCELLED', 'Stopped'), 0],
  ['is one when it broke', new OclError('OCL_IO', 'Cannot read'), 1],
])('the end of a run before its time %s', (_, error, failed) => {
  const step = stepOf('');
  const { progress, ends } = watch(step);
  progress.finish(error);
  expect(ends).toMatchObject([[step, { ended: false, failed }]]);
});
