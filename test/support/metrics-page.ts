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

/** The whole page. */
export function metricsPage(rows: readonly MetricRow[]): string {
  const left = new Set([...rows].toSorted((a, b) => (a.name < b.name ? -1 : 1)));
  const sections = GROUPS.map(([title, names]) => {
    const own = [...left].filter(({ name }) => names.test(name));
    for (const row of own) left.delete(row);
    return `\n## ${title}\n\n| metric | kind | unit | labels | meaning |\n| --- | --- | --- | --- | --- |\n${own.map(lineOf).join('')}`;
  });
  return HEAD + sections.join('');
}

function lineOf({ name, kind, unit, labels, help }: MetricRow): string {
  const shown = labels.map((label) => `\`${label}\``).join(' ');
  return `| \`${name}\` | ${kind} | ${unit} | ${shown} | ${help.replaceAll('|', '\\|')} |\n`;
}
