// The order of a block is a function of the set of spans: not of the order, the requests or the days they came in.
import { describe, expect, test } from 'vitest';
import { regroupByTrace } from '../../src/block/regroup.ts';
import { writeTraces } from '../../src/otlp/write-spans.ts';
import { rowsByDay, type SpanBatch } from '../../src/trace/span-batch.ts';
import { type OtlpRequest, type OtlpSpan } from '../support/otlp-proto.ts';
import { createRandom, printedSeed, randomRequest, type Random } from '../support/random-request.ts';
import { attribute, batchOf, NOON_NS, requestOf, span, spansOf } from './scanned.ts';

const DAY_NS = 86_400_000_000_000n;

/** Trace and span of each row in the new order, as `trace/span`. */
function orderOf(batch: SpanBatch, rows = regroupByTrace(batch).rows): string[] {
  const last = (ids: Uint32Array, at: number): number => ids[at]! >>> 24;
  return Array.from(rows, (row) => `${last(batch.traceId, 4 * row + 3)}/${last(batch.spanId, 2 * row + 1)}`);
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [out[i], out[other]] = [out[other]!, out[i]!];
  }
  return out;
}

test('whole traces together, by their first start; spans by start, then by span id', () => {
  const at = (ns: number): OtlpSpan => ({ startTimeUnixNano: NOON_NS + BigInt(ns) });
  const batch = batchOf(
    requestOf([
      span(4, { trace: 1, ...at(30) }),
      span(9, { trace: 2, ...at(20) }),
      span(8, { trace: 1, ...at(10) }),
      span(7, { trace: 2, ...at(5) }),
      span(3, { trace: 1, ...at(10) }),
      span(1, { trace: 3, ...at(5) }),
    ]),
  );
  const { rows, traceEnds, duplicates } = regroupByTrace(batch);
  // Traces 2 and 3 begin together: the smaller trace id first.
  expect(orderOf(batch, rows)).toEqual(['2/7', '2/9', '3/1', '1/3', '1/8', '1/4']);
  expect([Array.from(traceEnds), duplicates]).toEqual([[2, 3, 6], 0]);
});

test('nothing regrouped is nothing', () => {
  expect(regroupByTrace(batchOf())).toEqual({
    rows: new Uint32Array(0),
    traceEnds: new Uint32Array(0),
    duplicates: 0,
  });
});

test('chosen rows only', () => {
  const batch = batchOf(requestOf([span(1), span(2), span(3, { trace: 2 })]));
  expect(orderOf(batch, regroupByTrace(batch, Uint32Array.of(2, 1)).rows)).toEqual(['1/2', '2/3']);
});

describe('a span equal in every field is left out, one that differs anywhere stays:', () => {
  const one = span(1, {
    attributes: [attribute('a', '1'), attribute('b', { intValue: 1n })],
    events: [{ timeUnixNano: NOON_NS, name: 'e' }],
    links: [{ traceId: new Uint8Array(16).fill(1), spanId: new Uint8Array(8).fill(1) }],
  });
  const kept = (...requests: OtlpRequest[]): number => regroupByTrace(batchOf(...requests)).rows.length;

  test('sent again, in another request or the same', () => {
    expect(kept(requestOf([one]), requestOf([one]))).toBe(1);
    expect(regroupByTrace(batchOf(requestOf([one, one, one]))).duplicates).toBe(2);
  });

  test.each<[string, OtlpSpan]>([
    ['the end', { endTimeUnixNano: NOON_NS + 5n }],
    ['the name', { name: 'other' }],
    ['the parent', { parentSpanId: new Uint8Array(8).fill(9) }],
    ['a parent of zeros', { parentSpanId: new Uint8Array(8) }],
    ['the order of attributes', { attributes: [attribute('b', { intValue: 1n }), attribute('a', '1')] }],
    ['the type of a value', { attributes: [attribute('a', { intValue: 1n }), attribute('b', { intValue: 1n })] }],
    [
      'an attribute twice',
      { attributes: [attribute('a', '1'), attribute('b', { intValue: 1n }), attribute('b', { intValue: 1n })] },
    ],
    ['an event', { events: [] }],
    ['an event later', { events: [{ timeUnixNano: NOON_NS + 1n, name: 'e' }] }],
    ['a link', { links: [] }],
    ['a status, if empty', { status: {} }],
    ['flags', { flags: 1 }],
  ])('%s', (_, change) => {
    expect(kept(requestOf([one, { ...one, ...change }]))).toBe(2);
  });

  test('the service, the scope, a schema URL', () => {
    expect(kept(requestOf([one]), requestOf([one], 'other'))).toBe(2);
    const [resourceSpans] = requestOf([one]).resourceSpans!;
    expect(kept(requestOf([one]), { resourceSpans: [{ ...resourceSpans, schemaUrl: 'x' }] })).toBe(2);
    const scopeSpans = [{ spans: [one] }];
    expect(kept(requestOf([one]), { resourceSpans: [{ ...resourceSpans, scopeSpans }] })).toBe(2);
  });
});

test('a trace that crosses midnight stays together, in time order', () => {
  const midnight = (NOON_NS / DAY_NS + 1n) * DAY_NS;
  const batch = batchOf(
    requestOf([
      span(3, { startTimeUnixNano: midnight + 1n }),
      span(1, { trace: 2, startTimeUnixNano: midnight }),
      span(2, { startTimeUnixNano: midnight - 1n }),
    ]),
  );
  expect(orderOf(batch)).toEqual(['1/2', '1/3', '2/1']);
  const days = [...rowsByDay(batch).values()].map((rows) => orderOf(batch, regroupByTrace(batch, rows).rows));
  expect(days).toEqual([['2/1', '1/3'], ['1/2']]);
});

test('the same spans give the same OTLP, in whatever order, requests and batches they came', () => {
  const random = createRandom(printedSeed('regroup'));
  for (let round = 0; round < 30; round++) {
    const requests = Array.from({ length: 4 }, () => randomRequest(random, NOON_NS));
    // Few ids and few starts, so that every tie comes up.
    const spans = requests.flatMap(({ resourceSpans }) =>
      (resourceSpans ?? []).flatMap(({ scopeSpans, ...resource }) =>
        (scopeSpans ?? []).flatMap(({ spans: found, ...scope }) =>
          (found ?? []).map((one) => ({
            resource,
            scope,
            one: {
              ...one,
              ...span(Math.floor(random() * 3), { trace: Math.floor(random() * 3) + 1 }),
              spanId: new Uint8Array(8).fill(1 + Math.floor(random() * 3)),
            },
          })),
        ),
      ),
    );
    const written = (items: typeof spans): Uint8Array => {
      const batch = batchOf(
        ...items.map(({ resource, scope, one }) => ({
          resourceSpans: [{ ...resource, scopeSpans: [{ ...scope, spans: [one] }] }],
        })),
      );
      return writeTraces(batch, regroupByTrace(batch).rows);
    };
    const first = written([...spans, ...spans.slice(0, 3)]);
    expect(Buffer.compare(first, written(shuffled(random, [...spans, ...spans])))).toBe(0);
  }
});

test('a trace of thousands of spans keeps every one', () => {
  const spans = Array.from({ length: 3000 }, (_, i) =>
    span(i + 1, { startTimeUnixNano: NOON_NS + BigInt((i * 7919) % 100) }),
  );
  const batch = batchOf(requestOf(spans));
  const { rows, traceEnds } = regroupByTrace(batch);
  expect([rows.length, Array.from(traceEnds)]).toEqual([3000, [3000]]);
  for (let i = 1; i < rows.length; i++)
    expect(batch.start[rows[i]!]).toBeGreaterThanOrEqual(batch.start[rows[i - 1]!]!);
  expect(new Set(spansOf(batch)).size).toBe(3000);
});
