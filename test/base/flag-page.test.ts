import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeFlagTables } from '../../src/base/flag-page.ts';
import { flagTable } from '../../src/config.ts';
import { root } from '../support/source-tree.ts';

const page = readFileSync(join(root, 'docs', 'CONFIG.md'), 'utf8');

test('docs/CONFIG.md is as node deploy/write-config-page.mjs writes it', () => {
  expect(writeFlagTables(page, flagTable)).toBe(page);
});

test('a flag that is new, gone or changed changes its table alone', () => {
  const [first, ...rest] = flagTable;
  const changed = writeFlagTables(page, [{ ...first!, meaning: 'A | B.' }, ...rest.slice(1)]);
  expect(changed).toContain('| A \\| B. |');
  expect(changed).not.toContain(`| \`-${rest[0]!.name}\` |`);
  expect(writeFlagTables(changed, flagTable)).toBe(page);
});

test('a page without a heading is a bug', () => {
  expect(() => writeFlagTables(page.replace('## Ingest', '## In'), flagTable)).toThrow(/no heading ## Ingest/);
});

/** Flags of VictoriaTraces and vtagent up to v0.12: its -help, as ../shared/contract/victoriatraces.md §1.2 groups it. */
const VICTORIA_TRACES: Readonly<Record<string, string>> = {
  ingest: `opentelemetry.traces.maxRequestSize insert.maxFieldsPerLine insert.disable internalinsert.disable
    internalinsert.maxRequestSize maxConcurrentInserts insert.maxQueueDuration defaultMsgValue insert.indexFlushInterval
    maxBackfillAge otlpGRPCListenAddr otlpGRPC.tls otlpGRPC.tlsCertFile otlpGRPC.tlsKeyFile otlpGRPC.tlsCipherSuites
    otlpGRPC.tlsMinVersion`,
  storage: `storageDataPath retentionPeriod retention.maxDiskSpaceUsageBytes retention.maxDiskUsagePercent futureRetention
    inmemoryDataFlushInterval storage.minFreeDiskSpaceBytes logNewStreams logIngestedRows logNewStreamsAuthKey
    forceMergeAuthKey forceFlushAuthKey partitionManageAuthKey snapshotsMaxAge delete.enable internaldelete.enable
    blockcache.missesBeforeCaching fs.disableMmap fs.disableMincore fs.maxConcurrency filestream.disableFadvise
    memory.allowedPercent memory.allowedBytes defaultParallelReaders`,
  select: `search.maxConcurrentRequests search.maxQueryDuration search.maxQueueDuration search.traceMaxDurationWindow
    search.traceSearchStep search.traceServiceAndSpanNameLookbehind search.streamFieldsLookbehind search.fieldsLookbehind
    search.traceMaxServiceNameList search.traceMaxSpanNameList search.maxTags search.maxTraces search.latencyOffset
    search.allowPartialResponse search.maxQueryLen search.maxQueryTimeRange search.logSlowQueryDuration select.disable
    internalselect.disable internalselect.maxConcurrentRequests`,
  'service graph': `servicegraph.enableTask servicegraph.taskInterval servicegraph.taskLookbehind servicegraph.taskTimeout
    servicegraph.taskLimit servicegraph.databaseTaskLimit`,
  cluster: `storageNode insert.concurrency insert.disableCompression select.disableCompression storageNode.username
    storageNode.password storageNode.passwordFile storageNode.bearerToken storageNode.bearerTokenFile storageNode.tls
    storageNode.tlsCAFile storageNode.tlsCertFile storageNode.tlsKeyFile storageNode.tlsServerName
    storageNode.tlsInsecureSkipVerify`,
  http: `httpListenAddr httpListenAddr.useProxyProtocol http.connTimeout http.idleConnTimeout
    http.maxGracefulShutdownDuration http.shutdownDelay http.pathPrefix http.disableCORS http.disableKeepAlive
    http.disableResponseCompression http.header.csp http.header.frameOptions http.header.hsts
    http.header.disableServerHostname httpAuth.username httpAuth.password tls tlsCertFile tlsKeyFile tlsMinVersion
    tlsCipherSuites metricsAuthKey flagsAuthKey pprofAuthKey enableTCP6`,
  misc: `envflag.enable envflag.prefix loggerFormat loggerLevel loggerOutput loggerErrorsPerSecondLimit
    loggerWarnsPerSecondLimit loggerMaxArgLen loggerTimezone pushmetrics.url pushmetrics.interval pushmetrics.extraLabel
    pushmetrics.header pushmetrics.disableCompression metrics.exposeMetadata internStringCacheExpireDuration
    internStringDisableCache internStringMaxLen secret.flags version`,
  vtagent: 'remoteWrite.url remoteWrite.tmpDataPath remoteWrite.maxDiskUsagePerURL',
};

test('each flag of VictoriaTraces is a flag here, or the page says why not', () => {
  const [, refused = ''] = page.split('## Flags of VictoriaTraces that are not here');
  // The names before the colon of a row; `*` stands for any characters.
  const rows = Array.from(refused.matchAll(/^\* (.*?): /gm), ([, names = '']) => names).join();
  const patterns = Array.from(rows.matchAll(/`-([^`]+)`/g), ([, name = '']) => name);
  const isNamedBy = (pattern: string, name: string): boolean =>
    new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(name);
  const theirs = Object.values(VICTORIA_TRACES).flatMap((names) => names.split(/\s+/));
  const ours = new Set(flagTable.map(({ name }) => name));
  const isRefused = (name: string): boolean => patterns.some((pattern) => isNamedBy(pattern, name));
  // Neither in both places nor in none.
  expect(theirs.filter((name) => ours.has(name) === isRefused(name))).toEqual([]);
  expect(patterns.filter((pattern) => !theirs.some((name) => isNamedBy(pattern, name)))).toEqual([]);
});
