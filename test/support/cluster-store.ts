// A cluster behind HAProxy as a store that is asked (asked-store.ts): written over OTLP/HTTP, read by the protocol between nodes from
// a select process, as another select would. One node is written to as well; its traces must have the same bytes.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { proxyAddresses, startCluster, type Cluster, type Member } from '../../native-bench/harness/cluster.ts';
import { startProxy, type Proxy } from '../../native-bench/harness/proxy.ts';
import { isStoreError } from '../../src/base/errors.ts';
import { GrpcCaller } from '../../src/cluster/grpc-caller.ts';
import { RemoteStore } from '../../src/cluster/remote-store.ts';
import type { CallSeries, Dependency, Marked, MetricsQuery, Operation } from '../../src/trace/store.ts';
import { DEFAULT_TENANT, type Tenant } from '../../src/trace/tenant.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';
import type { AskedStore } from './asked-store.ts';
import { FRONT_FLAGS } from './cluster-front.ts';

const WAIT_MS = 120_000;
const POLL_MS = 50;

export class ClusterStore implements AskedStore {
  readonly cluster: Cluster;
  readonly #folder: string;
  readonly #proxy: Proxy;
  /** A cluster of one, with one select that it is asked through. */
  readonly #beside: Member;
  readonly #callers: readonly [GrpcCaller, GrpcCaller];
  readonly #store: RemoteStore;
  readonly #single: RemoteStore;

  private constructor(parts: { folder: string; cluster: Cluster; proxy: Proxy; beside: Member }) {
    const { folder, cluster, proxy, beside } = parts;
    this.#folder = folder;
    this.cluster = cluster;
    this.#proxy = proxy;
    this.#beside = beside;
    this.#callers = [
      new GrpcCaller({ address: proxy.jaegerAddress }),
      new GrpcCaller({ address: `127.0.0.1:${beside.ports.storage}` }),
    ];
    [this.#store, this.#single] = this.#callers.map((caller) => new RemoteStore({ caller })) as [
      RemoteStore,
      RemoteStore,
    ];
  }

  static async open(): Promise<ClusterStore> {
    const folder = mkdtempSync(join(tmpdir(), 'tracelith-asked-'));
    const one = { inserts: 0, selects: 0, storages: 1, flags: FRONT_FLAGS };
    const [beside] = (await startCluster({ path: join(folder, 'beside'), ...one })).members;
    const cluster = await startCluster({
      path: folder,
      inserts: 2,
      selects: 2,
      storages: 3,
      flags: FRONT_FLAGS,
      areSelectsNodes: true,
    });
    const addresses = proxyAddresses(cluster);
    // What a select node says to others of its kind, in the place of what it says to Jaeger.
    for (const { name, ports } of cluster.of('select')) addresses[`${name}:17271`] = `127.0.0.1:${ports.storage}`;
    const proxy = await startProxy('haproxy', 'cluster', addresses);
    const store = new ClusterStore({ folder, cluster, proxy, beside: beside! });
    await store.whole();
    return store;
  }

  async write(tenant: Tenant, body: Uint8Array): Promise<void> {
    const headers = { 'content-type': 'application/x-protobuf', 'x-tenant': tenant };
    const urls = [this.#proxy.url, this.#beside.url];
    const replies = await Promise.all(
      urls.map(async (url) => {
        const reply = await fetch(`${url}/v1/traces`, { method: 'POST', headers, body: Buffer.from(body) });
        return [reply.status, await reply.text()];
      }),
    );
    expect(replies).toEqual([
      [200, ''],
      [200, ''],
    ]);
  }

  async listServices(tenant: Tenant): Promise<readonly string[]> {
    return whole(await this.#store.listServices({ tenant })).items;
  }

  async listOperations(tenant: Tenant, service: string): Promise<readonly Operation[]> {
    return whole(await this.#store.listOperations({ tenant }, service)).items;
  }

  async findTraces(tenant: Tenant, ids: readonly string[]): Promise<Map<string, string>> {
    const traceIds = ids.map((id) => new Uint8Array(Buffer.from(id, 'hex')));
    const [ours, single] = await Promise.all(
      [this.#store, this.#single].map(async (store) => {
        const { traces } = whole(await store.findTraces({ tenant }, traceIds));
        return traces.map(({ traceId, otlp }): [string, string] => [hex(traceId), hex(otlp)]);
      }),
    );
    expect(ours).toEqual(single);
    return new Map(ours);
  }

  async searchIds(tenant: Tenant, query: TraceQuery): Promise<string[]> {
    return whole(await this.#store.searchTraces({ tenant }, query)).hits.map(({ traceId }) => hex(traceId));
  }

  async listDependencies(tenant: Tenant, startNs: bigint, endNs: bigint): Promise<readonly Dependency[]> {
    return whole(await this.#store.listDependencies({ tenant }, startNs, endNs)).links;
  }

  async listCallSeries(tenant: Tenant, query: MetricsQuery): Promise<readonly CallSeries[]> {
    return whole(await this.#store.listCallSeries({ tenant }, query)).series;
  }

  async flush(): Promise<void> {
    await this.#force('flush');
  }

  async merge(): Promise<void> {
    await this.#force('merge');
  }

  async #force(what: 'flush' | 'merge'): Promise<void> {
    for (const { url } of [...this.cluster.of('storage'), this.#beside])
      expect((await fetch(`${url}/internal/force_${what}`, { method: 'POST' })).status).toBe(200);
  }

  /** Every process of the cluster, and the node beside it. */
  async reopen(): Promise<void> {
    for (const member of [...this.cluster.members, this.#beside]) await this.restart(member, 'SIGTERM');
    await this.whole();
  }

  async restart(member: Member, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await (signal === 'SIGKILL' ? member.kill9() : member.stop());
    await member.start();
  }

  /** Resolves when both select nodes see every storage node, and the proxy sees both and an insert node. */
  async whole(): Promise<void> {
    const urls = this.cluster.of('select').map(({ url }) => `${url}/api/services`);
    for (const url of [...urls, `${this.#proxy.url}/insert/ready`, `${this.#proxy.url}/select/ready`])
      await until(url, async () => (await fetch(url)).status === 200);
    await until('the protocol between nodes', async () => {
      await this.#store.listServices({ tenant: DEFAULT_TENANT });
      return true;
    });
  }

  async countBlocks(): Promise<number> {
    const counts = this.cluster.of('storage').map(async ({ url }) => {
      const text = await (await fetch(`${url}/metrics`)).text();
      return Number(/^vt_storage_blocks\{type="storage\/part"\} (\d+)$/m.exec(text)?.[1]);
    });
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const caller of this.#callers) caller.close();
    await this.#proxy[Symbol.asyncDispose]();
    await Promise.all([...this.cluster.members, this.#beside].map((member) => member.kill9()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function until(what: string, isDone: () => Promise<boolean>): Promise<void> {
  const quiet = (error: unknown): boolean => {
    if (isStoreError(error) || error instanceof TypeError) return false;
    throw error;
  };
  for (let waitedMs = 0; !(await isDone().catch(quiet)); waitedMs += POLL_MS) {
    if (waitedMs > WAIT_MS) throw new Error(`waited in vain for ${what}`);
    await delay(POLL_MS);
  }
}

/** The answer, which must lack nothing. */
function whole<T extends Marked>(answer: T): T {
  expect([answer.warnings, answer.missing]).toEqual([[], undefined]);
  return answer;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
