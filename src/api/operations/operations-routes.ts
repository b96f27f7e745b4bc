// Routes for operators and their tools: health, metrics, flags, forced flush and merge. Routes that change the store accept
// only POST, so that no link, image or crawler can trigger them, and answer when the work is done. access/route-needs.ts says who
// may use each.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { ownThread, type DiagnosedThread } from '../../base/diagnosed-thread.ts';
import { StoreError } from '../../base/errors.ts';
import type { StoreInventory } from '../../trace/inventory.ts';
import type { SpanDigester } from '../../trace/span-digests.ts';
import type { StoreAdmin, TraceArchive } from '../../trace/store.ts';
import type { Intake } from '../edge/intake.ts';
import type { Metrics } from '../edge/metrics.ts';
import { chooseExposition } from '../metrics/exposition.ts';
import type { Duty, Readiness } from '../edge/readiness.ts';
import { registerCopyRoutes, type CopyRoutesOptions } from './copy-routes.ts';
import { registerDebugRoutes } from './debug-routes.ts';
import { registerDeleteRoutes, type Deletions } from './delete-routes.ts';
import { registerTenantRoutes } from './tenant-routes.ts';
import { registerPartitionRoutes } from './partition-routes.ts';

export interface OperationsOptions extends Pick<CopyRoutesOptions, 'reader' | 'answers' | 'logger' | 'placeInLog'> {
  readonly intake: Pick<Intake, 'open' | 'write' | 'requestBytesMax' | 'limitsOf'>;
  readonly inventory?: StoreInventory;
  /** undefined: traces are stored elsewhere, and nothing of them can be copied from here. */
  readonly digester?: SpanDigester;
  /** undefined: the node has no store. */
  readonly admin: StoreAdmin | undefined;
  readonly archive: TraceArchive | undefined;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  /** undefined: deletion is off. */
  readonly deletions?: Deletions | undefined;
  /** Threads that /debug can profile, by name; default: the main thread. */
  readonly threads?: Readonly<Record<string, DiagnosedThread>>;
  readonly config: {
    readonly storageDataPath: string;
    readonly isPurgeOn: boolean;
    readonly shownFlags: readonly { readonly name: string; readonly value: string; readonly isSet: boolean }[];
  };
}

/** Probes of load balancers, and what must work for a process to get requests. VictoriaTraces has /insert/ready. */
const PROBES: Readonly<Record<string, readonly Duty[]>> = {
  '/ready': ['insert', 'select'],
  '/insert/ready': ['insert'],
  '/select/ready': ['select'],
};

/** These also answer while the server starts or closes. */
export const ALWAYS_OPEN_PATHS: ReadonlySet<string> = new Set([
  '/health',
  '/metrics',
  '/flags',
  ...Object.keys(PROBES),
]);

const TEXT = 'text/plain; charset=utf-8';

/** What load balancers and containers ask, on every listener that has other paths. */
export function registerProbes(app: FastifyInstance, { readiness }: Pick<OperationsOptions, 'readiness'>): void {
  app.get('/health', (_request, reply) => {
    void reply.type(TEXT);
    if (readiness.isReady) void reply.send('OK');
    else void reply.code(503).send('the server is starting or closing, or its store does not answer');
  });

  for (const [url, duties] of Object.entries(PROBES)) {
    // Probes of load balancers use several methods.
    app.route({
      method: ['GET', 'HEAD', 'OPTIONS', 'POST'],
      url,
      handler: async (_request, reply) => {
        const refusal = await readiness.refusalOf(duties);
        if (refusal !== undefined) return reply.code(503).send({ status: refusal });
        const { lacks } = readiness;
        return reply.send({ status: 'ok', ...(lacks !== undefined && { lacks }) });
      },
    });
  }
}

/** Everything else that is for operators. */
export async function registerOperationsRoutes(app: FastifyInstance, options: OperationsOptions): Promise<void> {
  const { admin, metrics, config } = options;

  app.get('/metrics', async (request, reply) => {
    const exposition = chooseExposition(request.headers.accept);
    return reply.type(exposition.contentType).send(await metrics.render(exposition));
  });

  app.get('/flags', (_request, reply) => {
    const lines = config.shownFlags.map(({ name, value }) => `-${name}=${JSON.stringify(value)}\n`);
    void reply.type(TEXT).send(lines.join(''));
  });

  registerDebugRoutes(app, options.threads ?? { main: ownThread() });
  if (admin !== undefined) await registerStoreRoutes(app, admin, options);
}

async function registerStoreRoutes(app: FastifyInstance, admin: StoreAdmin, options: OperationsOptions): Promise<void> {
  const { config } = options;
  app.post('/internal/force_flush', async (_request, reply) => {
    await admin.forceFlush();
    return reply.type(TEXT).send('OK\n');
  });

  app.post('/internal/force_merge', async (request, reply) => {
    await admin.forceMerge(readPartitionPrefix(request));
    return reply.type(TEXT).send('OK\n');
  });

  if (config.isPurgeOn) {
    app.post('/internal/purge', async (_request, reply) => {
      await admin.purge();
      await options.archive?.purge();
      return reply.type(TEXT).send('OK\n');
    });
  }

  registerDeleteRoutes(app, { deletions: options.deletions });
  registerPartitionRoutes(app, { admin, readPartitionPrefix });
  registerTenantRoutes(app, { ...options, admin });
  const { digester } = options;
  if (digester !== undefined) await registerCopyRoutes(app, { ...options, ...config, admin, digester });
}

/** The beginning of a partition's name (YYYYMMDD); if absent, all partitions. Throws INVALID_REQUEST. */
function readPartitionPrefix(request: FastifyRequest): string {
  const prefix = queryValue(request, 'partition_prefix') ?? '';
  if (/^\d{0,8}$/.test(prefix)) return prefix;
  const got = JSON.stringify(prefix.slice(0, 40));
  throw new StoreError('INVALID_REQUEST', `partition_prefix: expected the beginning of a day as YYYYMMDD, got ${got}`);
}

function queryValue(request: FastifyRequest, name: string): string | undefined {
  const value = (request.query as Readonly<Record<string, unknown>>)[name];
  return typeof value === 'string' ? value : undefined;
}
