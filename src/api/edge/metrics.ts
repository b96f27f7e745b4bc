// The metrics of a node, put together: one registry, the counters that the edges call, the states that are read at a scrape,
// and the text that is served. A metric that VictoriaTraces has too, with the same meaning, keeps its name, so that
// VictoriaTraces' dashboards and alerts work; the others are tracelith_*. docs/METRICS.md lists them all.
import type { LogCount } from '../../base/logger.ts';
import type { SharedMeter } from '../../base/thread-meter.ts';
import type { StoreAdmin, StoreStats } from '../../trace/store.ts';
import type { Tenant } from '../../trace/tenant.ts';
import { PROMETHEUS, type Exposition } from '../metrics/exposition.ts';
import { createLoginMetrics, type LoginCounters } from '../metrics/login-metrics.ts';
import { MetricRegistry, type MetricRow, type MetricSpec } from '../metrics/metric-registry.ts';
import { PUSH_OUTCOMES, type PushOutcome } from '../metrics/push-metrics.ts';
import type { LogFrontState } from '../../cluster/log-roles.ts';
import type { ClusterState } from '../../cluster/open-cluster.ts';
import type { PartitionState } from '../../ingest-log/log-consumer.ts';
import { createClusterMetrics } from '../metrics/cluster-metrics.ts';
import {
  createGapFillerMetrics,
  createLogFrontMetrics,
  createLogReaderMetrics,
  type GapFillerState,
} from '../metrics/ingest-log-metrics.ts';
import { createLogMetrics, createProcessMetrics, type ProcessMetricsOptions } from '../metrics/process-metrics.ts';
import { createQueryMetrics, createTurnMetrics, type QueryTurns, type RanQuery } from '../metrics/query-metrics.ts';
import {
  createCertificateMetric,
  createConnectionMetrics,
  createIntakeMetrics,
  createRequestMetrics,
  type ConnectionGauges,
  type IngestType,
  type IntakeGauges,
  type RequestCounters,
  type WrittenRequest,
} from '../metrics/request-metrics.ts';
import { createStoreMetrics } from '../metrics/store-metrics.ts';
import { createTenantMetrics } from '../metrics/tenant-metrics.ts';
import { createThreadMetrics } from '../metrics/thread-metrics.ts';

export interface ArchiveGauges {
  readonly traces: number;
  readonly bytes: number;
}

export interface Ingest extends WrittenRequest {
  readonly tenant: Tenant;
}

export interface MetricsOptions extends Omit<ProcessMetricsOptions, 'logCounts'> {
  /** undefined: the node has no store. */
  readonly admin?: Pick<StoreAdmin, 'stats' | 'tenantBytes'> | undefined;
  /** Lines of the main thread's log; the store tells its own. */
  readonly logCounts: () => readonly LogCount[];
  /** Threads by name. */
  readonly meters: Readonly<Record<string, SharedMeter>>;
}

export interface Metrics extends Omit<RequestCounters, 'countIngest'>, LoginCounters {
  countIngest(type: IngestType, ingest: Ingest): void;
  countQuery(query: RanQuery & { readonly tenant: Tenant }): void;
  /** A request that was refused because of a limit of its tenant. */
  countRefusal(tenant: Tenant, limit: string): void;
  /** Registers the source of the intake's gauges, read at scrape time. */
  watchIntake(read: () => IntakeGauges): void;
  /** Registers the source of the turns of queries. */
  watchTurns(read: () => QueryTurns): void;
  /** Registers the source of a listener's connection gauges; the listener is named by its flag. */
  watchConnections(listener: string, read: () => ConnectionGauges): void;
  /** Registers the end of a listener's certificate, seconds since the epoch. */
  watchCertificate(listener: string, read: () => number): void;
  /** Registers the source of the archive's size, read at scrape time. */
  watchArchive(read: () => ArchiveGauges): void;
  /** Registers the source of the values redacted so far, by rule. */
  watchRedactions(read: () => ReadonlyMap<string, number>): void;
  /** Registers the source of what is known of the storage nodes. */
  watchCluster(read: () => ClusterState): void;
  /** Registers the source of what an insert or select node knows of the log. */
  watchLogFront(read: () => LogFrontState): void;
  /** Registers the source of what a storage node knows of its partitions of the log. */
  watchLogReader(zone: string, read: () => Iterable<PartitionState>): void;
  /** Registers the source of its attempts to copy what it lacks of them. */
  watchGapFiller(read: () => GapFillerState): void;
  /** A push of metrics that ended. */
  countPush(outcome: PushOutcome): void;
  /** Spans of the node itself that were exported. */
  countSelfSpans(outcome: PushOutcome, spans: number): void;
  /** Every metric that may have samples. */
  readonly rows: readonly MetricRow[];
  /** The text of a scrape. Rejects with what StoreAdmin.stats() throws. */
  render(exposition?: Exposition): Promise<string>;
}

export function createMetrics(options: MetricsOptions): Metrics {
  const registry = new MetricRegistry();
  const { admin, logCounts, meters, storageDataPath } = options;
  const requests = createRequestMetrics(registry);
  const countQuery = createQueryMetrics(registry);
  const tenants = createTenantMetrics(registry, admin && (() => admin.tenantBytes()));
  // One reading a scrape for all that the store tells.
  let stats: Promise<StoreStats> | undefined;
  if (admin === undefined) createLogMetrics(registry, () => Promise.resolve(logCounts()));
  else {
    const readStats = (): Promise<StoreStats> => (stats ??= admin.stats());
    createStoreMetrics(registry.source(readStats), storageDataPath);
    createLogMetrics(registry, async () => addCounts(logCounts(), (await readStats()).logCounts));
  }
  createProcessMetrics(registry, options);
  createThreadMetrics(registry, meters);
  return {
    ...createLoginMetrics(registry),
    countRequest: requests.countRequest,
    countIngest: (type, { tenant, ...written }) => {
      requests.countIngest(type, written);
      tenants.countIngest(tenant, written.result, written.bytes);
    },
    countQuery: ({ tenant, ...query }) => {
      countQuery(query);
      tenants.countQuery(tenant, query.seconds);
    },
    countPush: createOutcomeCounter(registry, {
      name: 'tracelith_metrics_pushes_total',
      unit: 'requests',
      help: 'Requests that pushed metrics to a -pushmetrics.url, by outcome',
    }),
    countSelfSpans: createOutcomeCounter(registry, {
      name: 'tracelith_self_spans_total',
      unit: 'spans',
      help: 'Spans of the node itself that were sent to -selfTracing.url, by outcome',
    }),
    countRefusal: tenants.countRefusal,
    watchIntake: (read) => createIntakeMetrics(registry, read),
    watchTurns: (read) => createTurnMetrics(registry, read),
    watchConnections: createConnectionMetrics(registry),
    watchCluster: (read) => createClusterMetrics(registry.source(read)),
    watchLogFront: (read) => createLogFrontMetrics(registry.source(read)),
    watchLogReader: (zone, read) =>
      createLogReaderMetrics(
        registry.source(() => [...read()]),
        zone,
      ),
    watchGapFiller: (read) => createGapFillerMetrics(registry.source(read)),
    watchCertificate: createCertificateMetric(registry),
    watchArchive: (read) => createArchiveMetrics(registry, read),
    watchRedactions: (read) => createRedactionMetric(registry, read),
    get rows() {
      return registry.rows;
    },
    render: async ({ write } = PROMETHEUS) => {
      stats = undefined;
      return write(await registry.collect());
    },
  };
}

function createArchiveMetrics(registry: MetricRegistry, read: () => ArchiveGauges): void {
  const archive = registry.source(read);
  const traces = { name: 'tracelith_archive_traces', unit: 'traces', help: 'Archived traces' };
  archive.gauge(traces, (now) => now.traces);
  const bytes = { name: 'tracelith_archive_bytes', unit: 'bytes', help: 'Bytes of the files of archived traces' };
  archive.gauge(bytes, (now) => now.bytes);
}

function createRedactionMetric(registry: MetricRegistry, read: () => ReadonlyMap<string, number>): void {
  const spec = {
    name: 'tracelith_redactions_total',
    unit: 'values',
    help: 'Attributes, names and messages of requests that a rule of -redaction.config took out or replaced',
    labels: ['rule'],
  };
  registry.source(read).counter(spec, (counts) => [...counts].map(([rule, value]) => ({ labels: { rule }, value })));
}

/** Counts what the node has sent about itself. */
function createOutcomeCounter(registry: MetricRegistry, spec: MetricSpec): (outcome: PushOutcome, by?: number) => void {
  const counter = registry.counter({ ...spec, labels: ['outcome'] });
  for (const outcome of PUSH_OUTCOMES) counter.inc({ outcome }, 0);
  return (outcome, by = 1) => counter.inc({ outcome }, by);
}

/** Counts of two threads, summed by level and message. */
function addCounts(some: readonly LogCount[], others: readonly LogCount[]): LogCount[] {
  const sums = new Map<string, LogCount>();
  for (const one of [...some, ...others]) {
    const key = `${one.level} ${one.message}`;
    const { count = 0, suppressed = 0 } = sums.get(key) ?? {};
    sums.set(key, { ...one, count: count + one.count, suppressed: suppressed + one.suppressed });
  }
  return [...sums.values()];
}
