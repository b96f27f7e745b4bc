// Everything a store can be asked, as text: what must stay the same whatever is flushed, merged, restarted or restored. Asked
// in this process, through views, as a node's reader asks.
import type { Disk } from '../../src/disk/disk.ts';
import { nodeDisk } from '../../src/disk/node-disk.ts';
import { tracesToJson } from '../../src/otlp/traces-to-json.ts';
import type { ViewFilter } from '../../src/partition/view.ts';
import { PartCache } from '../../src/query/part-cache.ts';
import { runQuery, type QueryResult, type QueryTask } from '../../src/query/run-query.ts';
import type { ArchiveFolder } from '../../src/archive/archive-folder.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import type { TraceQuery } from '../../src/trace/trace-query.ts';

export interface Questions {
  readonly tenants: readonly Tenant[];
  /** Hex. */
  readonly traceIds: readonly string[];
  readonly searches: readonly TraceQuery[];
  /** For dependencies and call series: first and last ns. */
  readonly windows: readonly (readonly [bigint, bigint])[];
}

const MINUTE_NS = 60_000_000_000n;
const DAY_NS = 86_400_000_000_000n;

/** A node's query thread: its cache lives from question to question, and through restarts of the store. */
export class Asker implements Disposable {
  readonly cache: PartCache;
  readonly warnings = new Set<string>();
  readonly #archive: ArchiveFolder | undefined;

  constructor(archive?: ArchiveFolder, disk: Disk = nodeDisk) {
    this.#archive = archive;
    this.cache = new PartCache(disk);
  }

  /** Answer by question, both as text. */
  answers(storage: Storage, questions: Questions): Map<string, string> {
    const out = new Map<string, string>();
    for (const tenant of questions.tenants) {
      const say = (what: string, answer: unknown): void => void out.set(`${tenant} ${what}`, textOf(answer));
      const services = storage.listServices(tenant).items;
      say('services', services);
      for (const service of services) say(`operations of ${service}`, storage.listOperations(tenant, service).items);
      for (const [hex, otlp] of this.traces(storage, tenant, questions.traceIds)) say(`trace ${hex}`, otlp);
      for (const query of questions.searches) say(`search ${textOf(query)}`, this.search(storage, tenant, query));
      for (const [startNs, endNs] of questions.windows) {
        const filter = { startMinNs: startNs - (startNs % DAY_NS), startMaxNs: endNs - (endNs % DAY_NS) + DAY_NS - 1n };
        const task: QueryTask = { kind: 'dependencies', startNs, endNs };
        say(`dependencies ${startNs} ${endNs}`, this.#run(storage, tenant, { task, filter }));
        const query = { services, kinds: [], startNs, endNs, isByOperation: startNs % (2n * MINUTE_NS) === 0n };
        say(`calls ${startNs} ${endNs}`, this.#run(storage, tenant, { task: { kind: 'metrics', query }, filter }));
      }
    }
    return out;
  }

  /** Of each trace that exists its OTLP, as JSON and as hex. */
  traces(storage: Storage, tenant: Tenant, ids: readonly string[]): Map<string, { json: string; hex: string }> {
    const traceIds = ids.map((id) => new Uint8Array(Buffer.from(id, 'hex')));
    const result = this.#run(storage, tenant, { task: { kind: 'find', traceIds }, filter: { traceIds } });
    if (result.kind !== 'traces') throw new Error(result.kind);
    return new Map(
      result.traces.map(({ traceId, otlp }) => [
        Buffer.from(traceId).toString('hex'),
        { json: Buffer.concat([...tracesToJson(otlp)]).toString('utf8'), hex: Buffer.from(otlp).toString('hex') },
      ]),
    );
  }

  search(storage: Storage, tenant: Tenant, query: TraceQuery): string[] {
    const { startMinNs, startMaxNs } = query;
    const result = this.#run(storage, tenant, { task: { kind: 'search', query }, filter: { startMinNs, startMaxNs } });
    if (result.kind !== 'hits') throw new Error(result.kind);
    return result.hits.map(({ traceId: id }) => Buffer.from(id).toString('hex'));
  }

  #run(
    storage: Storage,
    tenant: Tenant,
    asked: { readonly task: QueryTask; readonly filter: ViewFilter },
  ): QueryResult {
    const result = this.run(storage, tenant, asked);
    for (const warning of result.warnings) this.warnings.add(warning);
    return { ...result, warnings: [], damaged: [] } as QueryResult;
  }

  /** One answer with its warnings. */
  run(
    storage: Storage,
    tenant: Tenant,
    { task, filter }: { readonly task: QueryTask; readonly filter: ViewFilter },
  ): QueryResult {
    const taken = storage.takeView(tenant, filter);
    const view = { ...taken, archived: this.#archived(tenant, filter) };
    try {
      const cancelled = new Int32Array(new SharedArrayBuffer(4));
      const job = { task, tenant, view, durationMaxMs: 60_000, cancelled };
      const result = runQuery(this.cache, job);
      storage.reportDamage(result.damaged);
      return result;
    } finally {
      storage.releaseView(taken.id);
    }
  }

  #archived(tenant: Tenant, { traceIds = [] }: ViewFilter): { traceId: Uint8Array; path: string }[] {
    return traceIds.flatMap((traceId) => {
      const path = this.#archive?.find(tenant, traceId);
      return path === undefined ? [] : [{ traceId, path }];
    });
  }

  [Symbol.dispose](): void {
    this.cache.close();
  }
}

/** JSON; integers of 64 bits as decimal strings, typed arrays as lists. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member === 'bigint') return `${member}`;
    if (ArrayBuffer.isView(member)) return [...(member as Uint8Array)];
    return member;
  });
}
