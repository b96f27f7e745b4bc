// Small traces of two days for tests that copy and move days: the same number gives the same trace.
import { sendTo } from './node-client.ts';
import type { TestNode } from './node-process.ts';
import type { OtlpRequest } from './otlp-proto.ts';

const DAY_MS = 86_400_000;
/** Fixed at the start: a test that runs over midnight goes on with the same days. */
export const todayMs: number = Math.floor(Date.now() / DAY_MS) * DAY_MS;
export const TODAY: string = dayName(todayMs);
export const YESTERDAY: string = dayName(todayMs - DAY_MS);

function dayName(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10).replaceAll('-', '');
}

const idOf = (n: number): Buffer => Buffer.from(hexOf(n), 'hex');

/** The id of trace `n`. */
export function hexOf(n: number): string {
  return n.toString(16).padStart(32, '0');
}

/** Spans [from, end) of trace `n`: even ones are of today, odd ones of yesterday, every seventh crosses midnight. */
export function piece(n: number, from: number, end: number): OtlpRequest {
  const startMs = n % 7 === 0 ? todayMs - 2 : todayMs - (n % 2) * DAY_MS;
  const spans = Array.from({ length: end - from }, (_, i) => {
    const startTimeUnixNano = BigInt(startMs + from + i) * 1_000_000n + BigInt(n);
    return {
      traceId: idOf(n),
      spanId: Buffer.from((n * 100 + from + i).toString(16).padStart(16, '0'), 'hex'),
      name: `op-${n % 5}`,
      kind: 2,
      startTimeUnixNano,
      endTimeUnixNano: startTimeUnixNano + 7_000n,
      attributes: [{ key: 'order', value: { stringValue: `${n}-${'x'.repeat(n % 90)}` } }],
    };
  });
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: `shop-${n % 3}` } }] };
  return { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
}

/** Sends whole traces [from, end) of four spans to the nodes, many a request. */
export async function fill(nodes: readonly TestNode[], from: number, end: number, tenant = '0:0'): Promise<void> {
  for (let n = from; n < end; n += 200) {
    const pieces = Array.from({ length: Math.min(200, end - n) }, (_, i) => piece(n + i, 0, 4).resourceSpans!);
    const request = { resourceSpans: pieces.flat() };
    for (const node of nodes) await sendTo(node, request, { headers: { 'x-tenant': tenant } });
  }
}
