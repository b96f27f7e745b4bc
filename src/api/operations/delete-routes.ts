// Deletion of spans as tasks: paths and parameters as VictoriaLogs and VictoriaTraces name them; what to delete is said in the
// parameters of /api/traces. Off unless -delete.enable is given; POST only; for the tenant of the request.
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { StoreError } from '../../base/errors.ts';
import type { DeleteTask } from '../../deletion/delete-tasks.ts';
import type { Tenant } from '../../trace/tenant.ts';
import { tenantOf } from '../access/guard-routes.ts';

/** Deletes spans in the background; DeleteTasks implements it. */
export interface Deletions {
  /** Not ended, the running one first. */
  readonly active: readonly DeleteTask[];
  /** The last ones, the newest first. */
  readonly ended: readonly DeleteTask[];
  /** Returns the task's id once it is on disk. Throws INVALID_REQUEST, OVERLOADED, DISK. */
  start(tenant: Tenant, query: string): string;
  /** Throws NOT_FOUND, DISK. */
  stop(id: string): Promise<void>;
}

export interface DeleteRoutesOptions {
  /** undefined: deletion is off. */
  readonly deletions: Deletions | undefined;
}

export function registerDeleteRoutes(app: FastifyInstance, { deletions }: DeleteRoutesOptions): void {
  const on = (): Deletions => {
    if (deletions !== undefined) return deletions;
    throw new StoreError('INVALID_REQUEST', 'deletion is off: start the node with -delete.enable');
  };
  const post = (path: string, answer: (request: FastifyRequest) => unknown): void => {
    app.post(`/delete/${path}`, async (request, reply) =>
      reply.type('application/json').send(JSON.stringify(await answer(request))),
    );
  };

  post('run_task', (request) => {
    const [path = ''] = request.url.split('?', 1);
    return { task_id: on().start(tenantOf(request), withoutKey(request.url.slice(path.length + 1))) };
  });
  // Only of the tenant's own tasks: a query may name what it deletes.
  post('active_tasks', (request) => {
    const tenant = tenantOf(request);
    const { active, ended } = on();
    const isOwn = (task: DeleteTask): boolean => task.tenant === tenant;
    return { active: active.filter(isOwn).map(shown), ended: ended.filter(isOwn).map(shown) };
  });
  post('stop_task', async (request) => {
    const { task_id: id } = request.query as { task_id?: unknown };
    if (typeof id !== 'string') throw new StoreError('INVALID_REQUEST', 'task_id: expected the id that run_task gave');
    const tenant = tenantOf(request);
    const isOthers = on().active.some((task) => task.id === id && task.tenant !== tenant);
    await on().stop(isOthers ? '' : id);
    return { stopped: id };
  });
}

/** The key of the request must not be written to disk with the task. */
function withoutKey(query: string): string {
  return query
    .split('&')
    .filter((pair) => !new URLSearchParams(pair).has('authKey'))
    .join('&');
}

function shown(task: DeleteTask): Record<string, unknown> {
  const { id, query, acceptedMs, state, daysDone, daysTotal, spans, notes } = task;
  const startTime = new Date(acceptedMs).toISOString();
  return { task_id: id, query, start_time: startTime, state, days_done: daysDone, days_total: daysTotal, spans, notes };
}
