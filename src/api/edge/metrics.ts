// /metrics: counters of the edges, and the store's own figures read at scrape time. A metric that VictoriaTraces has too
// keeps its name, so that VictoriaTraces' dashboards and alerts work; the others are tracelith_*. The ledger can be checked:
// tracelith_rows_received_total = tracelith_rows_stored_total + sum over reason of vt_rows_dropped_total.
// Label values are route patterns, media types and reasons: never a path, header or attribute that a client chose.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { deletedFilesHeld, type DeletedFiles } from '../../disk/deleted-files.ts';
import { REJECT_REASONS } from '../../otlp/partial-success.ts';
import {
  DAY_STATES,
  DROP_REASONS,
  type DropCounts,
  type StoreAdmin,
  type StoreStats,
  type WriteResult,
} from '../../trace/store.ts';
import type { ConnectionGauges } from './connections.ts';
import { createQueryMetrics, DURATION_BUCKETS, type RanQuery } from './query-metrics.ts';

/** The `type` label of ingest counters, as VictoriaTraces names it. */
export type IngestType = `opentelemetry_traces_${'otlphttp_protobuf' | 'otlphttp_json' | 'otlpgrpc'}`;

const INGEST_TYPES: readonly IngestType[] = [
  'opentelemetry_traces_otlphttp_protobuf',
  'opentelemetry_traces_otlphttp_json',
  'opentelemetry_traces_otlpgrpc',
];

/** One answered request, over HTTP or gRPC. */
export interface AnsweredRequest {
  /** The route's pattern, without -http.pathPrefix. */
  readonly path: string;
  /** Encoding of an OTLP request; undefined for every other route. */
  readonly format: 'protobuf' | 'json' | 'other' | undefined;
  /** HTTP status; a gRPC call gets the one that the same failure has over HTTP. */
  readonly status: number;
  readonly seconds: number;
}

/** A refusal because a flag disables something does not count as a failure. */
const DISABLED_STATUS = 501;

export interface IntakeGauges {
  readonly bytes: number;
  readonly writing: number;
  readonly waiting: number;
}

export interface ArchiveGauges {
  readonly traces: number;
  readonly bytes: number;
}

export interface MetricsOptions {
  readonly admin: Pick<StoreAdmin, 'stats'>;
  /** Version of this program, as in package.json. */
  readonly version: string;
  readonly storageDataPath: string;
  /** Every flag with secrets masked: Config.shownFlags. */
  readonly shownFlags: readonly { readonly name: string; readonly value: string; readonly isSet: boolean }[];
  /** LineLog.suppressedLines, when the log counts them. */
  readonly suppressedLogLines?: () => number;
}

export interface Metrics {
  countQuery(query: RanQuery): void;
  /** Content-Type of render()'s text. */
  readonly contentType: string;
  countIngest(type: IngestType, result: WriteResult, bytes: number): void;
  countRequest(request: AnsweredRequest): void;
  /** Registers the source of the intake's gauges, read at scrape time. */
  watchIntake(read: () => IntakeGauges): void;
  /** Registers the source of a listener's connection gauges; the listener is named by its flag. */
  watchConnections(listener: string, read: () => ConnectionGauges): void;
  /** Registers the source of the archive's size, read at scrape time. */
  watchArchive(read: () => ArchiveGauges): void;
  /** The exposition text. Rejects with what StoreAdmin.stats() throws. */
  render(): Promise<string>;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  const edge = createEdgeCounters(registers);
  const showStats = createStoreMetrics(registers, options);
  createProcessMetrics(registers, options);
  return {
    contentType: registry.contentType,
    countIngest: (type, { stored, unknownField }, bytes) => {
      edge.rows.inc({ type }, stored);
      if (unknownField !== undefined) edge.unknownFields.inc({ type });
      edge.bytes.inc({ type }, bytes);
    },
    countRequest: ({ path, format, status, seconds }) => {
      const labels = format === undefined ? { path } : { path, format };
      const isRefused = (status >= 400 && status < 500) || status === DISABLED_STATUS;
      edge.requests.inc(labels);
      if (isRefused) edge.refused.inc({ path, code: String(status) });
      if (status >= 400 && (!isRefused || format !== undefined)) edge.errors.inc(labels);
      edge.durations.observe({ path }, seconds);
    },
    countQuery: createQueryMetrics(registers),
    watchIntake: (read) => createIntakeGauges(registers, read),
    watchConnections: createConnectionMetrics(registers),
    watchArchive: (read) => createArchiveGauges(registers, read),
    render: async () => {
      showStats(await options.admin.stats());
      return await registry.metrics();
    },
  };
}

function createEdgeCounters(registers: Registry[]) {
  const rows = new Counter({
    name: 'vt_rows_ingested_total',
    help: 'Spans stored, by the protocol they came in; on disk when counted',
    labelNames: ['type'],
    registers,
  });
  const bytes = new Counter({
    name: 'vt_bytes_ingested_total',
    help: 'OTLP protobuf bytes of the requests they came in, after decompression',
    labelNames: ['type'],
    registers,
  });
  const unknownFields = new Counter({
    name: 'tracelith_requests_with_unknown_fields_total',
    help: 'OTLP requests with a field that is not known and was not stored, named in partial_success',
    labelNames: ['type'],
    registers,
  });
  for (const type of INGEST_TYPES) {
    rows.inc({ type }, 0);
    unknownFields.inc({ type }, 0);
    bytes.inc({ type }, 0);
  }
  const labelNames = ['path', 'format'] as const;
  return {
    rows,
    bytes,
    unknownFields,
    requests: new Counter({
      name: 'vt_http_requests_total',
      help: 'Requests answered, by route',
      labelNames,
      registers,
    }),
    errors: new Counter({
      name: 'vt_http_errors_total',
      help: 'Requests that the server failed at (HTTP status 500 and above, but 501), and ingest requests that were not stored',
      labelNames,
      registers,
    }),
    refused: new Counter({
      name: 'tracelith_requests_refused_total',
      help: 'Requests refused for what they asked (400 to 429), or whose client left (499), by HTTP status',
      labelNames: ['path', 'code'] as const,
      registers,
    }),
    durations: new Histogram({
      name: 'vt_http_request_duration_seconds',
      help: 'Time from the first byte of the request to the end of the answer',
      labelNames: ['path'],
      buckets: [...DURATION_BUCKETS],
      registers,
    }),
  };
}

function createIntakeGauges(registers: Registry[], read: () => IntakeGauges): void {
  const gauge = (name: string, help: string, value: (gauges: IntakeGauges) => number): void =>
    createGauge(registers, { name, help, value: () => value(read()) });
  gauge('tracelith_intake_bytes', 'OTLP bodies between socket and store, in bytes', (now) => now.bytes);
  gauge('vm_concurrent_insert_current', 'OTLP requests being written', (now) => now.writing);
  gauge('tracelith_intake_waiting_requests', 'OTLP requests that wait for a free insert slot', (now) => now.waiting);
}

/** The result adds a listener. */
function createConnectionMetrics(registers: Registry[]): Metrics['watchConnections'] {
  const listeners = new Map<string, () => ConnectionGauges>();
  const figure = (kind: typeof Gauge | typeof Counter, [name, help]: string[], what: keyof ConnectionGauges): void =>
    void new kind({
      name: name!,
      help: help!,
      labelNames: ['name'],
      registers,
      collect() {
        this.reset();
        for (const [listener, read] of listeners) this.inc({ name: listener }, read()[what]);
      },
    });
  figure(Gauge, ['vm_tcplistener_conns', 'Open connections of a listener, which is named by its flag'], 'open');
  figure(Gauge, ['tracelith_connections_max', 'Connections a listener may have'], 'max');
  const help = 'Connections closed, silent longest first, because a listener had as many as it may';
  figure(Counter, ['tracelith_connections_pushed_out_total', help], 'pushedOut');
  return (listener, read) => void listeners.set(listener, read);
}

function createArchiveGauges(registers: Registry[], read: () => ArchiveGauges): void {
  const gauge = (name: string, help: string, value: () => number): void =>
    createGauge(registers, { name, help, value });
  gauge('tracelith_archive_traces', 'Archived traces', () => read().traces);
  gauge('tracelith_archive_bytes', 'Bytes of the files of archived traces', () => read().bytes);
}

/** `value` is called at scrape time. */
function createGauge(
  registers: Registry[],
  { name, help, value }: { readonly name: string; readonly help: string; readonly value: () => number },
): void {
  new Gauge({
    name,
    help,
    registers,
    collect() {
      this.set(value());
    },
  });
}

/** Only where the system reports them: elsewhere these metrics do not exist. */
function createDeletedFilesGauges(registers: Registry[], path: string): void {
  if (deletedFilesHeld(path) === undefined) return;
  const gauge = (name: string, help: string, what: keyof DeletedFiles): void =>
    createGauge(registers, { name, help, value: () => deletedFilesHeld(path)![what] });
  gauge('tracelith_deleted_files_held', 'Files of the store that were deleted and are still open', 'files');
  gauge('tracelith_deleted_files_held_bytes', 'Bytes that are free when they are closed', 'bytes');
}

/** A figure of StoreStats under its metric name; labels are fixed text. */
interface StoreMetric {
  readonly kind: 'counter' | 'gauge';
  readonly name: string;
  readonly help: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: (stats: StoreStats) => number;
}

function counter(name: string, help: string, value: StoreMetric['value']): StoreMetric {
  return { kind: 'counter', name, help, value };
}

function gauge(name: string, help: string, value: StoreMetric['value'], labels?: StoreMetric['labels']): StoreMetric {
  return labels === undefined ? { kind: 'gauge', name, help, value } : { kind: 'gauge', name, help, value, labels };
}

const ROWS_HELP = 'Spans on disk now, duplicates not yet merged away included';

function storeMetrics(path: string): StoreMetric[] {
  return [
    counter('tracelith_rows_received_total', 'Spans of well-formed requests: stored + dropped', (s) => s.rowsReceived),
    counter('tracelith_rows_stored_total', 'Spans stored and acknowledged', (s) => s.rowsStored),
    counter('tracelith_bytes_received_total', 'OTLP bytes given to the store', (s) => s.bytesReceived),
    counter('tracelith_requests_failed_total', 'Requests that met a bug of this program', (s) => s.requestsFailed),
    counter('tracelith_requests_malformed_total', 'Requests of which nothing was stored', (s) => s.requestsMalformed),
    counter('tracelith_writes_repeated_total', 'Keyed writes answered from memory', (s) => s.writesRepeated),
    counter('tracelith_commits_total', 'Group commits', (s) => s.commits),
    counter('tracelith_commit_bytes_total', 'Bytes appended to logs by group commits', (s) => s.commitBytes),
    counter('tracelith_flushes_total', 'Logs turned into parts', (s) => s.flushes),
    counter('vt_merges_total', 'Merges of parts', (s) => s.merges),
    counter('vt_rows_merged_total', 'Spans rewritten by merges', (s) => s.rowsMerged),
    counter('tracelith_duplicates_removed_total', 'Equal spans collapsed by merges', (s) => s.duplicatesRemoved),
    counter('tracelith_corrupt_blocks_total', 'Blocks that failed their checksum', (s) => s.corruptBlocks),
    counter('tracelith_names_folded_total', 'Names met beyond what is listed (-names.…)', (s) => s.namesFolded),
    gauge('tracelith_quarantined_files', 'Files set aside in quarantine/', (s) => s.quarantinedFiles),
    gauge('tracelith_losses', 'Parts, blocks and log files lost and not yet accepted', (s) => s.losses),
    gauge('tracelith_lost_parts', 'Of them parts that are listed and cannot be read', (s) => s.lostParts),
    gauge('vt_storage_rows', ROWS_HELP, (s) => s.logRows, { type: 'storage/log' }),
    gauge('vt_storage_rows', ROWS_HELP, (s) => s.partRows, { type: 'storage/part' }),
    gauge('vt_storage_parts', 'Parts', (s) => s.parts, { type: 'storage/part' }),
    gauge('vt_storage_blocks', 'Blocks of parts', (s) => s.blocks, { type: 'storage/part' }),
    gauge('tracelith_tenants', 'Tenants that have something stored', (s) => s.tenants),
    gauge('vt_partitions', 'Partitions: UTC days with data', (s) => s.partitions),
    gauge('vt_data_size_bytes', 'Bytes on disk', (s) => s.diskBytes, { type: 'storage' }),
    gauge('vt_free_disk_space_bytes', 'Bytes that can still be written to the file system', (s) => s.freeDiskBytes, {
      path,
    }),
    gauge('vt_total_disk_space_bytes', 'Size of the file system', (s) => s.totalDiskBytes, { path }),
    gauge('vt_max_disk_space_usage_bytes', 'Limit of retention, in bytes; 0: none', (s) => s.diskBytesMax, { path }),
    ...DAY_STATES.map((state) =>
      gauge('tracelith_days', 'UTC days the store knows, by state; only open ones are read', (s) => s.days[state], {
        state,
      }),
    ),
    gauge(
      'tracelith_retention_waiting_days',
      'Days due for their age that wait because the clock jumped; look at the clock',
      (s) => s.retentionWaitingDays,
    ),
    gauge(
      'tracelith_retention_excess_bytes',
      'Bytes above the limit of retention that stay: of the newest days, or kept by snapshots',
      (s) => s.retentionExcessBytes,
    ),
    gauge('vt_storage_is_read_only', '1 while the disk is too full to accept data', (s) => Number(s.isReadOnly), {
      path,
    }),
  ];
}

/** Registers the figures of the store; the result sets all of them from one reading, so that a scrape is consistent. */
function createStoreMetrics(registers: Registry[], options: MetricsOptions): (stats: StoreStats) => void {
  const rows = storeMetrics(options.storageDataPath);
  const made = new Map<string, Counter | Gauge>();
  for (const { kind, name, help, labels } of rows) {
    if (made.has(name)) continue;
    const labelNames = Object.keys(labels ?? {});
    made.set(name, new (kind === 'counter' ? Counter : Gauge)({ name, help, labelNames, registers }));
  }
  const dropped = new Counter({
    name: 'vt_rows_dropped_total',
    help: 'Spans rejected and named in partial_success, by reason',
    labelNames: ['reason'],
    registers,
  });
  const showDropped = createRetentionCounters(registers);
  const parked = new Gauge({
    name: 'tracelith_parked_parts',
    help: 'Parts that no merge in the background has any more, because a merge of them failed twice',
    labelNames: ['partition', 'reason'],
    registers,
  });
  const parkedLogs = new Gauge({
    name: 'tracelith_parked_log_files',
    help: 'Log files that no flush takes any more, because a flush of them failed twice',
    labelNames: ['partition'],
    registers,
  });
  return (stats) => {
    showDropped(stats.retentionDropped);
    for (const metric of made.values()) metric.reset();
    parked.reset();
    parkedLogs.reset();
    for (const [partition, files] of stats.parkedLogFiles) parkedLogs.set({ partition }, files);
    for (const { partition, reason, parts } of stats.parked) parked.set({ partition, reason }, parts);
    dropped.reset();
    for (const { name, labels, value } of rows) made.get(name)?.inc(labels ?? {}, value(stats));
    for (const reason of REJECT_REASONS) dropped.inc({ reason }, stats.rowsRejected[reason] ?? 0);
  };
}

function createRetentionCounters(registers: Registry[]): (dropped: StoreStats['retentionDropped']) => void {
  const counterOf = (what: keyof DropCounts, help: string): Counter =>
    new Counter({ name: `tracelith_retention_dropped_${what}_total`, help, labelNames: ['reason'], registers });
  const counters = {
    partitions: counterOf('partitions', 'Whole days dropped by retention, by the rule that asked for it'),
    parts: counterOf('parts', 'Parts dropped by retention, with their day or alone'),
    rows: counterOf('rows', 'Spans dropped by retention'),
    bytes: counterOf('bytes', 'Bytes dropped by retention'),
  } as const;
  return (dropped) => {
    for (const [what, metric] of Object.entries(counters) as [keyof DropCounts, Counter][]) {
      metric.reset();
      for (const reason of DROP_REASONS) metric.inc({ reason }, dropped[reason][what]);
    }
  };
}

function createProcessMetrics(registers: Registry[], options: MetricsOptions): void {
  const [register] = registers as [Registry];
  collectDefaultMetrics({ register });
  const startSeconds = Math.floor(Date.now() / 1000);
  const set = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };
  set('vm_app_start_timestamp', 'Start of the process, Unix seconds', () => startSeconds);
  set('vm_app_uptime_seconds', 'Age of the process', () => Math.floor(process.uptime()));
  set('tracelith_array_buffer_bytes', 'Memory in ArrayBuffers', () => process.memoryUsage().arrayBuffers);
  createDeletedFilesGauges(registers, options.storageDataPath);
  const { suppressedLogLines } = options;
  if (suppressedLogLines !== undefined) {
    set('tracelith_log_lines_suppressed', 'Repeated log lines left out since start', suppressedLogLines);
  }
  const { version, shownFlags } = options;
  const versions = { version: `tracelith-${version}`, short_version: `v${version}` };
  new Gauge({ name: 'vm_app_version', help: 'Version', labelNames: Object.keys(versions), registers }).set(versions, 1);
  const flag = new Gauge({
    name: 'flag',
    help: 'Flags, secrets masked',
    labelNames: ['name', 'value', 'is_set'],
    registers,
  });
  for (const { name, value, isSet } of shownFlags) flag.set({ name, value, is_set: String(isSet) }, 1);
}
