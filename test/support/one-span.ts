// The smallest request: one span of a trace with a number for its id.
import { attribute } from './rich-trace.ts';
import type { OtlpRequest } from './otlp-proto.ts';

export function oneSpan(trace: number): OtlpRequest {
  const traceId = Buffer.alloc(16);
  traceId.writeUInt32BE(trace, 12);
  const startTimeUnixNano = BigInt(Date.now()) * 1_000_000n;
  const span = {
    traceId,
    spanId: new Uint8Array(8).fill(1),
    name: 'op',
    startTimeUnixNano,
    endTimeUnixNano: startTimeUnixNano + 1n,
  };
  return {
    resourceSpans: [{ resource: { attributes: [attribute('service.name', 's')] }, scopeSpans: [{ spans: [span] }] }],
  };
}
