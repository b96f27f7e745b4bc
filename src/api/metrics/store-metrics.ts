// The store's own figures, read from one StoreStats a scrape. The ledger can be checked in them:
// tracelith_rows_received_total = tracelith_rows_stored_total + sum over reason of vt_rows_dropped_total.
import { REJECT_REASONS } from '../../otlp/partial-success.ts';
import { DAY_STATES, DROP_REASONS, type DropCounts, type StoreStats } from '../../trace/store.ts';
import type { MetricSource, Sample } from './metric-registry.ts';

/** Where spans lie on disk; VictoriaTraces has storage/inmemory, storage/small and storage/big. */
const LOG = { type: 'storage/log' };
const PARTS = { type: 'storage/part' };

/** Registers the figures of the store in the data directory `path`. */
export function createStoreMetrics(store: MetricSource<StoreStats>, path: string): void {
  createLedgerMetrics(store);
  createWorkMetrics(store);
  createDataMetrics(store);
  createDiskMetrics(store, path);
  createTroubleMetrics(store);
  createRetentionMetrics(store);
}

function createLedgerMetrics(store: MetricSource<StoreStats>): void {
  const count = (name: string, unit: string, help: string, value: (stats: StoreStats) => number): void =>
    store.counter({ name, unit, help }, value);
  const received = 'Spans of well-formed requests: stored + dropped';
  count('tracelith_rows_received_total', 'spans', received, (s) => s.rowsReceived);
  count('tracelith_rows_stored_total', 'spans', 'Spans stored and acknowledged', (s) => s.rowsStored);
  count('tracelith_bytes_received_total', 'bytes', 'OTLP bytes given to the store', (s) => s.bytesReceived);
  const bugs = 'Requests that met a bug of this program';
  count('tracelith_requests_failed_total', 'requests', bugs, (s) => s.requestsFailed);
  const malformed = 'Requests of which nothing was stored';
  count('tracelith_requests_malformed_total', 'requests', malformed, (s) => s.requestsMalformed);
  const repeated = 'Keyed writes answered from memory';
  count('tracelith_writes_repeated_total', 'requests', repeated, (s) => s.writesRepeated);
  const help = 'Spans rejected and named in partial_success, by reason';
  store.counter({ name: 'vt_rows_dropped_total', unit: 'spans', help, labels: ['reason'] }, ({ rowsRejected }) =>
    REJECT_REASONS.map((reason) => ({ labels: { reason }, value: rowsRejected[reason] ?? 0 })),
  );
}

function createWorkMetrics(store: MetricSource<StoreStats>): void {
  const count = (name: string, unit: string, help: string, value: (stats: StoreStats) => number): void =>
    store.counter({ name, unit, help }, value);
  count('tracelith_commits_total', 'commits', 'Group commits', (s) => s.commits);
  const bytes = 'Bytes appended to logs by group commits';
  count('tracelith_commit_bytes_total', 'bytes', bytes, (s) => s.commitBytes);
  count('tracelith_flushes_total', 'flushes', 'Logs turned into parts', (s) => s.flushes);
  count('vt_rows_merged_total', 'spans', 'Spans rewritten by merges', (s) => s.rowsMerged);
  count(
    'tracelith_rows_copied_total',
    'spans',
    'Of the spans rewritten, those in blocks copied as they were',
    (s) => s.rowsCopied,
  );
  const equal = 'Equal spans collapsed by merges';
  count('tracelith_duplicates_removed_total', 'spans', equal, (s) => s.duplicatesRemoved);
  const folded = 'Names met beyond what is listed (-names.…)';
  count('tracelith_names_folded_total', 'names', folded, (s) => s.namesFolded);
  const typed = (name: string, unit: string, help: string) => ({ name, unit, help, labels: ['type'] });
  const ofParts = (value: number): Sample[] => [{ labels: PARTS, value }];
  store.counter(typed('vt_merges_total', 'merges', 'Merges of parts'), (s) => ofParts(s.merges));
  const active = typed('vt_active_merges', 'merges', 'Merges of parts that run in the background now');
  store.gauge(active, (s) => ofParts(s.mergesActive));
  const forced = { name: 'vt_active_force_merges', unit: 'merges', help: 'POST /internal/force_merge under way' };
  store.gauge(forced, (s) => s.forceMergesActive);
  const waiting = 'Parts that a merge would take now if a merge thread were free; the merge backlog';
  store.gauge({ name: 'tracelith_merge_waiting_parts', unit: 'parts', help: waiting }, (s) => s.mergeWaitingParts);
}

function createDataMetrics(store: MetricSource<StoreStats>): void {
  const show = (name: string, unit: string, help: string, value: (stats: StoreStats) => number): void =>
    store.gauge({ name, unit, help }, value);
  const byPlace = (
    name: string,
    unit: string,
    { help, log, parts }: { help: string } & Record<'log' | 'parts', (stats: StoreStats) => number | undefined>,
  ): void => {
    store.gauge({ name, unit, help, labels: ['type'] }, (s) =>
      [
        { labels: LOG, value: log(s) },
        { labels: PARTS, value: parts(s) },
      ].filter((sample): sample is typeof sample & { value: number } => sample.value !== undefined),
    );
  };
  show('tracelith_tenants', 'tenants', 'Tenants that have something stored', (s) => s.tenants);
  show('vt_partitions', 'days', 'Partitions: UTC days with data', (s) => s.partitions);
  byPlace('vt_storage_rows', 'spans', {
    help: 'Spans on disk now, duplicates not yet merged away included',
    log: (s) => s.logRows,
    parts: (s) => s.partRows,
  });
  byPlace('vt_storage_blocks', 'blocks', {
    help: 'Blocks on disk now',
    log: (s) => s.logBlocks,
    parts: (s) => s.blocks,
  });
  byPlace('vt_compressed_data_size_bytes', 'bytes', {
    help: 'Bytes of logs and parts on disk, without the index',
    log: (s) => s.logBytes,
    parts: (s) => s.partBytes,
  });
  byPlace('vt_uncompressed_data_size_bytes', 'bytes', {
    help: 'OTLP bytes of the spans on disk, estimated: their number × the mean OTLP size of spans since start',
    log: (s) => otlpBytes(s, s.logRows),
    parts: (s) => otlpBytes(s, s.partRows),
  });
  const typed = (name: string, unit: string, help: string) => ({ name, unit, help, labels: ['type'] });
  store.gauge(typed('vt_storage_parts', 'parts', 'Parts on disk now'), (s) => [{ labels: PARTS, value: s.parts }]);
  store.gauge(typed('vt_pending_rows', 'spans', 'Spans received and not yet committed to the log'), (s) => [
    { labels: { type: 'storage' }, value: s.pendingRows },
  ]);
  const size = typed('vt_data_size_bytes', 'bytes', 'Bytes on disk that count for retention, the index included');
  store.gauge(size, (s) => [
    { labels: { type: 'storage' }, value: s.logBytes + s.partBytes },
    { labels: { type: 'indexdb' }, value: s.diskBytes - s.logBytes - s.partBytes },
  ]);
}

/** undefined until a span has come in. */
function otlpBytes({ bytesReceived, rowsReceived }: StoreStats, rows: number): number | undefined {
  return rowsReceived === 0 ? undefined : Math.round((bytesReceived / rowsReceived) * rows);
}

function createDiskMetrics(store: MetricSource<StoreStats>, path: string): void {
  const show = (name: string, unit: string, help: string, value: (stats: StoreStats) => number): void =>
    store.gauge({ name, unit, help, labels: ['path'] }, (stats) => [{ labels: { path }, value: value(stats) }]);
  const free = 'Bytes that can still be written to the file system';
  show('vt_free_disk_space_bytes', 'bytes', free, (s) => s.freeDiskBytes);
  show('vt_total_disk_space_bytes', 'bytes', 'Size of the file system', (s) => s.totalDiskBytes);
  const limit = 'Limit of retention, in bytes; 0: none';
  show('vt_max_disk_space_usage_bytes', 'bytes', limit, (s) => s.diskBytesMax);
  const readOnly = '1 while the disk is too full to accept data';
  show('vt_storage_is_read_only', '1', readOnly, (s) => Number(s.isReadOnly));
}

function createTroubleMetrics(store: MetricSource<StoreStats>): void {
  const corrupt = { name: 'tracelith_corrupt_blocks_total', unit: 'blocks', help: 'Blocks that failed their checksum' };
  store.counter(corrupt, (s) => s.corruptBlocks);
  const show = (name: string, unit: string, help: string, value: (stats: StoreStats) => number): void =>
    store.gauge({ name, unit, help }, value);
  show('tracelith_quarantined_files', 'files', 'Files set aside in quarantine/', (s) => s.quarantinedFiles);
  show('tracelith_losses', 'losses', 'Parts, blocks and log files lost and not yet accepted', (s) => s.losses);
  show('tracelith_lost_parts', 'parts', 'Of them parts that are listed and cannot be read', (s) => s.lostParts);
  const parkedFiles = 'Log files that no flush takes any more, because a flush of them failed twice';
  store.gauge(
    { name: 'tracelith_parked_log_files', unit: 'files', help: parkedFiles, labels: ['partition'] },
    ({ parkedLogFiles }) => [...parkedLogFiles].map(([partition, value]) => ({ labels: { partition }, value })),
  );
  const parkedParts = 'Parts that no merge in the background has any more, because a merge of them failed twice';
  store.gauge(
    { name: 'tracelith_parked_parts', unit: 'parts', help: parkedParts, labels: ['partition', 'reason'] },
    ({ parked }) => parked.map(({ partition, reason, parts }) => ({ labels: { partition, reason }, value: parts })),
  );
  const days = 'UTC days the store knows, by state; only open ones are read';
  store.gauge({ name: 'tracelith_partitions', unit: 'days', help: days, labels: ['state'] }, (s) =>
    DAY_STATES.map((state) => ({ labels: { state }, value: s.days[state] })),
  );
}

function createRetentionMetrics(store: MetricSource<StoreStats>): void {
  const dropped = (what: keyof DropCounts, unit: string, help: string): void =>
    store.counter(
      { name: `tracelith_retention_dropped_${what}_total`, unit, help, labels: ['reason'] },
      ({ retentionDropped }) =>
        DROP_REASONS.map((reason) => ({ labels: { reason }, value: retentionDropped[reason][what] })),
    );
  dropped('partitions', 'days', 'Whole days dropped by retention, by the rule that asked for it');
  dropped('parts', 'parts', 'Parts dropped by retention, with their day or alone');
  dropped('rows', 'spans', 'Spans dropped by retention');
  dropped('bytes', 'bytes', 'Bytes dropped by retention');
  const waiting = 'Days due for their age that wait because the clock jumped; look at the clock';
  const waitingDays = { name: 'tracelith_retention_waiting_partitions', unit: 'days', help: waiting };
  store.gauge(waitingDays, (s) => s.retentionWaitingDays);
  const excess = 'Bytes above the limit of retention that stay: of the newest days, or kept by snapshots';
  const excessBytes = { name: 'tracelith_retention_excess_bytes', unit: 'bytes', help: excess };
  store.gauge(excessBytes, (s) => s.retentionExcessBytes);
}
