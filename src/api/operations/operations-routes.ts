// Routes for operators and their tools: health, metrics, flags, forced flush and merge. Routes that change the store accept
// only POST, so that no link, image or crawler can trigger them, and answer when the work is done.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { StoreError } from '../../base/errors.ts';
import type { SpanDigester } from '../../trace/span-digests.ts';
import type { StoreAdmin, TraceArchive } from '../../trace/store.ts';
import type { Metrics } from '../edge/metrics.ts';
import { chooseExposition } from '../metrics/exposition.ts';
import type { Duty, Readiness } from '../edge/readiness.ts';
import { registerCopyRoutes, type CopyRoutesOptions } from './copy-routes.ts';
import { registerPartitionRoutes } from './partition-routes.ts';

export interface OperationsOptions extends Pick<CopyRoutesOptions, 'reader' | 'intake' | 'answers' | 'logger'> {
  /** undefined: traces are stored elsewhere, and nothing of them can be copied from here. */
  readonly digester?: SpanDigester;
  readonly admin: StoreAdmin;
  readonly archive: TraceArchive | undefined;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly config: {
    readonly storageDataPath: string;
    readonly forceFlushAuthKey: string;
    readonly forceMergeAuthKey: string;
    readonly partitionManageAuthKey: string;
    readonly metricsAuthKey: string;
    readonly flagsAuthKey: string;
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

export async function registerOperationsRoutes(app: FastifyInstance, options: OperationsOptions): Promise<void> {
  const { admin, metrics, readiness, config } = options;
  const text = 'text/plain; charset=utf-8';

  app.get('/health', (_request, reply) => {
    void reply.type(text);
    if (readiness.isReady) void reply.send('OK');
    else void reply.code(503).send('the server is starting or closing, or its store does not answer');
  });

  app.get('/metrics', { onRequest: requireKey('metricsAuthKey', config.metricsAuthKey) }, async (request, reply) => {
    const exposition = chooseExposition(request.headers.accept);
    return reply.type(exposition.contentType).send(await metrics.render(exposition));
  });

  app.get('/flags', { onRequest: requireKey('flagsAuthKey', config.flagsAuthKey) }, (_request, reply) => {
    const lines = config.shownFlags.map(({ name, value }) => `-${name}=${JSON.stringify(value)}\n`);
    void reply.type(text).send(lines.join(''));
  });

  for (const [url, duties] of Object.entries(PROBES)) {
    // Probes of load balancers use several methods.
    app.route({
      method: ['GET', 'HEAD', 'OPTIONS', 'POST'],
      url,
      handler: async (_request, reply) => {
        const refusal = await readiness.refusalOf(duties);
        return reply.code(refusal === undefined ? 200 : 503).send({ status: refusal ?? 'ok' });
      },
    });
  }

  const flushKey = requireKey('forceFlushAuthKey', config.forceFlushAuthKey);
  app.post('/internal/force_flush', { onRequest: flushKey }, async (_request, reply) => {
    await admin.forceFlush();
    return reply.type(text).send('OK\n');
  });

  const mergeKey = requireKey('forceMergeAuthKey', config.forceMergeAuthKey);
  app.post('/internal/force_merge', { onRequest: mergeKey }, async (request, reply) => {
    await admin.forceMerge(readPartitionPrefix(request));
    return reply.type(text).send('OK\n');
  });

  if (config.isPurgeOn) {
    app.post('/internal/purge', async (_request, reply) => {
      await admin.purge();
      await options.archive?.purge();
      return reply.type(text).send('OK\n');
    });
  }

  const hook = requireKey('partitionManageAuthKey', config.partitionManageAuthKey);
  registerPartitionRoutes(app, { admin, hook, readPartitionPrefix });
  const { digester } = options;
  if (digester !== undefined) await registerCopyRoutes(app, { ...options, ...config, digester, hook });
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

/** A hook that lets a request pass if `key` is empty, or if the request has it as authKey= in the query or as a header. */
export function requireKey(flag: string, key: string): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  return async (request, reply) => {
    if (key === '') return;
    const header = request.headers['authkey'];
    const given = queryValue(request, 'authKey') ?? (typeof header === 'string' ? header : undefined);
    if (given !== undefined && isSameSecret(given, key)) return;
    const problem = given === undefined ? 'missing' : 'wrong';
    await reply
      .code(401)
      .type('text/plain; charset=utf-8')
      .send(`${problem} authKey: this path is protected by -${flag}\n`);
  };
}

/** Takes the same time for all texts, because it compares digests, which have equal lengths. */
function isSameSecret(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(expected));
}
