// Blocks from OTLP as the intake makes them: scanned, regrouped by trace, encoded; and back to spans.
import { appendBlock } from '../../src/block/decode-block.ts';
import { encodeBlock, type BlockProfile } from '../../src/block/encode-block.ts';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { scanRequest } from '../../src/otlp/scan-request.ts';
import { writeTraces } from '../../src/otlp/write-spans.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import { DEFAULT_TENANT } from '../../src/trace/tenant.ts';
import { encodeRequest, type OtlpKeyValue, type OtlpRequest, type OtlpSpan } from '../support/otlp-proto.ts';
import { spanSet } from '../support/span-set.ts';

/** Profiles, and groups: a merged block with a row group for every second row or so. */
export type BlockKind = BlockProfile | 'groups';
export const BLOCK_KINDS: readonly BlockKind[] = ['log', 'merged', 'groups'];
/** 2026-11-20T12:00:00Z. */
export const NOON_NS: bigint = BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n;

export function idOf(value: number, sizeBytes: number): Uint8Array {
  const id = new Uint8Array(sizeBytes);
  new DataView(id.buffer).setUint32(sizeBytes - 4, value);
  return id;
}

/** A span of trace `trace` (default 1) with id `id` that starts at noon and lasts a second, with `more` over it. */
export function span(id: number, more: OtlpSpan & { trace?: number } = {}): OtlpSpan {
  const { trace = 1, ...fields } = more;
  const startTimeUnixNano = fields.startTimeUnixNano ?? NOON_NS;
  const endTimeUnixNano = startTimeUnixNano + 1_000_000_000n;
  return { traceId: idOf(trace, 16), spanId: idOf(id, 8), name: 'op', startTimeUnixNano, endTimeUnixNano, ...fields };
}

export function attribute(key: string, value: OtlpKeyValue['value'] | string | undefined): OtlpKeyValue {
  if (value === undefined) return { key };
  return { key, value: typeof value === 'string' ? { stringValue: value } : value };
}

/** All `spans` of one service and one scope. */
export function requestOf(spans: readonly OtlpSpan[], service = 'shop'): OtlpRequest {
  const resource = { attributes: [attribute('service.name', service)] };
  return { resourceSpans: [{ resource, scopeSpans: [{ scope: { name: 's' }, spans: [...spans] }] }] };
}

export function batchOf(...requests: readonly OtlpRequest[]): SpanBatch {
  const batch = new SpanBatch();
  for (const request of requests) {
    scanRequest(batch, encodeRequest(request), { startMinNs: 0n, startMaxNs: 2n ** 64n - 1n });
  }
  return batch;
}

/** All rows of the batch, which are of one day, as one block. */
export function blockOf(batch: SpanBatch, kind: BlockKind = 'merged'): Uint8Array<ArrayBuffer> {
  const options = { tenant: DEFAULT_TENANT, day: batch.day[0]! };
  const how = kind === 'groups' ? ({ profile: 'merged', groupRowsTarget: 2 } as const) : { profile: kind };
  return encodeBlock(batch, regroupByTrace(batch).rows, { ...options, ...how });
}

export function decoded(...blocks: readonly Uint8Array[]): SpanBatch {
  const batch = new SpanBatch();
  for (const block of blocks) appendBlock(batch, block);
  return batch;
}

/** Every span of the batch as spanSet prints it. */
export function spansOf(batch: SpanBatch): string[] {
  return spanSet([
    writeTraces(
      batch,
      Uint32Array.from({ length: batch.rowCount }, (_, row) => row),
    ),
  ]);
}
