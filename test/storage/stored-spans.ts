// For tests of the engine: small requests whose spans can be told apart, and what a store holds of them, read through a
// snapshot as a query would, but without leaving anything out.
import { join } from 'node:path';
import { appendBlock } from '../../src/block/decode-block.ts';
import type { Disk } from '../../src/disk/disk.ts';
import { writeTraces } from '../../src/otlp/write-spans.ts';
import { openPart, readBlockAt } from '../../src/part/part-reader.ts';
import type { ViewFilter } from '../../src/partition/view.ts';
import type { Storage } from '../../src/storage/storage.ts';
import type { StoreView } from '../../src/storage/views.ts';
import { SpanBatch } from '../../src/trace/span-batch.ts';
import type { Tenant } from '../../src/trace/tenant.ts';
import { encodeRequest, type OtlpSpan } from '../support/otlp-proto.ts';
import { spanSet } from '../support/span-set.ts';

/** 2026-11-20T12:00:00Z, where FakeClock stands. */
export const NOON_NS: bigint = BigInt(Date.UTC(2026, 10, 20, 12)) * 1_000_000n;
export const DAY_NS = 86_400_000_000_000n;

export function traceIdOf(trace: number): Uint8Array {
  const id = new Uint8Array(16);
  new DataView(id.buffer).setUint32(12, trace + 1);
  return id;
}

export interface MadeSpans {
  /** Number of the first span; span n has span id n + 1. */
  readonly first: number;
  readonly count: number;
  /** Which trace span n belongs to; by default four spans share one. */
  readonly traceOf?: (n: number) => number;
  readonly startNs?: (n: number) => bigint;
  readonly service?: string;
}

/** An ExportTraceServiceRequest. */
export function requestOf(spec: MadeSpans): Uint8Array<ArrayBuffer> {
  const { first, count, service = 'shop' } = spec;
  const traceOf = spec.traceOf ?? ((n) => n >> 2);
  const startNs = spec.startNs ?? ((n) => NOON_NS + BigInt(n) * 1_000_000n);
  const spans: OtlpSpan[] = [];
  for (let n = first; n < first + count; n++) {
    const spanId = new Uint8Array(8);
    new DataView(spanId.buffer).setUint32(4, n + 1);
    spans.push({
      traceId: traceIdOf(traceOf(n)),
      spanId,
      name: `op-${n % 3}`,
      kind: 1 + (n % 5),
      startTimeUnixNano: startNs(n),
      endTimeUnixNano: startNs(n) + 1_000n,
      attributes: [{ key: 'n', value: { intValue: BigInt(n) } }],
    });
  }
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: service } }] };
  return encodeRequest({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
}

/** Every span of the snapshot's files, as spanSet prints it: sorted, repeats kept. */
export function spansIn(disk: Disk, view: StoreView): string[] {
  const found: string[] = [];
  for (const partition of view.partitions) {
    for (const { path } of partition.parts) {
      using part = openPart(disk, path);
      part.metadata.blocks.forEach(({ tenant }, block) => {
        if (tenant === view.tenant) found.push(...blockSpans(part.readBlock(block)));
      });
    }
    for (const block of partition.logBlocks) {
      const file = disk.openRead(block.path);
      found.push(...blockSpans(readBlockAt(file, block)));
      file.close();
    }
  }
  return found.sort();
}

/** How many spans of `tenant` there are, every block of them verified but not decoded. */
export function storedRows(storage: Storage, disk: Disk, tenant: Tenant): number {
  const view = storage.takeView(tenant, {});
  let rows = 0;
  for (const partition of view.partitions) {
    for (const { path } of partition.parts) {
      using part = openPart(disk, path);
      part.metadata.blocks.forEach((block, i) => {
        part.readBlock(i);
        if (block.tenant === tenant) rows += block.rowCount;
      });
    }
    for (const block of partition.logBlocks) rows += block.rowCount;
  }
  storage.releaseView(view.id);
  return rows;
}

/** Everything of `tenant` the store holds. */
export function storedSpans(storage: Storage, disk: Disk, tenant: Tenant, filter: ViewFilter = {}): string[] {
  const view = storage.takeView(tenant, filter);
  try {
    return spansIn(disk, view);
  } finally {
    storage.releaseView(view.id);
  }
}

/** The spans of a block, as spanSet prints them. */
export function blockSpans(bytes: Uint8Array): string[] {
  const batch = new SpanBatch();
  appendBlock(batch, bytes);
  return spanSet([
    writeTraces(
      batch,
      Uint32Array.from({ length: batch.rowCount }, (_, row) => row),
    ),
  ]);
}

/** Where a day's partition lies. */
export function partitionPath(path: string, name = '20261120'): string {
  return join(path, 'partitions', name);
}
