// What the workload profiles promise: determinism, and the shapes they are named after.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import type { GeneratedSpan } from '../../native-bench/workload/model.ts';
import { KIND_CONSUMER } from '../../native-bench/workload/model.ts';
import { promptBytes } from '../../native-bench/workload/llm.ts';
import type { ProfileName, WorkloadOptions } from '../../native-bench/workload/requests.ts';
import { defaultWorkload, generatedSpans, profiles, requests } from '../../native-bench/workload/requests.ts';
import { decodeRequest, encodeRequest, spansOf } from '../support/otlp-proto.ts';

const startNs = 1_763_596_800_000_000_123n;
const names = Object.keys(profiles) as ProfileName[];

function workload(over: Partial<WorkloadOptions>): WorkloadOptions {
  return { ...defaultWorkload, startNs, seconds: 60, spans: 2000, batch: 500, ...over };
}

function digest(options: WorkloadOptions): string {
  const hash = createHash('sha256');
  for (const { body } of requests(options)) hash.update(body);
  return hash.digest('hex');
}

function idOf(span: GeneratedSpan): string {
  return Buffer.concat([span.traceId, span.spanId]).toString('hex');
}

test.each(names)('%s: the same seed gives the same bytes, another seed other bytes', (profile) => {
  const options = workload({ profile });
  expect(digest(options)).toBe(digest(options));
  expect(digest({ ...options, seed: 2 })).not.toBe(digest(options));
});

test.each(names)('%s: requests are canonical OTLP with the span counts they claim', (profile) => {
  for (const { body, spans } of requests(workload({ profile, batch: 300 }))) {
    const decoded = decodeRequest(body);
    expect(spansOf(decoded)).toHaveLength(spans);
    expect(Buffer.compare(encodeRequest(decoded), body)).toBe(0);
  }
});

test('a request has the batch asked for, and the whole run the spans asked for', () => {
  const sizes = Array.from(requests(workload({ batch: 128 })), (frame) => frame.spans);
  expect(sizes.slice(0, -1).every((size) => size === 128)).toBe(true);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  expect(total).toBeGreaterThanOrEqual(2000);
  expect(total).toBeLessThan(2100);
});

test('times count from startNs to the nanosecond and spread over the seconds', () => {
  const first = [...requests(workload({ profile: 'shop', spans: 5000, batch: 1000 }))].flatMap((frame) =>
    spansOf(decodeRequest(frame.body)),
  );
  const starts = first.map((span) => span.startTimeUnixNano ?? 0n);
  const oldest = starts.reduce((a, b) => (a < b ? a : b));
  const newest = starts.reduce((a, b) => (a > b ? a : b));
  expect(oldest - startNs).toBeGreaterThanOrEqual(0n);
  expect(oldest - startNs).toBeLessThan(1_000_000n);
  expect(Number(newest - startNs) / 1e9).toBeGreaterThan(50);
  expect(Number(newest - startNs) / 1e9).toBeLessThan(75);
});

test('shop: about twelve spans a trace, 16 services less the idle one, 2 % failures, parents in the trace', () => {
  const spans = [...generatedSpans(workload({ profile: 'shop', spans: 15_000 }))];
  const traces = Map.groupBy(spans, (span) => Buffer.from(span.traceId).toString('hex'));
  expect(spans.length / traces.size).toBeGreaterThan(9);
  expect(spans.length / traces.size).toBeLessThan(16);
  expect(new Set(spans.map((span) => Math.floor(span.resource / 3))).size).toBe(15);
  const failed =
    [...traces.values()].filter((trace) => trace.some((span) => span.statusCode === 2)).length / traces.size;
  expect(failed).toBeGreaterThan(0.01);
  expect(failed).toBeLessThan(0.04);
  for (const trace of traces.values()) {
    const ids = new Set(trace.map((span) => Buffer.from(span.spanId).toString('hex')));
    const lost = trace.filter(
      (span) => span.parentSpanId !== undefined && !ids.has(Buffer.from(span.parentSpanId).toString('hex')),
    );
    expect(lost).toEqual([]);
  }
});

test('shop: a synchronous call lies within its caller', () => {
  const spans = [...generatedSpans(workload({ profile: 'shop', spans: 10_000 }))];
  const byId = new Map(spans.map((span) => [Buffer.from(span.spanId).toString('hex'), span]));
  const outside = spans.filter((span) => {
    const parent = byId.get(Buffer.from(span.parentSpanId ?? []).toString('hex'));
    return (
      parent !== undefined &&
      span.kind !== KIND_CONSUMER &&
      (span.startNs < parent.startNs || span.endNs > parent.endNs)
    );
  });
  expect(outside.map((span) => span.name)).toEqual([]);
});

test('shop: spans of one trace come in several requests, as services export on their own clocks', () => {
  const requestsOfTrace = new Map<string, Set<number>>();
  let index = 0;
  for (const { body } of requests(workload({ profile: 'shop', spans: 5000, seconds: 60, batch: 100 }))) {
    for (const span of spansOf(decodeRequest(body))) {
      const id = Buffer.from(span.traceId ?? []).toString('hex');
      requestsOfTrace.set(id, (requestsOfTrace.get(id) ?? new Set()).add(index));
    }
    index++;
  }
  const spread = [...requestsOfTrace.values()].filter((set) => set.size > 1).length / requestsOfTrace.size;
  expect(spread).toBeGreaterThan(0.5);
});

test('late: the shares of late and duplicate spans are those of the field', () => {
  const spans = [...generatedSpans(workload({ profile: 'late', spans: 100_000, seconds: 600 }))];
  const seen = new Set<string>();
  const duplicates: GeneratedSpan[] = [];
  for (const span of spans) {
    if (seen.has(idOf(span))) duplicates.push(span);
    else seen.add(idOf(span));
  }
  const over = (seconds: number): number =>
    spans.filter((span) => span.sendNs - span.endNs > seconds * 1e9).length / spans.length;
  expect(over(30)).toBeGreaterThan(0.008);
  expect(over(30)).toBeLessThan(0.013);
  expect(over(600)).toBeGreaterThan(0.0006);
  expect(over(600)).toBeLessThan(0.002);
  expect(over(3600)).toBeGreaterThan(0);
  expect(duplicates.length / spans.length).toBeGreaterThan(0.0005);
  expect(duplicates.length / spans.length).toBeLessThan(0.0015);
});

test('late: a duplicate is equal to its first copy in every field on the wire', () => {
  const copies = new Map<string, string>();
  let duplicates = 0;
  for (const { body } of requests(workload({ profile: 'late', spans: 8000, batch: 1000 }))) {
    for (const span of spansOf(decodeRequest(body))) {
      const id = Buffer.concat([span.traceId ?? new Uint8Array(), span.spanId ?? new Uint8Array()]).toString('hex');
      const text = JSON.stringify(span, (_, value) => (typeof value === 'bigint' ? value.toString() : value));
      if (copies.has(id)) {
        duplicates++;
        expect(text).toBe(copies.get(id));
      } else copies.set(id, text);
    }
  }
  expect(duplicates).toBeGreaterThan(0);
});

test('long: traces of 10,000 to 100,000 spans', () => {
  const counts = new Map<string, number>();
  for (const span of generatedSpans(workload({ profile: 'long', spans: 60_000 }))) {
    const id = Buffer.from(span.traceId).toString('hex');
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  expect(counts.size).toBeGreaterThan(0);
  for (const count of counts.values()) {
    expect(count).toBeGreaterThanOrEqual(10_000);
    expect(count).toBeLessThan(101_000);
  }
});

test('llm: prompts of 2 to 50 KB', () => {
  const prompts: number[] = [];
  for (const span of generatedSpans(workload({ profile: 'llm', spans: 500 }))) {
    for (const [key, value] of span.attributes)
      if (key === 'gen_ai.input.messages' && typeof value === 'string') prompts.push(value.length);
  }
  expect(prompts.length).toBeGreaterThan(100);
  for (const size of prompts) {
    expect(size).toBeGreaterThanOrEqual(1_900);
    expect(size).toBeLessThanOrEqual(promptBytes.max);
  }
  expect(Math.max(...prompts)).toBeGreaterThan(20_000);
});

test('odd: every value type, odd kinds, links, duplicate keys and orphans occur; names are many', () => {
  const spans = [...requests(workload({ profile: 'odd', spans: 5000 }))].flatMap(({ body }) =>
    spansOf(decodeRequest(body)),
  );
  const types = new Set(
    spans.flatMap((span) =>
      (span.attributes ?? []).map((attribute) => Object.keys(attribute.value ?? {})[0] ?? 'empty'),
    ),
  );
  expect([...types].sort()).toEqual([
    'arrayValue',
    'boolValue',
    'bytesValue',
    'doubleValue',
    'empty',
    'intValue',
    'kvlistValue',
    'stringValue',
  ]);
  expect(spans.some((span) => (span.kind ?? 0) > 5)).toBe(true);
  expect(spans.some((span) => (span.links ?? []).length > 0)).toBe(true);
  expect(new Set(spans.map((span) => span.name)).size).toBeGreaterThan(1000);
  const duplicateKeys = spans.filter(
    (span) => new Set((span.attributes ?? []).map((a) => a.key)).size < (span.attributes ?? []).length,
  );
  expect(duplicateKeys.length).toBeGreaterThan(100);
  const ids = new Set(spans.map((span) => Buffer.from(span.spanId ?? []).toString('hex')));
  expect(
    spans.some((span) => span.parentSpanId !== undefined && !ids.has(Buffer.from(span.parentSpanId).toString('hex'))),
  ).toBe(true);
});

test('chaotic: of usual size, hundreds of operations and keys, 8 to 12 attributes, no key set and no tree again; 1.5 % odd', () => {
  const options = workload({ profile: 'chaotic', spans: 20_000, batch: 1000 });
  const bytes = [...requests(options)].reduce((sum, { body }) => sum + body.length, 0);
  const spans = [...generatedSpans(options)];
  expect(bytes / spans.length).toBeGreaterThan(430);
  expect(bytes / spans.length).toBeLessThan(600);
  const keysOf = (span: GeneratedSpan): string => span.attributes.map(([key]) => key).join();
  const usual = spans.filter(({ name }) => !name.startsWith('GET /users/'));
  const oddShare = 1 - usual.length / spans.length;
  expect(oddShare).toBeGreaterThan(0.01);
  expect(oddShare).toBeLessThan(0.02);
  expect(usual.every(({ attributes }) => attributes.length >= 8 && attributes.length <= 12)).toBe(true);
  expect(new Set(usual.map(({ name }) => name)).size).toBeGreaterThan(500);
  expect(new Set(usual.flatMap(({ attributes }) => attributes.map(([key]) => key))).size).toBeGreaterThan(150);
  expect(new Set(usual.map(keysOf)).size).toBeGreaterThan(usual.length * 0.999);
  const traces = Map.groupBy(spans, (span) => Buffer.from(span.traceId).toString('hex'));
  const trees = [...traces.values()].filter((trace) => trace.length > 2).map(treeOf);
  expect(new Set(trees).size).toBeGreaterThan(trees.length * 0.999);
});

/** Names in order of start, each with its parent's place: what a store could recognise as the same shape. */
function treeOf(trace: readonly GeneratedSpan[]): string {
  const ordered = trace.toSorted((a, b) => a.startNs - b.startNs);
  const places = new Map(ordered.map((span, i) => [Buffer.from(span.spanId).toString('hex'), i]));
  return ordered
    .map(({ name, parentSpanId }) => `${name}<${places.get(Buffer.from(parentSpanId ?? []).toString('hex')) ?? '-'}`)
    .join();
}
