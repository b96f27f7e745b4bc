import { describe, expect, test } from 'vitest';
import { jaeger, one } from '../../support/jaeger-view.ts';
import type { OtlpSpan } from '../../support/otlp-proto.ts';
import { attribute, RICH_TRACE_ID, span, spanId, traceOf } from '../../support/rich-trace.ts';

describe('references', () => {
  const parentSpanId = spanId(9);
  const link = (id: number, refType?: string, traceId: Uint8Array = RICH_TRACE_ID) => ({
    traceId,
    spanId: spanId(id),
    attributes: refType === undefined ? [] : [attribute('opentracing.ref_type', refType)],
  });
  const shown = (more: OtlpSpan, isRaw = false): string[] =>
    one(more, isRaw).references.map(({ refType, spanID }) => `${refType} ${Number.parseInt(spanID, 16)}`);

  test.each<[string, OtlpSpan, string[]]>([
    ['the parent alone', { parentSpanId }, ['CHILD_OF 9']],
    [
      'the parent before the links',
      { parentSpanId, links: [link(1), link(2)] },
      ['CHILD_OF 9', 'FOLLOWS_FROM 1', 'FOLLOWS_FROM 2'],
    ],
    ['a link with its type', { links: [link(1, 'child_of'), link(2, 'other')] }, ['CHILD_OF 1', 'FOLLOWS_FROM 2']],
    [
      'a link to the parent, which is not repeated and gives its type',
      { parentSpanId, links: [link(1), link(9)] },
      ['FOLLOWS_FROM 9', 'FOLLOWS_FROM 1'],
    ],
    [
      'a link to the parent’s id in another trace',
      { parentSpanId, links: [link(9, undefined, Buffer.alloc(16, 1))] },
      ['CHILD_OF 9', 'FOLLOWS_FROM 9'],
    ],
    ['a parent of zeros is none', { parentSpanId: new Uint8Array(8) }, []],
  ])('%s', (_what, more, expected) => {
    expect(shown(more)).toEqual(expected);
  });

  test('a link without a trace id is removed with a warning, and kept when raw', () => {
    const links = [link(1, undefined, new Uint8Array(16)), link(2)];
    expect(shown({ links })).toEqual(['FOLLOWS_FROM 2']);
    expect(one({ links }).warnings).toEqual(['Invalid span link removed']);
    expect(shown({ links }, true)).toEqual(['FOLLOWS_FROM 1', 'FOLLOWS_FROM 2']);
    expect(one({ links }, true).warnings).toBeNull();
  });

  test('ids with a high half of zeros are 16 digits everywhere', () => {
    const low = Buffer.from('00000000000000001122334455667788', 'hex');
    const trace = jaeger(traceOf([span(1, { traceId: low, parentSpanId, links: [link(1, undefined, low)] })]));
    expect([
      trace.traceID,
      trace.spans[0]!.traceID,
      ...trace.spans[0]!.references.map(({ traceID }) => traceID),
    ]).toEqual(Array(4).fill('1122334455667788'));
  });
});
