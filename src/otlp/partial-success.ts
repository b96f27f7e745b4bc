// WriteResult → the reply to the client. For each reason it gives the number of rejected spans and a remedy: this text
// goes to the log of the sending application, and its owner may never see any other report.
import { limits } from '../base/limits.ts';
import type { RejectReason, WriteResult } from '../trace/store.ts';
import { encodeExportResponse, type OtlpEncoding, type PartialSuccess } from './rpc-messages.ts';

const REMEDIES: Readonly<Record<RejectReason, string>> = {
  invalid_trace_id: 'trace id must be 16 bytes and not all zero',
  invalid_span_id: 'span id must be 8 bytes and not all zero',
  invalid_parent_span_id: 'parent span id must be empty or 8 bytes',
  too_small_timestamp:
    'start is older than -retentionPeriod, or than retentionDays of the tenant; check the clock of the sender or raise it',
  too_big_timestamp: 'start is further ahead than -futureRetention; check the clock of the sender or raise it',
  too_many_days: `no day may begin beside the ${limits.partitionsMax} stored; check the clock of the sender`,
  too_many_attributes:
    'more than -insert.maxAttributesPerSpan in a span, event or link; set the limits of the SDK or raise it',
  too_large:
    `the span is larger than -insert.maxSpanBytes, has more than ${limits.childrenPerSpanMax} events or links, or its ` +
    `resource or scope has more than ${limits.descriptorBytesMax} bytes; set the limits of the SDK or raise it`,
  too_deep: `an attribute's value is nested deeper than ${limits.anyValueDepthMax} levels; send it as text`,
};

/** Every reason for rejecting a span, in the order of the report. */
export const REJECT_REASONS = Object.keys(REMEDIES) as readonly RejectReason[];

/** Undefined when every span was stored and every field of the request is known. */
export function partialSuccessOf(result: WriteResult): PartialSuccess | undefined {
  const reasons: string[] = [];
  let rejectedSpans = 0;
  for (const reason of REJECT_REASONS) {
    const count = result.rejected.get(reason) ?? 0;
    if (count === 0) continue;
    rejectedSpans += count;
    reasons.push(`${count} ${reason} (${REMEDIES[reason]})`);
  }
  const messages: string[] = [];
  const spans = rejectedSpans === 1 ? '1 span' : `${rejectedSpans} spans`;
  if (rejectedSpans > 0) messages.push(`${spans} rejected: ${reasons.join(', ')}`);
  if (result.unknownField !== undefined) {
    messages.push(`not stored: unknown field ${result.unknownField}; send traces of OTLP 1.0 or later`);
  }
  return messages.length === 0 ? undefined : { rejectedSpans, errorMessage: messages.join('; ') };
}

/** The ExportTraceServiceResponse for a written request. */
export function encodeWriteResult(result: WriteResult, encoding: OtlpEncoding): Buffer {
  return encodeExportResponse(partialSuccessOf(result), encoding);
}
