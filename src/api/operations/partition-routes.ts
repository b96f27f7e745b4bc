// Partitions and snapshots for the operator: list, detach, attach, accept losses, fill gaps of the log; create, list, delete snapshots. POST only; paths, parameters and answers are VictoriaTraces'. Names are checked here.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { StoreError } from '../../base/errors.ts';
import type { StoreAdmin } from '../../trace/store.ts';

export interface PartitionRoutesOptions {
  readonly admin: StoreAdmin;
  /** The parameter partition_prefix; '' without it. Throws INVALID_REQUEST. */
  readonly readPartitionPrefix: (request: FastifyRequest) => string;
}

export function registerPartitionRoutes(app: FastifyInstance, options: PartitionRoutesOptions): void {
  const { admin, readPartitionPrefix } = options;
  const text = 'text/plain; charset=utf-8';
  const json = 'application/json';
  const post = (
    path: string,
    answer: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>,
  ): void => {
    app.post(`/internal/partition/${path}`, answer);
  };

  post('list', async (_request, reply) => reply.type(json).send(JSON.stringify(await admin.listPartitions())));
  post('detach', async (request, reply) => {
    await admin.detachPartition(readDay(request));
    return reply.type(text).send('OK\n');
  });
  post('attach', async (request, reply) => {
    await admin.attachPartition(readDay(request));
    return reply.type(text).send('OK\n');
  });
  post('accept_loss', async (request, reply) => {
    refuseOthers(request, 'partition_prefix');
    return reply.type(json).send(JSON.stringify(await admin.acceptLosses(readPartitionPrefix(request))));
  });
  post('fill_log_gaps', async (request, reply) => {
    refuseOthers(request, 'partitions');
    await admin.fillGaps(hasParameter(request, 'partitions') ? readPartitions(request) : undefined);
    return reply.type(text).send('OK\n');
  });
  post('snapshot/create', async (request, reply) => {
    // VictoriaTraces took `name` first and `partition_prefix` later.
    const prefix = hasParameter(request, 'name') ? readDay(request) : readPartitionPrefix(request);
    return reply.type(json).send(JSON.stringify(await admin.createSnapshots(prefix)));
  });
  post('snapshot/list', async (_request, reply) => reply.type(json).send(JSON.stringify(await admin.listSnapshots())));
  post('snapshot/delete', async (request, reply) => {
    await admin.deleteSnapshot(readParameter(request, 'path'));
    return reply.type(text).send('OK\n');
  });
}

/** The parameter `name`. Throws INVALID_REQUEST unless it is eight digits; the store checks whether they are a day. */
function readDay(request: FastifyRequest): string {
  const name = readParameter(request, 'name');
  if (/^\d{8}$/.test(name)) return name;
  const got = JSON.stringify(name.slice(0, 40));
  throw new StoreError('INVALID_REQUEST', `name: expected a day as YYYYMMDD, got ${got}`);
}

/** Partitions of the log: 0,4,8 */
function readPartitions(request: FastifyRequest): number[] {
  const text = readParameter(request, 'partitions');
  if (/^\d{1,4}(,\d{1,4})*$/.test(text)) return text.split(',').map(Number);
  const got = JSON.stringify(text.slice(0, 40));
  throw new StoreError('INVALID_REQUEST', `partitions: expected numbers with commas, got ${got}`);
}

function readParameter(request: FastifyRequest, name: string): string {
  const value = (request.query as Readonly<Record<string, unknown>>)[name];
  if (typeof value === 'string') return value;
  throw new StoreError('INVALID_REQUEST', `${name}: ${value === undefined ? 'missing' : 'given twice'}`);
}

/** For what cannot be taken back: without its only parameter a call is about everything, so a misspelt or empty one would be, too. */
function refuseOthers(request: FastifyRequest, known: string): void {
  for (const [name, value] of Object.entries(request.query as Readonly<Record<string, unknown>>)) {
    if (name === 'authKey') continue;
    const shown = JSON.stringify(name.slice(0, 100));
    if (name !== known)
      throw new StoreError('INVALID_REQUEST', `unknown parameter ${shown}: nothing was done; known is ${known}`);
    if (typeof value !== 'string') throw new StoreError('INVALID_REQUEST', `${name}: given twice; nothing was done`);
    if (value === '') throw new StoreError('INVALID_REQUEST', `${name}: has no value; nothing was done`);
  }
}

function hasParameter(request: FastifyRequest, name: string): boolean {
  return (request.query as Readonly<Record<string, unknown>>)[name] !== undefined;
}
