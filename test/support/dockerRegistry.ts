import { peer } from './peers.ts';
import { startDistribution, type Running } from './serversDistribution.ts';

export type DockerRegistry = Running;

export const DOCKER_REGISTRY = 'docker-registry';

/** Why tests against Debian's registry are left out; undefined when it is installed. */
export function whyNoDockerRegistry(): string | undefined {
  return peer(DOCKER_REGISTRY).missing ? `${DOCKER_REGISTRY} is not installed` : undefined;
}

/**
 * Debian's docker-registry on a free port with a directory of its own; undefined when it is not installed.
 * @param more lines of its configuration besides
 */
export async function startDockerRegistry(more: readonly string[] = []): Promise<DockerRegistry | undefined> {
  return whyNoDockerRegistry() === undefined ? await startDistribution(DOCKER_REGISTRY, { more }) : undefined;
}
