import { OclError } from '../core/errors.ts';
import { stepName } from './references.ts';
import { type SyncStep } from './settings.ts';

/** Databases of scanners by the names that files call them, and where their makers publish them, in the order in which they are asked (spec/oci.md 4.3). */
export const FEEDS: Readonly<Record<string, readonly string[]>> = {
  'trivy-db': ['mirror.gcr.io/aquasec/trivy-db:2', 'ghcr.io/aquasecurity/trivy-db:2'],
  'trivy-java-db': ['mirror.gcr.io/aquasec/trivy-java-db:1', 'ghcr.io/aquasecurity/trivy-java-db:1'],
  'trivy-checks': ['mirror.gcr.io/aquasec/trivy-checks:2', 'ghcr.io/aquasecurity/trivy-checks:2'],
};

/** Where the feed of a step is to be had: its source, or the known places of its name. @throws OCL_CONFIG_INVALID */
export function feedSources(step: SyncStep): readonly string[] {
  if (step.source.trim() !== '') return [step.source.trim()];
  const known = Object.hasOwn(FEEDS, step.feed) ? FEEDS[step.feed] : undefined;
  if (known !== undefined) return known;
  throw new OclError(
    'OCL_CONFIG_INVALID',
    `Cannot run the step at ${stepName(step)}: ${step.feed === '' ? 'it has neither feed nor source' : `there is no feed ${JSON.stringify(step.feed)}`}`,
    { hint: `the feeds are ${Object.keys(FEEDS).join(', ')}; source takes any other reference` },
  );
}
