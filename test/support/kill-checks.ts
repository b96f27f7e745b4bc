// What must hold after a restart: every acknowledged span is there once, by id, by search and by its names; what was never
// answered is there whole or not at all; the counts agree. Each check throws with what it asked and what it got.
import { expect } from 'vitest';
import { forEachOf, type KeepAliveClient } from './keep-alive-client.ts';
import { UNIQUE_TAG, type SentSpan } from './kill-traffic.ts';
import { fingerprints, spanKey, type BookedTrace, type SpanBook } from './span-book.ts';

/** Queries at once: enough to keep the node busy. */
const CONCURRENT = 4;
/** Trace ids asked for in one query. */
const BULK = 100;

export function tenantHeaders(tenant: string): Record<string, string> {
  const [accountId = '', projectId = ''] = tenant.split(':');
  return { AccountID: accountId, ProjectID: projectId };
}

/**
 * Reads each trace by its id as OTLP: all acknowledged spans are there, none twice, none that was not sent, and those
 * whose content is known as they were sent. Gives the spans that are there although nothing promised it.
 */
export async function checkTraces(client: KeepAliveClient, traces: Iterable<BookedTrace>): Promise<Set<string>> {
  const extra = new Set<string>();
  await forEachOf(traces, CONCURRENT, async (trace) => {
    for (const spanId of await checkTrace(client, trace)) extra.add(spanKey(trace.tenant, trace.traceId, spanId));
  });
  return extra;
}

async function checkTrace(client: KeepAliveClient, trace: BookedTrace): Promise<string[]> {
  const { tenant, traceId, acknowledged, content } = trace;
  const path = `/api/v3/traces/${traceId}`;
  const { status, body } = await client.send({ method: 'GET', path, headers: tenantHeaders(tenant) });
  const text = body.toString('utf8');
  if (status === 404 && acknowledged.size === 0) return [];
  if (status !== 200) throw new Error(`${describe(trace)}: status ${status}: ${text.slice(0, 300)}`);
  const found: string[] = [];
  for (const [foundTraceId, spanId, print] of fingerprints((JSON.parse(text) as { result: unknown }).result)) {
    const is = `${describe(trace)}: span ${spanId}`;
    if (foundTraceId !== traceId) throw new Error(`${is}: belongs to trace ${foundTraceId}`);
    if ((content.get(spanId) ?? print) !== print) throw new Error(`${is}: is not as it was sent`);
    found.push(spanId);
  }
  return compareSpans(trace, found);
}

/** As checkTraces without the content, many ids a query: several times as fast, since a block is decoded once for all. */
export async function checkTracesInBulk(client: KeepAliveClient, traces: readonly BookedTrace[]): Promise<void> {
  const chunks = [...Map.groupBy(traces, ({ tenant }) => tenant).values()].flatMap((ofTenant) =>
    chunksOf(ofTenant, BULK),
  );
  await forEachOf(chunks, 2, async (chunk) => {
    // raw: Jaeger's adjusters might hide a span that is there twice.
    const path = `/api/traces?raw=true&${chunk.map(({ traceId }) => `traceID=${traceId}`).join('&')}`;
    const { data } = (await client.getJson(path, tenantHeaders(chunk[0]!.tenant))) as FoundTraces;
    const found = new Map(data.map(({ traceID, spans }) => [traceID, spans.map(({ spanID }) => spanID)]));
    for (const trace of chunk) compareSpans(trace, found.get(trace.traceId) ?? []);
  });
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** Throws unless `found` are the acknowledged spans, once each, and some of unknown outcome, which it gives. */
function compareSpans(trace: BookedTrace, found: readonly string[]): string[] {
  const { acknowledged, unknown } = trace;
  const ids = new Set(found);
  const extra = [...ids].filter((spanId) => !acknowledged.has(spanId));
  const problems = {
    missing: [...acknowledged].filter((spanId) => !ids.has(spanId)),
    twice: found.filter((spanId, i) => found.indexOf(spanId) !== i),
    neverSent: extra.filter((spanId) => !unknown.has(spanId)),
  };
  if (Object.values(problems).some((list) => list.length > 0)) {
    throw new Error(`${describe(trace)}, ${acknowledged.size} spans acknowledged: ${JSON.stringify(problems)}`);
  }
  return extra;
}

function describe({ tenant, traceId, round }: BookedTrace): string {
  return `trace ${traceId} of tenant ${tenant}, round ${round}`;
}

/** Services of every tenant; operations of `servicesMax` services of each, or of all. */
export async function checkNames(client: KeepAliveClient, book: SpanBook, servicesMax = Infinity): Promise<void> {
  for (const [tenant, services] of book.names) {
    const headers = tenantHeaders(tenant);
    const listed = (await client.getJson('/api/services', headers)) as { data: string[] };
    expect(listed.data, `services of tenant ${tenant}`).toEqual(expect.arrayContaining([...services.keys()]));
    const checked = [...services].slice(0, servicesMax);
    await forEachOf(checked, CONCURRENT, async ([service, operations]) => {
      const path = `/api/services/${encodeURIComponent(service)}/operations`;
      const { data } = (await client.getJson(path, headers)) as { data: string[] };
      const known = new Set(data);
      const missing = [...operations].filter((name) => name !== '' && !known.has(name));
      expect(missing, `operations of ${service}, tenant ${tenant}, that are not listed`).toEqual([]);
    });
  }
}

/** A span is found by what no other span has, or else by service, operation and time; the answer is its whole trace. */
export async function checkSearch(
  client: KeepAliveClient,
  book: SpanBook,
  probes: readonly (readonly [tenant: string, span: SentSpan])[],
): Promise<void> {
  await forEachOf(probes, CONCURRENT, async ([tenant, span]) => {
    const path = `/api/traces?${searchParams(span).toString()}`;
    const { data } = (await client.getJson(path, tenantHeaders(tenant))) as FoundTraces;
    const what = `${path} of tenant ${tenant}, for span ${span.spanId} of trace ${span.traceId}`;
    const ids = data.map(({ traceID }) => traceID);
    if (span.requestId === undefined) expect(ids, what).toContain(span.traceId);
    else expect(ids, what).toEqual([span.traceId]);
    const found = data.find(({ traceID }) => traceID === span.traceId)!.spans.map(({ spanID }) => spanID);
    expect(found.sort(), what).toEqual([...book.traceOf(tenant, span.traceId).acknowledged].sort());
  });
}

interface FoundTraces {
  readonly data: { readonly traceID: string; readonly spans: { readonly spanID: string }[] }[];
}

function searchParams(span: SentSpan): URLSearchParams {
  const startUs = span.startNs / 1000n;
  const isUnique = span.requestId !== undefined;
  // What is unique is looked for in a whole day.
  const marginUs = isUnique ? 43_200_000_000n : 1n;
  const params = new URLSearchParams({
    service: span.service,
    start: String(startUs - marginUs),
    end: String(startUs + marginUs),
    limit: '1000',
  });
  if (span.operation !== '') params.set('operation', span.operation);
  if (isUnique) params.set('tags', JSON.stringify({ [UNIQUE_TAG]: span.requestId }));
  return params;
}

/** The figures of /metrics that the ledger is made of. */
export interface LedgerFigures {
  readonly received: number;
  readonly stored: number;
  readonly ingested: number;
  readonly dropped: number;
  readonly rowsOnDisk: number;
  readonly quarantined: number;
  readonly corrupt: number;
}

export async function readLedger(client: KeepAliveClient): Promise<LedgerFigures> {
  const text = await client.getText('/metrics');
  const sum = (name: string): number => {
    const values = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].map(([, value]) =>
      Number(value),
    );
    expect(values.length, `values of ${name} in /metrics`).toBeGreaterThan(0);
    return values.reduce((total, value) => total + value, 0);
  };
  return {
    received: sum('tracelith_rows_received_total'),
    stored: sum('tracelith_rows_stored_total'),
    ingested: sum('vt_rows_ingested_total'),
    dropped: sum('vt_rows_dropped_total'),
    rowsOnDisk: sum('vt_storage_rows'),
    quarantined: sum('tracelith_quarantined_files'),
    corrupt: sum('tracelith_corrupt_blocks_total'),
  };
}

/** received = stored + dropped, on both sides of the thread between them, and nothing was damaged. */
export function expectBalance(ledger: LedgerFigures): void {
  const { received, stored, dropped, ingested, quarantined, corrupt } = ledger;
  expect({ received, quarantined, corrupt }, JSON.stringify(ledger)).toEqual({
    received: stored + dropped,
    quarantined: 0,
    corrupt: 0,
  });
  // The listener counts a request after the store has.
  expect(ingested, JSON.stringify(ledger)).toBeLessThanOrEqual(stored);
}
