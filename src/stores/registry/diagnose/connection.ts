import { systemCode } from '../../../core/errors.ts';
import { isLoopback } from '../../../io/addresses.ts';
import { connectionError } from '../../../io/connectionError.ts';
import { addressesOf, askForTunnel, bareHost, connectToAny, portOf, type Attempt } from '../../../io/probe.ts';
import { parseProxy, proxyFor } from '../../../io/proxy.ts';
import { type Case, type Check, type Finding } from './step.ts';
import { checkTls, proxyContextOf } from './tls.ts';
import { type HostSettings } from '../hosts.ts';

/** From the name of a registry to a connection that can carry HTTP. */
export const CONNECTION_CHECKS: readonly Check[] = [
  { step: 'settings', run: showSettings },
  { step: 'proxy', run: chooseProxy },
  {
    step: 'dns',
    run: lookUp,
    hint: ({ base }) => `check the name servers of this machine: getent hosts ${bareHost(base.hostname)}`,
  },
  { step: 'tcp', run: connect },
  { step: 'tunnel', run: passProxy, hint: ({ proxy }) => `check that the proxy at ${proxy?.url.host ?? ''} runs` },
  { step: 'tls', run: checkTls },
];

function showSettings({ registry, settings, base }: Case): Finding {
  const scheme = base.protocol.slice(0, -1);
  const why = reasonOf(registry, base, settings);
  const { pathPrefix, hostname } = settings;
  const prefix = (pathPrefix ?? '').replaceAll(/^\/+|\/+$/g, '');
  return {
    says: `${base.origin}: ${why}`,
    facts: {
      registry,
      dialled: base.host,
      scheme,
      why,
      pathPrefix: prefix === '' ? null : prefix,
      certificates: scheme === 'http' ? null : settings.tls === 'insecure' ? 'any' : 'verified',
    },
    details: [
      ...(hostname === undefined ? [] : [`the settings of ${registry} name ${hostname} as the host to dial`]),
      ...(prefix === '' ? [] : [`its repositories are below ${prefix}/ there`]),
    ],
  };
}

function reasonOf(registry: string, base: URL, { tls }: HostSettings): string {
  if (tls === 'disabled') return 'http is asked for, by --plain-http or tls: disabled';
  if (tls === 'insecure') return 'any certificate is taken, by --insecure or tls: insecure';
  if (tls === 'enabled') return 'https is asked for, by tls: enabled';
  if (base.protocol === 'http:') return 'hosts of this machine are spoken to by http';
  if (isLoopback(base.hostname)) return 'https, as certificates are set for it';
  return registry === 'docker.io' ? 'where Docker Hub is' : 'https is the rule';
}

function chooseProxy(on: Case): Finding {
  const { base, proxies } = on;
  const chosen = proxyFor(base, proxies);
  if (chosen === undefined) {
    const why = whyNoProxy(on);
    return { says: `none: ${why}`, facts: { proxy: null, why } };
  }
  on.proxy = parseProxy(chosen, base);
  const variable = variableOf(on, kindOf(base));
  const { url, authorization } = on.proxy;
  const where = `${url.protocol}//${authorization === undefined ? '' : '***@'}${url.host}`;
  return { says: `${where}, from ${variable}`, facts: { proxy: where, variable, login: authorization !== undefined } };
}

function kindOf({ protocol }: URL): 'http' | 'https' {
  return protocol === 'https:' ? 'https' : 'http';
}

function variableOf({ variables }: Case, kind: 'http' | 'https' | 'except'): string {
  return variables?.[kind] ?? (kind === 'except' ? 'no_proxy' : `${kind}_proxy`);
}

/** Stands for a proxy where it does not matter which. */
const ANY = 'http://proxy';

function whyNoProxy(on: Case): string {
  const { base, proxies } = on;
  const variable = variableOf(on, kindOf(base));
  const given = proxies?.[kindOf(base)];
  if (given === undefined || given === '') return `${variable} is not set`;
  if (isLoopback(base.hostname)) return `hosts of this machine are reached without ${variable}`;
  const entries = (proxies?.except ?? '').split(/[\s,]+/).filter((entry) => entry !== '');
  const entry = entries.find((each) => proxyFor(base, { http: ANY, https: ANY, except: each }) === undefined);
  return `${variableOf(on, 'except')} has ${JSON.stringify(entry ?? '')}`;
}

/** Behind a proxy the registry's name is the proxy's business. */
async function lookUp(on: Case, signal: AbortSignal): Promise<Finding> {
  const { hostname } = on.proxy?.url ?? on.base;
  const host = bareHost(hostname);
  const whose = on.proxy === undefined ? '' : ' (the proxy; it looks the registry up itself)';
  try {
    on.addresses = await addressesOf(hostname, signal);
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOTFOUND' && code !== 'EAI_AGAIN') throw error;
    const why = code === 'ENOTFOUND' ? 'the name is not known here' : 'the name server does not answer';
    return {
      ok: false,
      says: `${host}${whose}: ${why}`,
      facts: { name: host, code },
      hint:
        code === 'ENOTFOUND'
          ? `check the name, or put it into /etc/hosts; where only a proxy leads out: export https_proxy=http://PROXY:PORT`
          : `check the name servers in /etc/resolv.conf`,
    };
  }
  const literal = on.addresses.length === 1 && on.addresses[0] === host;
  return {
    says: literal ? `${host} is an address` : `${host}${whose}: ${on.addresses.join(', ')}`,
    facts: { name: host, addresses: on.addresses },
  };
}

const RESULTS: Readonly<Record<Attempt['result'], string>> = {
  connected: 'connected',
  refused: 'refused',
  timeout: 'no answer',
  unreachable: 'no way leads there',
  left: 'not waited for',
  failed: 'failed',
};

async function connect(on: Case, signal: AbortSignal): Promise<Finding> {
  const target = on.proxy?.url ?? on.base;
  const port = portOf(target);
  const { attempts, socket } = await connectToAny(on.addresses, port, signal);
  on.signal?.throwIfAborted();
  on.socket = socket;
  const details = attempts.map(
    ({ address, result, code, ms }) =>
      `${address}  ${RESULTS[result]}${result === 'failed' && code !== undefined ? ` (${code})` : ''}, ${ms} ms`,
  );
  const facts = { port, attempts };
  const made = attempts.find(({ result }) => result === 'connected');
  if (made !== undefined) return { says: `connected to ${made.address} port ${port}`, facts, details };
  const results = new Set(attempts.map(({ result }) => result));
  const [only] = results.size === 1 ? results : [];
  const place = `${bareHost(target.hostname)} port ${port}${on.proxy === undefined ? '' : ', the proxy'}`;
  return { ok: false, says: reasonOfFailure(only, place), facts, details, hint: tcpHint(on, only) };
}

function reasonOfFailure(result: Attempt['result'] | undefined, place: string): string {
  if (result === 'refused') return `nothing listens at ${place}`;
  if (result === 'timeout')
    return `there is no answer from ${place}: a firewall drops what is sent, or the host is down`;
  if (result === 'unreachable') return `this machine has no way to ${place}`;
  return `none of its addresses takes connections, at ${place}`;
}

function tcpHint({ base, registry, proxy }: Case, result: Attempt['result'] | undefined): string {
  if (proxy !== undefined)
    return `check that the proxy runs, or go without it: no_proxy=${registry} ocl ping ${registry}`;
  if (result === 'refused') return `check that the registry runs, or name its port: ocl ping ${base.hostname}:PORT`;
  return 'ask for the way through the firewall, or name a proxy: export https_proxy=http://PROXY:PORT';
}

/** https goes through a proxy in a tunnel; http is handed to it request by request. */
async function passProxy(on: Case, signal: AbortSignal): Promise<Finding | undefined> {
  const { proxy, base } = on;
  if (proxy === undefined) return undefined;
  on.socket?.destroy();
  on.socket = undefined;
  if (base.protocol === 'http:') return undefined;
  const target = `${base.hostname}:${portOf(base)}`;
  const context = await proxyContextOf(on);
  const { status, socket } = await askForTunnel(proxy, target, context, signal).catch((error: unknown) => {
    throw signal.aborted ? error : connectionError(error, base, { answered: false, proxy: proxy.url });
  });
  on.socket = socket;
  const facts = { target, status };
  if (socket !== undefined) return { says: `the proxy leads to ${target}`, facts };
  return {
    ok: false,
    says: `the proxy ${proxy.url.host} answers ${status}: ${refusalOf(status, target)}`,
    facts,
    hint: tunnelHint(on, status),
  };
}

function refusalOf(status: number, target: string): string {
  if (status === 407) return 'it asks for a login, or refuses the one it was given';
  if (status === 403) return `it does not let anybody go to ${target}`;
  if (status >= 500) return `it does not reach ${target} itself`;
  return `it does not open a way to ${target}`;
}

function tunnelHint({ proxy, base }: Case, status: number): string {
  if (status === 407) return `export https_proxy=http://USER:PASSWORD@${proxy?.url.host ?? ''}`;
  return `ask who keeps the proxy to allow ${base.host}, or go without it: export no_proxy=${base.hostname}`;
}
