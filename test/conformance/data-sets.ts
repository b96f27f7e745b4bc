// The three data sets of the contract's checks. S0 is read from beside the project and may be absent; S1 and S2 are made here,
// yesterday (UTC), so that no default window and no retention touches them.
import { readFileSync } from 'node:fs';
import { hasJaegerSuite, readJaegerSuite, requestsOf } from '../support/jaeger-suite.ts';
import { sendJson, type Headers } from '../support/node-client.ts';
import type { TestNode } from '../support/node-process.ts';
import type { OtlpKeyValue, OtlpRequest, OtlpSpan } from '../support/otlp-proto.ts';
import { attribute, RICH_START_NS, RICH_TRACE, RICH_TRACE_ID, spanId } from '../support/rich-trace.ts';

export const microsecondNs = 1_000n;
export const millisecondNs = 1_000_000n;
export const secondNs = 1_000_000_000n;
export const hourNs = 3_600n * secondNs;
export const dayNs = 24n * hourNs;

export const nowNs: bigint = BigInt(Date.now()) * millisecondNs;
/** 00:00 UTC of yesterday. */
export const midnightNs: bigint = (nowNs / dayNs - 1n) * dayNs;
export const noonNs: bigint = midnightNs + dayNs / 2n;

export const hasS0: boolean = hasJaegerSuite;
export const S0 = hasS0 ? readJaegerSuite(Date.now()) : { fixtures: [], queries: [] };

export async function sendS0(node: TestNode, headers: Headers = {}): Promise<void> {
  for (const request of requestsOf(S0.fixtures, 5)) await sendJson(node, JSON.stringify(request), headers);
}

/** From when the rich trace was recorded to yesterday at the same time of day. */
const richShiftNs = midnightNs - (RICH_START_NS / dayNs) * dayNs;

/** The rich trace with all that Jaeger's view treats specially. */
export const S1: OtlpRequest = moved(RICH_TRACE) as OtlpRequest;
export const S1_ID: string = RICH_TRACE_ID.toString('hex');

/** What Jaeger v2.20 itself makes of S1. */
export function goldenOfS1(name: 'rich-trace.json' | 'rich-trace-raw.json' | 'rich-trace-otlp.json'): string {
  const text = readFileSync(new URL(`../../fixtures/jaeger/${name}`, import.meta.url), 'utf8');
  const micros = text.replaceAll(
    /("startTime":|"timestamp":)(\d+)/g,
    (_, key: string, us: string) => `${key}${BigInt(us) + richShiftNs / microsecondNs}`,
  );
  return micros.replaceAll(/(UnixNano":")(\d+)/g, (_, key: string, ns: string) => `${key}${BigInt(ns) + richShiftNs}`);
}

function moved(value: unknown, name = ''): unknown {
  if (typeof value === 'bigint') return name.endsWith('UnixNano') ? value + richShiftNs : value;
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map((item) => moved(item));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, moved(item, key)]));
}

export const S2_ID = 'b16';
export const S2_SPANS = 10_008;

/** One resource, one span a second: 2 h 47 m. */
export const S2: OtlpRequest = requestOf(
  'large',
  Array.from({ length: S2_SPANS }, (_, i) =>
    makeSpan(0xb16, i + 1, { startTimeUnixNano: midnightNs + BigInt(i) * secondNs }),
  ),
);

export function traceIdOf(id: number): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(id, 12);
  return bytes;
}

/** A span of 5 µs, `id` µs after yesterday's noon, with `more` over it; the end follows the start. */
export function makeSpan(trace: number, id: number, more: OtlpSpan = {}): OtlpSpan {
  const startTimeUnixNano = more.startTimeUnixNano ?? noonNs + BigInt(id) * microsecondNs;
  return {
    traceId: traceIdOf(trace),
    spanId: spanId(id),
    name: 'op',
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + 5n * microsecondNs,
    ...more,
  };
}

/** The spans of one service. */
export function requestOf(service: string, spans: OtlpSpan[], resource: OtlpKeyValue[] = []): OtlpRequest {
  const attributes = [attribute('service.name', service), ...resource];
  return { resourceSpans: [{ resource: { attributes }, scopeSpans: [{ scope: {}, spans }] }] };
}
