// What a node knows of the log between insert and storage nodes: in front of it what it appended and whom it asked, behind it how far
// each partition is stored.
import type { LogFrontState } from '../../cluster/log-roles.ts';
import type { PartitionState } from '../../ingest-log/log-consumer.ts';
import { bucketSamples, type MetricSource, type Sample } from './metric-registry.ts';

/** Registers the figures of an insert or select node. */
export function createLogFrontMetrics(log: MetricSource<LogFrontState>): void {
  const count = (name: string, unit: string, help: string, read: (state: LogFrontState) => number): void =>
    log.counter({ name, unit, help }, read);
  count('tracelith_ingest_log_messages_total', 'messages', 'Messages that the log has acknowledged', (s) => s.messages);
  count(
    'tracelith_ingest_log_message_bytes_total',
    'bytes',
    'Bytes of these messages, compressed',
    (s) => s.messageBytes,
  );
  count('tracelith_ingest_log_slices_total', 'slices', 'Slices of requests in these messages', (s) => s.slices);
  count('tracelith_ingest_log_slice_bytes_total', 'bytes', 'OTLP bytes of these slices', (s) => s.sliceBytes);
  const took = 'How long the log took to acknowledge a message, of the attempt that succeeded';
  const name = 'tracelith_ingest_log_append_duration_seconds';
  log.histogram({ name, unit: 'seconds', help: took }, (s) => bucketSamples(name, {}, s.appends));
  const again = 'Appends made again, with the same id, because no acknowledgement came';
  count('tracelith_ingest_log_appends_repeated_total', 'appends', again, (s) => s.repeated);
  const refused = 'Slices that the log did not take in time; their requests got 503';
  count('tracelith_ingest_log_slices_refused_total', 'slices', refused, (s) => s.refused);
  const hedged = 'Storage nodes that were asked because the one before was slow, failed or lagged';
  count('tracelith_ingest_log_reads_hedged_total', 'calls', hedged, (s) => s.hedged);
  const behind = 'Parts of answers that were behind the log, on every storage node that has them';
  count('tracelith_ingest_log_reads_behind_total', 'answers', behind, (s) => s.behind);
  const unknown = 'Questions in which the log did not tell where a partition ends';
  count('tracelith_ingest_log_ends_unknown_total', 'questions', unknown, (s) => s.unknownEnds);
  const gauge = (name: string, unit: string, help: string, read: (state: LogFrontState) => number): void =>
    log.gauge({ name, unit, help }, read);
  gauge('tracelith_ingest_log_waiting_bytes', 'bytes', 'OTLP bytes that wait for the log', (s) => s.waitingBytes);
  gauge(
    'tracelith_ingest_log_replicas',
    'replicas',
    'Copies of each message, as the log told last',
    (s) => s.replicaCount,
  );
  const kept =
    'How long the log keeps messages, as it told last; a storage node that is behind for longer lacks what it drops; 0: not known';
  gauge('tracelith_ingest_log_retention_seconds', 'seconds', kept, (s) => s.retentionSeconds);
  const bad = 'The log does not prove that no acknowledged span is lost with one of its servers';
  gauge('tracelith_ingest_log_is_refused', '1', bad, (s) => Number(s.isRefused));
}

/** Registers the figures of a storage node of `zone`. */
export function createLogReaderMetrics(partitions: MetricSource<readonly PartitionState[]>, zone: string): void {
  const labels = ['zone', 'partition'];
  const each =
    (read: (state: PartitionState) => number) =>
    (states: readonly PartitionState[]): Sample[] =>
      states.map((state) => ({ labels: { zone, partition: String(state.partition) }, value: read(state) }));
  const lag = 'Messages of the log that this node has not stored yet';
  partitions.gauge({ name: 'tracelith_ingest_log_lag_messages', unit: 'messages', help: lag, labels }, each(lagOf));
  const age = 'How long ago the log took the last message that is stored, while there are others; 0: nothing waits';
  partitions.gauge({ name: 'tracelith_ingest_log_lag_seconds', unit: 'seconds', help: age, labels }, each(ageOf));
  const offset = 'The partition is stored up to this offset';
  partitions.gauge(
    { name: 'tracelith_ingest_log_stored_offset', unit: 'messages', help: offset, labels },
    each((s) => Number(s.consumed)),
  );
  const gap = 'Messages that the log had dropped before this node read them, until they are copied from its twin';
  partitions.gauge({ name: 'tracelith_ingest_log_gap_messages', unit: 'messages', help: gap, labels }, each(gapOf));
  const count = (name: string, help: string, read: (state: PartitionState) => number): void =>
    partitions.counter({ name, unit: 'messages', help, labels }, each(read));
  count('tracelith_ingest_log_messages_stored_total', 'Messages of the log that were stored', (s) => s.messages);
  count(
    'tracelith_ingest_log_messages_replayed_total',
    'Messages that were stored again; they are shown once',
    (s) => s.replayed,
  );
  count(
    'tracelith_ingest_log_messages_set_aside_total',
    'Messages that could not be stored; quarantine/ has them',
    (s) => s.setAside,
  );
  const stopped =
    'Times that reading ended because the log did not answer, or the store did not take what was read; it begins again';
  partitions.counter(
    { name: 'tracelith_ingest_log_reads_interrupted_total', unit: 'reads', help: stopped, labels },
    each((s) => s.interrupted),
  );
}

/** Attempts of a storage node to copy what it lacks (-ingestLog.syncFrom). */
export interface GapFillerState {
  readonly attempts: number;
  /** Those that left something lacking. */
  readonly failures: number;
  readonly isRunning: boolean;
}

/** Registers the figures of a storage node that copies what it lacks by itself. */
export function createGapFillerMetrics(filler: MetricSource<GapFillerState>): void {
  const unit = 'attempts';
  const tried = 'Attempts to copy what the log had dropped before this node read it (-ingestLog.syncFrom)';
  filler.counter({ name: 'tracelith_ingest_log_gap_syncs_total', unit, help: tried }, (s) => s.attempts);
  const failed = 'Of these: those after which something was still lacking; they are made again';
  filler.counter({ name: 'tracelith_ingest_log_gap_syncs_failed_total', unit, help: failed }, (s) => s.failures);
  const running = 'It is being copied now';
  filler.gauge({ name: 'tracelith_ingest_log_gap_sync_is_running', unit: '1', help: running }, (s) =>
    Number(s.isRunning),
  );
}

function lagOf({ last, consumed }: PartitionState): number {
  return last === undefined || last <= consumed ? 0 : Number(last - consumed);
}

function ageOf(state: PartitionState): number {
  if (lagOf(state) === 0 || state.storedTimeMs === 0) return 0;
  return Math.max(0, (Date.now() - state.storedTimeMs) / 1_000);
}

function gapOf({ gap }: PartitionState): number {
  return gap === undefined ? 0 : Number(gap.to - gap.from + 1n);
}
