import { type Duplex } from 'node:stream';
import { type Clock } from '../../../core/clock.ts';
import { type Emit } from '../../../core/events.ts';
import { type Http } from '../../../io/httpMessages.ts';
import { type Proxy, type ProxySettings } from '../../../io/proxy.ts';
import { type Challenge } from '../auth/challenge.ts';
import { type Credentials, type FoundCredential } from '../auth/credentials.ts';
import { type Hosts } from '../certs.ts';
import { type Endpoint, type HostSettings } from '../hosts.ts';

export type StepName =
  | 'settings'
  | 'proxy'
  | 'dns'
  | 'tcp'
  | 'tunnel'
  | 'tls'
  | 'api'
  | 'challenge'
  | 'credentials'
  | 'token'
  | 'login'
  | 'pull'
  | 'push';

/** What one step found. Texts of strangers in it are printable. */
export interface Finding {
  /** True when it is not given. */
  readonly ok?: boolean | undefined;
  /** In one line; why not, when it is not ok. */
  readonly says: string;
  /** What to do about a failure: a command to type, or a file. */
  readonly hint?: string | undefined;
  /** For programs; names and meanings are stable. Holds no secrets. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** More lines for people. */
  readonly details?: readonly string[] | undefined;
}

export interface Step extends Finding {
  readonly step: StepName;
  readonly ok: boolean;
  /** Milliseconds. */
  readonly ms: number;
}

/** The means by which a registry is reached. */
export interface Reach {
  readonly hosts: Hosts;
  readonly http: Http;
  readonly clock: Clock;
  readonly credentials: Credentials;
  readonly emit: Emit;
  /** Those of `http`. */
  readonly proxies?: ProxySettings | undefined;
  /** What `http` trusts, a host's own authorities among them: PEM texts; undefined: what Node brings. */
  readonly authorities?: ((own: readonly string[]) => Promise<readonly string[] | undefined>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface DiagnoseOptions extends Reach {
  /** As references have it. */
  readonly registry: string;
  /** Asks whether this may be pulled. */
  readonly image?: { readonly repository: string; readonly name: string } | undefined;
  /** Asks also whether the repository of `image` takes uploads. */
  readonly push?: boolean | undefined;
  /** The variables that the proxies came from, for people. */
  readonly variables?: Partial<Readonly<Record<keyof ProxySettings, string>>> | undefined;
  /** Milliseconds that one step may take. */
  readonly timeout: number;
}

/** What a check works with: the question, and what the checks before it found. */
export interface Case extends DiagnoseOptions, Endpoint {
  readonly settings: HostSettings;
  /** The one that requests go through. */
  proxy: Proxy | undefined;
  addresses: readonly string[];
  /** Open, to the registry or to the proxy. */
  socket: Duplex | undefined;
  challenges: readonly Challenge[];
  found: FoundCredential | undefined;
}

export interface Check {
  readonly step: StepName;
  /** Undefined: there is nothing to look at. What it throws becomes a failure. */
  readonly run: (on: Case, signal: AbortSignal) => Finding | undefined | Promise<Finding | undefined>;
  /** What to do when the step fails in a way that brings no hint of its own. */
  readonly hint?: ((on: Case) => string) | undefined;
}
