import { describe, expect, test } from 'vitest';
import { encodeWriteResult, partialSuccessOf, REJECT_REASONS } from '../../src/otlp/partial-success.ts';
import type { RejectReason, WriteResult } from '../../src/trace/store.ts';
import { decodeResponse } from '../support/otlp-proto.ts';

const result = (...rejected: [RejectReason, number][]): WriteResult => ({ stored: 1, rejected: new Map(rejected) });

describe('partial success', () => {
  test('is absent when every span was stored', () => {
    for (const all of [result(), result(['too_large', 0])]) {
      expect(partialSuccessOf(all)).toBeUndefined();
      expect(encodeWriteResult(all, 'protobuf')).toHaveLength(0);
      expect(encodeWriteResult(all, 'json').toString()).toBe('{}');
    }
  });

  test('counts and names every reason once, whatever order they came in', () => {
    const all = REJECT_REASONS.map((reason, i) => [reason, i + 1] as [RejectReason, number]);
    const { rejectedSpans, errorMessage } = partialSuccessOf(result(...all.toReversed()))!;
    expect(rejectedSpans).toBe(45);
    expect(errorMessage).toMatch(/^45 spans rejected: 1 invalid_trace_id \(.*\), 2 invalid_span_id \(/);
    for (const [reason, count] of all) expect(errorMessage).toContain(`${count} ${reason} (`);
    expect(partialSuccessOf(result(...all))).toEqual({ rejectedSpans, errorMessage });
  });

  test('names a field that is not known, alone and beside rejected spans', () => {
    const unknownField = '1000 in resource_spans[0]';
    const text = `not stored: unknown field ${unknownField}; send traces of OTLP 1.0 or later`;
    expect(partialSuccessOf({ ...result(), unknownField })).toEqual({ rejectedSpans: 0, errorMessage: text });
    expect(decodeResponse(encodeWriteResult({ ...result(), unknownField }, 'protobuf'))).toEqual({
      partialSuccess: { errorMessage: text },
    });
    const { rejectedSpans, errorMessage } = partialSuccessOf({ ...result(['too_large', 2]), unknownField })!;
    expect([rejectedSpans, errorMessage]).toEqual([
      2,
      expect.stringMatching(/^2 spans rejected: .*; not stored: unknown field 1000/),
    ]);
  });

  test('is the same in both encodings', () => {
    const one = result(['too_big_timestamp', 1]);
    const errorMessage =
      '1 span rejected: 1 too_big_timestamp (start is further ahead than -futureRetention; check the clock of the sender or raise it)';
    expect(decodeResponse(encodeWriteResult(one, 'protobuf'))).toEqual({
      partialSuccess: { rejectedSpans: 1n, errorMessage },
    });
    expect(JSON.parse(encodeWriteResult(one, 'json').toString())).toEqual({
      partialSuccess: { rejectedSpans: '1', errorMessage },
    });
  });
});
