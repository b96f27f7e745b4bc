// The two ports between the roles: everything above them (api, cluster) uses only these, everything below implements
// them. Spans cross them as OTLP protobuf bytes, the one lossless form that every role and client knows.
import type { LogCount } from '../base/logger.ts';
import type { CallContext } from './call-context.ts';
import type { Tenant } from './tenant.ts';
import type { TraceQuery } from './trace-query.ts';

export type RejectReason =
  | 'invalid_trace_id' // not 16 bytes, or all zero
  | 'invalid_span_id' // not 8 bytes, or all zero
  | 'invalid_parent_span_id' // neither empty nor 8 bytes
  | 'too_small_timestamp' // start before now - retention, of the store or of the tenant
  | 'too_big_timestamp' // start after now + futureRetention
  | 'too_many_days' // its day has no partition, and there are limits.partitionsMax already
  | 'too_many_attributes' // the span, or one of its events or links, is above -insert.maxAttributesPerSpan
  | 'too_large' // one span above -insert.maxSpanBytes, too many events or links in it, or a resource or scope too large
  | 'too_deep'; // a value of the span, its resource or its scope is nested deeper than limits.anyValueDepthMax

/** The result of one request. received = stored + the sum over `rejected`. */
export interface WriteResult {
  readonly stored: number;
  readonly rejected: ReadonlyMap<RejectReason, number>;
  /** The first unknown field, which was not stored, with its place: `1000 in resource_spans[0]`. */
  readonly unknownField?: string;
}

/** Span starts, ns since the epoch, both inclusive. */
export interface StartWindow {
  readonly startMinNs: bigint;
  readonly startMaxNs: bigint;
}

/** What a write carries besides. */
export interface WriteContext extends CallContext {
  /** How long the tenant's spans are kept, ms: older ones are rejected. Absent, or longer than the store's own: that. */
  readonly retentionMs?: number | undefined;
  /** Set if another node may have some of the spans, or others of their traces (index/strays.ts): when the spans start. */
  readonly strays?: StartWindow | undefined;
}

export interface SpanWriter {
  /**
   * Stores the spans of one OTLP ExportTraceServiceRequest (protobuf, decompressed). Resolves when every accepted span
   * is on disk, fsynced, and visible to the next query. Takes ownership of `body`: its ArrayBuffer may be transferred
   * to another thread and become empty here. Equal calls with the same `key` (1 to limits.writeKeyCharsMax characters)
   * are one write while the key is remembered (storage/recent-writes.ts): the later ones get the result of the first.
   * Throws INVALID_REQUEST (malformed: nothing of it is stored), OVERLOADED, READ_ONLY, UNAVAILABLE.
   */
  write(call: WriteContext, body: Uint8Array, key?: string): Promise<WriteResult>;
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
 * A query of the Monitor: spans of these services (exact names) and kinds (OTLP numbers; empty: every kind) that start
 * in [startNs, endNs] rounded out to whole minutes.
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
  /** undefined: the sum of all operations. */
  readonly operation: string | undefined;
  /** Minutes since the epoch, ascending. */
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

/** One whole trace: an OTLP TracesData message, spans by (start, span id), no duplicates, deterministic bytes. */
export interface FoundTrace {
  /** 16 bytes. */
  readonly traceId: Uint8Array;
  readonly otlp: Uint8Array;
}

/** A node that an answer was made without. */
export interface Missing {
  /** Its name, or its address while its name is unknown. */
  readonly node: string;
  /** For people: what went wrong. */
  readonly reason: string;
}

/** A partition of the log that a node had not stored as far as it was asked for. */
export interface Behind {
  readonly partition: number;
  /** It is stored up to here. */
  readonly offset: bigint;
  /** How long ago the log took what is stored last, ms; 0: nothing is stored yet. */
  readonly ageMs: number;
}

/** What an answer may lack. */
export interface Marked {
  /**
   * For people: one line for each damaged or lost block, part or file that could have contributed to the answer. Empty,
   * and nothing missing: the answer is complete.
   */
  readonly warnings: readonly string[];
  /** The nodes of a cluster that did not contribute; absent: all did. */
  readonly missing?: readonly Missing[] | undefined;
  /** Only between nodes: whoever asked may ask another node, or warn. */
  readonly behind?: readonly Behind[] | undefined;
}

export interface FoundTraces extends Marked {
  readonly traces: FoundTrace[];
}

/** A trace that matches a search. */
export interface SearchHit {
  /** 16 bytes. */
  readonly traceId: Uint8Array;
  /** Start of its latest matching span, ns since the epoch. */
  readonly matchedStartNs: bigint;
}

/** Hits, the latest first, ties by trace id; so the hits of several nodes can be merged and cut exactly (searched.ts). */
export interface FoundHits extends Marked {
  readonly hits: readonly SearchHit[];
}

/** 16 bytes each. */
export interface FoundIds extends Marked {
  readonly traceIds: readonly Uint8Array[];
}

/** Spans to be deleted: whole traces (16 bytes each), or those that meet every condition of a query, whose limit is ignored. */
export type SpanSelection = { readonly traceIds: readonly Uint8Array[] } | { readonly query: TraceQuery };

/** Rows of one block of a part. */
export interface SpanRows {
  /** The part's identity. */
  readonly part: string;
  /** Number of the block in the part. */
  readonly block: number;
  /** A flag per row. */
  readonly flags: Uint8Array;
}

/** Finds what a deletion takes out. */
export interface SpanSelector {
  /** The selected rows of one day's parts, log left out. Throws if any block of them cannot be read: it may hold such spans. */
  selectRows(call: CallContext, day: number, selection: SpanSelection): Promise<SpanRows[]>;
}

/** Deletes selected spans of archived traces. */
export interface ArchiveEraser {
  /** Returns how many spans are gone, durably. Throws CORRUPTION if a file that may hold some cannot be read; DISK, LIMIT_EXCEEDED. */
  erase(call: CallContext, selection: SpanSelection): Promise<number>;
}

/** Links between services. */
export interface FoundLinks extends Marked {
  readonly links: readonly Dependency[];
}

export interface FoundSeries extends Marked {
  readonly series: readonly CallSeries[];
}

/** Names of services, or operations. */
export interface Listed<T> extends Marked {
  readonly items: T[];
}

export interface TraceReader {
  /** Service names in byte order. */
  listServices(call: CallContext): Promise<Listed<string>>;
  /** Operations of `service`, by (name, kind); only those of `kind` when it is given. Unknown service: []. */
  listOperations(call: CallContext, service: string, kind?: number): Promise<Listed<Operation>>;
  /** The existing traces of `traceIds` (16 bytes each), in the given order. */
  findTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundTraces>;
  /** Which of `traceIds` exist, in the given order, without reading their spans. */
  hasTraces(call: CallContext, traceIds: readonly Uint8Array[]): Promise<FoundIds>;
  /** The newest `query.limit` matching traces; more only as query.lastUnit says. trace-query.ts defines a match. */
  searchTraces(call: CallContext, query: TraceQuery): Promise<FoundHits>;
  /** The traces of searchTraces, whole, in its order: one call, because most searches want both. */
  findNewest(call: CallContext, query: TraceQuery): Promise<FoundTraces>;
  /**
   * Links summed over child spans that start in [startNs, endNs] rounded out to whole minutes, sorted by (parent,
   * child). Spans with equal id, parent, service, kind and times are one call, even if sent repeatedly or in several
   * versions. The parent must be in the child's trace, among spans that started on the same UTC day.
   */
  listDependencies(call: CallContext, startNs: bigint, endNs: bigint): Promise<FoundLinks>;
  /** Calls, errors and latencies, counted as in listDependencies; sorted by (service, operation). */
  listCallSeries(call: CallContext, query: MetricsQuery): Promise<FoundSeries>;
}

/** Traces kept beyond retention. A TraceReader with this archive finds them by id; searches do not. */
export interface TraceArchive {
  isArchived(call: CallContext, traceId: Uint8Array): Promise<boolean>;
  /**
   * Archives the trace (16 bytes) as it is now, merged with its older archived version. Resolves when that is fsynced;
   * not found: there is no such trace. Unreadable spans are not archived; the warnings name them. Throws LIMIT_EXCEEDED
   * (the archive is full), READ_ONLY, DISK.
   */
  archiveTrace(call: CallContext, traceId: Uint8Array): Promise<Marked & { readonly isFound: boolean }>;
  /** Removes the trace from the archive; false: it was not there. */
  deleteArchived(call: CallContext, traceId: Uint8Array): Promise<boolean>;
  /** Removes all archived traces, of every tenant. */
  purge(): Promise<void>;
}

/** Why data was dropped: -retentionPeriod, -retention.maxDiskSpaceUsageBytes, -retention.maxDiskUsagePercent. */
export const DROP_REASONS = ['age', 'bytes', 'percent'] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** Data dropped by one rule of retention: whole days with their parts, and parts of days that stay. */
export interface DropCounts {
  readonly partitions: number;
  readonly parts: number;
  readonly rows: number;
  readonly bytes: number;
}

/** States of a day (storage/day.ts defines the transitions). Only an open day is read and written. */
export const DAY_STATES = ['opening', 'open', 'failed', 'detaching', 'detached', 'dropping'] as const;
export type DayState = (typeof DAY_STATES)[number];

/** Parts of one day that background merges skip, because a merge of them failed twice. */
export interface ParkedParts {
  /** YYYYMMDD */
  readonly partition: string;
  readonly reason: string;
  readonly parts: number;
}

/** A row of the ledger and the state of the store, for /metrics. Counters are since start, gauges are now. */
export interface StoreStats {
  readonly rowsReceived: number;
  readonly rowsStored: number;
  readonly rowsRejected: Readonly<Partial<Record<RejectReason, number>>>;
  readonly requestsMalformed: number;
  /** Keyed writes answered with the result of an earlier one (SpanWriter.write). */
  readonly writesRepeated: number;
  /** Number of tenants with stored data. */
  readonly tenants: number;
  /** Requests that failed because of a bug; other requests are unaffected. */
  readonly requestsFailed: number;
  readonly bytesReceived: number;
  readonly commits: number;
  readonly commitBytes: number;
  readonly partitions: number;
  readonly parts: number;
  /** Blocks of parts, and of logs. */
  readonly blocks: number;
  readonly logBlocks: number;
  /** Spans received and not yet committed to the log. */
  readonly pendingRows: number;
  /** Spans on disk now, in parts and in the log (including duplicates that no merge has removed yet). */
  readonly partRows: number;
  readonly logRows: number;
  /** Bytes of logs, of parts, and of both with the indexes. */
  readonly logBytes: number;
  readonly partBytes: number;
  readonly diskBytes: number;
  /** Merges in the background now, forced ones now, and the parts that further merges would take. */
  readonly mergesActive: number;
  readonly forceMergesActive: number;
  readonly mergeWaitingParts: number;
  /** Lines that the store logged since start. */
  readonly logCounts: readonly LogCount[];
  readonly flushes: number;
  readonly merges: number;
  readonly rowsMerged: number;
  /** Of them, those in blocks that were copied as they were. */
  readonly rowsCopied: number;
  readonly duplicatesRemoved: number;
  readonly corruptBlocks: number;
  readonly namesFolded: number;
  readonly quarantinedFiles: number;
  /** Parts, blocks and log files lost, until an operator accepts that; then the listed parts among them. */
  readonly losses: number;
  readonly lostParts: number;
  readonly isReadOnly: boolean;
  /** The file system of the data directory. */
  readonly freeDiskBytes: number;
  readonly totalDiskBytes: number;
  /** Limit of stored bytes, set directly or as a percentage of totalDiskBytes; 0: no limit. */
  readonly diskBytesMax: number;
  readonly retentionDropped: Readonly<Record<DropReason, DropCounts>>;
  /** Days that have reached their age limit but are kept because the clock jumped. */
  readonly retentionWaitingDays: number;
  /** Bytes above the limit that stay, because no rule allows dropping more. */
  readonly retentionExcessBytes: number;
  readonly days: Readonly<Record<DayState, number>>;
  readonly parked: readonly ParkedParts[];
  /** By partition: log files that flushes skip, because a flush of them failed twice. */
  readonly parkedLogFiles: ReadonlyMap<string, number>;
}

/** Operations of an administrator on a local store. */
export interface StoreAdmin {
  /** Resolves when every span acknowledged before the call is in a part. */
  forceFlush(): Promise<void>;
  /** Resolves when every partition whose name (YYYYMMDD) begins with `partitionPrefix` is one part. */
  forceMerge(partitionPrefix: string): Promise<void>;
  /**
   * Removes everything stored before the call, of all tenants. Resolves when the files are gone; until then spans of
   * these days fail with UNAVAILABLE. Detached days are unaffected.
   */
  purge(): Promise<void>;
  /**
   * Writes the partition `name` again without `rows`, spans of `tenants`, durably. Names of these that no span has any more
   * go too. 'changed': some of the parts are not there any more, and nothing was done. Throws NOT_FOUND, READ_ONLY,
   * WORKER_FAILED, DISK.
   */
  deleteRows(tenants: readonly Tenant[], name: string, rows: readonly SpanRows[]): Promise<'done' | 'changed'>;
  /**
   * Removes the recorded losses of the partitions whose names begin with `partitionPrefix`: answers no longer warn of
   * them. Returns them, a line each.
   */
  acceptLosses(partitionPrefix: string): Promise<string[]>;
  /** What the log of -ingestLog had dropped of these partitions (undefined: of all) before it was read here has been copied from another node. Throws DISK. */
  fillGaps(partitions?: readonly number[]): Promise<void>;
  /** Names (YYYYMMDD) of the partitions in use, by day. */
  listPartitions(): string[] | Promise<string[]>;
  /** Tenants with spans in the partition `name`, sorted; [] if it is not in use. Throws INVALID_REQUEST. */
  listTenants(name: string): string[] | Promise<string[]>;
  /**
   * Bytes in logs and parts of each tenant that has some. A part's common files are shared out by the size of its blocks;
   * indexes, archive and snapshots are not counted.
   */
  tenantBytes(): ReadonlyMap<Tenant, number> | Promise<ReadonlyMap<Tenant, number>>;
  /**
   * Takes a partition out without moving its files: requests with spans of that day fail with UNAVAILABLE, queries do
   * not see it. Resolves when nothing reads or writes its files any more. Lasts until attachPartition or the next
   * start. Throws NOT_FOUND, INVALID_REQUEST.
   */
  detachPartition(name: string): Promise<void>;
  /** Opens the folder of a partition that was detached or copied into place. Throws NOT_FOUND, INVALID_REQUEST. */
  attachPartition(name: string): Promise<void>;
  /**
   * Takes a snapshot on disk, of every partition whose name begins with `partitionPrefix`, with all spans acknowledged
   * before the call; returns the absolute paths.
   */
  createSnapshots(partitionPrefix: string): Promise<string[]>;
  /** Absolute paths of the snapshots on disk. */
  listSnapshots(): string[] | Promise<string[]>;
  /** Removes one of listSnapshots. Throws NOT_FOUND, INVALID_REQUEST. */
  deleteSnapshot(path: string): Promise<void>;
  stats(): Promise<StoreStats>;
}
