// What the search oracle does with a store and asks of it: a store in this process, asked through views as a node's reader asks, or
// (cluster-store.ts) a cluster of processes.
import { expect } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import type { ViewFilter } from '../../src/partition/view.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import { runQuery, type QueryResult, type QueryTask } from '../../src/query/run-query.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { CallSeries, Dependency, MetricsQuery, Operation } from '../../src/trace/store.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';
import { openStore } from '../storage/open-store.ts';
import { FakeClock } from './fake-clock.ts';

export interface AskedStore extends AsyncDisposable {
  /** A request, which must be stored whole. */
  write(tenant: Tenant, body: Uint8Array): Promise<void>;
  listServices(tenant: Tenant): Promise<readonly string[]>;
  listOperations(tenant: Tenant, service: string): Promise<readonly Operation[]>;
  /** OTLP of those of the traces that exist, all as hex. */
  findTraces(tenant: Tenant, traceIds: readonly string[]): Promise<Map<string, string>>;
  /** Ids as hex, in the order of the answer. */
  searchIds(tenant: Tenant, query: TraceQuery): Promise<string[]>;
  listDependencies(tenant: Tenant, startNs: bigint, endNs: bigint): Promise<readonly Dependency[]>;
  listCallSeries(tenant: Tenant, query: MetricsQuery): Promise<readonly CallSeries[]>;
  flush(): Promise<void>;
  /** Everything becomes one part a day (on each node). */
  merge(): Promise<void>;
  reopen(): Promise<void>;
  /** Blocks of parts. */
  countBlocks(): Promise<number>;
}

export class LocalStore implements AskedStore {
  readonly #path: string;
  readonly #clock: Clock;
  readonly #cache = new PartCache(nodeDisk);
  #storage: Storage;

  constructor(path: string, clock: Clock = new FakeClock()) {
    this.#path = path;
    this.#clock = clock;
    this.#storage = openStore(path, { clock });
  }

  async write(tenant: Tenant, body: Uint8Array): Promise<void> {
    await this.#storage.write(tenant, body);
  }

  async listServices(tenant: Tenant): Promise<readonly string[]> {
    return this.#storage.listServices(tenant).items;
  }

  async listOperations(tenant: Tenant, service: string): Promise<readonly Operation[]> {
    return this.#storage.listOperations(tenant, service).items;
  }

  async findTraces(tenant: Tenant, ids: readonly string[]): Promise<Map<string, string>> {
    const traceIds = ids.map((id) => new Uint8Array(Buffer.from(id, 'hex')));
    const { traces } = this.#run(tenant, { kind: 'find', traceIds }, { traceIds }, 'traces');
    return new Map(traces.map(({ traceId, otlp }) => [hex(traceId), hex(otlp)]));
  }

  async searchIds(tenant: Tenant, query: TraceQuery): Promise<string[]> {
    const { startMinNs, startMaxNs } = query;
    const { hits } = this.#run(tenant, { kind: 'search', query }, { startMinNs, startMaxNs }, 'hits');
    return hits.map(({ traceId }) => hex(traceId));
  }

  async listDependencies(tenant: Tenant, startNs: bigint, endNs: bigint): Promise<readonly Dependency[]> {
    return this.#run(tenant, { kind: 'dependencies', startNs, endNs }, {}, 'dependencies').dependencies;
  }

  async listCallSeries(tenant: Tenant, query: MetricsQuery): Promise<readonly CallSeries[]> {
    return this.#run(tenant, { kind: 'metrics', query }, {}, 'metrics').series;
  }

  async flush(): Promise<void> {
    await this.#storage.forceFlush();
  }

  async merge(): Promise<void> {
    await this.#storage.forceMerge('');
  }

  async reopen(): Promise<void> {
    await this.#storage.close();
    this.#storage = openStore(this.#path, { clock: this.#clock });
  }

  async countBlocks(): Promise<number> {
    return (await this.#storage.stats()).blocks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#storage.close();
    this.#cache.close();
  }

  /** A query as the reader of a node runs it. */
  #run<Kind extends QueryResult['kind']>(
    tenant: Tenant,
    task: QueryTask,
    filter: ViewFilter,
    kind: Kind,
  ): Extract<QueryResult, { kind: Kind }> {
    const view = this.#storage.takeView(tenant, filter);
    try {
      const cancelled = new Int32Array(new SharedArrayBuffer(4));
      const result = runQuery(this.#cache, { task, tenant, view, durationMaxMs: 60_000, cancelled });
      expect([result.kind, result.warnings]).toEqual([kind, []]);
      return result as Extract<QueryResult, { kind: Kind }>;
    } finally {
      this.#storage.releaseView(view.id);
    }
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
