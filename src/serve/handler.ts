import { type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type Clock } from '../core/clock.ts';
import { type Emit } from '../core/events.ts';
import { type Library } from '../core/store.ts';
import { deleteBlob, getBlob } from './blobs.ts';
import { answerError, Refusal, toRefusal } from './errors.ts';
import { type Exchange, type Registry, type Sparse } from './exchange.ts';
import { SERVE_LIMITS, type ServeLimits } from './limits.ts';
import { deleteManifest, getManifest, putManifest } from './manifests.ts';
import { listReferrers } from './referrers.ts';
import { actualName, Repositories } from './repositories.ts';
import { route, type Target } from './router.ts';
import { sendJson } from './send.ts';
import { UploadSessions } from './sessions.ts';
import { listRepositories, listTags } from './tags.ts';
import { appendUpload, cancelUpload, finishUpload, startUpload, uploadStatus } from './uploads.ts';

export interface RegistryOptions {
  /** Stays open: who opened it closes it. */
  readonly library: Library;
  readonly readOnly: boolean;
  /** Unfinished uploads grow in `uploads/` below it. On the library's file system a finished one is linked, not copied. */
  readonly tmpDir: string;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly limits?: Partial<ServeLimits>;
  /** Which documents may be pushed without what they are made of. Default: `indexes`, as copies of some platforms are. */
  readonly sparse?: Sparse;
}

export interface RegistryHandler {
  /** Answers one request of the distribution API; never throws. */
  handle(req: IncomingMessage, res: ServerResponse): void;
  /** Drops the unfinished uploads; requests that come later are refused. */
  close(): Promise<void>;
}

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

type Action = () => Promise<void>;
type Actions = Readonly<Partial<Record<string, Action>>>;

/** An OCI registry (distribution-spec 1.1 and what followed it) over a library. */
export function createRegistryHandler(options: RegistryOptions): RegistryHandler {
  const { library, clock, emit, tmpDir } = options;
  const limits = { ...SERVE_LIMITS, ...options.limits };
  const registry: Registry = {
    limits,
    sparse: options.sparse ?? 'indexes',
    repositories: new Repositories(library, { clock, open: limits.openRepositories }),
    sessions: new UploadSessions({ directory: join(tmpDir, 'uploads'), clock, limits }),
  };
  const readOnly = options.readOnly || !library.writable;
  const underWay = new Set<Promise<void>>();
  let closed = false;

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    try {
      if (closed) throw new Refusal('UNAVAILABLE', 'the registry is shutting down');
      const { target, query } = route(req.url ?? '');
      const method = req.method ?? '';
      if (readOnly && !READS.has(method))
        throw new Refusal('UNSUPPORTED', 'this registry is read-only', { headers: { Allow: 'GET, HEAD' } });
      const actions = actionsOf(registry, await settle(registry, target, query, res, READS.has(method)), target, {
        req,
        res,
        query,
      });
      const action = actions[method];
      if (action === undefined)
        throw new Refusal('UNSUPPORTED', `this path does not take ${method}`, {
          headers: { Allow: Object.keys(actions).join(', ') },
        });
      await action();
    } catch (error) {
      await fail(req, res, toRefusal(error));
    }
  }

  async function fail(req: IncomingMessage, res: ServerResponse, refusal: Refusal): Promise<void> {
    if (res.destroyed || req.socket.destroyed) return;
    if (refusal.status >= 500) {
      const why = refusal.cause instanceof Error ? refusal.cause.message : refusal.message;
      emit({ type: 'notice', level: 'warning', message: `Cannot answer ${req.method ?? ''} ${req.url ?? ''}: ${why}` });
    }
    await answerError(req, res, refusal);
  }

  return {
    handle(req, res) {
      // A connection that breaks shows in the stream that is being read or written; nobody else has to hear of it.
      req.on('error', () => {});
      res.on('error', () => {});
      res.setHeader('Docker-Distribution-API-Version', 'registry/2.0');
      const work = answer(req, res)
        .catch(() => void res.destroy())
        .finally(() => underWay.delete(work));
      underWay.add(work);
    },
    async close() {
      closed = true;
      await registry.sessions.close();
      await Promise.all(underWay);
      // What was begun while the others were dropped.
      await registry.sessions.close();
      await registry.repositories.close();
    },
  };
}

/** The repository that answers: for readers it may be the one of another registry that is mirrored here. */
async function settle(
  registry: Registry,
  target: Target,
  query: URLSearchParams,
  res: ServerResponse,
  reads: boolean,
): Promise<string> {
  if (!('repository' in target)) return '';
  if (!reads || target.kind === 'upload' || target.kind === 'uploads') return target.repository;
  const { repository, namespace } = await actualName(
    registry.repositories,
    target.repository,
    query.get('ns') || undefined,
  );
  if (namespace !== undefined) res.setHeader('OCI-Namespace', namespace);
  return repository;
}

function actionsOf(registry: Registry, repository: string, target: Target, exchange: Exchange): Actions {
  switch (target.kind) {
    case 'ping':
      return reading(() => sendJson(exchange.req, exchange.res, {}));
    case 'catalog':
      return reading(() => listRepositories(registry, exchange));
    case 'tags':
      return reading(() => listTags(registry, exchange, repository, target.repository));
    case 'referrers':
      return reading(() => listReferrers(registry, exchange, repository, target.repository, target.digest));
    case 'manifest':
      return {
        ...reading(() => getManifest(registry, exchange, repository, target.reference)),
        PUT: () => putManifest(registry, exchange, repository, target.reference),
        DELETE: () => deleteManifest(registry, exchange, repository, target.reference),
      };
    case 'blob':
      return {
        ...reading(() => getBlob(registry, exchange, repository, target.digest)),
        DELETE: () => deleteBlob(registry, exchange, repository, target.digest),
      };
    case 'uploads':
      return { POST: () => startUpload(registry, exchange, repository) };
    case 'upload':
      return {
        ...reading(() => uploadStatus(registry, exchange, repository, target.id)),
        PATCH: () => appendUpload(registry, exchange, repository, target.id),
        PUT: () => finishUpload(registry, exchange, repository, target.id),
        DELETE: () => cancelUpload(registry, exchange, repository, target.id),
      };
  }
}

function reading(action: Action): Actions {
  return { GET: action, HEAD: action };
}
