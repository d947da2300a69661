import { type SyncConfig, type HostSettings } from '../../sync/settings.ts';
import { type ExplicitCredential } from '../../stores/registry/auth/credentials.ts';
import { type HostSettings as RegistrySettings } from '../../stores/registry/hosts.ts';
import { type EnvOptions } from '../env.ts';

/** The file's `creds` as the registry clients take them. */
export function envOptions(config: SyncConfig): EnvOptions {
  return {
    skipDockerConfig: config.skipDockerConfig,
    userAgent: config.userAgent === '' ? undefined : config.userAgent,
    hosts: new Map(config.creds.map((host) => [host.registry, settingsOf(host)])),
    explicit: config.creds.flatMap(credentialOf),
    keptAs: new Map(
      config.creds.map(({ registry, credHost, credExpire }) => [registry, { server: credHost, keep: credExpire }]),
    ),
  };
}

function settingsOf(host: HostSettings): RegistrySettings {
  const { tls, hostname, pathPrefix, reqConcurrent, reqPerSec, regcert, clientCert, clientKey } = host;
  return {
    tls,
    hostname,
    pathPrefix,
    concurrency: reqConcurrent,
    requestsPerSecond: reqPerSec,
    chunkBytes: host.blobChunk,
    monolithicBytes: host.blobMax,
    mirrors: host.mirrors,
    priority: host.priority,
    uploadHosts: host.uploadHosts,
    head: host.disableHead !== true,
    ca: regcert === undefined ? undefined : [regcert],
    clientCert,
    clientKey,
  };
}

function credentialOf(host: HostSettings): ExplicitCredential[] {
  const { registry, user, pass, token, credHelper } = host;
  const source = { kind: 'settings', where: 'creds of the sync file' } as const;
  const of = (credential: ExplicitCredential['credential']): ExplicitCredential[] => [{ registry, credential, source }];
  if (token !== undefined) return of({ kind: 'identity', token });
  if (user !== undefined && pass !== undefined) return of({ kind: 'password', username: user, password: pass });
  return credHelper === undefined ? [] : of({ kind: 'helper', helper: credHelper });
}
