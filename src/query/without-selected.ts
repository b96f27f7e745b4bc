// One trace without the spans that a deletion selects, for archived traces, which are OTLP: its spans become blocks in memory,
// so that they are judged as those of parts are.
import { BlockReader } from '../block/block-reader.ts';
import { encodeBlock } from '../block/encode-block.ts';
import { regroupByTrace } from '../block/regroup.ts';
import { ANY_SPAN, scanRequest } from '../otlp/scan-request.ts';
import { writeTraces } from '../otlp/write-spans.ts';
import { SpanBatch } from '../trace/span-batch.ts';
import type { SpanSelection } from '../trace/store.ts';
import type { Tenant } from '../trace/tenant.ts';
import { blockTimes, compileQuery } from './search-traces.ts';

/** `left`: TracesData of the other spans, undefined if there are none; `spans`: how many were selected. */
export function withoutSelected(
  tenant: Tenant,
  otlp: Uint8Array,
  selection: SpanSelection,
): { readonly left: Uint8Array | undefined; readonly spans: number } {
  const batch = new SpanBatch();
  scanRequest(batch, otlp, ANY_SPAN);
  const { rows } = regroupByTrace(batch);
  if ('traceIds' in selection) return { left: undefined, spans: rows.length };
  const { matcher } = compileQuery(selection.query, () => undefined);
  // Rows of a trace are by day.
  const kept = [...new Set(Array.from(rows, (row) => batch.day[row]!))].flatMap((day) => {
    const ofDay = rows.filter((row) => batch.day[row] === day);
    const block = new BlockReader(encodeBlock(batch, ofDay, { tenant, day, profile: 'log' }));
    const flags = matcher.rows(block, blockTimes(day, selection.query));
    return [...ofDay].filter((_, i) => flags?.[i] !== 1);
  });
  const left = kept.length === 0 ? undefined : writeTraces(batch, Uint32Array.from(kept));
  return { left, spans: rows.length - kept.length };
}
