// Blocks for tests, from spans that can be told apart.
import { encodeBlock } from '../../src/block/encode-block.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import { DEFAULT_TENANT, type Tenant } from '../../src/trace/tenant.ts';
import { requestOf, type MadeSpans } from '../storage/stored-spans.ts';

/** The day of NOON_NS. */
export const DAY = 20_777;

/** A log block of spans that all start on that day. */
export function blockOf(spec: MadeSpans, tenant: Tenant = DEFAULT_TENANT): Uint8Array {
  const batch = new SpanBatch();
  scanRequest(batch, requestOf(spec), { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n });
  return encodeBlock(batch, regroupByTrace(batch).rows, { tenant, day: DAY, profile: 'log' });
}
