import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startOnFreePort, type Running } from './serversDistribution.ts';

export const NGINX = 'nginx';

export interface NginxOptions {
  /** `host:port` of the registry behind. */
  readonly upstream: string;
  /** `user:password` for the registry, which the host of the blobs shows it in place of the client's. */
  readonly login: string;
  /** Bytes of a request's body beyond which 413 is answered. */
  readonly bodyBytes: number;
}

export interface Fronted extends Running {
  /** Where blobs are fetched from: a host that takes no logins. */
  readonly blobs: string;
}

/**
 * nginx in front of a registry as people set it up, with what hurts clients: reading a blob redirects to another origin,
 * which refuses requests with a login as stores with signed addresses do; bodies are limited; and a connection is
 * closed without a word after 50 ms of idleness and after 20 requests.
 */
export async function startNginx({ upstream, login, bodyBytes }: NginxOptions): Promise<Fronted> {
  const [front, blobs] = [await mkdtemp(join(tmpdir(), 'ocl-nginx-')), await mkdtemp(join(tmpdir(), 'ocl-nginx-'))];
  const store = await start(blobs, (host) => [
    `server { listen ${host};`,
    '  location / {',
    '    if ($http_authorization != "") { return 400; }',
    `    proxy_set_header Authorization "Basic ${Buffer.from(login).toString('base64')}";`,
    `    proxy_pass http://${upstream};`,
    '  }',
    '}',
  ]);
  try {
    const server = await start(front, (host) => [
      `server { listen ${host};`,
      '  keepalive_timeout 50ms;',
      '  keepalive_requests 20;',
      `  client_max_body_size ${bodyBytes};`,
      '  location / { proxy_pass http://$registry; }',
      '  location ~ "^/v2/.+/blobs/sha(256|512):" {',
      `    if ($request_method ~ "^(GET|HEAD)$") { return 307 http://${store.host}$request_uri; }`,
      '    proxy_pass http://$registry;',
      '  }',
      '}',
    ]);
    return {
      host: server.host,
      blobs: store.host,
      async stop() {
        await server.stop();
        await store.stop();
      },
    };
  } catch (error) {
    await store.stop();
    throw error;
  }

  async function start(directory: string, serverOf: (host: string) => readonly string[]): Promise<Running> {
    await mkdir(join(directory, 'tmp'));
    return await startOnFreePort(NGINX, directory, async (host) => {
      const file = join(directory, 'nginx.conf');
      await writeFile(file, configuration(directory, serverOf(host), upstream));
      return ['-p', directory, '-c', file, '-e', 'stderr'];
    });
  }
}

function configuration(directory: string, server: readonly string[], upstream: string): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return [
    'daemon off;',
    'master_process off;',
    `pid ${directory}/pid;`,
    'error_log stderr crit;',
    'events { worker_connections 256; }',
    'http {',
    'access_log off;',
    ...kinds.map((kind) => `${kind}_temp_path ${directory}/tmp/${kind};`),
    `map "" $registry { default ${upstream}; }`,
    'proxy_http_version 1.1;',
    'proxy_set_header Host $http_host;',
    'proxy_request_buffering off;',
    'proxy_buffering off;',
    ...server,
    '}',
    '',
  ].join('\n');
}
