// A port implementation that keeps every request it is given, for tests of the edges between socket and SpanWriter.
// It stores nothing and searches nothing: what the store does with a request is tested on the store.
import type { CallContext } from '../../src/trace/call-context.ts';
import type {
  FoundHits,
  FoundIds,
  FoundLinks,
  FoundSeries,
  FoundTraces,
  Listed,
  Operation,
  SpanWriter,
  StoreAdmin,
  StoreStats,
  TraceReader,
  WriteContext,
  WriteResult,
} from '../../src/trace/store.ts';
import type { DigestPage, SpanDigester } from '../../src/trace/span-digests.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { decodeRequest, spansOf, type OtlpRequest } from './otlp-proto.ts';

export interface RecordedWrite {
  readonly tenant: Tenant;
  readonly body: Uint8Array;
  readonly request: OtlpRequest;
  readonly strays: WriteContext['strays'];
}

const NOTHING: Listed<never> = { items: [], warnings: [] };

export class RecordingStore implements SpanWriter, TraceReader, StoreAdmin, SpanDigester {
  /** Requests that were acknowledged, in order. */
  readonly writes: RecordedWrite[] = [];
  /** Thrown by the next calls of write, one each. */
  readonly failures: unknown[] = [];
  /** What write answers; by default everything is stored. */
  result: ((request: OtlpRequest) => WriteResult) | undefined;
  /** While set, writes wait for it. */
  gate: Promise<void> | undefined;
  readonly adminCalls: string[] = [];
  partitions: string[] = ['20261119', '20261120'];
  stats_: Partial<StoreStats> = {};
  attempts = 0;
  /** What digestSpans gives; a text breaks it off. */
  digestPages: (DigestPage | string)[] = [];
  /** What findTraces gives. */
  found: FoundTraces = { traces: [], warnings: [] };

  async write({ tenant, strays }: WriteContext, body: Uint8Array): Promise<WriteResult> {
    this.attempts++;
    // As the write thread does: after this the caller's view is empty.
    const owned = structuredClone(body, { transfer: [body.buffer as ArrayBuffer] });
    await this.gate;
    if (this.failures.length > 0) throw this.failures.shift();
    const request = decodeRequest(owned);
    this.writes.push({ tenant, body: owned, request, strays });
    return this.result?.(request) ?? { stored: spansOf(request).length, rejected: new Map() };
  }

  listServices(): Promise<Listed<string>> {
    return Promise.resolve(NOTHING);
  }

  listOperations(): Promise<Listed<Operation>> {
    return Promise.resolve(NOTHING);
  }

  findTraces(): Promise<FoundTraces> {
    return Promise.resolve(this.found);
  }

  async *digestSpans({ tenant }: CallContext, day: number): AsyncGenerator<DigestPage, void, undefined> {
    this.adminCalls.push(`digest ${tenant} ${day}`);
    for (const page of this.digestPages) {
      if (typeof page === 'string') throw new Error(page);
      yield page;
    }
  }

  hasTraces(): Promise<FoundIds> {
    return Promise.resolve({ traceIds: [], warnings: [] });
  }

  searchTraces(): Promise<FoundHits> {
    return Promise.resolve({ hits: [], warnings: [] });
  }

  findNewest(): Promise<FoundTraces> {
    return Promise.resolve({ traces: [], warnings: [] });
  }

  listDependencies(): Promise<FoundLinks> {
    return Promise.resolve({ links: [], warnings: [] });
  }

  listCallSeries(): Promise<FoundSeries> {
    return Promise.resolve({ series: [], warnings: [] });
  }

  async forceFlush(): Promise<void> {
    await this.gate;
    this.adminCalls.push('flush');
  }

  async forceMerge(partitionPrefix: string): Promise<void> {
    await this.gate;
    this.adminCalls.push(`merge ${partitionPrefix}`);
  }

  async deleteRows(tenants: readonly Tenant[], name: string): Promise<'done'> {
    this.adminCalls.push(`deleteRows ${tenants.join(' ')} ${name}`);
    return 'done';
  }

  async purge(): Promise<void> {
    this.adminCalls.push('purge');
  }

  listPartitions(): string[] {
    return this.partitions;
  }

  listTenants(name: string): string[] {
    return this.partitions.includes(name) ? ['0:0', '7:1'] : [];
  }

  tenantBytes(): Map<Tenant, number> {
    return new Map([['0:0' as Tenant, 1_000]]);
  }

  async detachPartition(name: string): Promise<void> {
    this.adminCalls.push(`detach ${name}`);
  }

  async attachPartition(name: string): Promise<void> {
    this.adminCalls.push(`attach ${name}`);
  }

  async createSnapshots(partitionPrefix: string): Promise<string[]> {
    this.adminCalls.push(`snapshot ${partitionPrefix}`);
    return [`/data/snapshots/${partitionPrefix}`];
  }

  listSnapshots(): string[] {
    return ['/data/snapshots/one'];
  }

  async acceptLosses(partitionPrefix: string): Promise<string[]> {
    this.adminCalls.push(`accept losses ${partitionPrefix}`);
    return ['a part'];
  }

  async fillGaps(partitions?: readonly number[]): Promise<void> {
    this.adminCalls.push(`fill gaps ${partitions?.join() ?? 'of all'}`);
  }

  async deleteSnapshot(path: string): Promise<void> {
    this.adminCalls.push(`delete ${path}`);
  }

  stats(): Promise<StoreStats> {
    return Promise.resolve({ ...NO_STATS, ...this.stats_ });
  }
}

const NO_STATS: StoreStats = {
  rowsReceived: 0,
  rowsStored: 0,
  rowsRejected: {},
  requestsMalformed: 0,
  requestsFailed: 0,
  tenants: 0,
  writesRepeated: 0,
  bytesReceived: 0,
  commits: 0,
  commitBytes: 0,
  partitions: 0,
  parts: 0,
  blocks: 0,
  logBlocks: 0,
  pendingRows: 0,
  partRows: 0,
  logRows: 0,
  logBytes: 0,
  partBytes: 0,
  diskBytes: 0,
  mergesActive: 0,
  forceMergesActive: 0,
  mergeWaitingParts: 0,
  logCounts: [],
  flushes: 0,
  merges: 0,
  rowsMerged: 0,
  rowsCopied: 0,
  duplicatesRemoved: 0,
  corruptBlocks: 0,
  namesFolded: 0,
  quarantinedFiles: 0,
  losses: 0,
  lostParts: 0,
  isReadOnly: false,
  freeDiskBytes: 0,
  totalDiskBytes: 0,
  diskBytesMax: 0,
  retentionDropped: {
    age: { partitions: 0, parts: 0, rows: 0, bytes: 0 },
    bytes: { partitions: 0, parts: 0, rows: 0, bytes: 0 },
    percent: { partitions: 0, parts: 0, rows: 0, bytes: 0 },
  },
  retentionWaitingDays: 0,
  retentionExcessBytes: 0,
  days: { opening: 0, open: 0, failed: 0, detaching: 0, detached: 0, dropping: 0 },
  parked: [],
  parkedLogFiles: new Map(),
};
