// Shifting and replicating captured requests: only times, ids and (when asked) UUID texts change, and they change consistently.
// Checked with an independent decoder on generated traffic and, where it is present, on the captured corpus.
import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Frame } from '../../native-bench/workload/frames.ts';
import { readFrames } from '../../native-bench/workload/frames.ts';
import type { ProfileName } from '../../native-bench/workload/requests.ts';
import { defaultWorkload, requests } from '../../native-bench/workload/requests.ts';
import { replicateFrames, shiftFrames } from '../../native-bench/workload/shift-frames.ts';
import type { OtlpRequest, OtlpSpan } from '../support/otlp-proto.ts';
import { decodeRequest, spansOf } from '../support/otlp-proto.ts';

const corpus = new URL('../../../shared/corpora/otel-demo.otlpframes', import.meta.url).pathname;
const startNs = 1_763_596_800_000_000_123n;
const nowNs = 1_800_000_000_123_456_789n;

function generated(profile: ProfileName): Frame[] {
  return [...requests({ ...defaultWorkload, profile, startNs, spans: 3000, batch: 250, seconds: 30 })];
}

function hex(id: Uint8Array | undefined): string {
  return Buffer.from(id ?? []).toString('hex');
}

function newestEnd(spans: readonly OtlpSpan[]): bigint {
  return spans.reduce((newest, { endTimeUnixNano = 0n }) => (endTimeUnixNano > newest ? endTimeUnixNano : newest), 0n);
}

/** Sets every time and id to what `time` and `id` make of it; the rest is untouched. */
function mapped(request: OtlpRequest, time: (at: bigint) => bigint, id: (id: string) => string): OtlpRequest {
  const bytes = (value: Uint8Array | undefined): Uint8Array => new Uint8Array(Buffer.from(id(hex(value)), 'hex'));
  for (const span of spansOf(request)) {
    span.traceId = bytes(span.traceId);
    span.spanId = bytes(span.spanId);
    if (span.parentSpanId !== undefined) span.parentSpanId = bytes(span.parentSpanId);
    span.startTimeUnixNano = time(span.startTimeUnixNano ?? 0n);
    span.endTimeUnixNano = time(span.endTimeUnixNano ?? 0n);
    for (const event of span.events ?? []) event.timeUnixNano = time(event.timeUnixNano ?? 0n);
    for (const link of span.links ?? []) {
      link.traceId = bytes(link.traceId);
      link.spanId = bytes(link.spanId);
    }
  }
  return request;
}

/** Old id → new id, as the pairs of spans show it; fails when one old id has two new ones or the reverse. */
function idPairs(before: readonly OtlpSpan[], after: readonly OtlpSpan[]): Map<string, string> {
  const pairs = new Map<string, string>();
  const pair = (a: Uint8Array | undefined, b: Uint8Array | undefined): void => {
    expect(pairs.get(hex(a)) ?? hex(b)).toBe(hex(b));
    pairs.set(hex(a), hex(b));
  };
  before.forEach((span, i) => {
    const other = after[i];
    pair(span.traceId, other?.traceId);
    pair(span.spanId, other?.spanId);
    pair(span.parentSpanId, other?.parentSpanId);
    (span.links ?? []).forEach((link, j) => {
      pair(link.traceId, other?.links?.[j]?.traceId);
      pair(link.spanId, other?.links?.[j]?.spanId);
    });
  });
  expect(new Set(pairs.values()).size).toBe(pairs.size);
  return pairs;
}

function expectOnlyTimesAndIdsChanged(frames: readonly Frame[]): void {
  const before = frames.map((frame) => decodeRequest(frame.body));
  const after = [...shiftFrames(frames, { nowNs, freshIds: true, seed: 7 })].map((frame) => decodeRequest(frame.body));
  const spansBefore = before.flatMap(spansOf);
  const deltaNs = nowNs - newestEnd(spansBefore);
  const pairs = idPairs(spansBefore, after.flatMap(spansOf));
  expect(newestEnd(after.flatMap(spansOf))).toBe(nowNs);
  const expected = before.map((request) =>
    mapped(
      request,
      (at) => (at === 0n ? 0n : at + deltaNs),
      (id) => pairs.get(id) ?? 'unpaired',
    ),
  );
  expect(after).toEqual(expected);
}

test.each(['shop', 'chaotic', 'odd'] as const)(
  '%s: everything but times and ids stays equal, and ids map one to one',
  (profile) => {
    expectOnlyTimesAndIdsChanged(generated(profile));
  },
);

test.skipIf(!existsSync(corpus))(
  'otel-demo corpus: everything but times and ids stays equal, and ids map one to one',
  () => {
    expectOnlyTimesAndIdsChanged([...readFrames(corpus)]);
  },
);

test('every id is replaced, and another seed gives other ids', () => {
  const frames = generated('shop');
  const idsOf = (list: Iterable<Frame>): string[] =>
    Array.from(list, (frame) => spansOf(decodeRequest(frame.body)).map((span) => hex(span.spanId))).flat();
  const one = idsOf(shiftFrames(frames, { nowNs, freshIds: true, seed: 1 }));
  const two = idsOf(shiftFrames(frames, { nowNs, freshIds: true, seed: 2 }));
  expect(new Set([...idsOf(frames), ...one, ...two]).size).toBe(one.length * 3);
});

test('without fresh ids only times change, and the given frames never do', () => {
  const frames = generated('shop');
  const copies = frames.map((frame) => frame.body.slice());
  const shifted = [...shiftFrames(frames, { nowNs, freshIds: false, seed: 1 })];
  expect(frames.map((frame) => frame.body)).toEqual(copies);
  const ids = (list: readonly Frame[]): string[] =>
    list.flatMap((frame) => spansOf(decodeRequest(frame.body)).map((span) => hex(span.traceId)));
  expect(ids(shifted)).toEqual(ids(frames));
});

test('ids that are invalid and times that are unset stay so', () => {
  const zeroId = new Uint8Array([0x0a, 18, 0x12, 16, 0x12, 14, 0x0a, 2, 0, 0, 0x12, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
  const [shifted] = [...shiftFrames([{ body: zeroId, spans: 1 }], { nowNs, freshIds: true, seed: 1 })];
  expect(shifted?.body).toEqual(zeroId);
});

test('fresh UUIDs keep their shape, and stay equal where they were equal', () => {
  const values = (list: Iterable<Frame>, key: string): string[] =>
    Array.from(list, (frame) =>
      spansOf(decodeRequest(frame.body)).flatMap((span) =>
        (span.attributes ?? []).filter((a) => a.key === key).map((a) => a.value?.stringValue ?? ''),
      ),
    ).flat();
  const frames = generated('shop');
  const shifted = [...shiftFrames(frames, { nowNs, freshIds: true, freshUuids: true, seed: 3 })];
  const before = values(frames, 'app.session.id');
  const after = values(shifted, 'app.session.id');
  expect(after.every((text) => /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/.test(text))).toBe(
    true,
  );
  expect(new Set(after).size).toBe(new Set(before).size);
  expect(after.some((text) => before.includes(text))).toBe(false);
  const urls = values(shifted, 'http.url').filter((url) => url.includes('sessionId='));
  expect(urls.every((url) => after.some((id) => url.includes(id)))).toBe(true);
});

test('replicas have distinct ids and end spread over the seconds before now', () => {
  const frames = generated('shop').slice(0, 2);
  const replicas = [...replicateFrames(frames, { spans: 2000, nowNs, seconds: 100, seed: 1, freshUuids: false })];
  const spans = replicas.flatMap((frame) => spansOf(decodeRequest(frame.body)));
  expect(spans).toHaveLength(2000);
  expect(new Set(spans.map((span) => hex(span.spanId))).size).toBe(2000);
  const ends = [0, 1, 2, 3].map((round) => newestEnd(spans.slice(round * 500, round * 500 + 500)));
  expect(ends).toEqual([nowNs - 75_000_000_000n, nowNs - 50_000_000_000n, nowNs - 25_000_000_000n, nowNs]);
});
