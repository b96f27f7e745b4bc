// Deletes spans for good: whole traces by id, or the spans that a query selects, of one tenant. A deletion is a task: it is on
// disk before its request is answered, runs alone, day by day, and goes on after a restart. When it has ended, what it selected
// is in no part, log or list of names and in no archived trace; snapshots and quarantine are named in its result, not changed.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { isStoreError, StoreError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { readWholeFile, replaceFile } from '../disk/atomic-write.ts';
import type { Disk } from '../disk/disk.ts';
import type { CallContext } from '../trace/call-context.ts';
import { DAY_NS } from '../trace/day-clock.ts';
import type { ArchiveEraser, SpanSelection, SpanSelector, StoreAdmin } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import { deleteFromDay, namedDays, type NamedDay } from './delete-from-day.ts';

/** What a task is, as it is on disk. */
interface StoredTask {
  readonly id: string;
  readonly tenant: Tenant;
  /** The query string that it was asked for with: what it selects, read again with the same clock. */
  readonly query: string;
  readonly acceptedMs: number;
}

export interface DeleteTask extends StoredTask {
  readonly state: 'waiting' | 'running' | 'done' | 'stopped' | 'failed';
  readonly daysDone: number;
  readonly daysTotal: number;
  readonly spans: number;
  /** Of an ended task: why it failed, or where such spans may still be. */
  readonly notes: readonly string[];
}

export interface DeleteTasksOptions {
  /** The data directory. */
  readonly path: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly admin: Pick<StoreAdmin, 'forceFlush' | 'listPartitions' | 'listSnapshots' | 'deleteRows'>;
  readonly selector: SpanSelector;
  /** undefined: nothing is archived. */
  readonly archive: ArchiveEraser | undefined;
  /** What a query string selects at a time. Throws INVALID_REQUEST. */
  readonly parse: (query: string, nowMs: number) => SpanSelection;
}

export const DELETE_TASKS_FILE = 'delete-tasks.json';

/** Each waits for the one before it. */
const TASKS_MAX = 100;
const ENDED_KEPT = 100;

type Running = { -readonly [K in keyof DeleteTask]: DeleteTask[K] };

export class DeleteTasks {
  readonly #options: DeleteTasksOptions;
  /** Not ended, in the order of their requests; the first one runs. */
  readonly #tasks: Running[] = [];
  /** The newest last. */
  readonly #ended: DeleteTask[] = [];
  #stop = new AbortController();
  #work: Promise<void> | undefined;
  #isClosed = false;

  /** Goes on with the tasks of the last run. Throws CORRUPTION. */
  constructor(options: DeleteTasksOptions) {
    this.#options = options;
    this.#tasks.push(...this.#read().map(waiting));
    if (this.#tasks.length > 0) this.#begin();
  }

  /** Those that have not ended, the running one first. */
  get active(): readonly DeleteTask[] {
    return this.#tasks;
  }

  /** The last ones, the newest first. */
  get ended(): readonly DeleteTask[] {
    return this.#ended.toReversed();
  }

  /** Returns the task's id once it is on disk. Throws INVALID_REQUEST, OVERLOADED, DISK. */
  start(tenant: Tenant, query: string): string {
    const { clock, parse } = this.#options;
    const acceptedMs = clock.nowMs();
    parse(query, acceptedMs);
    if (this.#tasks.length >= TASKS_MAX)
      throw new StoreError('OVERLOADED', `${TASKS_MAX} delete tasks wait already; try again when one has ended`);
    const task = waiting({ id: randomBytes(8).toString('hex'), tenant, query, acceptedMs });
    this.#write([...this.#tasks, task]);
    this.#tasks.push(task);
    this.#begin();
    return task.id;
  }

  /** Ends the task after the day it is at; what it has deleted is gone. Throws NOT_FOUND, DISK. */
  async stop(id: string): Promise<void> {
    const task = this.#tasks.find((one) => one.id === id);
    if (task === undefined)
      throw new StoreError(
        'NOT_FOUND',
        `task ${JSON.stringify(id.slice(0, 40))} does not run; see /delete/active_tasks`,
      );
    if (task.state === 'running') {
      this.#stop.abort();
      await this.#work;
    } else this.#end(task, 'stopped', []);
  }

  /** Stops after the day under way; the next start goes on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stop.abort();
    await this.#work;
  }

  #begin(): void {
    this.#work ??= this.#runAll().finally(() => (this.#work = undefined));
  }

  async #runAll(): Promise<void> {
    for (let task = this.#tasks[0]; task !== undefined && !this.#isClosed; task = this.#tasks[0]) {
      this.#stop = new AbortController();
      assert(task.state === 'waiting', `delete task ${task.id} is begun while it is ${task.state}`);
      task.state = 'running';
      try {
        await this.#run(task, this.#stop.signal);
        const isStopped = this.#stop.signal.aborted;
        if (!this.#isClosed || !isStopped) this.#end(task, isStopped ? 'stopped' : 'done', await this.#elsewhere());
      } catch (error) {
        if (!isStoreError(error)) throw error;
        if (!this.#isClosed) this.#end(task, 'failed', [error.message]);
      }
    }
  }

  async #run(task: Running, signal: AbortSignal): Promise<void> {
    const { admin, parse, archive } = this.#options;
    const selection = parse(task.query, task.acceptedMs);
    const call: CallContext = { tenant: task.tenant, signal };
    await admin.forceFlush();
    const days = daysOf(await admin.listPartitions(), selection);
    task.daysTotal = days.length;
    for (const day of days) {
      if (signal.aborted) return;
      task.spans += await deleteFromDay(this.#options, day, { tenants: [task.tenant], selection });
      task.daysDone++;
    }
    if (!signal.aborted) task.spans += (await archive?.erase(call, selection)) ?? 0;
  }

  /** Where spans may be that no task deletes. */
  async #elsewhere(): Promise<string[]> {
    const { admin, disk, path } = this.#options;
    const snapshots = await admin.listSnapshots();
    const quarantine = join(path, 'quarantine');
    const aside = disk.stat(quarantine) === undefined ? [] : disk.list(quarantine);
    return [
      ...snapshots.map((snapshot) => `snapshot ${snapshot} may hold such spans; delete it`),
      ...(aside.length === 0
        ? []
        : [`${quarantine}: ${aside.length} files may hold such spans; look at them, then remove them`]),
    ];
  }

  #end(task: Running, state: DeleteTask['state'], notes: readonly string[]): void {
    const left = this.#tasks.filter((one) => one !== task);
    assert(left.length === this.#tasks.length - 1, `delete task ${task.id} ends twice`);
    assert(task.daysDone <= task.daysTotal, `delete task ${task.id} did ${task.daysDone} of ${task.daysTotal} days`);
    this.#write(left);
    this.#tasks.splice(0, Infinity, ...left);
    this.#ended.push({ ...task, state, notes });
    if (this.#ended.length > ENDED_KEPT) this.#ended.shift();
    const { id, tenant, spans, daysDone } = task;
    this.#options.logger.info('a delete task has ended', { id, tenant, state, spans, days: daysDone, notes });
  }

  #read(): StoredTask[] {
    const { disk, path } = this.#options;
    const file = join(path, DELETE_TASKS_FILE);
    if (disk.stat(file) === undefined) return [];
    try {
      const { version, tasks } = JSON.parse(Buffer.from(readWholeFile(disk, file)).toString()) as {
        version: number;
        tasks: StoredTask[];
      };
      if (version === 1 && Array.isArray(tasks)) return tasks;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw new StoreError('CORRUPTION', `${file}: not a list of delete tasks; remove it, and run those tasks again`);
  }

  #write(tasks: readonly StoredTask[]): void {
    const { disk, path } = this.#options;
    const stored = tasks.map(({ id, tenant, query, acceptedMs }) => ({ id, tenant, query, acceptedMs }));
    replaceFile(disk, join(path, DELETE_TASKS_FILE), Buffer.from(`${JSON.stringify({ version: 1, tasks: stored })}\n`));
  }
}

function waiting(task: StoredTask): Running {
  return { ...task, state: 'waiting', daysDone: 0, daysTotal: 0, spans: 0, notes: [] };
}

/** Those of `names` in which the selection may have spans. */
function daysOf(names: readonly string[], selection: SpanSelection): NamedDay[] {
  const days = namedDays(names);
  if ('traceIds' in selection) return days;
  const { startMinNs, startMaxNs } = selection.query;
  const dayNs = BigInt(DAY_NS);
  return days.filter(({ day }) => BigInt(day) <= startMaxNs / dayNs && BigInt(day) >= startMinNs / dayNs);
}
