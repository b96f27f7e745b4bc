// docs/METRICS.md, made from the registry of a node that has everything: what the program knows is what the page says.
import type { MetricRow } from '../../src/api/metrics/metric-registry.ts';
import { parseConfig } from '../../src/config.ts';
import { RecordingStore } from './recording-store.ts';
import { testMetrics } from './test-metrics.ts';

/** Every metric a node may have. */
export function allMetrics(): readonly MetricRow[] {
  const { storageDataPath, shownFlags } = parseConfig([], {});
  const metrics = testMetrics({ admin: new RecordingStore(), storageDataPath, shownFlags });
  const unread = (): never => {
    throw new Error('only the names of metrics are asked for');
  };
  metrics.watchIntake(unread);
  metrics.watchTurns(unread);
  metrics.watchArchive(unread);
  metrics.watchRedactions(unread);
  metrics.watchConnections('httpListenAddr', unread);
  metrics.watchCluster(unread);
  metrics.watchLogFront(unread);
  metrics.watchLogReader('a', unread);
  metrics.watchGapFiller(unread);
  return metrics.rows;
}

const HEAD = `# Metrics

\`GET /metrics\` (\`-metricsAuthKey\`) has them as Prometheus text, or as OpenMetrics 1.0 for a scraper that prefers it. Where VictoriaTraces has
a metric of the same meaning, it has the same name here (\`vt_*\`, \`vm_*\`, \`process_*\`), so that its dashboards and rules work;
\`tracelith_*\` are ours. Labels never hold what a client chose: paths are route patterns, reasons and kinds are fixed words. Counters are
since the start of the process. Figures of one scrape that come from the store are of one moment, so the ledger can be checked:
\`tracelith_rows_received_total\` = \`tracelith_rows_stored_total\` + the sum of \`vt_rows_dropped_total\`.

Dashboards: [\`deploy/grafana\`](../deploy/grafana); rules: [\`deploy/alerts\`](../deploy/alerts), each with a section of the
[runbook](operations/runbook.md). This page is generated: \`npx vitest run --config test/vitest.config.ts test/metrics-page.test.ts -u\`.
`;

const GROUPS: readonly (readonly [string, RegExp])[] = [
  ['Cluster', /cluster|insert_remote/],
  ['The log between insert and storage nodes', /ingest_log/],
  [
    'Ingest and the ledger',
    /rows_|bytes_ingested|bytes_received|requests_(failed|malformed|with)|insert|intake|redactions|commit|pending/,
  ],
  ['Requests and connections', /http|tcplistener|connections|requests_refused|login/],
  ['Queries', /quer|select/],
  ['What is stored, and the work on it', /^vt_|merge|flush|duplicates|names|tenants|archive|days|retention/],
  ['Damage', /corrupt|quarantin|loss|lost|parked/],
  ['Threads', /event_loop|gc_pause/],
  ['The process', /./],
];

/** Of VictoriaTraces' metrics; a test compares that none of them exists here. */
const MISSING = `
## What VictoriaTraces has and this node has not

Panels and rules that ask for these stay empty, mostly because what they count does not exist here, or is another thing.

| VictoriaTraces | why not | instead |
| --- | --- | --- |
| \`go_*\`, \`vm_gogc\` | no Go runtime | \`tracelith_event_loop_delay_*\`, \`tracelith_gc_pause_seconds\` by kind of thread |
| \`vt_streams_created_total\` | spans are not stored by streams | \`tracelith_names_folded_total\` tells when names go beyond their bounds |
| \`vt_indexdb_rows\`, \`vt_indexdb_parts\`, \`vt_indexdb_blocks\` | the index is LMDB, which has no parts | \`vt_data_size_bytes{type="indexdb"}\` |
| \`vt_storage_per_query_{columns_headers,columns_header_indexes,bloom_filters,values,timestamps,block_headers}_read_bytes\` | a block has other sections | \`vt_storage_per_query_total_read_bytes\` is their sum, with buckets \`le\` instead of \`vmrange\` |
| \`vt_storage_per_query_processed_{blocks,rows}\`, \`vt_storage_per_query_found_rows\`, \`vt_storage_per_query_read_{values,timestamps}\`, \`vt_storage_per_query_uncompressed_values_processed_bytes\` | a query decides by dictionaries and outlines and does not read row by row, and a trace by id is no scan | \`explain=1\` says for one search what became of each block |
| \`vt_http_request_errors_total\` | only of VictoriaTraces' calls between nodes | \`vt_http_errors_total\`, \`tracelith_cluster_calls_*\` |
| \`vt_insert_processors_count\` | promtool refuses a gauge with such a name | \`vm_concurrent_insert_current\` is the same here |
| \`vt_live_tailing_requests\` | no tailing | |
| \`vm_cache_*\`, \`vm_fs_*\`, \`vm_filestream_*\`, \`vm_mmapped_files\`, \`vm_zstd_*\`, \`vm_nfs_*\` | of VictoriaMetrics' own file and cache libraries | \`process_io_*\`, \`tracelith_query_scanned_bytes_total\` |
| \`vm_tcplistener_errors_total\` | a connection that breaks is not counted apart | \`tracelith_requests_refused_total{code="499"}\` counts clients that left |
`;

/** The whole page. */
export function metricsPage(rows: readonly MetricRow[]): string {
  const left = new Set([...rows].toSorted((a, b) => (a.name < b.name ? -1 : 1)));
  const sections = GROUPS.map(([title, names]) => {
    const own = [...left].filter(({ name }) => names.test(name));
    for (const row of own) left.delete(row);
    return `\n## ${title}\n\n| metric | kind | unit | labels | meaning |\n| --- | --- | --- | --- | --- |\n${own.map(lineOf).join('')}`;
  });
  return HEAD + sections.join('') + MISSING;
}

function lineOf({ name, kind, unit, labels, help }: MetricRow): string {
  const shown = labels.map((label) => `\`${label}\``).join(' ');
  return `| \`${name}\` | ${kind} | ${unit} | ${shown} | ${help.replaceAll('|', '\\|')} |\n`;
}
