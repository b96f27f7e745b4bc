// /metrics as text: names, labels, and that the ledger balances.
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { encodeRequest, toOtlpJson } from '../../support/otlp-proto.ts';
import { openEdgeServers } from '../../support/edge-servers.ts';

const request = encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: 'a' }, { name: 'b' }] }] }] });

/** Samples by name and labels as they stand in the text. */
function parseSamples(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  );
}

test('rows and bytes are counted by protocol, requests by route', async () => {
  await using edge = await openEdgeServers();
  await edge.post(request, { 'content-type': 'application/x-protobuf' });
  await edge.post(request, { 'content-type': 'application/x-protobuf' });
  const json = JSON.stringify(toOtlpJson({ resourceSpans: [{ scopeSpans: [{ spans: [{}] }] }] }));
  await edge.post(json, { 'content-type': 'application/json' });
  await edge.post('{', { 'content-type': 'application/json' });
  await edge.post('', { 'content-type': 'text/evil-1' });
  await edge.send({ method: 'GET', path: '/evil/path-1' });
  await edge.send({ method: 'GET', path: '/evil/path-2' });
  const response = await edge.send({ method: 'GET', path: '/metrics' });
  expect(response.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
  const samples = parseSamples(response.text);
  const path = 'path="/insert/opentelemetry/v1/traces"';
  const expected: Record<string, number> = {
    'vt_rows_ingested_total{type="opentelemetry_traces_otlphttp_protobuf"}': 4,
    'vt_rows_ingested_total{type="opentelemetry_traces_otlphttp_json"}': 1,
    'vt_rows_ingested_total{type="opentelemetry_traces_otlpgrpc"}': 0,
    'vt_bytes_ingested_total{type="opentelemetry_traces_otlphttp_protobuf"}': 2 * request.length,
    [`vt_http_requests_total{${path},format="protobuf"}`]: 2,
    [`vt_http_requests_total{${path},format="json"}`]: 2,
    [`vt_http_requests_total{${path},format="other"}`]: 1,
    [`vt_http_errors_total{${path},format="json"}`]: 1,
    [`vt_http_errors_total{${path},format="other"}`]: 1,
    'vt_http_requests_total{path="*"}': 2,
    [`tracelith_requests_refused_total{${path},code="400"}`]: 1,
    [`tracelith_requests_refused_total{${path},code="415"}`]: 1,
    'tracelith_requests_refused_total{path="*",code="404"}': 2,
    [`vt_http_request_duration_seconds_count{${path}}`]: 5,
    [`vt_http_request_duration_seconds{${path},quantile="0.99"}`]: expect.any(Number) as number,
    vm_http_requests_all_total: 7,
    'vm_http_request_errors_total{path="*",reason="unsupported"}': 2,
    'vm_tcplistener_accepts_total{name="httpListenAddr"}': 8,
    tracelith_intake_bytes: 0,
    vm_concurrent_insert_capacity: 32 * availableParallelism(),
    vm_available_memory_bytes: 2 ** 31,
    vm_concurrent_insert_current: 0,
    'vm_app_version{version="tracelith-0.0.0",short_version="v0.0.0"}': 1,
    'flag{name="retentionPeriod",value="7d",is_set="false"}': 1,
  };
  expect(samples.get('vt_http_errors_total{path="*"}')).toBe(0);
  for (const [name, value] of Object.entries(expected)) expect([name, samples.get(name)]).toEqual([name, value]);
  expect(response.text).not.toContain('evil');
});

test('the ledger of the store is shown as it is at each scrape, and balances', async () => {
  await using edge = await openEdgeServers();
  edge.store.stats_ = {
    rowsReceived: 10,
    rowsStored: 7,
    rowsRejected: { too_large: 1, invalid_trace_id: 2 },
    merges: 3,
    logRows: 2,
    partRows: 100,
    bytesReceived: 5_000,
    logCounts: [{ level: 'ERROR', message: 'a merge failed twice', count: 3, suppressed: 1 }],
  };
  for (const stored of [7, 17]) {
    edge.store.stats_ = {
      ...edge.store.stats_,
      rowsStored: stored,
      rowsReceived: stored + 3,
      isReadOnly: stored === 17,
    };
    const { text } = await edge.send({ method: 'GET', path: '/metrics' });
    const samples = parseSamples(text);
    const dropped = [...samples].filter(([name]) => name.startsWith('vt_rows_dropped_total{'));
    expect(dropped.length).toBe(9);
    const droppedSum = dropped.reduce((sum, [, value]) => sum + value, 0);
    expect(samples.get('tracelith_rows_received_total')).toBe(samples.get('tracelith_rows_stored_total')! + droppedSum);
    expect(samples.get('vt_rows_dropped_total{reason="invalid_trace_id"}')).toBe(2);
    expect(samples.get('vt_storage_is_read_only{path="tracelith-data"}')).toBe(stored === 17 ? 1 : 0);
    expect(samples.get('vt_merges_total{type="storage/part"}')).toBe(3);
    const rawBytes = samples.get('vt_uncompressed_data_size_bytes{type="storage/part"}');
    expect(rawBytes).toBe((100 * 5_000) / (stored + 3));
    expect(samples.get('vm_log_messages_total{level="error",location="a merge failed twice"}')).toBe(3);
    expect(samples.get('tracelith_log_lines_suppressed_total')).toBe(1);
    expect(samples.get('tracelith_log_lines_total{level="error"}')).toBe(3);
    expect(samples.get('tracelith_log_lines_total{level="warn"}')).toBe(0);
  }
});

test('the states of days, what is parked and what retention cannot do are shown, and gone when they are over', async () => {
  await using edge = await openEdgeServers();
  const shown = async (): Promise<Map<string, number>> =>
    parseSamples((await edge.send({ method: 'GET', path: '/metrics' })).text);
  const { days } = await edge.store.stats();
  edge.store.stats_ = {
    days: { ...days, open: 3, failed: 1 },
    parked: [{ partition: '20261120', reason: 'out_of_memory', parts: 8 }],
    parkedLogFiles: new Map([['20261121', 2]]),
    retentionWaitingDays: 5,
    retentionExcessBytes: 77,
  };
  const samples = await shown();
  expect(samples.get('tracelith_partitions{state="open"}')).toBe(3);
  expect(samples.get('tracelith_partitions{state="failed"}')).toBe(1);
  expect(samples.get('tracelith_partitions{state="dropping"}')).toBe(0);
  expect(samples.get('tracelith_parked_parts{partition="20261120",reason="out_of_memory"}')).toBe(8);
  expect(samples.get('tracelith_parked_log_files{partition="20261121"}')).toBe(2);
  expect(samples.get('tracelith_retention_waiting_partitions')).toBe(5);
  expect(samples.get('tracelith_retention_excess_bytes')).toBe(77);
  edge.store.stats_ = {};
  expect([...(await shown()).keys()].filter((name) => name.includes('parked'))).toEqual([]);
});

test('every metric has HELP and TYPE, totals are counters', async () => {
  await using edge = await openEdgeServers();
  const { text } = await edge.send({ method: 'GET', path: '/metrics' });
  const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map((match) => [match[1], match[2]]));
  for (const [name, type] of types)
    if (/^(vt|tracelith)_.*_total$/.test(name!)) expect([name, type]).toEqual([name, 'counter']);
  for (const name of [
    'vt_storage_rows',
    'vt_storage_parts',
    'vt_storage_blocks',
    'vt_partitions',
    'vt_pending_rows',
    'vt_data_size_bytes',
    'vm_app_start_timestamp',
  ]) {
    expect([name, types.get(name)]).toEqual([name, 'gauge']);
  }
  expect(types.get('process_resident_memory_bytes')).toBe('gauge');
});

test('a store that cannot tell its state fails the scrape with a status', async () => {
  await using edge = await openEdgeServers();
  edge.store.stats = () => Promise.reject(new Error('gone'));
  const response = await edge.send({ method: 'GET', path: '/metrics' });
  expect([response.status, response.text]).toEqual([500, 'internal error; the log of the server says more\n']);
  expect(edge.logLines.at(-1)).toContain('gone');
});
