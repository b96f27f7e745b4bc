// For each rule of deploy/alerts: two hours of samples, one a minute, at whose end it fires, and others at whose end it does not.

interface AlertCase {
  /** promtool's notation by series. */
  readonly fires: Readonly<Record<string, string>>;
  readonly quiet: Readonly<Record<string, string>>;
}

const AT = 'job="tracelith", instance="a:10428"';
const SELECT = 'job="tracelith", instance="select:10471"';
const steady = (value: number): string => `${value}x120`;
const growing = (by: number): string => `0+${by}x120`;
/** Grows once in the last minutes. */
const late = '0x115 1x5';

export const ALERT_CASES: Readonly<Record<string, AlertCase>> = {
  TracelithNodeMissing: {
    fires: { [`up{${AT}}`]: '1x100 0x20' },
    quiet: { [`up{${AT}}`]: '1x100 0x1 1x19', 'up{job="other", instance="b"}': steady(0) },
  },
  TracelithRestarts: {
    fires: { [`process_start_time_seconds{${AT}}`]: '1x110 2 2 3 3 4 4 5 5 5 5' },
    quiet: { [`process_start_time_seconds{${AT}}`]: '1x110 2x10' },
  },
  TracelithErrors: {
    fires: { [`tracelith_log_lines_total{${AT}, level="error"}`]: late },
    quiet: {
      [`tracelith_log_lines_total{${AT}, level="error"}`]: steady(3),
      [`tracelith_log_lines_total{${AT}, level="warn"}`]: growing(1),
    },
  },
  TracelithRequestsFail: {
    fires: { [`vt_http_errors_total{${AT}, path="/v1/traces", format="json"}`]: growing(2) },
    quiet: { [`vt_http_errors_total{${AT}, path="/v1/traces", format="json"}`]: steady(9) },
  },
  TracelithOverloaded: {
    fires: {
      [`vm_concurrent_insert_limit_timeout_total{${AT}}`]: late,
      [`vt_concurrent_select_limit_timeout_total{${AT}}`]: steady(0),
    },
    quiet: {
      [`vm_concurrent_insert_limit_timeout_total{${AT}}`]: steady(7),
      [`vt_concurrent_select_limit_timeout_total{${AT}}`]: steady(0),
    },
  },
  TracelithThreadBlocked: {
    fires: { [`tracelith_event_loop_delay_max_seconds{${AT}, thread="engine"}`]: steady(3) },
    quiet: { [`tracelith_event_loop_delay_max_seconds{${AT}, thread="engine"}`]: '0.1x110 3x1 0.1x9' },
  },
  TracelithMemory: {
    fires: {
      [`process_resident_memory_anon_bytes{${AT}}`]: steady(95),
      [`vm_available_memory_bytes{${AT}}`]: steady(100),
    },
    quiet: {
      [`process_resident_memory_anon_bytes{${AT}}`]: '50x118 95 95',
      [`vm_available_memory_bytes{${AT}}`]: steady(100),
    },
  },
  TracelithDescriptors: {
    fires: { [`process_open_fds{${AT}}`]: steady(95), [`process_max_fds{${AT}}`]: steady(100) },
    quiet: { [`process_open_fds{${AT}}`]: steady(80), [`process_max_fds{${AT}}`]: steady(100) },
  },
  TracelithCertificateExpires: {
    // promtool's clock is at two hours.
    fires: {
      [`tracelith_tls_certificate_expiry_timestamp_seconds{${AT}, name="httpListenAddr"}`]: steady(7_200 + 13 * 86_400),
    },
    quiet: {
      [`tracelith_tls_certificate_expiry_timestamp_seconds{${AT}, name="httpListenAddr"}`]: steady(7_200 + 15 * 86_400),
    },
  },
  TracelithLoginsFail: {
    fires: { [`tracelith_login_failures_total{${AT}, reason="unknown"}`]: growing(5) },
    quiet: {
      [`tracelith_login_failures_total{${AT}, reason="unknown"}`]: growing(1),
      [`tracelith_login_failures_total{${AT}, reason="missing"}`]: growing(50),
    },
  },
  TracelithStorageNodeMissing: {
    fires: { [`vt_insert_remote_is_reachable{${AT}, node="a", addr="a:10491"}`]: '1x110 0x10' },
    quiet: { [`vt_insert_remote_is_reachable{${AT}, node="a", addr="a:10491"}`]: '1x110 0 1x9' },
  },
  TracelithStorageNodeReadOnly: {
    fires: { [`tracelith_cluster_node_is_read_only{${AT}, node="a", addr="a:10491"}`]: steady(1) },
    quiet: { [`tracelith_cluster_node_is_read_only{${AT}, node="a", addr="a:10491"}`]: '0x117 1x3' },
  },
  TracelithClusterRefusesSpans: {
    fires: { [`tracelith_cluster_slices_refused_total{${AT}}`]: '0x117 1x3' },
    quiet: { [`tracelith_cluster_slices_refused_total{${AT}}`]: steady(5) },
  },
  TracelithPartialAnswers: {
    fires: { [`tracelith_cluster_partial_answers_total{${AT}}`]: growing(1) },
    quiet: { [`tracelith_cluster_partial_answers_total{${AT}}`]: steady(5) },
  },
  TracelithLogRefused: {
    fires: { [`tracelith_ingest_log_is_refused{${AT}}`]: '0x118 1 1' },
    quiet: { [`tracelith_ingest_log_is_refused{${AT}}`]: '1x100 0x20' },
  },
  TracelithLogTakesNoSpans: {
    fires: { [`tracelith_ingest_log_slices_refused_total{${AT}}`]: growing(1) },
    // As while the log elects a leader.
    quiet: { [`tracelith_ingest_log_slices_refused_total{${AT}}`]: '0x117 9x3' },
  },
  TracelithLogSlow: {
    fires: {
      [`tracelith_ingest_log_append_duration_seconds_bucket{${AT}, le="1"}`]: growing(90),
      [`tracelith_ingest_log_append_duration_seconds_bucket{${AT}, le="2.5"}`]: growing(100),
      [`tracelith_ingest_log_append_duration_seconds_bucket{${AT}, le="+Inf"}`]: growing(100),
    },
    quiet: {
      [`tracelith_ingest_log_append_duration_seconds_bucket{${AT}, le="1"}`]: growing(100),
      [`tracelith_ingest_log_append_duration_seconds_bucket{${AT}, le="2.5"}`]: growing(100),
      [`tracelith_ingest_log_append_duration_seconds_bucket{${AT}, le="+Inf"}`]: growing(100),
    },
  },
  TracelithLogLag: {
    fires: { [`tracelith_ingest_log_lag_seconds{${AT}, zone="a", partition="0"}`]: '0x60 0+60x59' },
    quiet: { [`tracelith_ingest_log_lag_seconds{${AT}, zone="a", partition="0"}`]: '0x100 90 90 0x18' },
  },
  TracelithLogLagNearRetention: {
    fires: {
      [`tracelith_ingest_log_lag_seconds{${AT}, zone="b", partition="0"}`]: '0x118 50000 50000',
      [`tracelith_ingest_log_retention_seconds{${AT}}`]: steady(86_400),
    },
    quiet: {
      [`tracelith_ingest_log_lag_seconds{${AT}, zone="b", partition="0"}`]: '40000x118 50 0',
      [`tracelith_ingest_log_retention_seconds{${AT}}`]: steady(86_400),
    },
  },
  TracelithLogNotRead: {
    fires: {
      [`tracelith_ingest_log_reads_interrupted_total{${AT}, zone="a", partition="0"}`]: growing(60),
      [`tracelith_ingest_log_reads_interrupted_total{${AT}, zone="a", partition="2"}`]: growing(70),
    },
    quiet: {
      [`tracelith_ingest_log_reads_interrupted_total{${AT}, zone="a", partition="0"}`]: growing(60),
      [`tracelith_ingest_log_reads_interrupted_total{${AT}, zone="a", partition="2"}`]: steady(9),
    },
  },
  TracelithLogGap: {
    fires: { [`tracelith_ingest_log_gap_messages{${AT}, zone="a", partition="0"}`]: '0x119 7' },
    quiet: { [`tracelith_ingest_log_gap_messages{${AT}, zone="a", partition="0"}`]: '7x119 0' },
  },
  TracelithLogGapNotCopied: {
    fires: { [`tracelith_ingest_log_gap_syncs_failed_total{${AT}}`]: '0x90 1 1 2 2 3 3 4x25' },
    // The twin was away at first.
    quiet: { [`tracelith_ingest_log_gap_syncs_failed_total{${AT}}`]: '0x90 1 2x30' },
  },
  TracelithLogLostItsEnd: {
    fires: { [`tracelith_ingest_log_messages_replayed_total{${AT}, zone="a", partition="0"}`]: late },
    quiet: { [`tracelith_ingest_log_messages_replayed_total{${AT}, zone="a", partition="0"}`]: steady(4) },
  },
  TracelithLogMessagesSetAside: {
    fires: { [`tracelith_ingest_log_messages_set_aside_total{${AT}, zone="a", partition="0"}`]: late },
    quiet: { [`tracelith_ingest_log_messages_set_aside_total{${AT}, zone="a", partition="0"}`]: steady(4) },
  },
  TracelithLogAnswersIncomplete: {
    fires: {
      [`tracelith_ingest_log_ends_unknown_total{${AT}}`]: growing(1),
      [`tracelith_ingest_log_reads_behind_total{${AT}}`]: steady(0),
    },
    quiet: {
      [`tracelith_ingest_log_ends_unknown_total{${AT}}`]: '0x117 5x3',
      [`tracelith_ingest_log_reads_behind_total{${AT}}`]: steady(3),
    },
  },
  TracelithLogHedges: {
    // Of an instance of its own: TracelithSlowQueries counts queries, too.
    fires: {
      [`tracelith_ingest_log_reads_hedged_total{${SELECT}}`]: growing(5),
      [`tracelith_queries_total{${SELECT}, kind="services", outcome="ok"}`]: growing(10),
    },
    quiet: {
      [`tracelith_ingest_log_reads_hedged_total{${SELECT}}`]: growing(1),
      [`tracelith_queries_total{${SELECT}, kind="services", outcome="ok"}`]: growing(100),
    },
  },
  TracelithSpansDropped: {
    fires: {
      [`vt_rows_dropped_total{${AT}, reason="too_large"}`]: growing(1),
      [`vt_rows_dropped_total{${AT}, reason="too_deep"}`]: steady(0),
    },
    quiet: { [`vt_rows_dropped_total{${AT}, reason="too_large"}`]: steady(1_000) },
  },
  TracelithDiskForecast: {
    fires: {
      [`vt_free_disk_space_bytes{${AT}, path="d"}`]: '40000-100x120',
      [`vt_total_disk_space_bytes{${AT}, path="d"}`]: steady(100_000),
    },
    quiet: {
      [`vt_free_disk_space_bytes{${AT}, path="d"}`]: '40000-1x120',
      [`vt_total_disk_space_bytes{${AT}, path="d"}`]: steady(100_000),
    },
  },
  TracelithReadOnly: {
    fires: { [`vt_storage_is_read_only{${AT}, path="d"}`]: '0x110 1x10' },
    quiet: { [`vt_storage_is_read_only{${AT}, path="d"}`]: steady(0) },
  },
  TracelithRetentionExceeded: {
    fires: { [`tracelith_retention_excess_bytes{${AT}}`]: steady(5) },
    quiet: { [`tracelith_retention_excess_bytes{${AT}}`]: '0x110 5x10' },
  },
  TracelithMergeBacklog: {
    fires: { [`tracelith_merge_waiting_parts{${AT}}`]: steady(16) },
    quiet: { [`tracelith_merge_waiting_parts{${AT}}`]: '16x100 0 16x19' },
  },
  TracelithParkedWork: {
    fires: { [`tracelith_parked_log_files{${AT}, partition="20261120"}`]: '_x110 1x10' },
    quiet: { [`tracelith_parked_parts{${AT}, partition="20261120", reason="out_of_memory"}`]: '8x100 _x20' },
  },
  TracelithPartitionFailed: {
    fires: { [`tracelith_partitions{${AT}, state="failed"}`]: steady(1) },
    quiet: {
      [`tracelith_partitions{${AT}, state="failed"}`]: steady(0),
      [`tracelith_partitions{${AT}, state="open"}`]: steady(7),
    },
  },
  TracelithSlowQueries: {
    fires: {
      [`tracelith_slow_queries_total{${AT}, kind="search"}`]: growing(1),
      [`tracelith_queries_total{${AT}, kind="search", outcome="ok"}`]: growing(10),
    },
    quiet: {
      [`tracelith_slow_queries_total{${AT}, kind="search"}`]: growing(1),
      [`tracelith_queries_total{${AT}, kind="search", outcome="ok"}`]: growing(100),
    },
  },
  TracelithQuarantine: {
    fires: { [`tracelith_quarantined_files{${AT}}`]: '2x100 3x20' },
    quiet: { [`tracelith_quarantined_files{${AT}}`]: steady(3) },
  },
  TracelithLosses: {
    fires: { [`tracelith_losses{${AT}}`]: '0x119 1' },
    quiet: { [`tracelith_losses{${AT}}`]: '1x119 0' },
  },
  TracelithClockHeldBack: {
    fires: { [`tracelith_retention_waiting_partitions{${AT}}`]: '0x119 6' },
    quiet: { [`tracelith_retention_waiting_partitions{${AT}}`]: steady(0) },
  },
};
