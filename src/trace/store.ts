// The two ports that make the roles: everything above them (api, cluster) speaks only through these, everything below
// implements them. Spans cross them as OTLP protobuf bytes, the one lossless form that every role and client knows.
import type { Tenant } from './tenant.ts';
import type { TraceQuery } from './trace-query.ts';

export type RejectReason =
  | 'invalid_trace_id' // not 16 bytes, or all zero
  | 'invalid_span_id' // not 8 bytes, or all zero
  | 'invalid_parent_span_id' // neither empty nor 8 bytes
  | 'too_small_timestamp' // start before now - retention
  | 'too_big_timestamp' // start after now + futureRetention
  | 'too_many_days' // of a day without a partition, and there are limits.partitionsMax
  | 'too_many_attributes' // the span, or an event or link of it, above -insert.maxAttributesPerSpan
  | 'too_large' // one span above -insert.maxSpanBytes, with too many events or links, or in a resource or scope too large
  | 'too_deep'; // a value in it, or in its resource or scope, nested deeper than limits.anyValueDepthMax

/** What became of one request. received = stored + the sum over `rejected`. */
export interface WriteResult {
  readonly stored: number;
  readonly rejected: ReadonlyMap<RejectReason, number>;
  /** The first field that this version does not know and has not stored, with its place: `1000 in resource_spans[0]`. */
  readonly unknownField?: string;
}

export interface SpanWriter {
  /**
   * Stores the spans of one OTLP ExportTraceServiceRequest (protobuf, already decompressed).
   * Resolves when every accepted span is on disk, fsynced, and visible to the next query.
   * Ownership of `body` passes to the writer (its ArrayBuffer may be transferred to another thread and become empty here).
   * Throws INVALID_REQUEST (malformed: nothing of it is stored), OVERLOADED, READ_ONLY, UNAVAILABLE.
   */
  write(tenant: Tenant, body: Uint8Array): Promise<WriteResult>;
}

/** Span kinds as OTLP numbers: 0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
export interface Operation {
  readonly name: string;
  readonly kind: number;
}

/** Calls from spans of `parent` to child spans of `child`, both service names. Same-service pairs are not counted. */
export interface Dependency {
  readonly parent: string;
  readonly child: string;
  readonly callCount: number;
  /** Calls whose child span has the status ERROR. */
  readonly errorCount: number;
}

/**
 * What the Monitor asks: spans of these services (exact names) and kinds (OTLP numbers; empty: every kind), starting in
 * [startNs, endNs] rounded out to whole minutes.
 */
export interface MetricsQuery {
  readonly services: readonly string[];
  readonly kinds: readonly number[];
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** One series for each operation, or one for each service. */
  readonly isByOperation: boolean;
}

/** Calls of a service (or one operation of it), minute by minute; minutes without calls are absent. */
export interface CallSeries {
  readonly service: string;
  /** undefined: all operations together. */
  readonly operation: string | undefined;
  /** Since the epoch, ascending. */
  readonly minutes: Float64Array;
  readonly calls: Float64Array;
  /** Calls whose span has the status ERROR. */
  readonly errors: Float64Array;
  /**
   * Latency histogram: minute i has [bucketEnds[i - 1] ?? 0, bucketEnds[i]) of `buckets` (latency-buckets.ts, ascending
   * within the minute) and of `counts`, none of them 0.
   */
  readonly bucketEnds: Uint32Array;
  readonly buckets: Uint16Array;
  readonly counts: Float64Array;
}

/** One whole trace: an OTLP TracesData message, spans in (start, span id) order, duplicates removed, deterministic bytes. */
export interface FoundTrace {
  /** 16 bytes. */
  readonly traceId: Uint8Array;
  readonly otlp: Uint8Array;
}

/**
 * What an answer may lack: one line for each damaged or lost block, part or file that could have held something of it, for
 * people. Empty: the answer is whole.
 */
export interface Marked {
  readonly warnings: readonly string[];
}

export interface FoundTraces extends Marked {
  readonly traces: FoundTrace[];
}

/** Links between services. */
export interface FoundLinks extends Marked {
  readonly links: readonly Dependency[];
}

export interface FoundSeries extends Marked {
  readonly series: readonly CallSeries[];
}

/** Names: of services, or operations. */
export interface Listed<T> extends Marked {
  readonly items: T[];
}

export interface TraceReader {
  /** Service names in byte order. */
  listServices(tenant: Tenant, signal?: AbortSignal): Promise<Listed<string>>;
  /** Operations of `service`, by (name, kind); only those of `kind` when it is given. Unknown service: []. */
  listOperations(tenant: Tenant, service: string, kind?: number, signal?: AbortSignal): Promise<Listed<Operation>>;
  /** The traces among `traceIds` (16 bytes each) that exist, in the order asked. */
  findTraces(tenant: Tenant, traceIds: readonly Uint8Array[], signal?: AbortSignal): Promise<FoundTraces>;
  /** The newest `query.limit` matching traces, whole, newest matching span first. See trace-query.ts for what matches. */
  searchTraces(tenant: Tenant, query: TraceQuery, signal?: AbortSignal): Promise<FoundTraces>;
  /**
   * Links summed over child spans whose start is in [startNs, endNs] rounded out to whole minutes, sorted by (parent,
   * child). Spans equal in id, parent, service, kind and times are one call, however often and in how many versions they
   * were sent. The parent is looked for in the child's trace, among spans that started on the same UTC day.
   */
  listDependencies(tenant: Tenant, startNs: bigint, endNs: bigint, signal?: AbortSignal): Promise<FoundLinks>;
  /** Calls, errors and latencies, counted as in listDependencies; sorted by (service, operation). */
  listCallSeries(tenant: Tenant, query: MetricsQuery, signal?: AbortSignal): Promise<FoundSeries>;
}

/** Traces that are kept beyond retention. A TraceReader beside it finds them by id; searches do not. */
export interface TraceArchive {
  isArchived(tenant: Tenant, traceId: Uint8Array): boolean;
  /**
   * Keeps the trace (16 bytes) as it is now, together with what was kept of it before. Resolves when that is on disk,
   * fsynced; not found: there is no such trace. What could not be read of it is not kept, and named in the warnings. Throws
   * LIMIT_EXCEEDED (the archive is full), READ_ONLY, DISK.
   */
  archiveTrace(
    tenant: Tenant,
    traceId: Uint8Array,
    signal?: AbortSignal,
  ): Promise<Marked & { readonly isFound: boolean }>;
  /** Keeps it no longer; false: it was not kept. */
  deleteArchived(tenant: Tenant, traceId: Uint8Array): Promise<boolean>;
  /** Keeps none of them any longer, whoever's it is. */
  purge(): Promise<void>;
}

/** Why something was dropped: -retentionPeriod, -retention.maxDiskSpaceUsageBytes, -retention.maxDiskUsagePercent. */
export const DROP_REASONS = ['age', 'bytes', 'percent'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** What one rule of retention has dropped: whole days with their parts, and parts of days that stay. */
export interface DropCounts {
  readonly partitions: number;
  readonly parts: number;
  readonly rows: number;
  readonly bytes: number;
}

/** States of a day (storage/day.ts says what may follow what). Only an open one is read and written. */
export const DAY_STATES = ['opening', 'open', 'failed', 'detaching', 'detached', 'dropping'] as const;
export type DayState = (typeof DAY_STATES)[number];

/** Parts of one day that no merge in the background has any more, because a merge of them failed twice. */
export interface ParkedParts {
  /** YYYYMMDD */
  readonly partition: string;
  readonly reason: string;
  readonly parts: number;
}

/** One row of the ledger and of the state of the store, for /metrics. Counters are since start, gauges are now. */
export interface StoreStats {
  readonly rowsReceived: number;
  readonly rowsStored: number;
  readonly rowsRejected: Readonly<Partial<Record<RejectReason, number>>>;
  readonly requestsMalformed: number;
  /** That have something stored. */
  readonly tenants: number;
  /** That met a bug, each alone. */
  readonly requestsFailed: number;
  readonly bytesReceived: number;
  readonly commits: number;
  readonly commitBytes: number;
  readonly partitions: number;
  readonly parts: number;
  readonly blocks: number;
  /** Spans on disk now, in parts and in the log (duplicates not yet merged away included). */
  readonly partRows: number;
  readonly logRows: number;
  readonly diskBytes: number;
  readonly flushes: number;
  readonly merges: number;
  readonly rowsMerged: number;
  readonly duplicatesRemoved: number;
  readonly corruptBlocks: number;
  readonly namesFolded: number;
  readonly quarantinedFiles: number;
  /** Parts, blocks and log files that are lost, until an operator accepts it; of them the parts that are listed. */
  readonly losses: number;
  readonly lostParts: number;
  readonly isReadOnly: boolean;
  /** The file system of the data directory. */
  readonly freeDiskBytes: number;
  readonly totalDiskBytes: number;
  /** What may be stored, by bytes or by percent of totalDiskBytes; 0: no limit. */
  readonly diskBytesMax: number;
  readonly retentionDropped: Readonly<Record<DropReason, DropCounts>>;
  /** Days that are due for their age, and wait because the clock jumped. */
  readonly retentionWaitingDays: number;
  /** Bytes above the limit that stay: nothing may be dropped for them. */
  readonly retentionExcessBytes: number;
  readonly days: Readonly<Record<DayState, number>>;
  readonly parked: readonly ParkedParts[];
  /** Log files that no flush takes any more, because a flush of them failed twice, by partition. */
  readonly parkedLogFiles: ReadonlyMap<string, number>;
}

/** What an operator asks of a local store. */
export interface StoreAdmin {
  /** Resolves when every span acknowledged before the call is in a part. */
  forceFlush(): Promise<void>;
  /** Resolves when every partition whose name (YYYYMMDD) begins with `partitionPrefix` is one part. */
  forceMerge(partitionPrefix: string): Promise<void>;
  /**
   * Removes everything stored before the call, of all tenants. Resolves when its files are gone; spans of its days are
   * refused with UNAVAILABLE until then. Days that are detached stay as they are.
   */
  purge(): Promise<void>;
  /**
   * Forgets what is lost of the partitions whose names begin with `partitionPrefix`: answers warn of it no longer. Gives what
   * that was, a line each.
   */
  acceptLosses(partitionPrefix: string): Promise<string[]>;
  /** Names (YYYYMMDD) of the partitions that are read and written, by day. */
  listPartitions(): string[] | Promise<string[]>;
  /**
   * Takes a partition out, its files staying where they are: requests with spans of that day fail with UNAVAILABLE,
   * queries see nothing of it. Resolves when nothing reads or writes its files any more. Lasts until attachPartition or
   * the next start. Throws NOT_FOUND, INVALID_REQUEST.
   */
  detachPartition(name: string): Promise<void>;
  /** Opens the folder of a partition that was detached or copied into place. Throws NOT_FOUND, INVALID_REQUEST. */
  attachPartition(name: string): Promise<void>;
  /**
   * Takes a snapshot on disk of every partition whose name begins with `partitionPrefix`, all acknowledged before the
   * call included; gives their absolute paths.
   */
  createSnapshots(partitionPrefix: string): Promise<string[]>;
  /** Absolute paths of the snapshots on disk. */
  listSnapshots(): string[] | Promise<string[]>;
  /** Removes one of listSnapshots. Throws NOT_FOUND, INVALID_REQUEST. */
  deleteSnapshot(path: string): Promise<void>;
  stats(): Promise<StoreStats>;
}
