import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock } from '../core/clock.ts';
import { OclError } from '../core/errors.ts';
import { type Emit } from '../core/events.ts';
import { parsePlatform } from '../core/platform.ts';
import { isRegistryHost } from '../core/reference.ts';
import { type AuthorityPlaces } from '../io/authorities.ts';
import { type Http } from '../io/httpMessages.ts';
import { proxySettings } from '../io/proxy.ts';
import { systemClock } from '../io/systemClock.ts';
import { createThrottle, type Throttle } from '../io/throttle.ts';
import { withCertificates, type CertificatePlaces, type Hosts } from '../stores/registry/certs.ts';
import {
  createCredentials,
  type Credentials,
  type ExplicitCredential,
  type KeptAs,
} from '../stores/registry/auth/credentials.ts';
import { rememberHelper } from '../stores/registry/auth/helperCache.ts';
import { type Reach } from '../stores/registry/diagnose/step.ts';
import { type HostSettings } from '../stores/registry/hosts.ts';
import { createRegistries, type Registries } from '../stores/registry/registries.ts';
import { createStores, type AllStores } from '../stores.ts';
import { loginSources } from './logins.ts';
import { parseRate } from './rate.ts';
import { createBarRenderer } from './render/bars.ts';
import { failedLine } from './render/failure.ts';
import { createJsonRenderer } from './render/json.ts';
import { createPlainRenderer } from './render/plain.ts';
import { type Renderer } from './render/renderer.ts';
import { version } from './version.ts';

/** Options that every command takes. */
export interface GlobalArguments {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly plainHttp: readonly string[];
  readonly insecure: readonly string[];
  readonly certDir: string | undefined;
  readonly limitRate: string | undefined;
  readonly tmpdir: string | undefined;
}

export interface EnvOptions {
  readonly hosts?: ReadonlyMap<string, HostSettings> | undefined;
  readonly explicit?: readonly ExplicitCredential[] | undefined;
  readonly keptAs?: ReadonlyMap<string, KeptAs> | undefined;
  readonly skipDockerConfig?: boolean | undefined;
  /** What requests name as their program; undefined: `ocl` and its version. */
  readonly userAgent?: string | undefined;
  readonly reverify?: boolean | undefined;
  readonly overwrite?: boolean | undefined;
  /** The form of archives that are written. */
  readonly archiveForm?: 'layout' | 'docker' | undefined;
  readonly dockerPlatform?: string | undefined;
  /** False: nobody asks the disk for room beforehand. */
  readonly spaceCheck?: boolean | undefined;
  /** Shared with other environments; otherwise what `--limit-rate` says. */
  readonly throttle?: Throttle | undefined;
  /** Standard output carries content: events and results go to standard error. */
  readonly contentOnStdout?: boolean | undefined;
  /** The command changes nothing: it may end as soon as nobody reads what it prints. */
  readonly showsOnly?: boolean | undefined;
}

/** What a command works with. Made once a run; nothing below reads the process's environment. */
export interface Env {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly stores: AllStores;
  readonly registries: Registries;
  readonly http: Http;
  readonly credentials: Required<Credentials>;
  /** For questions about the way to a registry itself. */
  readonly reach: Reach;
  readonly tmpDir: string;
  /** What outlives a run and belongs to this user. */
  readonly stateDir: string;
  readonly json: boolean;
  readonly renderer: Renderer;
  /** A line of data. */
  print(line: string): void;
  /** A failure of one image among several, unless people have read of it already. */
  sayFailed(image: string, error: OclError): void;
  /** A line for people, not for pipes. */
  say(line: string): void;
  close(): Promise<void>;
}

export function createEnv(args: GlobalArguments, signal: AbortSignal, options: EnvOptions = {}): Env {
  const { env, stderr, stdout } = process;
  const out = options.contentOnStdout === true ? stderr : stdout;
  const print = (line: string): void => {
    // A bar in the way is taken down first; it comes back when there is more to tell.
    renderer.close();
    out.write(`${line}\n`);
  };
  const say = (line: string): void => {
    if (args.quiet) return;
    renderer.close();
    stderr.write(`${line}\n`);
  };
  const sayFailed = (image: string, error: OclError): void => {
    if (args.json || renderer.hasShown(error, image)) return;
    renderer.close();
    stderr.write(`${failedLine(image, error)}\n`);
  };
  const renderer = createRenderer(args, print);
  const proxies = proxySettings(env);
  const authorities: AuthorityPlaces = {
    file: env['SSL_CERT_FILE'],
    directories: env['SSL_CERT_DIR'],
    extra: env['NODE_EXTRA_CA_CERTS'],
  };
  const throttle = options.throttle ?? throttleOf(args);
  const http = openHttp();
  const hosts = withCertificates(mergeHosts(args, options.hosts), certificatePlaces(args, options));
  const { explicit, files, helpers } = loginSources();
  const answers = rememberHelper(helpers.get, systemClock);
  const credentials = createCredentials({
    files: options.skipDockerConfig === true ? [] : files,
    explicit: [...explicit, ...(options.explicit ?? [])],
    keptAs: options.keptAs,
    askHelper: answers.ask,
    forgetAnswer: answers.forget,
    emit: renderer.emit,
  });
  const registries = createRegistries({
    http,
    clock: systemClock,
    emit: renderer.emit,
    signal,
    hosts,
    credentials,
  });
  const tmpDir = args.tmpdir ?? tmpdir();
  const stores = createStores({
    clock: systemClock,
    emit: renderer.emit,
    registries,
    tmpDir,
    signal,
    reverify: options.reverify,
    overwrite: options.overwrite,
    spaceCheck: options.spaceCheck,
    archiveForm: options.archiveForm,
    tool: { name: 'ocl', version },
    dockerPlatform: options.dockerPlatform === undefined ? undefined : parsePlatform(options.dockerPlatform),
  });
  return {
    clock: systemClock,
    emit: renderer.emit,
    signal,
    stores,
    registries,
    http,
    credentials,
    reach: {
      hosts,
      http,
      clock: systemClock,
      emit: renderer.emit,
      signal,
      credentials,
      proxies,
      authorities: async (own) => new (await import('../io/authorities.ts')).Authorities(authorities).with(own),
    },
    tmpDir,
    stateDir: join(env['XDG_STATE_HOME'] || env['LOCALAPPDATA'] || join(homedir(), '.local', 'state'), 'ocl'),
    json: args.json,
    renderer,
    print,
    say,
    sayFailed,
    async close() {
      renderer.close();
      await stores.close();
      await http.close();
    },
  };

  function openHttp(): Http {
    return lazyHttp(async () => {
      const { createHttp } = await import('../io/http.ts');
      return createHttp({
        userAgent: options.userAgent ?? `ocl/${version}`,
        proxy: proxies,
        authorities,
        throttle,
      });
    });
  }
}

/** The rate that `--limit-rate` asks for. */
export function throttleOf({ limitRate }: GlobalArguments): Throttle | undefined {
  return limitRate === undefined ? undefined : createThrottle(parseRate(limitRate), systemClock);
}

/** The HTTP client is a third of the program: commands that stay on this machine do not wait for it to load. */
function lazyHttp(open: () => Promise<Http>): Http {
  let http: Promise<Http> | undefined;
  return {
    async request(request) {
      http ??= open();
      // What could not be loaded once may be there the next time.
      http.catch(() => (http = undefined));
      return await (await http).request(request);
    },
    async close() {
      await (await http?.catch(() => undefined))?.close();
    },
  };
}

function createRenderer(args: GlobalArguments, print: (line: string) => void): Renderer {
  const { stderr, env } = process;
  if (args.json) return createJsonRenderer(print, systemClock);
  // Nothing is shown while it goes on, so all that failed is told in the end.
  if (args.quiet) return { ...createPlainRenderer(() => {}, systemClock), hasShown: () => false };
  if (stderr.isTTY && env['TERM'] !== 'dumb' && env['CI'] === undefined) {
    return createBarRenderer(stderr, systemClock, env['NO_COLOR'] === undefined || env['NO_COLOR'] === '');
  }
  return createPlainRenderer((line) => void stderr.write(`${line}\n`), systemClock);
}

/** Where docker and podman look, those of podman first. */
function certificatePlaces(args: GlobalArguments, { skipDockerConfig }: EnvOptions): CertificatePlaces {
  const config = join(homedir(), '.config');
  const perHost = (tool: string): string[] => [join(config, tool, 'certs.d'), join('/etc', tool, 'certs.d')];
  return {
    chosen: args.certDir,
    perHost: [...perHost('containers'), ...(skipDockerConfig === true ? [] : perHost('docker'))],
  };
}

function mergeHosts(args: GlobalArguments, given: ReadonlyMap<string, HostSettings> | undefined): Hosts {
  const hosts = new Map(given);
  for (const host of args.insecure.map(hostOf)) hosts.set(host, { ...hosts.get(host), tls: 'insecure' });
  for (const host of args.plainHttp.map(hostOf)) hosts.set(host, { ...hosts.get(host), tls: 'disabled' });
  return hosts;
}

/** A host as references name it, also from an address that was copied. @throws OCL_USAGE for what would never fit any */
function hostOf(text: string): string {
  const host = text.replace(/^https?:\/\//, '').replace(/\/$/, '');
  if (isRegistryHost(host)) return host;
  throw new OclError('OCL_USAGE', `Cannot use ${JSON.stringify(text)}: it is no HOST[:PORT]`, {
    hint: 'name the host as images do: --insecure registry.example:5000',
  });
}
