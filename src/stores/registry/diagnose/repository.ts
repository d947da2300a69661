import { OclError } from '../../../core/errors.ts';
import { isDigest } from '../../../core/digest.ts';
import { MANIFEST_ACCEPT } from '../../../core/mediaTypes.ts';
import { printable } from '../../../core/redact.ts';
import { discard, header } from '../../../io/httpMessages.ts';
import { RegistryClient } from '../client.ts';
import { ONCE } from './api.ts';
import { hasStatus } from '../errors.ts';
import { remedyFor } from '../auth/explain.ts';
import { RepositoryPaths } from '../paths.ts';
import { sessionOf } from '../transfer/session.ts';
import { type Case, type Check, type Finding } from './step.ts';

/** Whether a login is taken, and what it may do; by the client that does all else, too. */
export const REPOSITORY_CHECKS: readonly Check[] = [
  { step: 'login', run: logIn, hint: ({ registry }) => `ocl login ${registry}` },
  { step: 'pull', run: tryPull },
  { step: 'push', run: tryPush },
];

async function logIn(on: Case, signal: AbortSignal): Promise<Finding | undefined> {
  if (on.found === undefined || on.challenges.length === 0) return undefined;
  const { registry, image } = on;
  const need = image === undefined ? { scopes: [], repository: undefined } : pathsOf(on, image).pull;
  const action = `log in to ${registry}`;
  try {
    await discard(await clientOf(on, signal).send({ method: 'GET', to: '', need, action, ok: [200] }));
  } catch (error) {
    if (!(error instanceof OclError) || !hasStatus(error, 401, 403)) throw error;
    return {
      ok: false,
      says: error.message,
      facts: { status: error.status },
      hint: remedyFor(on.found) ?? `log in anew: ocl login ${registry}`,
    };
  }
  return { says: `${registry} takes the login`, facts: { status: 200 } };
}

/** HEAD, which costs no pull where pulls are counted (spec oci.md 8.1). */
async function tryPull(on: Case, signal: AbortSignal): Promise<Finding | undefined> {
  if (on.image === undefined) return undefined;
  const { name } = on.image;
  const paths = pathsOf(on, on.image);
  const shown = `${paths.name}${isDigest(name) ? '@' : ':'}${name}`;
  const client = clientOf(on, signal);
  try {
    const answer = await client.send({
      method: on.settings.head === false ? 'GET' : 'HEAD',
      to: paths.manifest(name),
      need: paths.pull,
      action: `look for ${shown}`,
      ok: [200],
      headers: { accept: MANIFEST_ACCEPT },
    });
    await discard(answer);
    const digest = printable((header(answer.headers, 'docker-content-digest') ?? '').slice(0, 200));
    const mediaType = printable((header(answer.headers, 'content-type') ?? '').slice(0, 200));
    return { says: `${shown} is there and may be pulled`, facts: { image: shown, status: 200, digest, mediaType } };
  } catch (error) {
    if (hasStatus(error, 404) && on.push === true)
      return { says: `${shown} is not there yet`, facts: { image: shown, status: 404 } };
    if (!hasStatus(error, 401, 403, 404)) throw error;
    const missing = error.status === 404;
    return {
      ok: false,
      says: missing ? `${shown} is not there, or this account may not see it` : error.message,
      facts: { image: shown, status: error.status },
      hint: missing ? `ocl tag ls ${paths.name}` : refusedHint(on),
    };
  }
}

/** Begins an upload and gives it up: nothing is left, whatever comes of it. */
async function tryPush(on: Case, signal: AbortSignal): Promise<Finding | undefined> {
  if (on.image === undefined || on.push !== true) return undefined;
  const paths = pathsOf(on, on.image);
  const need = paths.push;
  const action = `begin an upload to ${paths.name}`;
  try {
    const client = clientOf(on, signal);
    const answer = await client.send({ method: 'POST', to: paths.uploads, need, action, ok: [202] });
    await discard(answer);
    const { url } = sessionOf(client, answer, action);
    const cancelled = await giveUp(on, url);
    return {
      says: `${paths.name} takes uploads`,
      facts: { repository: paths.name, status: 202, cancelled },
      details: cancelled
        ? []
        : ['the registry did not say that it gave the upload up; it does so by itself after a while'],
    };
  } catch (error) {
    if (!hasStatus(error, 401, 403, 404, 405)) throw error;
    return {
      ok: false,
      says: error.message,
      facts: { repository: paths.name, status: error.status },
      hint:
        error.status === 404
          ? 'make the repository or project at the registry first: some do not do it by themselves'
          : error.status === 405
            ? 'the registry is read-only: a proxy cache, or switched so'
            : refusedHint(on),
    };
  }

  /** With a time of its own: what was begun is ended, even when the step's time is over. */
  async function giveUp({ timeout }: Case, url: URL): Promise<boolean> {
    try {
      const client = clientOf(on, AbortSignal.timeout(timeout));
      const ended = `give up an upload to ${paths.name}`;
      await discard(await client.send({ method: 'DELETE', to: url, need, action: ended, ok: [200, 202, 204] }));
      return true;
    } catch {
      return false;
    }
  }
}

function refusedHint({ registry, found }: Case): string {
  if (found === undefined) return `ocl login ${registry}`;
  return `give the account the right to do this, or take another one: ocl login ${registry}`;
}

function pathsOf({ registry, settings }: Case, image: { readonly repository: string }): RepositoryPaths {
  return new RepositoryPaths(registry, image.repository, settings.pathPrefix);
}

function clientOf(on: Case, signal: AbortSignal): RegistryClient {
  return new RegistryClient({ ...on, retry: ONCE, signal });
}
