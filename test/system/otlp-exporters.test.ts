// The official OpenTelemetry JS exporters against the real listeners, over all three protocols, plain and gzip.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../src/base/errors.ts';
import { openEdgeServers, type EdgeServers } from '../support/edge-servers.ts';
import { EXPORTER_CASES, exportOnce, openExporter, type Compression } from '../support/otlp-exporters.ts';
import { spansOf, type OtlpRequest, type OtlpSpan } from '../support/otlp-proto.ts';

let edge: EdgeServers;
beforeAll(async () => {
  edge = await openEdgeServers();
});
afterAll(async () => {
  await edge[Symbol.asyncDispose]();
});
beforeEach(() => {
  edge.store.writes.length = 0;
  edge.store.failures.length = 0;
  edge.store.attempts = 0;
});

async function exportTo(protocol: string, compression: Compression): Promise<void> {
  const headers = { AccountID: '12', ProjectID: '34' };
  const addresses = { httpUrl: edge.url(''), grpcAddress: `127.0.0.1:${edge.grpc.port}` };
  await exportOnce(openExporter({ protocol, compression, headers, ...addresses }));
}

/** The request without what differs from run to run. */
function stableOf(request: OtlpRequest): unknown {
  const stable = (span: OtlpSpan): unknown => ({
    ...span,
    traceId: span.traceId?.length,
    spanId: span.spanId?.length,
    startTimeUnixNano: 'time',
    endTimeUnixNano: 'time',
    events: span.events?.map((event) => ({ ...event, timeUnixNano: 'time' })),
  });
  return {
    ...request,
    resourceSpans: request.resourceSpans?.map((r) => ({
      ...r,
      scopeSpans: r.scopeSpans?.map((s) => ({ ...s, spans: s.spans?.map(stable) })),
    })),
  };
}

describe('the official exporters', () => {
  test.each(EXPORTER_CASES)('%s with compression %s arrives whole', async (protocol, compression) => {
    await exportTo(protocol, compression);
    expect(edge.store.writes).toHaveLength(1);
    const [{ request, tenant }] = edge.store.writes as [(typeof edge.store.writes)[0]];
    expect(tenant).toBe(protocol === 'grpc' ? '0:0' : '12:34');
    const [span] = spansOf(request);
    expect(span).toMatchObject({ name: 'GET /cart', kind: 2, status: { code: 2, message: 'out of stock' } });
    expect(span!.attributes).toEqual([
      { key: 'http.status_code', value: { intValue: 200n } },
      { key: 'big', value: { intValue: 2n ** 53n - 1n } },
      { key: 'ratio', value: { doubleValue: 0.25 } },
      { key: 'ok', value: { boolValue: true } },
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { stringValue: 'b' }] } } },
      { key: 'empty', value: { stringValue: '' } },
    ]);
    expect(span!.startTimeUnixNano).toBeGreaterThan(1_700_000_000_000_000_000n);
    expect(span!.events?.[0]).toMatchObject({
      name: 'retry',
      attributes: [{ key: 'attempt', value: { intValue: 2n } }],
    });
    expect(Buffer.from(span!.links![0]!.traceId!).toString('hex')).toBe('0af7651916cd43dd8448eb211c80319c');
  });

  test('all six say the same', async () => {
    for (const [protocol, compression] of EXPORTER_CASES) await exportTo(protocol, compression);
    const [first, ...others] = edge.store.writes.map((write) => stableOf(write.request));
    expect(others).toHaveLength(5);
    for (const other of others) expect(other).toEqual(first);
  });

  test.each(
    EXPORTER_CASES.flatMap(([protocol, compression]) =>
      (['UNAVAILABLE', 'OVERLOADED'] as const).map((code) => [protocol, compression, code] as const),
    ),
  )('%s %s: after %s the retry lands exactly once', { timeout: 15_000 }, async (protocol, compression, code) => {
    edge.store.failures.push(new StoreError(code, 'not now'));
    await exportTo(protocol, compression);
    expect([edge.store.attempts, edge.store.writes.length]).toEqual([2, 1]);
  });

  test.each(['http/protobuf', 'http/json', 'grpc'])('%s: what is malformed is not sent again', async (protocol) => {
    edge.store.failures.push(new StoreError('INVALID_REQUEST', 'bad'));
    await exportTo(protocol, 'none').catch((error: unknown) => expect(String(error)).toMatch(/bad|Bad Request/));
    expect([edge.store.attempts, edge.store.writes.length]).toEqual([1, 0]);
  });
});
